//! Parity: what the compiled kernels compute is what the interpreter computes, for every primitive and layer, fused and
//! unfused, at each SIMD level of this machine, at batch sizes around every edge, with scratch memory full of NaN.

mod again;
mod algorithms;
mod check;
mod dense;
mod found;
mod images;
mod losses;
mod rare;
#[path = "../common/skip.rs"]
mod skip;
