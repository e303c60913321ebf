//! Turns the SDK's errors into [`iam::Error`]: what AWS said, or what kept its answer away.

use std::error::Error as _;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::iam::{Error, ErrorKind};

/// Translates one call's failure.
pub(super) fn translate<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let new = |kind, code: Option<&str>, message: String| Error {
        action,
        kind,
        code: code.map(Into::into),
        message,
    };
    match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().filter(|code| !code.is_empty());
            let message = context.err().message().unwrap_or_default().to_owned();
            let status = context.raw().status().as_u16();
            match code {
                Some(code) => new(kind_of(code, &message, status), Some(code), message),
                None if status >= 500 => new(
                    ErrorKind::ServiceFailure,
                    None,
                    format!("AWS answered HTTP {status}"),
                ),
                None => unreadable(action, status),
            }
        }
        SdkError::ResponseError(context) => unreadable(action, context.raw().status().as_u16()),
        SdkError::TimeoutError(_) => new(ErrorKind::TimedOut, None, "no reply came in time".into()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => new(
            ErrorKind::TimedOut,
            None,
            "no connection or reply came in time".into(),
        ),
        SdkError::DispatchFailure(failure) => {
            let connector = failure.as_connector_error();
            let mut cause = connector.and_then(|error| error.source());
            let mut message =
                connector.map_or_else(|| "the call could not be sent".into(), ToString::to_string);
            // The innermost reason is the one that helps: "Connection refused", "UnknownIssuer".
            while let Some(error) = cause {
                message = error.to_string();
                cause = error.source();
            }
            new(ErrorKind::Unreachable, None, message)
        }
        SdkError::ConstructionFailure(_) | _ => new(ErrorKind::Unreachable, None, innermost(error)),
    }
}

fn unreadable(action: &'static str, status: u16) -> Error {
    let message = format!("the answer (HTTP {status}) is not one of AWS's");
    Error {
        action,
        kind: ErrorKind::Unreadable,
        code: None,
        message,
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// What AWS's code comes to. IAM and STS report a clock that is off as a wrong signature, and tell it apart only in
/// the message.
fn kind_of(code: &str, message: &str, status: u16) -> ErrorKind {
    match code {
        "SignatureDoesNotMatch" | "InvalidSignatureException"
            if message.contains("Signature expired") || message.contains("Signature not yet current") =>
        {
            ErrorKind::RequestExpired
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature" => {
            ErrorKind::SignatureDoesNotMatch
        }
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => ErrorKind::RequestExpired,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => ErrorKind::AccessDenied {
            explicit: message.contains("explicit deny"),
        },
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            ErrorKind::InvalidClientTokenId
        }
        "ExpiredToken" | "ExpiredTokenException" => ErrorKind::ExpiredToken,
        "LimitExceeded" => ErrorKind::LimitExceeded,
        "NoSuchEntity" => ErrorKind::NoSuchEntity,
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            ErrorKind::Throttled
        }
        _ if status >= 500 => ErrorKind::ServiceFailure,
        _ => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds() {
        for (code, message, status, kind) in [
            ("InvalidClientTokenId", "", 403, ErrorKind::InvalidClientTokenId),
            (
                "SignatureDoesNotMatch",
                "Signature expired: x is now earlier than y",
                403,
                ErrorKind::RequestExpired,
            ),
            (
                "SignatureDoesNotMatch",
                "The request signature we calculated",
                403,
                ErrorKind::SignatureDoesNotMatch,
            ),
            (
                "AccessDenied",
                "with an explicit deny in a policy",
                403,
                ErrorKind::AccessDenied { explicit: true },
            ),
            (
                "AccessDenied",
                "no identity-based policy allows",
                403,
                ErrorKind::AccessDenied { explicit: false },
            ),
            ("LimitExceeded", "", 409, ErrorKind::LimitExceeded),
            ("Throttling", "", 400, ErrorKind::Throttled),
            ("InternalFailure", "", 500, ErrorKind::ServiceFailure),
            ("MalformedInput", "", 400, ErrorKind::Refused),
        ] {
            assert_eq!(kind_of(code, message, status), kind, "{code}");
        }
    }
}
