//! Who stores and who reads each value: what passes ask about other kernels, without looking at all of them.
//!
//! A pass that joins kernels changes them through this index, so that it stays right. A kernel keeps its number while a pass
//! runs: one that went into another is left without nodes, and [`Uses::finish`] drops those.

use super::{Form, Kernel, Schedule};
use crate::graph::Value;
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct Uses {
    /// By value.
    makers: Vec<Option<usize>>,
    readers: Vec<BTreeSet<usize>>,
    /// How many roots of the program lie where a value does.
    roots: Vec<usize>,
    /// The kernel that merges the moments of a value from the tiles of the kernel that makes it.
    moments: Vec<Option<usize>>,
}

impl Uses {
    pub fn of(s: &Schedule) -> Uses {
        let count = s.graph().nodes.len();
        let mut roots = vec![0; count];
        for root in s.program.roots.iter() {
            roots[s.base(root).index()] += 1;
        }
        let readers = vec![BTreeSet::new(); count];
        let mut uses = Uses { makers: vec![None; count], readers, roots, moments: vec![None; count] };
        for (k, kernel) in s.kernels.iter().enumerate() {
            uses.enter(k, kernel);
        }
        uses
    }

    fn enter(&mut self, k: usize, kernel: &Kernel) {
        for value in &kernel.stores {
            // Of a plan that is wrong, the verifier finds two.
            self.makers[value.index()].get_or_insert(k);
        }
        for value in &kernel.reads {
            self.readers[value.index()].insert(k);
        }
        if let Form::Moments { x, tiled: true, .. } = kernel.form {
            self.moments[x.index()].get_or_insert(k);
        }
    }

    fn leave(&mut self, k: usize, kernel: &Kernel) {
        for value in &kernel.stores {
            let maker = &mut self.makers[value.index()];
            *maker = maker.filter(|maker| *maker != k);
        }
        for value in &kernel.reads {
            self.readers[value.index()].remove(&k);
        }
        if let Form::Moments { x, tiled: true, .. } = kernel.form {
            let moments = &mut self.moments[x.index()];
            *moments = moments.filter(|merges| *merges != k);
        }
    }

    /// The kernel that stores a value.
    pub fn maker(&self, value: Value) -> Option<usize> {
        self.makers[value.index()]
    }

    /// The kernels that read a value, in order.
    pub fn readers(&self, value: Value) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.readers[value.index()].iter().copied()
    }

    pub fn is_read(&self, value: Value) -> bool {
        !self.readers[value.index()].is_empty()
    }

    /// The kernels behind `k` that read one of these values, in order.
    pub fn readers_behind<'v>(&self, values: impl IntoIterator<Item = &'v Value>, k: usize) -> BTreeSet<usize> {
        values.into_iter().flat_map(|v| self.readers[v.index()].range(k + 1..).copied()).collect()
    }

    /// How many results of the program lie where this value does.
    pub fn roots(&self, value: Value) -> usize {
        self.roots[value.index()]
    }

    pub fn is_root(&self, value: Value) -> bool {
        self.roots(value) > 0
    }

    /// The kernel that merges a value's moments from the tiles in which it is made.
    pub fn moments(&self, value: Value) -> Option<usize> {
        self.moments[value.index()]
    }

    /// Whether a stored value is read by a kernel other than these, which are in order, or by the world.
    pub fn is_needed_outside(&self, value: Value, kernels: &[usize]) -> bool {
        self.is_root(value) || self.readers(value).any(|k| kernels.binary_search(&k).is_err())
    }

    /// Kernel `k` becomes another; what it was.
    pub fn replace(&mut self, s: &mut Schedule, k: usize, kernel: Kernel) -> Kernel {
        self.leave(k, &s.kernels[k]);
        self.enter(k, &kernel);
        std::mem::replace(&mut s.kernels[k], kernel)
    }

    /// Kernel `k` leaves, and with it its number once the pass is over.
    pub fn remove(&mut self, s: &mut Schedule, k: usize) -> Kernel {
        let none = Kernel { form: Form::Scalar, nodes: Vec::new(), reads: Vec::new(), stores: Vec::new() };
        self.replace(s, k, none)
    }

    /// The end of a pass: kernels that have left lose their numbers.
    pub fn finish(self, s: &mut Schedule) {
        s.kernels.retain(|kernel| !kernel.nodes.is_empty());
    }
}
