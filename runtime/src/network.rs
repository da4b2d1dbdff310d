//! What `network!` implements for a declared network.

use crate::data::{Feed, Receive};
use crate::device::Device;
use crate::diagram::Diagram;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plan::{Cuda, Kernels, Plan, Program, Source, VERSION};
use crate::summary::Summary;
use std::path::Path;

/// A declared network. Implemented by `network!`, never by hand.
///
/// # Safety
/// Kernels of [`plan`](Network::plan) are run on memory whose sizes come from the same plan, and nothing checks them again: it must be
/// whatever `network!` made, unchanged. What is fed to it is checked when it is, against the plan; so `Inputs` and `Targets` only have to
/// be the types that users expect.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a declared network",
    label = "`network!` declares no such network",
    note = "of a family, only the declared members are networks"
)]
pub unsafe trait Network: Sized + Send + Sync + 'static {
    /// One input's own type, or a generated struct with the declared names.
    type Inputs: Feed;
    /// One target's own type, a generated struct, or `()`.
    type Targets: Feed;
    /// One output's own type, or a generated struct.
    type Outputs: Receive;

    /// As declared; a member of a family with its constants, `Mlp<8>`.
    const NAME: &'static str;
    /// Trainable and frozen values, without running statistics.
    const PARAMETERS: usize;
    /// Of one sample; a multiply-add counts as two.
    const FORWARD_FLOPS: u64;

    /// The compiled network.
    #[doc(hidden)]
    fn plan() -> &'static Plan;

    /// A model with initial weights. Same seed, same bits.
    fn new(device: &Device, seed: u64) -> Result<Model<Self>> {
        Model::new(device, seed)
    }

    /// A model with the weights of a file that [`Model::save`] (or PyTorch, through safetensors) wrote.
    fn open(file: impl AsRef<Path>, device: &Device) -> Result<Model<Self>> {
        let mut model = Model::new(device, 0)?;
        model.load(file)?;
        Ok(model)
    }

    /// How many kernels the network was fused into.
    fn kernels() -> Kernels {
        Self::plan().kernels
    }

    /// How many kernels it would have with one for each primitive, as `#[fusion(off)]` makes them.
    fn unfused_kernels() -> Kernels {
        Self::plan().unfused
    }

    /// A drawing of the layers, their shapes and branches, as SVG.
    fn diagram() -> Diagram {
        Diagram::new(Self::plan(), Self::NAME)
    }

    /// A table: layers, shapes, parameters, FLOPs, kernels.
    fn summary() -> Summary {
        Summary::new(Self::plan(), Self::NAME)
    }
}

/// The plan of a network that did not compile: its declaration is an error, so no program with it ever runs.
pub static NO_PLAN: Plan = Plan {
    version: VERSION,
    name: "",
    kernels: Kernels { step: 0, forward: 0 },
    unfused: Kernels { step: 0, forward: 0 },
    params: &[],
    param_floats: 0,
    trainable_floats: 0,
    states: &[],
    state_floats: 0,
    inputs: &[],
    targets: &[],
    outputs: &[],
    counted: None,
    layers: &[],
    returns: &[],
    infer: Program { variants: &[], single: None },
    evaluate: None,
    gradients: None,
    step: None,
    rest: &[],
    source: Source::NONE,
    cuda: Cuda::NONE,
};

/// Bytes of the batch arena that a training step needs per sample (of inference, where nothing can be trained).
pub const fn training_bytes(plan: &Plan) -> usize {
    let variants = match &plan.step {
        Some(step) => step.variants,
        None => plan.infer.variants,
    };
    let (mut most, mut i) = (0, 0);
    while i < variants.len() {
        if variants[i].batch_floats > most {
            most = variants[i].batch_floats;
        }
        i += 1;
    }
    most * size_of::<f32>()
}

/// Whether all ports of a generated struct have as many samples as the first.
pub fn same_lengths(owner: &str, ports: &[(&str, usize)]) -> Result<()> {
    let Some((first, expected)) = ports.first() else { return Ok(()) };
    match ports.iter().find(|(_, length)| length != expected) {
        None => Ok(()),
        Some((name, found)) => {
            Err(Error::data(format!("{owner}::{name}"), format!("{expected} samples, as many as `{first}`"), found))
        }
    }
}

/// One output of several.
pub fn receive_one<R: Receive>(samples: usize, buffers: &mut dyn Iterator<Item = Vec<f32>>) -> R {
    R::from_buffers(samples, buffers.next().into_iter().collect())
}
