//! The message of every mistake that a declaration can have, as rustc prints it: `tests/ui/<family>/<mistake>.rs` and
//! what the compiler says beside it. The texts depend on the pinned toolchain.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes new `.stderr` files; read each as its victim would.

#[test]
fn messages() {
    trybuild::TestCases::new().compile_fail("tests/ui/*/*.rs");
}
