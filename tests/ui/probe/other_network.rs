use kiln::prelude::*;

network! {
    pub Wide {
        input x: [4];
        #[probe] hidden: Linear<8>;
        Linear<2>;
    }

    pub Narrow {
        input x: [4];
        hidden: Linear<3>;
        Linear<2>;
    }
}

fn main() -> Result<(), Error> {
    let model = Narrow::new(&Device::cpu(), 0)?;
    let x = Rows::from_vec(vec![0.0; 4])?;
    model.activations(Wide::HIDDEN, &x)?;
    model.excite(Wide::HIDDEN.channel(0), &x)?;
    Ok(())
}
