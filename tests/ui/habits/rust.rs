//! Statements and items of Rust, and layers of burn.
use kiln::prelude::*;

network! {
    pub Bound {
        input x: [784];

        let h = Linear<10>;
        println!("{h:?}");
    }

    pub Looped {
        input x: [1, 28, 28];

        for _ in 0..3 {
            Conv2d<8, 3>;
        }
    }

    pub Made {
        input x: [784];

        LinearConfig::new(784, 10).init(device);
    }

    pub struct Declared {
        input x: [784];

        Linear<10>;
    }

    pub Typed<H: usize = 64> {
        input x: [784];

        Linear<H>;
    }

    const HIDDEN: usize = 64;
}

fn main() {}
