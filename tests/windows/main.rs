//! Parity, as in `tests/parity`, of windows, embeddings and sampling: what the compiled kernels compute is what the
//! interpreter computes, fused and unfused, on the CPU and on the CUDA emulator.

#[path = "../parity/check.rs"]
mod check;
mod layers;
mod rows;
#[path = "../common/skip.rs"]
mod skip;
