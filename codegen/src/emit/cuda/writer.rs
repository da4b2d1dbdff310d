//! What the writers of phases share: the plan they print, the pointers they ask for, fresh names.

use crate::declaration::Precision;
use crate::graph::Value;
use crate::schedule::{Kernel, Schedule, Storage, Uses};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a pointer of a launch stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arg {
    Value(Value),
    /// Partial results of a kernel.
    Partials(usize),
    /// A parameter that its gradient's kernel updates, what the optimizer remembers of it, and the optimizer's numbers for it.
    Updated(usize),
    Remembered(usize, usize),
    Hyper(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

/// The pointers of a launch, in order.
#[derive(Clone, Debug, Default)]
pub struct Args {
    pub list: Vec<(Arg, Access)>,
    /// Where in the list each is.
    places: HashMap<Arg, usize>,
}

impl Args {
    fn index(&mut self, arg: Arg, access: Access) -> usize {
        match self.places.get(&arg).copied() {
            Some(at) => {
                if self.list[at].1 != access {
                    self.list[at].1 = Access::ReadWrite;
                }
                at
            }
            None => {
                self.places.insert(arg, self.list.len());
                self.list.push((arg, access));
                self.list.len() - 1
            }
        }
    }
}

/// One phase of a kernel while it is written.
pub struct Writer<'a> {
    pub s: &'a Schedule,
    pub uses: &'a Uses,
    pub kernel: &'a Kernel,
    /// The kernel's nodes.
    pub own: HashSet<Value>,
    /// Its number in the schedule.
    pub number: usize,
    pub chunks: usize,
    pub precision: Precision,
    /// Parameters that are updated by the kernels of their gradients.
    pub updated: &'a BTreeSet<usize>,
    /// Whether this kernel updates parameters.
    pub updates: bool,
    /// Values that lie in shared memory, and the names of their arrays.
    pub resident: HashMap<Value, String>,
    /// In a stage of a block: what the whole block stores.
    kept: Option<&'a [Value]>,
    args: &'a RefCell<Args>,
    count: Cell<usize>,
}

/// Pieces of work of a phase, as `kiln::plan` has them: rows in groups of `height`, and `more` groups, each `width` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub per_sample: usize,
    pub fixed: usize,
    pub height: usize,
    pub more: usize,
    pub width: usize,
}

impl Work {
    pub fn fixed(pieces: usize) -> Self {
        Work { per_sample: 0, fixed: pieces, height: 1, more: 0, width: 1 }
    }

    /// So many rows a sample, in groups of `height`.
    pub fn samples(rows: usize, height: usize) -> Self {
        Work { per_sample: rows, fixed: 0, height, more: 0, width: 1 }
    }

    pub fn pieces(&self, batch: usize) -> usize {
        ((batch * self.per_sample + self.fixed).div_ceil(self.height) + self.more) * self.width
    }
}

/// A phase as text.
pub struct Phase {
    /// Structs before the function.
    pub items: String,
    pub body: String,
    pub work: Work,
    /// Bytes of shared memory.
    pub shared: usize,
}

impl<'a> Writer<'a> {
    pub fn new(
        (s, uses): (&'a Schedule, &'a Uses),
        number: usize,
        chunks: usize,
        precision: Precision,
        updated: &'a BTreeSet<usize>,
        args: &'a RefCell<Args>,
    ) -> Self {
        let kernel = &s.kernels[number];
        let updates =
            kernel.stores.iter().any(|v| matches!(s.storage(*v), Some(Storage::Grad(p)) if updated.contains(&p)));
        let own = kernel.nodes.iter().copied().collect();
        let (resident, kept, count) = (HashMap::new(), None, Cell::new(0));
        Writer { s, uses, kernel, own, number, chunks, precision, updated, updates, resident, kept, args, count }
    }

    /// The writer of a stage of this block.
    pub fn stage<'b>(&'b self, kernel: &'b Kernel, resident: &HashMap<Value, String>) -> Writer<'b> {
        Writer {
            kernel,
            own: kernel.nodes.iter().copied().collect(),
            resident: resident.clone(),
            kept: Some(&self.kernel.stores),
            count: Cell::new(0),
            updated: self.updated,
            args: self.args,
            ..*self
        }
    }

    /// Whether a value goes to the device's memory.
    pub fn keeps(&self, value: Value) -> bool {
        self.kept.is_none_or(|kept| kept.contains(&value))
    }

    pub fn dims(&self, value: Value) -> Vec<usize> {
        self.s.graph().shape(value).dims.clone()
    }

    /// A name that is new in this phase.
    pub fn fresh(&self, stem: &str) -> String {
        self.count.set(self.count.get() + 1);
        format!("{stem}{}", self.count.get())
    }

    /// The pointer to `arg`, to be read from or (for what this kernel stores, and its partial results) written to.
    pub fn pointer(&self, arg: Arg, access: Access) -> String {
        format!("launch.arg[{}]", self.args.borrow_mut().index(arg, access))
    }

    /// The optimizer's numbers, parameter, gradient and the optimizer's three memories, for an update.
    pub fn update_pointers(&self, gradient: Value, param: usize) -> [String; 6] {
        [
            self.pointer(Arg::Hyper(param), Access::Read),
            self.pointer(Arg::Updated(param), Access::ReadWrite),
            self.pointer(Arg::Value(gradient), Access::Write),
            self.pointer(Arg::Remembered(param, 0), Access::ReadWrite),
            self.pointer(Arg::Remembered(param, 1), Access::ReadWrite),
            self.pointer(Arg::Remembered(param, 2), Access::ReadWrite),
        ]
    }
}
