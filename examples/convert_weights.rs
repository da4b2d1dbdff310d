//! PyTorch's weights in a network of the zoo.
//!
//! A state dict becomes a file that Kiln reads by two lines of Python, for every network of torchvision that `kiln::zoo` has:
//!
//! ```python
//! from torchvision.models import resnet18; from safetensors.torch import save_file
//! save_file(resnet18(weights="IMAGENET1K_V1").state_dict(), "resnet18.safetensors")
//! ```
//!
//!     cargo run --release --example convert_weights -- resnet18.safetensors
//!     cargo run --release --example convert_weights -- resnet18.safetensors --transfer --out pets.safetensors
//!
//! Names are torchvision's, so nothing has to be renamed. Loading is strict: one error lists every name that is missing, surplus
//! or of another shape. `--transfer` loads all but the head into a network of 37 classes, whose head keeps its start values.
//! `--strip-prefix module.` is for files of a model that `torch.nn.DataParallel` wrapped.
//!
//! Where torchvision is installed, `tests/fixtures/zoo.py` writes what it answers for these weights; `--answers` compares:
//!
//!     python tests/fixtures/zoo.py resnet18 weights.safetensors answers.safetensors --load resnet18.safetensors
//!     cargo run --release --example convert_weights -- weights.safetensors --answers answers.safetensors
//!
//! Pixels, too, must be what the weights were trained with: torchvision's are in RGB order, [0, 1], less the mean
//! [0.485, 0.456, 0.406], divided by the deviation [0.229, 0.224, 0.225] of each channel.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use kiln::prelude::*;
use safetensors::{Dtype, SafeTensors};

network! {
    pub ResNet18 = kiln::zoo::ResNet18;

    /// 37 breeds of cats and dogs. Only what is new is trained.
    #[frozen(conv1, bn1, layer1, layer2, layer3, layer4)]
    pub Pets = kiln::zoo::ResNet18<CLASSES = 37>;
}

/// The largest accepted difference from torchvision's answers, by their norm.
const TOLERANCE: f64 = 1e-3;

/// Load PyTorch's weights into ResNet-18.
#[derive(Parser)]
struct Options {
    /// A state dict as safetensors
    weights: PathBuf,

    /// Load all but the head, into a network of 37 classes
    #[arg(long)]
    transfer: bool,

    /// What the names in the file begin with, and the network's do not
    #[arg(long, value_name = "PREFIX")]
    strip_prefix: Option<String>,

    /// Where the network's weights go, as safetensors under the same names
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// `image` and `logits` that torchvision computed from these weights
    #[arg(long, value_name = "FILE", conflicts_with = "transfer")]
    answers: Option<PathBuf>,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if options.transfer {
        let model = loaded::<Pets>(options, Load::strict().except("fc.*"))?;
        let free: Vec<&str> = model.parameters().filter(|parameter| parameter.trainable).map(|p| p.name).collect();
        println!("to be trained: {}", free.join(", "));
        return Ok(());
    }
    let model = loaded::<ResNet18>(options, Load::strict())?;
    if let Some(file) = &options.answers {
        compare(&model, file)?;
    }
    Ok(())
}

/// A model with the file's weights, written again where that is wanted.
fn loaded<N: Network>(options: &Options, load: Load) -> Result<Model<N>, Box<dyn Error>> {
    let load = match &options.strip_prefix {
        Some(prefix) => load.strip_prefix(prefix),
        None => load,
    };
    let mut model = N::new(&Device::best(), 0)?;
    let report = model.load_with(&options.weights, load)?;
    println!("{} into {} of {} parameters: {report}", options.weights.display(), N::NAME, N::PARAMETERS);
    if let Some(file) = &options.out {
        model.save(file)?;
        println!("wrote {}", file.display());
    }
    Ok(model)
}

/// Images and logits of torchvision, beside this model's logits.
fn compare(model: &Model<ResNet18>, path: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|why| format!("{}: {why}", path.display()))?;
    let images = Images::<3, 224, 224>::from_vec(numbers(&file, path, "image", &[3, 224, 224])?)?;
    let expected = numbers(&file, path, "logits", &[1000])?;
    let found = model.forward(&images)?;
    let theirs = Rows::<1000>::from_vec(expected)?;
    if theirs.len() != images.len() {
        return Err(
            format!("{}: expected logits of {} images, found {}", path.display(), images.len(), theirs.len()).into()
        );
    }
    let (ours, theirs) = (found.view(), theirs.view());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let size = norm(&mut theirs.iter().map(|x| f64::from(*x)));
    let apart = norm(&mut ours.iter().zip(theirs.iter()).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    println!("{} images: logits differ from torchvision's by {apart:.2e} of {size:.2e}", images.len());
    // A NaN is not near.
    if apart <= TOLERANCE * size {
        Ok(())
    } else {
        Err("these are not the same network, or not the same weights".into())
    }
}

/// All values of a tensor of samples of this shape.
fn numbers(file: &SafeTensors, path: &Path, name: &str, sample: &[usize]) -> Result<Vec<f32>, String> {
    let tensor = file.tensor(name).map_err(|_| format!("{} has no tensor `{name}`", path.display()))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape().get(1..) != Some(sample) {
        let found = (tensor.dtype(), tensor.shape());
        return Err(format!("{}: `{name}` should be F32 of [n, …, {sample:?}], found {found:?}", path.display()));
    }
    Ok(tensor.data().as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect())
}
