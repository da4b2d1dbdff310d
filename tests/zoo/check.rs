//! One network of `kiln::zoo` against torchvision's: weights made from names, what it answers, what a training pass gives.

use std::path::Path;
use std::process::{Command, ExitStatus};

use kiln::Network;
use kiln::data::{Dense, Feed};
use kiln::prelude::*;
use ndarray::ArrayD;

use super::fixture::{Fixture, close, uniform};

/// Samples of the fixture's batch.
pub const BATCH: usize = 4;
pub const CLASSES: usize = 1000;

/// The largest accepted differences of a parameter's gradient, relative: of its norm, and of the elements that the fixture has of
/// it. Where what goes into a ReLU is as near to zero as rounding, two correct programs take its two sides, and a few of many
/// thousand elements get another gradient. Four times what PyTorch's single precision differs by from its double is accepted,
/// too: little at the fixture's weights, which were chosen for that.
const NORM: f64 = 1e-2;
const GRADIENT: f64 = 5e-2;

/// Elements that the fixture has of each gradient and of each running statistic.
const ELEMENTS: usize = 16;
const STATISTICS: usize = 4;

/// The elements that the script picks.
fn picked(values: &ArrayD<f32>, count: usize) -> Vec<f32> {
    let values = values.as_slice().expect("row-major");
    (0..count as u64).map(|k| values[(k * 2_654_435_761 % values.len() as u64) as usize]).collect()
}

fn length(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

fn batch<I: Dense + Feed>() -> Dataset<I, Classes<CLASSES>> {
    let pixels = uniform("zoo.image").take(BATCH * I::SHAPE.iter().product::<usize>()).collect();
    let labels = (0..BATCH as i32).map(|n| (n + 1) * 389 % CLASSES as i32).collect();
    Dataset::new(I::from_values(pixels).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

/// Against the fixture; and where `KILN_TORCHVISION` names a Python with torchvision, at weights that this makes, too.
#[allow(dead_code, reason = "`benches/torchvision.rs` has no fixture")]
pub fn check<N>(name: &str)
where
    N: Network<Inputs: Dense + Feed, Targets = Classes<CLASSES>, Outputs = Rows<CLASSES>>,
{
    let mut model = N::new(&Device::cpu().threads(2), 1).unwrap();
    model.poison_scratch(true);
    super::weights::initialise(&mut model, name);
    compare(&mut model, name, &Fixture::read("zoo"), &format!("{name}/"));
    torchvision(&mut model, name, None);
}

/// Loads a state dict that torchvision wrote, and compares with what it computes: with its random start, or with the weights of
/// a file that Python reads. Says so where there is no torchvision.
pub fn torchvision<N>(model: &mut Model<N>, name: &str, load: Option<&Path>)
where
    N: Network<Inputs: Dense + Feed, Targets = Classes<CLASSES>, Outputs = Rows<CLASSES>>,
{
    let Some(python) = std::env::var_os("KILN_TORCHVISION") else {
        println!("{name}: no state dict was loaded, KILN_TORCHVISION names no Python with torchvision");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [weights, answers] = ["weights", "answers"].map(|file| folder.path().join(format!("{file}.safetensors")));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/zoo.py");
    let mut command = Command::new(python);
    command.arg(script).arg(name).args([&weights, &answers]).args(["--size", &N::Inputs::SHAPE[1].to_string()]);
    if let Some(file) = load {
        command.arg("--load").arg(file);
    }
    let status = command.status();
    assert!(status.as_ref().is_ok_and(ExitStatus::success), "{command:?}: {status:?}");
    model.load(&weights).unwrap();
    compare(model, &format!("{name} from a file"), &Fixture::at(&answers), "");
}

/// Answers in evaluation mode; loss, gradients of all parameters and running statistics of a pass in training mode.
fn compare<N>(model: &mut Model<N>, name: &str, fixture: &Fixture, prefix: &str)
where
    N: Network<Inputs: Dense + Feed, Targets = Classes<CLASSES>, Outputs = Rows<CLASSES>>,
{
    let get = |key: &str| fixture.get(&format!("{prefix}{key}")).values;
    let data = batch::<N::Inputs>();
    close(&format!("{name}: logits"), model.forward(data.inputs()).unwrap().values(), &get("logits"));

    let gradients = model.gradients(&data).unwrap();
    close(&format!("{name}: loss"), &[gradients.step.loss], &get("loss"));
    let mut found: Vec<(&str, &ArrayD<f32>)> = gradients.iter().collect();
    found.sort_by_key(|(name, _)| *name);
    let (elements, norms) = (get("gradients"), get("norms"));
    let bounds: Vec<f64> =
        [NORM, GRADIENT].iter().zip(get("rounding")).map(|(bound, error)| bound.max(4.0 * f64::from(error))).collect();
    assert_eq!(found.len(), norms.len(), "{name}: number of gradients");
    let largest = norms.iter().copied().fold(0.0, f32::max);
    let (mut wrong, mut worst) = (Vec::new(), [0.0f64; 2]);
    for (((parameter, gradient), elements), norm) in found.iter().zip(elements.chunks(ELEMENTS)).zip(&norms) {
        let expected = f64::from(*norm);
        if *norm < 1e-9 * largest {
            // Of a bias in front of BatchNorm: zero, and what is computed of it is rounding.
            let found = length(gradient.iter().copied());
            assert!(found <= f64::from(1e-5 * largest), "{name}: {parameter}: norm {found:.1e} instead of zero");
            continue;
        }
        let few = picked(gradient, ELEMENTS);
        let apart = length(few.iter().zip(elements).map(|(a, b)| a - b));
        // So many elements have this share of the norm, where they are not larger than others.
        let share = (ELEMENTS as f64 / gradient.len() as f64).sqrt().min(1.0);
        let errors = [
            (length(gradient.iter().copied()) - f64::from(*norm)).abs() / expected,
            apart / (expected * share).max(length(elements.iter().copied())),
        ];
        worst = [worst[0].max(errors[0]), worst[1].max(errors[1])];
        // A NaN is not near.
        if !(errors[0] <= bounds[0] && errors[1] <= bounds[1]) {
            wrong.push(format!("{parameter}: {errors:?}; elements {few:?} instead of {elements:?}"));
        }
    }
    let [norm, element] = worst;
    let (most, most_of_elements) = (bounds[0], bounds[1]);
    println!(
        "{name}: norms of gradients differ by {norm:.1e} of {most:.1e}, elements by {element:.1e} of {most_of_elements:.1e}"
    );
    assert!(wrong.is_empty(), "{name}: gradients differ from torchvision's\n{}", wrong.join("\n"));
    drop(gradients);

    let mut names: Vec<&str> = model.parameters().filter(|p| p.name.contains(".running_")).map(|p| p.name).collect();
    names.sort_unstable();
    if !names.is_empty() {
        model.accumulate(&data).unwrap();
        let found: Vec<f32> =
            names.iter().flat_map(|name| picked(&model.parameter(name).unwrap(), STATISTICS)).collect();
        close(&format!("{name}: running statistics"), &found, &get("statistics"));
    }
}
