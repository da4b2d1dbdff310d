//! Looking into a network: the values of a line with `#[probe]`, and what in the input would raise them.

use super::Model;
use crate::data::{Feed, PortValues, Receive};
use crate::engine::Role;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::plan::Plan;
use std::fmt;
use std::marker::PhantomData;
use std::sync::PoisonError;

/// Most axes of a value.
const AXES: usize = 4;

/// A line with `#[probe]`: `LeNet5::CONV2` of `#[probe] conv2: Conv2d<16, 5>;`, whose value for a batch is an `A`.
pub struct Probe<N, A> {
    at: Place,
    activations: &'static Plan,
    types: PhantomData<fn() -> (N, A)>,
}

/// A part of a probe's value that one number stands for: what [`Model::excite`] scores.
pub struct Unit<N> {
    at: Place,
    part: Part,
    network: PhantomData<fn() -> N>,
}

/// What a probe and its units have in common.
#[derive(Clone, Copy)]
struct Place {
    name: &'static str,
    dims: &'static [usize],
    excite: Option<&'static Plan>,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Channel(usize),
    Class(usize),
    Element { index: [usize; AXES], axes: usize },
}

/// What [`Model::excite`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Excitation<G> {
    /// One a sample.
    pub score: Vec<f32>,
    /// Of each sample's own score, with respect to that sample's inputs.
    pub gradient: G,
}

/// For emitted code.
///
/// # Safety
/// As for [`Network::plan`]: both plans are whole and come from `network!`, so that a model may run them.
#[doc(hidden)]
pub const unsafe fn probe<N, A>(
    name: &'static str,
    dims: &'static [usize],
    activations: &'static Plan,
    excite: Option<&'static Plan>,
) -> Probe<N, A> {
    Probe { at: Place { name, dims, excite }, activations, types: PhantomData }
}

impl<N, A> Clone for Probe<N, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N, A> Copy for Probe<N, A> {}

impl<N, A> fmt::Debug for Probe<N, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({} {:?})", self.at.name, self.at.dims)
    }
}

impl<N> Clone for Unit<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Unit<N> {}

impl<N> fmt::Debug for Unit<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({} {:?}, {:?})", self.at.name, self.at.dims, self.part)
    }
}

impl<N, A> Probe<N, A> {
    /// The line's path, `features.conv2`.
    pub const fn name(&self) -> &'static str {
        self.at.name
    }

    /// Extents of the value of one sample.
    pub const fn dims(&self) -> &'static [usize] {
        self.at.dims
    }

    /// What runs for it: the programs of its value, and of its gradient where an input has one.
    #[doc(hidden)]
    pub const fn plans(&self) -> (&'static Plan, Option<&'static Plan>) {
        (self.activations, self.at.excite)
    }

    /// The mean of a channel over its positions; of a vector, one element.
    pub const fn channel(self, channel: usize) -> Unit<N> {
        self.part(Part::Channel(channel))
    }

    /// One element of a vector, such as the score of a class.
    pub const fn class(self, class: usize) -> Unit<N> {
        self.part(Part::Class(class))
    }

    /// One element: `.unit([channel, row, column])` of an image, `.unit([i])` of a vector.
    pub const fn unit<const R: usize>(self, index: [usize; R]) -> Unit<N> {
        let mut own = [0; AXES];
        let mut i = 0;
        while i < R && i < AXES {
            own[i] = index[i];
            i += 1;
        }
        self.part(Part::Element { index: own, axes: R })
    }

    const fn part(self, part: Part) -> Unit<N> {
        Unit { at: self.at, part, network: PhantomData }
    }
}

