//! CUDA without a GPU: what is planned for CUDA, executed on the emulator. `KILN_TEST_DEVICE=cuda` runs models on a real one
//! too.

#[path = "../../codegen/tests/common/mod.rs"]
mod common;
#[path = "../../codegen/tests/common/declarations.rs"]
mod declarations;
mod declared;
mod harness;
mod primitives;
#[path = "../common/skip.rs"]
mod skip;
