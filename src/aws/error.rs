//! Turns what the SDK says went wrong into [`iam::Error`](crate::iam::Error), and that into words and a way out.
//! Pure. Never repeats a request: its signed headers can hold a session token.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::iam::{Error, ErrorKind};

/// Longer messages are cut: a person reads them, and a proxy can put anything there.
const LONGEST_MESSAGE: usize = 400;

/// Translates a failed call.
pub(super) fn translate<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let new = |kind, message: String| Error {
        action,
        kind,
        code: None,
        message,
    };
    match error {
        // Nothing was sent: the endpoint or the input is wrong.
        SdkError::ConstructionFailure(_) => new(ErrorKind::Refused, innermost(error)),
        SdkError::TimeoutError(_) => new(ErrorKind::TimedOut, "no reply in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            new(ErrorKind::TimedOut, innermost(error))
        }
        SdkError::DispatchFailure(_) => new(ErrorKind::Unreachable, innermost(error)),
        SdkError::ResponseError(response) => without_code(action, Some(response.raw().status().as_u16())),
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            match service.err().code() {
                Some(code) => with_code(action, status, code, service.err().message().unwrap_or_default()),
                None => without_code(action, Some(status)),
            }
        }
        // The SDK's enum may grow.
        _ => new(ErrorKind::Unreadable, innermost(error)),
    }
}

/// A reply of AWS's that lacks what it must have.
pub(super) fn incomplete(action: &'static str, what: &str) -> Error {
    Error {
        action,
        kind: ErrorKind::Unreadable,
        code: None,
        message: format!("the reply holds no usable {what}"),
    }
}

fn with_code(action: &'static str, status: u16, code: &str, message: &str) -> Error {
    let kind = kind(status, code, message);
    let message = match kind {
        // AWS may append the canonical request, and with it the session token.
        ErrorKind::SignatureDoesNotMatch => "the signature does not match".to_owned(),
        ErrorKind::AccessDenied { .. }
        | ErrorKind::InvalidMfaCode
        | ErrorKind::InvalidClientTokenId
        | ErrorKind::ExpiredToken
        | ErrorKind::RequestExpired
        | ErrorKind::LimitExceeded
        | ErrorKind::NoSuchEntity
        | ErrorKind::Throttled
        | ErrorKind::ServiceFailure
        | ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::Unreadable
        | ErrorKind::Refused => one_line(message),
    };
    let message = if message.is_empty() {
        format!("AWS answered HTTP {status}")
    } else {
        message
    };
    Error {
        action,
        kind,
        code: Some(one_line(code)),
        message,
    }
}

fn without_code(action: &'static str, status: Option<u16>) -> Error {
    let (kind, message) = match status {
        Some(status @ 500..) => (
            ErrorKind::ServiceFailure,
            format!("HTTP {status} without AWS's error code"),
        ),
        Some(status) => (
            ErrorKind::Unreadable,
            format!("HTTP {status} with a body that is not AWS's"),
        ),
        None => (ErrorKind::Unreadable, "a reply that is not AWS's".to_owned()),
    };
    Error {
        action,
        kind,
        code: None,
        message,
    }
}

fn kind(status: u16, code: &str, message: &str) -> ErrorKind {
    match code {
        // STS has no code of its own for it.
        "AccessDenied" if message.contains("MultiFactorAuthentication failed") => ErrorKind::InvalidMfaCode,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => ErrorKind::AccessDenied {
            explicit: message.contains("explicit deny"),
        },
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            ErrorKind::InvalidClientTokenId
        }
        // IAM and STS report a clock that is off under the signature's code; only the words tell.
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            if message.contains("Signature expired") || message.contains("Signature not yet current") {
                ErrorKind::RequestExpired
            } else {
                ErrorKind::SignatureDoesNotMatch
            }
        }
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => ErrorKind::RequestExpired,
        "ExpiredToken" | "ExpiredTokenException" => ErrorKind::ExpiredToken,
        "LimitExceeded" | "LimitExceededException" => ErrorKind::LimitExceeded,
        "NoSuchEntity" | "NoSuchEntityException" => ErrorKind::NoSuchEntity,
        "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "BandwidthLimitExceeded" => ErrorKind::Throttled,
        code if code.starts_with("Throttl") || code.starts_with("TooManyRequests") => ErrorKind::Throttled,
        _ if status >= 500 => ErrorKind::ServiceFailure,
        _ => ErrorKind::Refused,
    }
}

