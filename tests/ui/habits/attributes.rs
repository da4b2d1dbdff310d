//! Attributes that do not stand where they are.
use kiln::prelude::*;

network! {
    #[derive(Debug)]
    pub Derived {
        input x: [784];

        Linear<10>;
    }

    #[cuda(precision = fp16)]
    pub Halved {
        input x: [784];

        #[name = encoder]
        Linear<10>;
    }

    #[fusion(of)]
    pub Apart {
        input x: [784];

        #[init(weight = Normal<0.01>)]
        Linear<10>;
        /// nothing
    }
}

fn main() {}
