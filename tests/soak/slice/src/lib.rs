//! Nothing: the networks of `build.rs` are compiled into this package's test, anew whenever tests are run.
