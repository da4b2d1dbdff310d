//! Plans as Rust tokens.

pub mod expr;
