//! The templates of CUDA kernels (`runtime/src/device/cuda/templates`), alone: each against its definition, for extents
//! around all tile edges, for several numbers of blocks and orders of threads, with the emulator's checks; and as NVRTC
//! compiles them.

mod bench;
mod compiled;
mod contraction;
mod convolution;
mod reduction;
