// What vouches for a plan is the word `unsafe`, which such a crate has forbidden to itself; that of the expansion passes.
#![forbid(unsafe_code)]

use kiln::prelude::*;

network! {
    Honest {
        input x: [4];
        Linear<2>;
    }
}

pub struct Forged;

unsafe impl Network for Forged {
    type Inputs = Rows<1>;
    type Targets = ();
    type Outputs = Rows<2>;
    const NAME: &'static str = "Forged";
    const PARAMETERS: usize = 10;
    const FORWARD_FLOPS: u64 = 16;

    fn plan() -> &'static kiln::plan::Plan {
        Honest::plan()
    }
}

fn main() {}
