//! Every network of `kiln::zoo`, in the form of its paper: a table of what each costs, and of what fusion makes of it.
//!
//!     cargo run --release --example zoo
//!
//! | column | |
//! |---|---|
//! | FLOPs | of one forward pass of one sample; a multiply-add counts as two |
//! | bytes | that a training step needs for each sample of its batch, beside the sample itself |
//! | kernels | on the CPU, of a training step and of `forward`; unfused is one for each primitive |
//! | torchvision | the largest difference from the logits that it computes at the same weights (`tests/fixtures/README.md`), in parts of the largest of them |

#[allow(dead_code, reason = "read by tests")]
#[path = "../tests/pytorch/fixture.rs"]
mod fixture;
#[path = "../tests/zoo/weights.rs"]
mod weights;
#[path = "networks/zoo.rs"]
mod zoo;

use std::error::Error;

use fixture::{Fixture, Stored, uniform};
use kiln::data::Dense;
use kiln::prelude::*;
use zoo::*;

/// Networks that torchvision has too, and its names for them.
const TORCHVISION: &[(&str, &str)] = &[
    ("AlexNet", "alexnet"),
    ("Vgg16", "vgg16"),
    ("Vgg19", "vgg19"),
    ("ResNet18", "resnet18"),
    ("ResNet34", "resnet34"),
    ("ResNet50", "resnet50"),
    ("GoogLeNet", "googlenet"),
];

/// A line of the table.
struct Row {
    name: &'static str,
    parameters: usize,
    flops: u64,
    bytes: usize,
    fused: kiln::Kernels,
    unfused: kiln::Kernels,
    difference: Option<f32>,
}

impl Row {
    fn of<N: Network<Inputs: Dense, Outputs: Dense>>(bytes: usize, fixture: &Fixture) -> Result<Self, kiln::Error> {
        Ok(Row {
            name: N::NAME,
            parameters: N::PARAMETERS,
            flops: N::FORWARD_FLOPS,
            bytes,
            fused: N::kernels(),
            unfused: N::unfused_kernels(),
            difference: match TORCHVISION.iter().find(|(name, _)| *name == N::NAME) {
                Some((_, torchvision)) => Some(difference::<N>(torchvision, fixture)?),
                None => None,
            },
        })
    }
}

/// From the fixture's logits of this network, relative to the largest of them.
fn difference<N: Network<Inputs: Dense, Outputs: Dense>>(
    torchvision: &str,
    fixture: &Fixture,
) -> Result<f32, kiln::Error> {
    let mut model = N::new(&Device::cpu(), 1)?;
    weights::initialise(&mut model, torchvision);
    let Stored { shape, values: expected } = fixture.get(torchvision);
    let pixels = shape[0] * N::Inputs::SHAPE.iter().product::<usize>();
    let images = N::Inputs::from_values(uniform("zoo.image").take(pixels).collect())?;
    let outputs = model.forward(&images)?;
    let largest = |values: &mut dyn Iterator<Item = f32>| values.map(f32::abs).fold(0.0, f32::max);
    let apart = largest(&mut outputs.values().iter().zip(&expected).map(|(a, b)| a - b));
    Ok(apart / largest(&mut expected.iter().copied()))
}

fn rows() -> Result<Vec<Row>, kiln::Error> {
    let fixture = Fixture::read("zoo_224");
    macro_rules! rows {
        ($($network:ident)*) => { Ok(vec![$(Row::of::<$network>($network::TRAINING_BYTES_PER_SAMPLE, &fixture)?),*]) };
    }
    rows! {
        Perceptron TwoLayer Mlp LeNet LeNet5 MnistBnCnn Autoencoder ConvAutoencoder SpatialTransformerNet
        AlexNet Vgg16 Vgg19 ResNet18Cifar ResNet18 ResNet34 ResNet50 GoogLeNet
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:22}{:>14}{:>16}{:>14}{:>18}{:>18}{:>14}",
        "", "", "", "bytes", "training step", "forward", "difference to"
    );
    println!(
        "{:22}{:>14}{:>16}{:>14}{:>9}{:>9}{:>9}{:>9}{:>14}",
        "network", "parameters", "FLOPs", "per sample", "kernels", "unfused", "kernels", "unfused", "torchvision"
    );
    for row in rows()? {
        println!(
            "{:22}{:>14}{:>16}{:>14}{:>9}{:>9}{:>9}{:>9}{:>14}",
            row.name,
            grouped(row.parameters as u64),
            grouped(row.flops),
            grouped(row.bytes as u64),
            row.fused.step,
            row.unfused.step,
            row.fused.forward,
            row.unfused.forward,
            row.difference.map_or_else(|| "-".into(), |difference| format!("{difference:.1e}")),
        );
    }
    Ok(())
}

/// `61 706`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
