//! The emulator's own tests: kernels that are right under every schedule, kernels and launch tables with planted mistakes
//! that it must find, and memory.

mod mistakes;
mod right;
mod support;
mod tables;
