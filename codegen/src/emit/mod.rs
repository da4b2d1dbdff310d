//! Printing plans: `cpu` as Rust tokens, `cuda` as CUDA C++, `host` as the types that a program sees. Nothing is decided here.

pub mod apart;
pub mod cpu;
pub mod cuda;
pub mod host;
pub mod tables;
