use kiln::network;

network! {
    pub Twins {
        input left: [28];
        input right: [28];
        target same: [1];

        Linear<1>(left) as embed;
        other: embed(right);
        Mul(embed, other);

        loss: Mse(_, same);
    }
}

fn main() {}
