//! Hyper-parameters by range of the trainable arena.
//!
//! A row of the table is what one step does to the parameters of one group: the rule's uniforms, and what stands before the
//! rule. Rows come in pairs, with weight decay and without: `2 · group + !decay`. Group 0 is everything that no
//! pattern of [`Groups`](super::Groups) matches.

use super::groups::Settings;
use crate::plan::{Tensor, Weights};

/// Not 0 where parameters of this row stay as they are. KilnUpdate of `templates/optimizer.cuh` has the same places.
pub(crate) const FROZEN: usize = 16;
/// Gradients are clamped to ± this; infinite where they are not.
pub(crate) const LIMIT: usize = 17;
/// What gradients are multiplied with: −1 where the optimizer climbs.
pub(crate) const SCALE: usize = 18;
/// Floats of a row, a multiple of 16 bytes.
pub(crate) const ROW: usize = 20;

pub(crate) type Row = [f32; ROW];

/// A part of the trainable arena, and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub offset: usize,
    pub floats: usize,
    pub row: usize,
}

/// Which row each parameter has that an optimizer changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    /// In order. Left out are gaps between tensors, which are padding, and parameters on which the loss does not depend.
    spans: Vec<Span>,
    /// By group.
    frozen: Vec<bool>,
}

impl Rows {
    /// `group` tells the group of a trainable parameter.
    pub fn new(weights: &Weights, settings: &[Settings], group: impl Fn(&Tensor) -> usize) -> Rows {
        let mut tensors: Vec<_> = weights.params.iter().filter(|t| t.trainable && t.gradient).collect();
        tensors.sort_by_key(|t| t.offset);
        let mut spans: Vec<Span> = Vec::new();
        for tensor in tensors {
            let (offset, floats) = (tensor.offset, tensor.layout.size);
            let row = 2 * group(tensor) + usize::from(!tensor.decay);
            match spans.last_mut() {
                Some(last) if last.offset + last.floats == offset && last.row == row => last.floats += floats,
                _ => spans.push(Span { offset, floats, row }),
            }
        }
        Rows { spans, frozen: settings.iter().map(|settings| settings.frozen).collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        2 * self.frozen.len()
    }

    /// Whether parameters of this row stay as they are.
    pub fn frozen(&self, row: usize) -> bool {
        self.frozen[row / 2]
    }

    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The row of the parameter that has this element.
    pub fn of(&self, offset: usize) -> usize {
        row_of(&self.spans, offset)
    }

    /// A part of the trainable arena that lies in one parameter.
    pub fn span(&self, offset: usize, floats: usize) -> Span {
        Span { offset, floats, row: self.of(offset) }
    }
}

/// The row of the parameter that has this element.
#[inline]
pub(crate) fn row_of(spans: &[Span], offset: usize) -> usize {
    spans[spans.partition_point(|span| span.offset <= offset) - 1].row
}

/// What stands in a row beside the rule's uniforms.
pub(crate) fn row(uniforms: &[f32], settings: &Settings, limit: f32, maximize: bool) -> Row {
    let mut row = [0.0; ROW];
    row[..uniforms.len()].copy_from_slice(uniforms);
    row[FROZEN] = f32::from(settings.frozen);
    row[LIMIT] = limit;
    row[SCALE] = if maximize { -1.0 } else { 1.0 };
    row
}
