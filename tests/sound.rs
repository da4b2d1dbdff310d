//! No safe program makes a kernel read or write beyond its memory: what `network!` makes needs no `unsafe` of the user's, and what a user
//! writes by hand gives errors. What cannot even be written is in `tests/ui/sound`.

use kiln::__private::PortValues;
use kiln::data::Feed;
use kiln::plan::Plan;
use kiln::prelude::*;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// All forms of a declaration in a crate that forbids itself `unsafe`.
mod forbidding {
    #![forbid(unsafe_code)]

    use kiln::prelude::*;

    network! {
        block Twice<N> { Linear<N>; Relu; Linear<N>; }

        #[fusion(both)]
        pub Several {
            input a: [4]; input b: ids<[2], 5>;
            target y: class<3>; target z: [2];
            from b; Embedding<3>; Flatten; words: Linear<4>;
            from a; #[probe] own: Linear<4>; Relu; Add(_, words) as both;
            Twice<3> as class;
            from both; low: Linear<2>;
            output class, low;
            loss: CrossEntropy(class, y) + 0.5 * Mse(low, z);
        }

        pub Family<H in [2, 3]> {
            input x: [1, 6, 6];
            target y: class<3>;
            #[probe] conv: Conv2d<H, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten; Linear<3>;
            loss: CrossEntropy(_, y);
        }
    }

    fn step<N: Network>(inputs: N::Inputs, targets: N::Targets) -> Result<(), Error> {
        let mut model = N::new(&Device::cpu().threads(1), 1)?;
        let mut adam = Adam::default().bind(&model)?;
        model.train_step(&Dataset::new(inputs, targets)?, &mut adam)?;
        Ok(())
    }

    #[test]
    fn expansions_need_no_permission() -> Result<(), Error> {
        let a = Rows::from_vec(vec![0.5; 8])?;
        let inputs = || SeveralInputs { a: a.clone(), b: Ids::one([4, 0]).unwrap() };
        let error = step::<Several>(inputs(), targets(1)).unwrap_err().to_string();
        assert!(error.contains("SeveralInputs"), "{error}");
        let inputs = || SeveralInputs { a: Rows::one([0.5; 4]), b: Ids::one([4, 0]).unwrap() };
        step::<Several>(inputs(), targets(1))?;
        step::<SeveralUnfused>(inputs(), targets(1))?;
        let image = Images::from_vec(vec![0.25; 72])?;
        step::<Family<2>>(image.clone(), Classes::from_vec(vec![0, 2])?)?;
        step::<Family<3>>(image.clone(), Classes::from_vec(vec![0, 2])?)?;
        Family::<3>::new(&Device::cpu(), 1)?.activations(Family::<3>::CONV, &image)?;
        Ok(())
    }

    fn targets(samples: usize) -> SeveralTargets {
        let (y, z) = (Classes::from_vec(vec![1; samples]).unwrap(), Rows::from_vec(vec![0.0; 2 * samples]).unwrap());
        SeveralTargets { y, z }
    }
}

network! {
    Honest {
        input x: [4]; input words: ids<[2], 5>;
        target y: class<3>;
        from words; Embedding<4>; Flatten; Linear<4>; Add(_, x); Linear<3>;
        loss: CrossEntropy(_, y);
    }
}

/// A hand-written network with somebody else's plan and any inputs.
struct Forged<I, T>(PhantomData<fn() -> (I, T)>);

// SAFETY: the plan is one that `network!` made, unchanged. More is not asked of an implementation.
unsafe impl<I: Feed, T: Feed> Network for Forged<I, T> {
    type Inputs = I;
    type Targets = T;
    type Outputs = Rows<3>;
    const NAME: &'static str = "Forged";
    const PARAMETERS: usize = Honest::PARAMETERS;
    const FORWARD_FLOPS: u64 = Honest::FORWARD_FLOPS;

    fn plan() -> &'static Plan {
        <Honest as Network>::plan()
    }
}

/// Values of a port that nobody has looked at.
#[derive(Clone, Debug)]
enum Any {
    Floats(Vec<f32>),
    Integers(Vec<i32>),
}

impl Any {
    fn values(&self) -> PortValues<'_> {
        match self {
            Any::Floats(floats) => PortValues::Floats(floats),
            Any::Integers(integers) => PortValues::Integers(integers),
        }
    }
}

