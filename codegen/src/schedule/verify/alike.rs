//! Kernels that are one but for the names of their values: layers that repeat. What elements and operands of a kernel are is asked
//! of the first of them only.

use crate::graph::op::Op;
use crate::graph::{Type, Value};
use crate::schedule::{Form, Kernel, Layout, Schedule, Storage};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

/// All that the verifiers of a kernel's elements and operands can see of it; values are numbered in the order in which they are met.
#[derive(PartialEq, Eq, Hash)]
pub struct Key {
    form: Form,
    nodes: Vec<usize>,
    reads: Vec<usize>,
    stores: Vec<usize>,
    values: Vec<Seen>,
}

#[derive(PartialEq, Eq, Hash)]
struct Seen {
    ty: Type,
    layout: Layout,
    base: usize,
    /// The value that it lies in, and where.
    whole: (usize, usize),
    storage: Option<Discriminant<Storage>>,
    by_winograd: bool,
    /// Of the kernel's own nodes.
    node: Option<(Op, Vec<usize>)>,
}

/// Numbers of values, in the order in which they were met.
#[derive(Default)]
struct Numbers {
    of: HashMap<Value, usize>,
    met: Vec<Value>,
}

impl Numbers {
    fn number(&mut self, value: Value) -> usize {
        *self.of.entry(value).or_insert_with(|| {
            self.met.push(value);
            self.met.len() - 1
        })
    }

    fn all(&mut self, values: &[Value]) -> Vec<usize> {
        values.iter().map(|v| self.number(*v)).collect()
    }
}

/// `None` for kernels whose verifiers look at more than this, and those that are asked little.
pub fn key(s: &Schedule, kernel: &Kernel) -> Option<Key> {
    let mut numbers = Numbers::default();
    let nodes = numbers.all(&kernel.nodes);
    let form = match &kernel.form {
        Form::ConvFlipped { .. }
        | Form::WinogradWeights { .. }
        | Form::Rows(_)
        | Form::Scalar
        | Form::Block(_)
        | Form::Lanes(_) => return None,
        Form::Moments { iter, x, tiled } => {
            Form::Moments { iter: *iter, x: Value(numbers.number(*x) as u32), tiled: *tiled }
        }
        form @ (Form::Map(_)
        | Form::Row { .. }
        | Form::Column { .. }
        | Form::Dense(_)
        | Form::DenseBackward(_)
        | Form::Conv { .. }
        | Form::ConvWeight { .. }
        | Form::Winograd { .. }
        | Form::Window { .. }) => form.clone(),
    };
    let (reads, stores) = (numbers.all(&kernel.reads), numbers.all(&kernel.stores));
    let mut values = Vec::new();
    // The list grows by operands of nodes, and by whatever values look at or lie in.
    while let Some(value) = numbers.met.get(values.len()).copied() {
        let own = values.len() < nodes.len();
        let node = s.graph().node(value);
        let whole = s.whole(value);
        values.push(Seen {
            ty: node.ty.clone(),
            layout: s.layout(value).clone(),
            base: numbers.number(s.base(value)),
            whole: (numbers.number(whole.whole), whole.at),
            storage: s.storage(value).as_ref().map(discriminant),
            by_winograd: s.is_by_winograd(value),
            node: own.then(|| (node.op.clone(), numbers.all(&node.inputs))),
        });
    }
    Some(Key { form, nodes, reads, stores, values })
}
