//! What a test does on a machine that lacks something it needs: NVRTC, a C++ compiler.

/// Says why a test checks nothing here. CI sets `KILN_TESTS_MUST_NOT_SKIP`, and then this fails.
#[track_caller]
pub fn skip(why: &dyn std::fmt::Display) {
    let must_not = std::env::var_os("KILN_TESTS_MUST_NOT_SKIP").is_some_and(|value| value != "0");
    assert!(!must_not, "KILN_TESTS_MUST_NOT_SKIP is set, but this test cannot run: {why}");
    eprintln!("skipped: {why}");
}
