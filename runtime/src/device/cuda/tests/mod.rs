//! Tests that need NVRTC say so and skip where it is not found.

mod driver;
mod nvrtc;
mod optimizer;
#[path = "../../../../../tests/common/pretended.rs"]
mod pretended;
#[path = "../../../../../tests/common/skip.rs"]
mod skip;
