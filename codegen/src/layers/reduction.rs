//! Values of a sample reduced to one, or along some axes: what `Sum`, `Average`, `Max` and `Dot` share.

use super::args::{Result, Slot, named};
use super::site::Site;
use crate::diagnostics::Mistake;
use crate::graph::{Value, dims_text};

pub const ARGUMENTS: &[Slot] = &[named("axis"), named("keepdim")];

/// What is reduced, and what stays.
pub struct Reduction {
    /// The axes that go.
    pub axes: Vec<usize>,
    /// Values that become one.
    pub count: usize,
    /// Extents of the result; a sample of which nothing is left is `[1]`.
    dims: Vec<usize>,
}

impl Reduction {
    /// All axes, or those of `axis = 0` or `axis = [1, 2]`; `keepdim = true` leaves them with extent 1.
    pub fn read(site: &Site) -> Result<Reduction> {
        let dims = site.dims(0);
        let keep = site.args.bool_or("keepdim", false)?;
        let axes = match site.axes("axis")? {
            Some(axes) => axes,
            None => (0..dims.len()).collect(),
        };
        let count = axes.iter().map(|axis| dims[*axis]).product();
        let stays = |axis: &usize| keep || !axes.contains(axis);
        let mut left: Vec<usize> =
            (0..dims.len()).filter(stays).map(|axis| if axes.contains(&axis) { 1 } else { dims[axis] }).collect();
        if left.is_empty() {
            left.push(1);
        }
        Ok(Reduction { axes, count, dims: left })
    }

    /// The reduced value, whose axes still have extent 1, in the result's extents.
    pub fn shaped(&self, site: &mut Site, reduced: Value) -> Value {
        site.b.reshape(reduced, &self.dims)
    }
}

impl Site<'_> {
    /// One axis or a list of them, each there and named once; the batch is none of them.
    pub fn axes(&self, name: &str) -> Result<Option<Vec<usize>>> {
        let Some(axes) = self.args.indices(name)? else { return Ok(None) };
        let dims = self.dims(0);
        let wrong = |message: String| Mistake::new(self.args.source(name), message).trail(self.trail.clone());
        if axes.is_empty() {
            let message = format!("`{name}` of `{}` lists no axis", self.args.layer);
            return Err(
                wrong(message).help(format!("list one, such as `{name} = 0`, or leave `{name}` out for all of them"))
            );
        }
        for (i, axis) in axes.iter().enumerate() {
            if *axis >= dims.len() {
                let message = format!(
                    "`{name}` of `{}` is {axis}, but its input {} has {} {}",
                    self.args.layer,
                    dims_text(&dims),
                    dims.len(),
                    if dims.len() == 1 { "axis" } else { "axes" }
                );
                return Err(wrong(message).help("axes of a sample count from 0; the batch is none of them"));
            }
            if axes[..i].contains(axis) {
                let message = format!("`{name}` of `{}` lists the axis {axis} twice", self.args.layer);
                return Err(wrong(message).help("remove one of them"));
            }
        }
        Ok(Some(axes))
    }
}
