use kiln::network;

network! {
    pub Twins {
        input left: [28];
        input right: [28];
        target same: [1];

        embed: Linear<1>(left);
        #[init(weight = Zeros)]
        other: embed<1>(right);
        Mul(embed, other);

        loss: Mse(_, same);
    }
}

fn main() {}
