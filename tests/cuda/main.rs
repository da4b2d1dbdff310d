//! CUDA without a GPU: what is planned for CUDA, executed on the emulator. `KILN_TEST_DEVICE=cuda` runs models on a real one
//! too.

#[path = "../../codegen/tests/common/mod.rs"]
mod common;
#[path = "../../codegen/tests/common/declarations.rs"]
mod declarations;
mod declared;
mod harness;
#[path = "../../examples/networks/mod.rs"]
mod networks;
mod pieces;
mod primitives;
#[path = "../common/skip.rs"]
mod skip;
mod steps;
#[path = "../../examples/networks/tensor_cores.rs"]
mod tensor_cores;
#[allow(dead_code, reason = "whole networks are looked at in `tests/nvrtc_zoo.rs`")]
#[path = "../common/zoo.rs"]
mod zoo;
