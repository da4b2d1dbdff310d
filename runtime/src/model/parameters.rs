//! Parameters and gradients by name, in PyTorch's order.

use super::{Model, StepReport};
use crate::error::{Error, Result, nearest};
use crate::network::Network;
use crate::params;
use crate::plan::{Plan, Tensor, Weights};
use ndarray::{ArrayD, ArrayViewD, IxDyn};

/// Name and shape of a parameter or a running statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// PyTorch's name, `features.0.weight`.
    pub name: &'static str,
    /// PyTorch's shape.
    pub dims: &'static [usize],
    /// Whether an optimizer changes it: neither frozen nor a running statistic.
    pub trainable: bool,
}

impl<N: Network> Model<N> {
    /// All parameters, then all running statistics, in declaration order.
    pub fn parameters(&self) -> impl Iterator<Item = ParameterInfo> + use<N> {
        let plan = N::plan();
        let info = |t: &Tensor, trainable| ParameterInfo { name: t.name, dims: t.dims, trainable };
        let params = plan.params.iter().map(move |t| info(t, t.trainable));
        params.chain(plan.states.iter().map(move |t| info(t, false)))
    }

    /// An owned copy in PyTorch's order.
    pub fn parameter(&self, name: &str) -> Result<ArrayD<f32>> {
        let (tensor, state) = find(N::plan(), &self.engine.weights(), name)?;
        Ok(array(tensor, self.engine.read(tensor, state)?))
    }

    /// Overwrites a parameter or a running statistic.
    pub fn set_parameter<'a>(&mut self, name: &str, values: impl Into<ArrayViewD<'a, f32>>) -> Result<()> {
        let values = values.into();
        let (tensor, state) = find(N::plan(), &self.engine.weights(), name)?;
        if values.shape() != tensor.dims {
            return Err(Error::ParameterShape {
                name: name.to_owned(),
                expected: tensor.dims.to_vec(),
                found: values.shape().to_vec(),
            });
        }
        self.engine.write(tensor, state, &mut values.iter().copied())
    }
}

/// Named gradients of one batch, in PyTorch's order.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// Loss and correct predictions of the batch.
    pub step: StepReport,
    network: &'static str,
    list: Vec<(&'static str, ArrayD<f32>)>,
}

impl Gradients {
    /// `grads` is the gradient arena in the order of `weights`.
    pub(super) fn collect(plan: &'static Plan, weights: &Weights, step: StepReport, grads: &[f32]) -> Self {
        let gradient = |t: &'static Tensor| {
            let place = weights.params.iter().find(|other| other.name == t.name).unwrap_or(t);
            let mut values = Vec::with_capacity(params::numel(&place.layout));
            params::unpack(&place.layout, &grads[place.offset..place.offset + place.layout.size], &mut values);
            (t.name, array(place, values))
        };
        let list = plan.params.iter().filter(|t| t.trainable).map(gradient).collect();
        Gradients { step, network: plan.name, list }
    }

    /// The gradient of one trainable parameter.
    pub fn get(&self, name: &str) -> Result<&ArrayD<f32>> {
        match self.list.iter().find(|(known, _)| *known == name) {
            Some((_, array)) => Ok(array),
            None => {
                let similar = nearest_static(name, self.list.iter().map(|(known, _)| *known));
                Err(Error::UnknownParameter { network: self.network, name: name.to_owned(), similar })
            }
        }
    }

    /// All of them, in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &ArrayD<f32>)> {
        self.list.iter().map(|(name, array)| (*name, array))
    }
}

/// The tensor of that name as `weights` has it, and whether it is a state.
pub(super) fn find(plan: &'static Plan, weights: &Weights, name: &str) -> Result<(&'static Tensor, bool)> {
    let params = weights.params.iter().map(|t| (t, false));
    let states = weights.states.iter().map(|t| (t, true));
    params.chain(states).find(|(t, _)| t.name == name).ok_or_else(|| {
        let similar = nearest_static(name, plan.params.iter().chain(plan.states).map(|t| t.name));
        Error::UnknownParameter { network: plan.name, name: name.to_owned(), similar }
    })
}

fn nearest_static(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    nearest(name, known)
}

/// Canonical values of one tensor.
fn array(tensor: &Tensor, values: Vec<f32>) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(tensor.dims), values).expect("the plan's layout has as many elements as its dims")
}