impl<N> Unit<N> {
    /// The share that each element has in the score, in row-major order.
    fn weights(&self) -> Result<Vec<f32>> {
        let Place { name, dims, .. } = self.at;
        let mut weights = vec![0.0; dims.iter().product()];
        let positions: usize = dims.iter().skip(1).product();
        let below = |what: &str, found: usize, extent: usize| match found < extent {
            true => Ok(()),
            false => Err(Error::option(format!("{what} of the probe `{name}`"), format!("below {extent}"), found)),
        };
        match self.part {
            Part::Channel(channel) => {
                below("the channel", channel, dims[0])?;
                weights[channel * positions..(channel + 1) * positions].fill(1.0 / positions as f32);
            }
            Part::Class(class) => {
                if dims.len() != 1 {
                    let expected = format!("a channel or a unit, since its value has shape {dims:?}");
                    return Err(Error::option(format!("what to excite of the probe `{name}`"), expected, "a class"));
                }
                below("the class", class, dims[0])?;
                weights[class] = 1.0;
            }
            Part::Element { index, axes } => {
                if axes != dims.len() {
                    let expected = format!("{} numbers, since its value has shape {dims:?}", dims.len());
                    return Err(Error::option(format!("the unit of the probe `{name}`"), expected, axes));
                }
                let mut at = 0;
                for (index, extent) in index.iter().zip(dims) {
                    below("the unit", *index, *extent)?;
                    at = at * extent + index;
                }
                weights[at] = 1.0;
            }
        }
        Ok(weights)
    }
}

/// The same weights for every sample of a batch.
#[derive(Clone)]
struct Weights {
    one: Vec<f32>,
    all: Vec<f32>,
}

impl Feed for Weights {
    fn empty() -> Self {
        Weights { one: Vec::new(), all: Vec::new() }
    }

    fn len(&self) -> usize {
        self.all.len() / self.one.len().max(1)
    }

    fn gather_into(&self, rows: &[usize], out: &mut Self) {
        out.one.clone_from(&self.one);
        out.all.clear();
        rows.iter().for_each(|_| out.all.extend_from_slice(&self.one));
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        f(PortValues::Floats(&self.all));
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl<N: Network> Model<N> {
    /// What a line with `#[probe]` computes of these inputs, in evaluation mode.
    pub fn activations<A: Receive>(&self, probe: Probe<N, A>, inputs: &N::Inputs) -> Result<A> {
        let mut buffers = self.probed(probe.activations, inputs, &<() as Feed>::empty())?;
        buffers.truncate(1);
        Ok(A::from_buffers(inputs.len(), buffers))
    }

    /// The score of a unit, channel or class for each sample, in evaluation mode, and its gradient with respect to the
    /// inputs: where and how the input would have to change for the score to rise. All inputs are dense values.
    ///
    /// # Errors
    /// Where the probe's value has no such channel, unit or class.
    pub fn excite(&self, unit: Unit<N>, inputs: &N::Inputs) -> Result<Excitation<N::Inputs>>
    where
        N::Inputs: Receive,
    {
        let one = unit.weights()?;
        let Some(plan) = unit.at.excite else {
            let what = format!("the inputs of {}", N::NAME);
            return Err(Error::data(what, "dense values, which have a gradient", "ids"));
        };
        let mut weights = Weights::empty();
        // As many as one run takes: longer inputs are gathered anew for each of their runs.
        Weights { one, all: Vec::new() }.gather_into(&vec![0; inputs.len().min(1024)], &mut weights);
        let mut buffers = self.probed(plan, inputs, &weights)?;
        let score = if buffers.is_empty() { Vec::new() } else { buffers.remove(0) };
        Ok(Excitation { score, gradient: N::Inputs::from_buffers(inputs.len(), buffers) })
    }

    /// All outputs of a program that looks into the network, over its weights of now.
    fn probed<T: Feed>(&self, plan: &'static Plan, inputs: &N::Inputs, more: &T) -> Result<Vec<Vec<f32>>> {
        inputs.check()?;
        let mut engines = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match engines.iter().position(|engine| std::ptr::eq(engine.plan, plan)) {
            Some(at) => at,
            None => {
                engines.push(self.engine.companion(plan)?);
                engines.len() - 1
            }
        };
        let engine = &mut engines[at];
        engine.copy_weights(&self.engine)?;
        let mut buffers: Vec<Vec<f32>> = plan.outputs.iter().map(|_| Vec::new()).collect();
        Self::in_chunks(engine, Role::Infer, inputs, more, |finished, _| {
            buffers.iter_mut().enumerate().try_for_each(|(index, buffer)| finished.output(index, buffer))
        })?;
        Ok(buffers)
    }
}
