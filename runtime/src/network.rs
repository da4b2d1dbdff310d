//! What `network!` implements for a declared network.

use crate::data::{Feed, Receive};
use crate::device::Device;
use crate::error::Result;
use crate::model::Model;
use crate::plan::Plan;
use crate::summary::Summary;
use std::path::Path;

/// A declared network. Implemented by `network!`, never by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a declared network",
    label = "`network!` declares no such network",
    note = "of a family, only the declared members are networks"
)]
pub trait Network: Sized + Send + Sync + 'static {
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

    /// A table: layers, shapes, parameters, FLOPs, kernels.
    fn summary() -> Summary {
        Summary::new(Self::plan())
    }
}
