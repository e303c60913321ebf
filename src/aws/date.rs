//! What time it is by AWS's clock: each reply says so, a refusal too. Judges nothing.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;

/// Keeps the `Date` of the last reply to a call.
#[derive(Clone, Debug, Default)]
pub(super) struct OfReply(Arc<Mutex<Option<Timestamp>>>);

impl OfReply {
    /// To the second; `None` where no reply came, or none with a date.
    pub(super) fn get(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for OfReply {
    fn name(&self) -> &'static str {
        "date of the reply"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.and_then(parse);
        Ok(())
    }
}

/// As HTTP writes it: `Wed, 25 Nov 2026 11:00:00 GMT`.
fn parse(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        let read = parse("Wed, 25 Nov 2026 11:00:00 GMT");
        assert_eq!(read, "2026-11-25T11:00:00Z".parse().ok());
        assert_eq!(parse("yesterday"), None);
    }
}
