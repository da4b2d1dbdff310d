//! What a network runs on.

pub mod cpu;
