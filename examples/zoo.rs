//! Every network of `kiln::zoo`, in the form of its paper: a table of what each costs, and of what fusion makes of it.
//!
//!     cargo run --release --example zoo
//!
//! | column | |
//! |---|---|
//! | FLOPs | of one forward pass of one sample; a multiply-add counts as two |
//! | bytes | that a training step needs for each sample of its batch, beside the sample itself |
//! | kernels | on the CPU, of a training step and of `forward`; unfused is one for each primitive |

#[path = "networks/zoo.rs"]
mod zoo;

use kiln::prelude::*;
use zoo::*;

/// A line of the table.
struct Row {
    name: &'static str,
    parameters: usize,
    flops: u64,
    bytes: usize,
    fused: kiln::Kernels,
    unfused: kiln::Kernels,
}

impl Row {
    fn of<N: Network>(bytes: usize) -> Self {
        Row {
            name: N::NAME,
            parameters: N::PARAMETERS,
            flops: N::FORWARD_FLOPS,
            bytes,
            fused: N::kernels(),
            unfused: N::unfused_kernels(),
        }
    }
}

fn rows() -> Vec<Row> {
    macro_rules! rows {
        ($($network:ident)*) => { vec![$(Row::of::<$network>($network::TRAINING_BYTES_PER_SAMPLE)),*] };
    }
    rows! {
        Perceptron TwoLayer Mlp LeNet LeNet5 MnistBnCnn Autoencoder ConvAutoencoder SpatialTransformerNet
        AlexNet Vgg16 Vgg19 ResNet18Cifar ResNet18 ResNet34 ResNet50 GoogLeNet
    }
}

fn main() {
    println!("{:22}{:>14}{:>16}{:>14}{:>18}{:>18}", "", "", "", "bytes", "training step", "forward");
    println!(
        "{:22}{:>14}{:>16}{:>14}{:>9}{:>9}{:>9}{:>9}",
        "network", "parameters", "FLOPs", "per sample", "kernels", "unfused", "kernels", "unfused"
    );
    for row in rows() {
        println!(
            "{:22}{:>14}{:>16}{:>14}{:>9}{:>9}{:>9}{:>9}",
            row.name,
            grouped(row.parameters as u64),
            grouped(row.flops),
            grouped(row.bytes as u64),
            row.fused.step,
            row.unfused.step,
            row.fused.forward,
            row.unfused.forward,
        );
    }
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
