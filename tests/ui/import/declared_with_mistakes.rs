mod pieces {
    kiln::network! {
        pub block Tail<H> { Linear<H>; Relu }
    }
}

kiln::network! {
    use pieces::Tail;

    pub Digits {
        input image: [784];
        Tail<120>;
        Linear<10>;
    }
}

fn main() {
    let _ = Digits::PARAMETERS;
}
