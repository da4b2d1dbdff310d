//! The templates of CUDA kernels (`runtime/src/device/cuda/templates`), alone: each against its definition, for extents
//! around all tile edges, for several numbers of blocks and orders of threads, with the emulator's checks.

mod bench;
mod contraction;
mod convolution;
mod reduction;
