//! What the macros refuse, each at its place and with a sentence that says what to do.

#[test]
fn what_is_refused_says_why_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
