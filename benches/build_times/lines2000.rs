//! Two thousand lines and a loss. `cargo xtask build-times` times its expansion.

use kiln::prelude::*;

network! {
    pub Lines {
        input x: [16];
        target c: class<3>;
        body: { repeat 1000 { Linear<16>; Relu; } }
        Linear<3>;
        loss: CrossEntropy(_, c);
    }
}

fn main() {
    println!("{}", Lines::summary());
}
