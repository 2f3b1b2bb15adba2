//! What a status or a lost connection says: is it worth another attempt, and may something have been done?
//!
//! | what happened | retry | effect |
//! |---|---|---|
//! | no connection; nothing was sent | yes | none |
//! | 408, 425, 429 (`Retry-After`) | yes | none |
//! | 409 | yes; where the callee honours keys: it is in work | unknown |
//! | other 4xx | no | none |
//! | 1xx, 3xx (redirects are not followed) | no | unknown |
//! | 5xx (`Retry-After`) | yes | unknown |
//! | timeout, connection lost, answer cut off | yes | unknown |
//!
//! The meaning of statuses follows RFC 9110, that of 425 RFC 8470, of 429 RFC 6585.

use std::time::Duration;

use crate::definition::{Classified, HttpTemplate};
use crate::failure::Effect;
use crate::machine::retry::Again;

/// What an answer's status says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// It was carried out.
    Success,
    /// It failed.
    Failure {
        again: Again,
        effect: Effect,
        /// Whether the callee itself refused it for good, so that a callee which honours keys keeps refusing it.
        is_definite_refusal: bool,
    },
}

/// What this status of this call says.
pub(super) fn status(http: &HttpTemplate, status: u16, not_before: Option<Duration>) -> Meaning {
    match http.classify.get(&status) {
        Some(Classified::Success) => Meaning::Success,
        Some(Classified::Failure { retry, effect }) => {
            let again = if *retry { Again::Yes { not_before } } else { Again::No };
            failure(again, *effect)
        }
        None => usual(status, http.idempotent, not_before),
    }
}

/// What this status says where the step does not say otherwise.
pub(super) fn usual(status: u16, idempotent: bool, not_before: Option<Duration>) -> Meaning {
    match status {
        200..=299 => Meaning::Success,
        408 | 425 | 429 => failure(Again::Yes { not_before }, Effect::None),
        409 if idempotent => failure(Again::InWork { not_before }, Effect::Unknown),
        409 | 500..=599 => failure(Again::Yes { not_before }, Effect::Unknown),
        // Whoever stands before the service gives these without looking at the key: they say of this attempt that it
        // did nothing, and nothing of those before.
        401 | 403 | 404 | 405 | 407 | 411 | 413..=417 | 421 | 426 | 431 | 451 => {
            Meaning::Failure { again: Again::No, effect: Effect::None, is_definite_refusal: false }
        }
        400..=499 => failure(Again::No, Effect::None),
        _ => failure(Again::No, Effect::Unknown),
    }
}

fn failure(again: Again, effect: Effect) -> Meaning {
    let is_definite_refusal = again == Again::No && effect == Effect::None;
    Meaning::Failure { again, effect, is_definite_refusal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let yes = Again::Yes { not_before: None };
        let table = [
            (200, Meaning::Success),
            (204, Meaning::Success),
            (301, failure(Again::No, Effect::Unknown)),
            (400, failure(Again::No, Effect::None)),
            (402, failure(Again::No, Effect::None)),
            (408, failure(yes, Effect::None)),
            (409, failure(yes, Effect::Unknown)),
            (422, failure(Again::No, Effect::None)),
            (425, failure(yes, Effect::None)),
            (429, failure(yes, Effect::None)),
            (500, failure(yes, Effect::Unknown)),
            (503, failure(yes, Effect::Unknown)),
            (100, failure(Again::No, Effect::Unknown)),
            (700, failure(Again::No, Effect::Unknown)),
        ];
        for (status, meaning) in table {
            assert_eq!(usual(status, false, None), meaning, "{status}");
        }
        for status in [401, 403, 404, 413, 431] {
            let of_this_attempt =
                Meaning::Failure { again: Again::No, effect: Effect::None, is_definite_refusal: false };
            assert_eq!(usual(status, true, None), of_this_attempt, "{status}");
        }
        assert_eq!(usual(409, true, None), failure(Again::InWork { not_before: None }, Effect::Unknown));
    }
}
