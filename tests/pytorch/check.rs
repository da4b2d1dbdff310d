//! One case of a fixture of layers or losses: a network of one layer against PyTorch, at every instruction set of this machine.

use kiln::data::{Dense, Feed};
use kiln::prelude::*;
use kiln::{Level, Network};
use ndarray::{ArrayD, IxDyn};

use super::fixture::{Fixture, Stored, close};

/// A network and its test.
macro_rules! case {
    ($kind:ident of $fixture:ident, $case:ident $Network:ident: $($body:tt)*) => {
        kiln::network! { pub $Network { $($body)* } }

        #[test]
        fn $case() {
            super::check::$kind::<$Network>(stringify!($fixture), stringify!($case));
        }
    };
}
pub(crate) use case;

/// What a test can make from a stored tensor.
pub trait Sample: Feed {
    fn of(stored: Stored) -> Self;
}

macro_rules! dense_sample {
    ($($Type:ident<$($d:ident),+>)*) => {$(
        impl<$(const $d: usize),+> Sample for $Type<$($d),+> {
            fn of(stored: Stored) -> Self {
                Self::from_vec(stored.values).expect("whole samples")
            }
        }
    )*};
}

dense_sample! { Rows<N> Sequences<C, L> Images<C, H, W> }

impl<const N: usize> Sample for Classes<N> {
    fn of(stored: Stored) -> Self {
        Self::from_vec(stored.values.into_iter().map(|label| label as i32).collect()).expect("classes")
    }
}

impl<const L: usize, const V: usize> Sample for Ids<L, V> {
    fn of(stored: Stored) -> Self {
        Self::from_vec(stored.values.into_iter().map(|id| id as i32).collect()).expect("ids")
    }
}

/// Outputs, loss, gradients and running statistics.
pub fn layer<N: Network<Inputs: Sample, Targets: Sample, Outputs: Dense>>(file: &str, case: &str) {
    each_level::<N>(|model, level| {
        let fixture = Fixture::read(file);
        losses_of(file, &fixture, case, model, level);

        // In training mode a BatchNorm's output is seen through the loss only.
        let before = format!("{case}/after.");
        let statistics = fixture.after(&before);
        if statistics.is_empty() {
            let outputs = model.forward(&Sample::of(fixture.get(&format!("{case}/x")))).unwrap();
            close(&format!("output, {level:?}"), outputs.values(), &fixture.get(&format!("{case}/y")).values);
            return;
        }
        model.accumulate(&batch::<N>(&fixture, case)).unwrap();
        for name in statistics {
            let found = model.parameter(&name).unwrap();
            let expected = fixture.get(&format!("{before}{name}"));
            close(&format!("{name}, {level:?}"), found.as_slice().unwrap(), &expected.values);
        }
    });
}

/// Loss and gradients.
pub fn loss<N: Network<Inputs: Sample, Targets: Sample>>(file: &str, case: &str) {
    each_level::<N>(|model, level| losses_of(file, &Fixture::read(file), case, model, level));
}

fn losses_of<N: Network<Inputs: Sample, Targets: Sample>>(
    file: &str,
    fixture: &Fixture,
    case: &str,
    model: &mut Model<N>,
    level: Level,
) {
    let prefix = format!("{case}/");
    for name in fixture.after(&format!("{prefix}layer.")).iter().map(|name| format!("layer.{name}")) {
        let stored = fixture.get(&format!("{prefix}{name}"));
        let array = ArrayD::from_shape_vec(IxDyn(&stored.shape), stored.values).unwrap();
        model.set_parameter(&name, array.view()).unwrap();
    }

    let gradients = model.gradients(&batch::<N>(fixture, case)).unwrap();
    let expected = |key: &str| fixture.get(&format!("{prefix}{key}")).values;
    close(&format!("{file} {case}: loss, {level:?}"), &[gradients.step.loss], &expected("loss"));

    // The gradient of what is added to each sample is the sum of the samples' input gradients. Ids have none.
    if fixture.after(&prefix).iter().any(|key| key == "gradient.x") {
        let input = expected("gradient.x");
        let shift = gradients.get("shift").unwrap();
        let mut sum = vec![0.0; shift.len()];
        input.chunks_exact(sum.len()).for_each(|sample| sum.iter_mut().zip(sample).for_each(|(sum, x)| *sum += x));
        close(&format!("gradient of the input, {level:?}"), shift.as_slice().unwrap(), &sum);
    }

    for (name, found) in gradients.iter().filter(|(name, _)| *name != "shift") {
        let expected = expected(&format!("gradient.{name}"));
        close(&format!("gradient of {name}, {level:?}"), found.as_slice().unwrap(), &expected);
    }
}

fn batch<N: Network<Inputs: Sample, Targets: Sample>>(fixture: &Fixture, case: &str) -> Dataset<N::Inputs, N::Targets> {
    let get = |key: &str| fixture.get(&format!("{case}/{key}"));
    Dataset::new(Sample::of(get("x")), Sample::of(get("t"))).unwrap()
}

/// A model for each instruction set that this machine has, its memory full of NaN before each run.
fn each_level<N: Network>(mut test: impl FnMut(&mut Model<N>, Level)) {
    for level in [Level::Portable, Level::Avx2, Level::Avx512] {
        match N::new(&Device::cpu().threads(2).simd(level), 1) {
            Ok(mut model) => {
                model.poison_scratch(true);
                test(&mut model, level);
            }
            Err(error) => assert_ne!(level, Level::Portable, "{error}"),
        }
    }
}
