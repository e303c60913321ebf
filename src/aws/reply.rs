//! Whether a reply is AWS's own where the SDK does not look: some calls answer with nothing but that they were done, and
//! any HTTP 200, a login page too, would pass for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::error;
use crate::iam::Error;

/// Looks for the element that AWS answers an action with: `<DeleteAccessKeyResponse`.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    action: &'static str,
    is_acknowledged: Arc<AtomicBool>,
}

impl Acknowledged {
    pub(super) fn new(action: &'static str) -> Self {
        Self {
            action,
            is_acknowledged: Arc::default(),
        }
    }

    /// To be asked of a call that the SDK takes for done.
    ///
    /// # Errors
    ///
    /// When the reply was none of AWS's: whether the call took effect is unknown.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_acknowledged.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(error::incomplete(self.action, "acknowledgement"))
        }
    }
}

impl Intercept for Acknowledged {
    fn name(&self) -> &'static str {
        "acknowledgement of the call"
    }

    /// The body has been read by now. Each reply of a call that is repeated is looked at, and the last one counts.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let element = format!("<{}Response", self.action);
        let is_acknowledged = context
            .response()
            .body()
            .bytes()
            .is_some_and(|body| memchr::memmem::find(body, element.as_bytes()).is_some());
        self.is_acknowledged.store(is_acknowledged, Ordering::Release);
        Ok(())
    }
}