/// What says that it has so many samples, and finds nothing wrong with itself.
#[derive(Clone, Debug)]
struct Claim {
    samples: usize,
    ports: Vec<Any>,
}

impl Feed for Claim {
    fn empty() -> Self {
        Claim { samples: 0, ports: Vec::new() }
    }

    fn len(&self) -> usize {
        self.samples
    }

    fn gather_into(&self, rows: &[usize], out: &mut Self) {
        *out = Claim { samples: rows.len(), ports: self.ports.clone() };
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        self.ports.iter().for_each(|port| f(port.values()));
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Gives whole samples when it is asked first, and one float less each time after that.
#[derive(Debug, Default)]
struct Shrinking {
    asked: AtomicUsize,
    floats: Vec<f32>,
    words: Vec<i32>,
}

impl Clone for Shrinking {
    fn clone(&self) -> Self {
        Shrinking { asked: AtomicUsize::new(0), floats: self.floats.clone(), words: self.words.clone() }
    }
}

impl Feed for Shrinking {
    fn empty() -> Self {
        Shrinking::default()
    }

    fn len(&self) -> usize {
        self.words.len() / 2
    }

    fn gather_into(&self, _rows: &[usize], out: &mut Self) {
        *out = self.clone();
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        let less = self.asked.fetch_add(1, Relaxed);
        f(PortValues::Floats(&self.floats[..self.floats.len() - less]));
        f(PortValues::Integers(&self.words));
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Everything that a model does with inputs and targets, each an error of this text.
fn assert_refused(inputs: &Claim, targets: &Claim, text: &str) {
    let mut model = Forged::<Claim, Claim>::new(&Device::cpu().threads(1), 1).unwrap();
    let mut adam = Adam::default().bind(&model).unwrap();
    let data = Dataset::new(inputs.clone(), targets.clone()).unwrap();
    let errors = [
        ("gradients", model.gradients(&data).err()),
        ("evaluate", model.evaluate(&data).err()),
        ("train_step", model.train_step(&data, &mut adam).err()),
        ("accumulate", model.accumulate(&data).err()),
    ];
    for (what, error) in errors {
        assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(text), "{what}");
    }
    assert_eq!((adam.steps(), model.apply(&mut adam).is_err()), (0, true));
}

#[test]
fn what_feeds_a_network_is_compared_with_its_plan() {
    let floats = |n: usize| Any::Floats(vec![1.0; n]);
    let integers = |of: &[i32]| Any::Integers(of.to_vec());
    let inputs = |ports: &[Any]| Claim { samples: 2, ports: ports.to_vec() };
    let (words, labels) = (integers(&[0, 4, 1, 2]), inputs(&[integers(&[0, 2])]));
    let good = inputs(&[floats(8), words.clone()]);

    let model = Forged::<Claim, Claim>::new(&Device::cpu().threads(1), 1).unwrap();
    model.gradients(&Dataset::new(good.clone(), labels.clone()).unwrap()).unwrap();
    assert_eq!(model.forward(&good).unwrap().len(), 2);

    let cases: [(&[Any], &str); 9] = [
        (
            &[floats(7), words.clone()],
            "the values of `x` of Honest: expected 4 floats for each of 2 samples, found 7 floats",
        ),
        (
            &[floats(9), words.clone()],
            "the values of `x` of Honest: expected 4 floats for each of 2 samples, found 9 floats",
        ),
        (
            &[floats(0), words.clone()],
            "the values of `x` of Honest: expected 4 floats for each of 2 samples, found 0 floats",
        ),
        (&[integers(&[0; 8]), words.clone()], "the values of `x` of Honest: expected floats, found integers"),
        (&[floats(8), floats(4)], "the values of `words` of Honest: expected integers, found floats"),
        (
            &[floats(8), integers(&[0; 3])],
            "the values of `words` of Honest: expected 2 integers for each of 2 samples, found 3 integers",
        ),
        (&[floats(8), integers(&[0, 5, 1, 2])], "the values of `words` of Honest: expected integers in 0..5, found 5"),
        (
            &[floats(8), integers(&[0, 1, -1, 2])],
            "the values of `words` of Honest: expected integers in 0..5, found -1",
        ),
        (
            &[floats(8), integers(&[i32::MIN, 9, 1, 2])],
            "the values of `words` of Honest: expected integers in 0..5, found -2147483648",
        ),
    ];
    for (ports, text) in cases {
        let wrong = inputs(ports);
        assert_refused(&wrong, &labels, text);
        assert_eq!(model.forward(&wrong).unwrap_err().to_string(), text);
        assert_eq!(model.forward_into(&wrong, &mut Rows::from_vec(vec![]).unwrap()).unwrap_err().to_string(), text);
    }
    assert_refused(
        &good,
        &inputs(&[integers(&[0, 3])]),
        "the values of `y` of Honest: expected integers in 0..3, found 3",
    );
    assert_refused(
        &good,
        &inputs(&[integers(&[0])]),
        "the values of `y` of Honest: expected 1 integers for each of 2 samples, found 1 integers",
    );
    assert_refused(&good, &inputs(&[]), "what Honest is fed with: expected 3 ports, found 2");
    assert_refused(
        &good,
        &inputs(&[integers(&[0, 1]), words.clone()]),
        "what Honest is fed with: expected 3 ports, found 4",
    );
    // So many samples that their floats cannot be counted.
    let many = Claim { samples: usize::MAX / 2, ports: good.ports.clone() };
    assert_eq!(
        model
            .gradients(&Dataset::new(many, Claim { samples: usize::MAX / 2, ports: labels.ports.clone() }).unwrap())
            .unwrap_err()
            .to_string(),
        format!(
            "the values of `x` of Honest: expected 4 floats for each of {} samples, found 8 floats",
            usize::MAX / 2
        )
    );
}

#[test]
fn what_was_checked_is_what_kernels_read() {
    let inputs = Shrinking { asked: AtomicUsize::new(0), floats: vec![1.0; 80], words: vec![1; 40] };
    let mut model = Forged::<Shrinking, Classes<3>>::new(&Device::cpu().threads(1), 1).unwrap();
    let mut sgd = Sgd::default().bind(&model).unwrap();
    let data = Dataset::new(inputs, Classes::from_vec(vec![1; 20]).unwrap()).unwrap();
    let first = data.inputs().asked.load(Relaxed);
    let asked_once = |data: &Dataset<Shrinking, Classes<3>>| data.inputs().asked.load(Relaxed) - first;
    // Whoever asked before has its slice; this run has another, shorter one.
    let result = model.train_step(&data, &mut sgd);
    assert_eq!((asked_once(&data), result.is_ok()), (1, first == 0));
    let error = model.train_step(&data, &mut sgd).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the values of `x` of Honest: expected 4 floats for each of 20 samples, found {} floats", 79 - first)
    );
}

/// Two networks of one name and with as many trainable values, which lie otherwise.
mod wide {
    kiln::network! { pub Net { input x: [15]; target t: [1]; Linear<1>; loss: Mse(_, t); } }
}
mod tall {
    kiln::network! { pub Net { input x: [1]; target t: [8]; Linear<8>; loss: Mse(_, t); } }
}

#[test]
fn an_optimizer_belongs_to_its_network() -> Result<(), Error> {
    let device = Device::cpu().threads(1);
    let (mut wide, mut tall) = (wide::Net::new(&device, 1)?, tall::Net::new(&device, 1)?);
    let (mut of_wide, mut of_tall) = (Adam::default().bind(&wide)?, Adam::default().bind(&tall)?);
    let wide_data = Dataset::new(Rows::one([1.0; 15]), Rows::one([0.0]))?;
    let tall_data = Dataset::new(Rows::one([1.0]), Rows::one([0.0; 8]))?;
    wide.train_step(&wide_data, &mut of_wide)?;
    tall.train_step(&tall_data, &mut of_tall)?;
    let text = |error: Option<Error>| error.map(|error| error.to_string()).unwrap_or_default();
    let expected = "the optimizer was bound to sound::tall::Net, but the model is a sound::wide::Net with 16 trainable values \
                    (bound: 16)";
    assert_eq!(text(wide.train_step(&wide_data, &mut of_tall).err()), expected);
    wide.accumulate(&wide_data)?;
    assert_eq!(text(wide.apply(&mut of_tall).err()), expected);
    assert!(text(tall.train_step(&tall_data, &mut of_wide).err()).contains("sound::wide::Net"));
    wide.apply(&mut of_wide)?;
    assert_eq!((of_wide.steps(), of_tall.steps()), (2, 1));
    Ok(())
}
