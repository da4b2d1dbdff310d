//! Between host data and a network: what can feed its ports, and what can hold its outputs.
//!
//! Batches are gathered, never sliced: an epoch is a permutation of sample numbers, and `gather_into` copies the chosen
//! samples into a buffer that is used again and again. No type of the engine appears here.
//!
//! Both traits are safe to implement: what feeds a network is a slice for each port, and the engine compares its kind, its length and the
//! range of its integers with the network's plan before a kernel reads it.

use crate::error::Error;

/// The values of one port, batch first, each sample in row-major order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PortValues<'a> {
    /// Of a dense port.
    Floats(&'a [f32]),
    /// Of `class<n>` (one a sample) and of `ids<[l], v>`.
    Integers(&'a [i32]),
}

/// Host values, batch first, that feed one or several ports of a network.
pub trait Feed: Clone + Send + Sync + 'static {
    /// No samples.
    fn empty() -> Self;

    /// Samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `out` becomes these samples in this order. Allocates nothing where `out` has the capacity.
    ///
    /// # Panics
    /// Where a row is `len()` or above.
    fn gather_into(&self, rows: &[usize], out: &mut Self);

    /// Calls `f` in declaration order with the values of each port, those of all samples.
    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>));

    /// Equal lengths of all ports, labels in range.
    fn check(&self) -> Result<(), Error>;
}

/// Host values that a network returns.
pub trait Receive: Sized {
    /// Values in canonical (row-major) order, one buffer an output.
    fn from_buffers(samples: usize, buffers: Vec<Vec<f32>>) -> Self;

    /// Calls `f` in declaration order with the values of each output, which it may replace by those of other samples, the
    /// same number for all outputs.
    fn buffers(&mut self, f: &mut dyn FnMut(&mut Vec<f32>));
}

/// A network without targets.
impl Feed for () {
    fn empty() -> Self {}

    fn len(&self) -> usize {
        0
    }

    fn gather_into(&self, _rows: &[usize], _out: &mut Self) {}

    fn each_port<'a>(&'a self, _f: &mut dyn FnMut(PortValues<'a>)) {}

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}
