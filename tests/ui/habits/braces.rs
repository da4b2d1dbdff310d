//! Groups, branches and shortcuts.
use kiln::prelude::*;

network! {
    pub Grouped {
        input x: [784];

        group body { Linear<64>; Relu; }
        Linear<10>;
    }

    pub Chosen<DEEP = true, WIDTH = 64> {
        input x: [784];

        if WIDTH = 64 { Linear<64>; } elif DEEP { Linear<32>; }
        if DEEP and true { Relu; }
        if { Linear<10>; }
    }

    pub Skipped {
        input x: [8];

        Residual { Linear<4>; } shortcut: { Linear<4>; }
        Residual(Relu);
    }

    pub Branched {
        input x: [1, 8, 8];

        Concat { a: Conv2d<4, 1>, b: Conv2d<4, 1> }
    }
}

fn main() {}