/// The last reason in the chain: `dns error: …`, `invalid peer certificate: UnknownIssuer`.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut reason = error;
    let mut previous = None;
    while let Some(source) = reason.source() {
        previous = Some(reason);
        reason = source;
    }
    let last = one_line(&reason.to_string());
    // `Name or service not known` alone does not say what was looked up; the link before it does.
    match previous.map(|link| one_line(&link.to_string())) {
        Some(link) if !link.is_empty() && !link.contains(&last) && link.len() < 60 => {
            format!("{link}: {last}")
        }
        _ => last,
    }
}

/// The first line, without what could steer a terminal, cut to a bearable length.
fn one_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars()
        .filter(|character| !character.is_control())
        .take(LONGEST_MESSAGE)
        .collect()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn response(status: u16) -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(status).expect("a status"), SdkBody::empty())
    }

    fn refusal(status: u16, code: &str, message: &str) -> Error {
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        translate(
            "ListAccessKeys",
            &SdkError::service_error(metadata, response(status)),
        )
    }

    #[test]
    fn every_code_has_its_kind() {
        for (status, code, message, kind) in [
            (
                403,
                "AccessDenied",
                "no policy allows it",
                ErrorKind::AccessDenied { explicit: false },
            ),
            (
                403,
                "AccessDenied",
                "with an explicit deny in a policy",
                ErrorKind::AccessDenied { explicit: true },
            ),
            (
                403,
                "InvalidClientTokenId",
                "is invalid",
                ErrorKind::InvalidClientTokenId,
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "The request signature",
                ErrorKind::SignatureDoesNotMatch,
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "Signature expired: 2026",
                ErrorKind::RequestExpired,
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "Signature not yet current: 2026",
                ErrorKind::RequestExpired,
            ),
            (400, "RequestExpired", "", ErrorKind::RequestExpired),
            (403, "RequestTimeTooSkewed", "", ErrorKind::RequestExpired),
            (403, "ExpiredToken", "", ErrorKind::ExpiredToken),
            (403, "ExpiredTokenException", "", ErrorKind::ExpiredToken),
            (
                409,
                "LimitExceeded",
                "Cannot exceed quota",
                ErrorKind::LimitExceeded,
            ),
            (404, "NoSuchEntity", "", ErrorKind::NoSuchEntity),
            (400, "Throttling", "Rate exceeded", ErrorKind::Throttled),
            (503, "ThrottlingException", "Rate exceeded", ErrorKind::Throttled),
            (503, "RequestLimitExceeded", "", ErrorKind::Throttled),
            (429, "TooManyRequestsException", "", ErrorKind::Throttled),
            (500, "ServiceFailure", "", ErrorKind::ServiceFailure),
            (503, "ServiceUnavailable", "", ErrorKind::ServiceFailure),
            (400, "ValidationError", "", ErrorKind::Refused),
        ] {
            let error = refusal(status, code, message);
            assert_eq!(
                (error.kind, error.code.as_deref()),
                (kind, Some(code)),
                "{code} {message}"
            );
        }
    }

    #[test]
    fn a_reply_without_a_code_is_not_from_aws() {
        for (status, kind) in [
            (200, ErrorKind::Unreadable),
            (302, ErrorKind::Unreadable),
            (403, ErrorKind::Unreadable),
            (407, ErrorKind::Unreadable),
            (502, ErrorKind::ServiceFailure),
        ] {
            let empty = ErrorMetadata::builder().build();
            let error = translate(
                "ListAccessKeys",
                &SdkError::service_error(empty, response(status)),
            );
            assert_eq!(error.kind, kind, "{status}");
            let unparsed: SdkError<ErrorMetadata, HttpResponse> =
                SdkError::response_error("html", response(status));
            assert_eq!(translate("ListAccessKeys", &unparsed).kind, kind, "{status}");
        }
    }

    #[test]
    fn the_transport_is_told_by_its_innermost_reason() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let error: SdkError<ErrorMetadata, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(refused.into()));
        let error = translate("ListAccessKeys", &error);
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.contains("connection refused"), "{error}");

        let error: SdkError<ErrorMetadata, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::timeout("slow".into()));
        assert_eq!(translate("ListAccessKeys", &error).kind, ErrorKind::TimedOut);
        let error: SdkError<ErrorMetadata, HttpResponse> = SdkError::timeout_error("slow");
        assert_eq!(translate("ListAccessKeys", &error).kind, ErrorKind::TimedOut);
    }

    #[test]
    fn the_canonical_request_is_not_repeated() {
        let error = refusal(
            403,
            "SignatureDoesNotMatch",
            "Check it.\n\nx-amz-security-token:tell-nobody",
        );
        assert!(!error.message.contains("tell-nobody"));
        let error = refusal(
            403,
            "AccessDenied",
            "No.\u{1b}[2J\nx-amz-security-token:tell-nobody",
        );
        assert_eq!(error.message, "No.[2J");
    }
}
