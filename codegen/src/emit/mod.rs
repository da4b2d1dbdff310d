//! Printing plans: `cpu` as Rust tokens, `host` as the types that a program sees. Nothing is decided here.

pub mod cpu;
pub mod host;
