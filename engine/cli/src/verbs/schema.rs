//! `schema`: the JSON Schema of workflow files.

use crate::exit::Outcome;
use crate::print;

pub(super) fn schema() -> Outcome {
    print::json(&engine_core::format::schema());
    Outcome::Completed
}
