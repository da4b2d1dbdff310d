//! Only the declarations are wrong: nothing is said about what uses them.
use kiln::prelude::*;

network! {
    pub Digits {
        input image: [1, 28, 28];
        target digit: class<10>;

        Flatten;
        Linear<12>;

        loss: CrossEntropy(_, digit);
    }

    pub Encoder {
        input image: [1, 28, 28];

        Conv2d<6, 55>;
    }

    #[fusion(both)]
    pub Pairs<H in [8, 16]> {
        input left: [64];
        input right: [64];

        near: Liner<H>(left);
        far: Linear<H>(right);

        output near, far;
    }

    pub Probed {
        input x: [64];
        target y: class<3>;

        #[probe]
        hidden: Linear<8>;
        Linear<4>;

        loss: CrossEntropy(_, y);
    }

    pub Unreadable {
        input image [1, 28, 28];
    }
}

const _: () = assert!(Digits::PARAMETERS > 1_000);

fn train(digits: &Dataset<Images<1, 28, 28>, Classes<10>>) -> kiln::Result<()> {
    let mut model = Digits::new(&Device::cpu(), 42)?;
    let report = Trainer::new(&mut model, Adam::default()).epochs(3).fit(digits, digits)?;
    report.plot("curves.svg")?;
    let test = model.evaluate(digits)?;
    println!("{:.4}", test.accuracy);
    let scores: Rows<10> = model.forward(digits.inputs())?;
    println!("{:?}", scores.argmax());
    let mut optimizer = Sgd::default().bind(&model)?;
    model.train_step(digits, &mut optimizer)?;
    Ok(())
}

fn encode(model: &Model<Encoder>, image: &Images<1, 28, 28>) -> kiln::Result<Images<6, 24, 24>> {
    let code = model.forward(image)?;
    println!("{} {:?}", code.len(), code.row(0));
    Ok(code)
}

fn compare(left: Rows<64>, right: Rows<64>) -> kiln::Result<PairsOutputs> {
    let device = Device::cpu();
    let model = PairsUnfused::<16>::new(&device, 1)?;
    println!("{}", Pairs::<8>::summary());
    let outputs = model.forward(&PairsInputs { left, right })?;
    println!("{:?}", outputs.near.row(0));
    Ok(outputs)
}

fn open() -> kiln::Result<Model<Unreadable>> {
    Unreadable::open("file.safetensors", &Device::cpu())
}

fn sweep() -> f32 {
    fn run<N: Network>() -> f32 {
        N::PARAMETERS as f32
    }
    let mut best = 0.0f32;
    for one in Pairs!(run) {
        best = best.max(one());
    }
    best
}

fn look(model: &Model<Probed>, x: &Rows<64>) -> kiln::Result<()> {
    let seen = model.activations(Probed::HIDDEN, x)?;
    println!("{:?}", seen.row(0));
    Ok(())
}

fn main() {}
