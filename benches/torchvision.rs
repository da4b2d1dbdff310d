//! Networks of the zoo at full size, 224 × 224, against torchvision: `tests/zoo` on larger images and at any weights. It stands
//! here and not among the tests because five such networks take minutes to compile.
//!
//!     export KILN_TORCHVISION=python          # one that has torch and torchvision
//!     cargo bench --bench torchvision -- resnet18
//!     cargo bench --bench torchvision -- resnet50 --load resnet50.pth
//!
//! Without `--load` (a state dict, .safetensors or what `torch.save` wrote) the weights are torchvision's random start. Without
//! names it compares all networks. A difference is a panic that tells it.

#[path = "../tests/zoo/check.rs"]
mod check;
#[allow(dead_code, reason = "read by tests")]
#[path = "../tests/pytorch/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "weights of a fixture")]
#[path = "../tests/zoo/weights.rs"]
mod weights;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use kiln::prelude::*;

network! {
    AlexNet = kiln::zoo::AlexNet<DROPOUT = 0>;
    Vgg16Bn = kiln::zoo::Vgg16<BN = true, DROPOUT = 0>;
    ResNet18 = kiln::zoo::ResNet18;
    ResNet50 = kiln::zoo::ResNet50;
    GoogLeNet = kiln::zoo::GoogLeNet<DROPOUT = 0, DROPOUT_AUX = 0>;
}

/// Compare networks of the zoo with torchvision at 224 × 224.
#[derive(Parser)]
struct Options {
    /// alexnet, vgg16_bn, resnet18, resnet50 or googlenet; all of them where none is named
    networks: Vec<String>,

    /// Weights for the one network that is named
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,

    /// Cargo says so to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let mut known = Vec::new();
    macro_rules! compare {
        ($($name:literal $Network:ident),*) => {$(
            known.push($name);
            if options.networks.is_empty() || options.networks.iter().any(|name| name == $name) {
                let start = Instant::now();
                let mut model = $Network::new(&Device::cpu(), 1).expect("a model");
                check::torchvision(&mut model, $name, options.load.as_deref());
                println!("{}: {:.0} s", $name, start.elapsed().as_secs_f64());
            }
        )*};
    }
    if options.load.is_some() && options.networks.len() != 1 {
        eprintln!("error: --load needs the name of one network, found {}", options.networks.len());
        std::process::exit(1);
    }
    compare! { "alexnet" AlexNet, "vgg16_bn" Vgg16Bn, "resnet18" ResNet18, "resnet50" ResNet50, "googlenet" GoogLeNet }
    if let Some(name) = options.networks.iter().find(|name| !known.contains(&name.as_str())) {
        eprintln!("error: no network `{name}` here, expected one of {}", known.join(", "));
        std::process::exit(1);
    }
}
