// A probe holds plans, which a model runs.
#![forbid(unsafe_code)]

use kiln::prelude::*;

network! {
    Honest {
        input x: [4];
        Linear<2>;
    }
}

fn main() {
    let _: kiln::Probe<Honest, Rows<2>> = kiln::__private::probe("fc", &[2], Honest::plan(), None);
}
