// The token of an instruction set is the proof that the processor has it.
#![forbid(unsafe_code)]

use kiln::__private::cpu::{Portable, Simd};

fn main() {
    Portable::new().splat(1.0);
}
