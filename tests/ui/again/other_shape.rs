use kiln::network;

network! {
    pub Twins {
        input left: [28];
        input right: [14];
        target same: [1];

        embed: { Linear<8>; Relu; Linear<1>; }(left);
        other: embed(right);
        Mul(embed, other);

        loss: Mse(_, same);
    }
}

fn main() {}
