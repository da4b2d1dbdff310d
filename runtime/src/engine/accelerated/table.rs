//! From the plan's launch tables to graph nodes: addresses, regions, numbers of blocks.

use crate::device::cuda::{Address, KernelId, NORM_PIECE, Node, Region};
use crate::optim::{MOST_STATES, ROW, Rows, Span};
use crate::plan::{Access, Cuda, CudaArg, CudaLaunch, Space, Stored};
use std::mem::size_of;

/// Floats that one block of an element-wise kernel takes at once.
const BLOCK_FLOATS: usize = 1024;

/// Where all arenas of a run lie; 0 where there is none.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub params: Address,
    pub grads: Address,
    pub states: Address,
    pub batch_arena: Address,
    pub fixed: Address,
    pub mean: Address,
    /// The optimizer's states, its table, and which rows of it parameters have.
    pub optimizer: [Address; MOST_STATES],
    pub table: Address,
    pub rows: Option<&'a Rows>,
    /// How many sums of squares there are, and the sums.
    pub norm: Address,
    /// Inputs, then targets.
    pub ports: &'a [Address],
    pub run: Address,
    pub batch: usize,
    pub padded: usize,
}

impl Places<'_> {
    /// The address of a float, or 0 where its arena has no memory: then the launch does not touch it.
    pub fn address(&self, space: Space, offset: usize) -> Address {
        let (base, floats) = match space {
            Space::Batch => (self.batch_arena, offset * self.padded),
            Space::Fixed => (self.fixed, offset),
            Space::Derived => (0, 0),
            Space::Port => (self.ports.get(offset).copied().unwrap_or(0), 0),
            Space::Params => (self.params, offset),
            Space::Grads | Space::Updates => (self.grads, offset),
            Space::State => (self.states, offset),
            Space::Optimizer(number) => (self.optimizer.get(number).copied().unwrap_or(0), offset),
            Space::Hyper => (self.table, self.rows.map_or(0, |rows| rows.of(offset)) * ROW),
        };
        if base == 0 { 0 } else { base + bytes(floats) as Address }
    }

    /// Floats from the first sample's first to the last sample's last.
    pub fn extent(&self, stored: &Stored) -> usize {
        (self.batch - 1) * stored.sample + stored.layout.size
    }

    fn region(&self, arg: &CudaArg) -> Option<Region> {
        let at = self.address(arg.space, arg.offset);
        let floats = match arg.space {
            Space::Batch | Space::Port => arg.floats * self.batch,
            Space::Fixed
            | Space::Derived
            | Space::Params
            | Space::Grads
            | Space::Updates
            | Space::State
            | Space::Optimizer(_)
            | Space::Hyper => arg.floats,
        };
        (at != 0).then(|| region(name(arg), at, floats, arg.access))
    }

    /// A launch of the plan.
    pub fn node(&self, cuda: &Cuda, launch: &CudaLaunch, kernel: KernelId) -> Node {
        Node {
            kernel,
            name: cuda.kernels[launch.kernel].name.to_owned(),
            parts: launch.parts.iter().map(|part| part.pieces(self.batch)).collect(),
            args: launch.args.iter().map(|arg| self.address(arg.space, arg.offset)).collect(),
            run: self.run,
            batch: self.batch,
            regions: launch.args.iter().filter_map(|arg| self.region(arg)).collect(),
            after: launch.after.to_vec(),
        }
    }

    /// The optimizer's own pass over a range of the trainable arena, with gradients from `grads`.
    pub fn pass(&self, kernel: KernelId, span: Span, grads: Address, after: Vec<usize>) -> Node {
        let Span { offset, floats, row } = span;
        let hyper = self.table + bytes(row * ROW) as Address;
        let at = |base: Address| if base == 0 { 0 } else { base + bytes(offset) as Address };
        let mut args = vec![hyper, at(self.params), at(grads)];
        args.extend(self.optimizer.map(at));
        let mut regions = vec![
            region("hyper-parameters".into(), hyper, ROW, Access::Read),
            region("params".into(), args[1], floats, Access::ReadWrite),
            region("gradients".into(), args[2], floats, Access::Read),
        ];
        for (number, state) in args[3..].iter().enumerate().filter(|(_, state)| **state != 0) {
            regions.push(region(format!("optimizer state {number}"), *state, floats, Access::ReadWrite));
        }
        self.element_wise("kiln_optimizer_pass", kernel, floats, args, regions, after)
    }

    /// The gathered gradient of this mean of the loss takes the new one in.
    pub fn accumulate(&self, kernel: KernelId, mean: usize, floats: usize, after: Vec<usize>) -> Node {
        let gathered = self.gathered(mean, floats);
        let regions = vec![
            region("mean gradient".into(), gathered, floats, Access::ReadWrite),
            region("gradients".into(), self.grads, floats, Access::Read),
        ];
        self.element_wise("kiln_accumulate", kernel, floats, vec![gathered, self.grads], regions, after)
    }

    /// Adds the gathered gradient of this mean of the loss to the first one's.
    pub fn join(&self, kernel: KernelId, mean: usize, floats: usize, after: Vec<usize>) -> Node {
        let other = self.gathered(mean, floats);
        let regions = vec![
            region("mean gradient".into(), self.mean, floats, Access::ReadWrite),
            region("mean gradient of another mean".into(), other, floats, Access::Read),
        ];
        self.element_wise("kiln_join", kernel, floats, vec![self.mean, other], regions, after)
    }

    fn gathered(&self, mean: usize, floats: usize) -> Address {
        self.mean + bytes(mean * floats) as Address
    }

    /// Sums of squares of a range of these gradients, from sum `first` on.
    pub fn norm(&self, kernel: KernelId, span: Span, first: usize, grads: Address, after: Vec<usize>) -> Node {
        let Span { offset, floats, .. } = span;
        let (grads, sums) = (grads + bytes(offset) as Address, self.norm + bytes(1 + first) as Address);
        let regions = vec![
            region("gradients".into(), grads, floats, Access::Read),
            region("sums of squares".into(), sums, floats.div_ceil(NORM_PIECE), Access::Write),
        ];
        let parts = vec![floats.div_ceil(NORM_PIECE)];
        let args = vec![grads, sums];
        Node { kernel, name: "kiln_norm".into(), parts, args, run: self.run, batch: floats, regions, after }
    }

    /// Clips all of these gradients by so many sums.
    pub fn clip(&self, kernel: KernelId, floats: usize, sums: usize, grads: Address, after: Vec<usize>) -> Node {
        let first = self.norm + bytes(1) as Address;
        let regions = vec![
            region("gradients".into(), grads, floats, Access::ReadWrite),
            region("sums of squares".into(), self.norm, 1 + sums, Access::Read),
        ];
        self.element_wise("kiln_clip", kernel, floats, vec![grads, first, self.norm], regions, after)
    }

    fn element_wise(
        &self,
        name: &str,
        kernel: KernelId,
        floats: usize,
        args: Vec<Address>,
        regions: Vec<Region>,
        after: Vec<usize>,
    ) -> Node {
        let parts = vec![floats.div_ceil(BLOCK_FLOATS)];
        Node { kernel, name: name.into(), parts, args, run: self.run, batch: floats, regions, after }
    }
}

/// The launches that no other one follows.
pub(super) fn last(nodes: &[Node]) -> Vec<usize> {
    (0..nodes.len()).filter(|i| nodes.iter().all(|node| !node.after.contains(i))).collect()
}

fn region(name: String, at: Address, floats: usize, access: Access) -> Region {
    Region { name, at, bytes: bytes(floats), access }
}

fn name(arg: &CudaArg) -> String {
    let space = match arg.space {
        Space::Batch => "batch",
        Space::Fixed => "fixed",
        Space::Derived => "derived",
        Space::Port => return format!("port {}", arg.offset),
        Space::Params => "params",
        Space::Grads | Space::Updates => "gradients",
        Space::State => "states",
        Space::Optimizer(number) => return format!("optimizer state {number}+{}", arg.offset),
        Space::Hyper => "hyper-parameters",
    };
    format!("{space}+{}", arg.offset)
}

fn bytes(floats: usize) -> usize {
    floats * size_of::<f32>()
}
