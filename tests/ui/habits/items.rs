//! Blocks without their word, above their declaration, and with another one.
use kiln::prelude::*;

network! {
    Wide {
        Linear<64>;
        Relu;
    }

    def half(x) { 0.5 * x }

    blok Deep<C> {
        Linear<C>;
        Relu;
    }

    pub Net {
        input x: [784];

        Wide;
        Deep<32>;
        half;
        Late;
    }

    block Late { Relu; }
}

fn main() {}
