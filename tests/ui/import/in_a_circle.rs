mod here {
    kiln::network! {
        use crate::there::Deep;

        pub block Wide { Deep; Linear<4>; }
    }
}

mod there {
    kiln::network! {
        use crate::here::Wide;

        pub block Deep { Wide; Relu; }
    }
}

fn main() {}
