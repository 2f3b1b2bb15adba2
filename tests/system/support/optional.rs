//! Tests that need something which not every machine has.

/// Says that a test is left out, and why. Where everything is required, that is a failure.
#[track_caller]
pub(crate) fn skip(why: &str) {
    let required = std::env::var_os("ENGINE_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "ENGINE_TEST_REQUIRE_ALL=1, but {why}");
    eprintln!("SKIPPED: {why}");
}
