//! Tests that need something which not every machine has.

/// Whether every test must be carried out, however long it takes and whatever it needs.
pub(crate) fn all_are_required() -> bool {
    std::env::var_os("ENGINE_TEST_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// Says that a test is left out, and why. Where everything is required, that is a failure.
#[track_caller]
pub(crate) fn skip(why: &str) {
    assert!(!all_are_required(), "ENGINE_TEST_REQUIRE_ALL=1, but {why}");
    eprintln!("SKIPPED: {why}");
}
