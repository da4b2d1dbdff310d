//! A sign too many, too few, or another one.
use kiln::prelude::*;

network! {
    pub Comma {
        input x: [1, 28, 28];

        Conv2d<8 3>;
    }

    pub Semicolon {
        input x: [1, 28, 28];

        Conv2d<8, 3>
        Relu;
    }

    pub Colon {
        input x: [784];

        logits Linear<10>;
    }

    pub Named {
        input x: [1, 28, 28];

        Conv2d<8, 3, bias: false>;
    }

    pub Brackets {
        input x: [1, 28, 28];

        Conv2d[8, 3];
        Conv2d<8, (3, 3)>;
    }

    pub Arithmetic {
        input x: [8];

        a: Linear<8>;
        a + x;
        Mul(_, 0.5);
    }

    pub Piped {
        input x: [8];

        Linear<8> -> Relu -> Linear<3>;
    }
}

fn main() {}
