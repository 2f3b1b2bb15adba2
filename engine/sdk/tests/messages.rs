//! What the compiler says of the likeliest mistakes. The messages are those of the toolchain that CI uses; after a
//! change of it, or of a message, write them anew: `TRYBUILD=overwrite cargo test -p engine --test messages`.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
