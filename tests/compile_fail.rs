//! What must not compile, and what the compiler says then.
//!
//! After a change of a message: `TRYBUILD=overwrite cargo test --test compile_fail`, and read the difference.

#[test]
fn wrong_compositions_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
