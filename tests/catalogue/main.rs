//! Parity, as in `tests/parity`, of the rest of the catalogue: what the compiled kernels of each layer compute is what the
//! interpreter computes, fused and unfused, on the CPU and on the CUDA emulator.

mod behaviour;
#[path = "../parity/check.rs"]
mod check;
mod element_wise;
mod losses;
mod normalising;
mod shapes;
#[path = "../common/skip.rs"]
mod skip;
