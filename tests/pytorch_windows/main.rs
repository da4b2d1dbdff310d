//! PyTorch's numbers for layers of windows, embeddings and sampling, and for networks made of them: the same checks as
//! `tests/pytorch`, on fixtures of their own.

#[path = "../pytorch/check.rs"]
#[allow(dead_code, reason = "losses are checked in `tests/pytorch`")]
mod check;
#[allow(dead_code, reason = "schedules are checked in `tests/pytorch`")]
#[path = "../pytorch/fixture.rs"]
mod fixture;
#[cfg(feature = "mnist")]
mod runs;
#[cfg(feature = "mnist")]
#[path = "../pytorch/train.rs"]
mod train;
mod window_layers;
