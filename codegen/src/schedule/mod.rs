//! From a graph to kernels: programs, layouts, fusion. What is decided here is data; the emitters only print it.
//!
//! `program` cuts a module into programs (which roots, which mode), `prepare` cleans the graph, `layout` says where elements
//! lie, `form` which template computes a node, `fuse` which nodes share a kernel. The result prints as stable text.

pub mod blocks;
pub mod cost;
pub mod dense;
pub mod derived;
pub mod display;
pub mod form;
pub mod fuse;
pub mod gaps;
pub mod hoist;
pub mod lanes;
pub mod launches;
pub mod layout;
pub mod moments;
pub mod params;
pub mod parts;
pub mod place;
pub mod pooled;
pub mod prepare;
pub mod program;
pub mod readers;
pub mod rows;
pub mod target;
pub mod tile;
pub mod uses;
pub mod verify;
pub mod winograd;

use crate::graph::op::Op;
use crate::graph::{Graph, Module, Value, verify::verify as verify_graph};
pub use blocks::Stage;
pub use cost::Cost;
pub use form::{Access, Dense, Form, Iter, Reduced};
pub use lanes::Chain;
pub use launches::{Launch, Launches, Part};
pub use layout::{Layout, Order};
pub use params::ParamPlan;
pub use parts::Within;
pub use program::{Program, ProgramKind, Programs, Roots};
pub use rows::{Rows, Strides};
use std::collections::BTreeMap;
pub use target::Target;
pub use uses::Uses;

/// Where a stored value lives. Offsets come from `memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// A caller's buffer: inputs, then targets.
    Port(usize),
    Param(usize),
    State(usize),
    /// The gradient arena, at the parameter's offset.
    Grad(usize),
    /// Per sample: offset × padded batch.
    Batch,
    /// Statistics, partial sums, derived weights.
    Fixed,
    /// Made of nothing but parameters and running statistics, in a program that changes neither: it stays from run to run,
    /// and is made anew when they have changed.
    Derived,
}

/// One launch (or a reduction's two): nodes computed together.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub form: Form,
    /// What it computes, in order; includes nodes recomputed here that other kernels compute too.
    pub nodes: Vec<Value>,
    /// Stored values it reads.
    pub reads: Vec<Value>,
    /// Values it stores.
    pub stores: Vec<Value>,
}

/// A program with everything decided but memory offsets.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub program: Program,
    pub order: Order,
    /// Parallel to the graph's nodes.
    pub layouts: Vec<Layout>,
    /// The value whose storage a value shares: itself, or what a free reshape looks at.
    pub base: Vec<Value>,
    /// Of values that are stored or come from outside; `None` for values that live in registers.
    pub storage: Vec<Option<Storage>>,
    pub kernels: Vec<Kernel>,
    /// Of convolutions that can be computed in two ways.
    pub choices: BTreeMap<Value, winograd::Choice>,
    /// Of values that lie within another's samples.
    pub within: BTreeMap<Value, Within>,
}

impl Kernel {
    /// The node that its template is for. What is recomputed may stand before it.
    pub fn anchor(&self, s: &Schedule) -> Value {
        let own =
            |v: &&Value| matches!(s.graph().node(**v).op, Op::Contract { .. } | Op::Conv { .. } | Op::Window { .. });
        *self.nodes.iter().find(own).expect("a template kernel has its anchor")
    }

    /// Its reductions, in order.
    pub fn reduces(&self, s: &Schedule) -> Vec<Value> {
        self.nodes.iter().copied().filter(|v| matches!(s.graph().node(*v).op, Op::Reduce { .. })).collect()
    }
}

/// A program through all decisions: placed and fused, verified.
pub fn schedule(module: &Module, params: &ParamPlan, program: &Program, target: &Target) -> Schedule {
    let mut schedule = fused(module, params, program, target);
    moments::moments(&mut schedule, target);
    blocks::blocks(&mut schedule, target);
    lanes::lanes(&mut schedule, target);
    readers::readers(&mut schedule, target);
    dense::dense(&mut schedule, target);
    parts::parts(&mut schedule, target);
    derived::keep(&mut schedule, target);
    fuse::assign_storage(&mut schedule);
    verify::demand(program.kind, verify::verify(&schedule));
    schedule
}

/// A program with a kernel for each node, or for those that fusion joins node by node.
fn fused(module: &Module, params: &ParamPlan, program: &Program, target: &Target) -> Schedule {
    let mut prepared = prepare::prepare(program, params, target);
    pooled::pooled(&mut prepared, target);
    debug_assert_eq!(verify_graph(&prepared.graph), Ok(()));
    let mut schedule = place::place(prepared, module, params, target);
    debug_assert_eq!(verify_graph(schedule.graph()), Ok(()));
    fuse::fuse(&mut schedule, target);
    schedule
}

/// How many kernels a program would have with one for each primitive.
pub fn unfused_kernels(module: &Module, params: &ParamPlan, program: &Program, target: &Target) -> usize {
    // What follows upon this only joins kernels.
    fused(module, params, program, &target.unfused()).kernels.len()
}

impl Schedule {
    pub fn graph(&self) -> &Graph {
        &self.program.graph
    }

    /// Whether this is a convolution for which Winograd's algorithm was chosen.
    pub fn is_by_winograd(&self, value: Value) -> bool {
        self.choices.get(&value).is_some_and(|c| c.winograd)
    }

    pub fn layout(&self, value: Value) -> &Layout {
        &self.layouts[value.index()]
    }

    pub fn base(&self, value: Value) -> Value {
        self.base[value.index()]
    }

    pub fn storage(&self, value: Value) -> Option<Storage> {
        self.storage[self.base(value).index()]
    }

    /// Whether what this kernel stores stays right until parameters or running statistics change.
    pub fn is_derived(&self, kernel: &Kernel) -> bool {
        !kernel.stores.is_empty() && kernel.stores.iter().all(|v| self.storage(*v) == Some(Storage::Derived))
    }

    /// The value whose memory a value lies in, and the floats before it in each sample.
    pub fn whole(&self, value: Value) -> Within {
        let mut place = Within { whole: self.base(value), at: 0 };
        while let Some(next) = self.within.get(&place.whole) {
            place = Within { whole: self.base(next.whole), at: place.at + next.at };
        }
        place
    }

    /// Floats from one sample to the next; 0 without a batch.
    pub fn sample_stride(&self, value: Value) -> usize {
        let whole = self.whole(value).whole;
        if self.graph().shape(whole).batch { self.layouts[whole.index()].size } else { 0 }
    }
}
