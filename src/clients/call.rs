//! A call to AWS that failed: the errors of every service in one type.

use std::error::Error as StdError;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};

/// The code of a call that got no answer, or one without a code.
pub const NO_ANSWER: &str = "NoAnswer";

/// A failed call, whatever the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct CallError {
    /// The API's name of the call.
    pub operation: &'static str,
    /// The service's code, `NoAnswer` where it gave none.
    pub code: String,
    /// The service's message, or the innermost cause.
    pub message: String,
}

impl CallError {
    /// Reads an SDK error.
    pub fn new<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
        R: std::fmt::Debug + 'static,
    {
        let metadata = match error {
            SdkError::ServiceError(service) => Some(service.err().meta()),
            _ => None,
        };
        let code = metadata.and_then(|meta| meta.code()).unwrap_or(NO_ANSWER).to_owned();
        let message = metadata.and_then(|meta| meta.message()).map_or_else(|| cause(error), str::to_owned);
        Self { operation, code, message }
    }

    /// The role lacks a permission.
    pub fn is_denied(&self) -> bool {
        self.code.starts_with("AccessDenied") || self.code == "UnauthorizedException"
    }

    /// Told to come back later: certainly not done.
    pub fn is_throttled(&self) -> bool {
        matches!(
            self.code.as_str(),
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown"
        )
    }

    /// It may go another way next time: throttled, no answer, a fault of the service, credentials in renewal.
    pub fn is_passing(&self) -> bool {
        const PASSING: [&str; 13] = [
            NO_ANSWER,
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "ExpiredTokenException",
            "RequestLimitExceeded",
            "SlowDown",
            "ThrottlingException",
            "Throttling",
            "TooManyRequestsException",
            "ServerException",
            "InternalServiceError",
            "InternalFailure",
            "ServiceUnavailable",
        ];
        PASSING.contains(&self.code.as_str())
    }
}

/// The innermost cause of an error.
pub fn cause(error: &(dyn StdError + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
