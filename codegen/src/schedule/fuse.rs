//! Which nodes share a kernel.
//!
//! Nodes are taken in order. An element-wise node joins the latest kernel among those it reads, if that kernel's template
//! has a place for it (an epilogue, a loop over the same elements, the result of a reduction); so a kernel never needs a
//! later one. A reduction joins a kernel that already walks the same elements for the same axes. Two kinds of node have no
//! home and are recomputed by whoever reads them: random numbers with the masks made of them (`free`), and maps that only
//! reductions read (`lazy`).
//!
//! Afterwards a value is stored exactly if another kernel, or the world outside, reads it.

use super::derived;
use super::form::{self, Access, Form, Iter, Reduced};
use super::params::behind_reshapes;
use super::rows;
use super::winograd;
use super::{Kernel, Layout, Schedule, Storage, Target};
use crate::graph::op::{ConvRole, MoveOp, Op, WindowOp};
use crate::graph::{DType, Graph, Value};
use std::collections::{HashMap, HashSet};

pub fn fuse(schedule: &mut Schedule, target: &Target) {
    let count = schedule.graph().nodes.len();
    let mut fuser = Fuser {
        users: users(schedule),
        roots: roots(schedule),
        home: vec![None; count],
        inline: vec![false; count],
        kernels: Vec::new(),
        latest_of_form: HashMap::new(),
        pools: HashMap::new(),
        s: schedule,
        target,
    };
    if target.fusion {
        fuser.mark_inline();
    }
    // What is kept from run to run goes first: whoever reads it may then join any kernel.
    let kept = derived::candidates(fuser.s, target);
    for early in [true, false] {
        for value in fuser.s.graph().values().filter(|v| kept[v.index()] == early) {
            fuser.settle(value);
        }
    }
    let kernels = fuser.finish();
    schedule.kernels = kernels;
}

/// Who reads each value, free reshapes looked through.
fn users(s: &Schedule) -> Vec<Vec<Value>> {
    let mut users = vec![Vec::new(); s.graph().nodes.len()];
    for value in s.graph().values().filter(|v| s.base(*v) == *v) {
        for input in &s.graph().node(value).inputs {
            users[s.base(*input).index()].push(value);
        }
    }
    users
}

/// By value: whether the world reads it.
fn roots(s: &Schedule) -> Vec<bool> {
    let mut roots = vec![false; s.graph().nodes.len()];
    s.program.roots.iter().for_each(|root| roots[s.base(root).index()] = true);
    roots
}

struct Draft {
    form: Form,
    nodes: Vec<Value>,
    /// Whether one of the nodes is a reduction.
    reduces: bool,
}

struct Fuser<'a> {
    s: &'a Schedule,
    target: &'a Target,
    users: Vec<Vec<Value>>,
    roots: Vec<bool>,
    home: Vec<Option<usize>>,
    /// Free or lazy: recomputed by its readers.
    inline: Vec<bool>,
    kernels: Vec<Draft>,
    latest_of_form: HashMap<Form, usize>,
    /// Kernels that begin with the maximum, or its position, in windows of a value.
    pools: HashMap<Value, Vec<usize>>,
}

impl Fuser<'_> {
    fn graph(&self) -> &Graph {
        self.s.graph()
    }

    fn walk(&self, value: Value) -> Iter {
        Iter::of(self.s.order, self.graph().shape(value))
    }

    fn is_root(&self, value: Value) -> bool {
        self.roots[value.index()]
    }

    fn mark_inline(&mut self) {
        for value in self.graph().values() {
            let node = self.graph().node(value);
            let free = match &node.op {
                Op::Random { .. } => true,
                Op::Map(_) => node.inputs.iter().all(|i| self.inline[self.s.base(*i).index()]),
                _ => false,
            };
            let read = self.users[value.index()].iter().all(|user| self.recomputes(*user));
            self.inline[value.index()] = free && read && !self.is_root(value) && self.vector_map(value).is_some();
        }
        let values: Vec<Value> = self.graph().values().collect();
        for value in values.into_iter().rev() {
            let node = self.graph().node(value);
            let users = &self.users[value.index()];
            let lazy = matches!(node.op, Op::Map(_))
                && !users.is_empty()
                && users.iter().all(|u| self.reads_lazily(*u, value))
                && !self.is_root(value)
                && self.vector_map(value).is_some();
            self.inline[value.index()] |= lazy;
        }
    }

    /// Whether this node computes its operands element by element where it is computed itself. All else reads memory, where what
    /// is recomputed does not lie; on CUDA a loop over elements can stand for everything.
    fn recomputes(&self, user: Value) -> bool {
        self.target.gathers
            || match self.graph().node(user).op {
                Op::Map(_) => self.vector_map(user).is_some(),
                Op::Reduce { .. } => form::reduction(self.s.order, self.graph(), user).is_some(),
                _ => false,
            }
    }

    /// Whether this user of a map computes it while it walks its elements, each of them once: a reduction that has a loop, or a
    /// map that is itself computed by such a reduction. It suffices that both walk the same extents: then the loop stands, at
    /// each of its steps, at the map's own element.
    fn reads_lazily(&self, user: Value, value: Value) -> bool {
        let same = self.walk(user) == self.walk(value);
        match self.graph().node(user).op {
            Op::Reduce { .. } => form::reduction(self.s.order, self.graph(), user).is_some(),
            Op::Map(_) => self.inline[user.index()] && same,
            _ => false,
        }
    }

    /// Stored values that these nodes need, through what is recomputed.
    fn reads(&self, values: &[Value]) -> Vec<Value> {
        let (mut out, mut seen) = (Vec::new(), HashSet::new());
        let mut left = values.to_vec();
        while let Some(value) = left.pop() {
            for base in self.graph().node(value).inputs.iter().map(|input| self.s.base(*input)) {
                if seen.insert(base) {
                    if self.inline[base.index()] { left.push(base) } else { out.push(base) }
                }
            }
        }
        out
    }

    /// The latest kernel that this node must come after. A node that joins this one or a later kernel finds all that it reads:
    /// kernels run in order, and within one nodes are computed in order.
    fn latest(&self, value: Value) -> Option<usize> {
        self.reads(&[value]).iter().filter_map(|v| self.home[v.index()]).max()
    }

    fn settle(&mut self, value: Value) {
        let op = &self.graph().node(value).op;
        if self.s.base(value) != value || self.inline[value.index()] || matches!(op, Op::Leaf(_)) {
            return;
        }
        let form = self.form(value);
        let joined = if self.target.fusion { self.kernel_to_join(value, &form) } else { None };
        let home = joined.unwrap_or_else(|| self.begin(form, value));
        self.kernels[home].reduces |= matches!(self.graph().node(value).op, Op::Reduce { .. });
        self.kernels[home].nodes.push(value);
        self.home[value.index()] = Some(home);
    }

    /// A new kernel, which begins with this node.
    fn begin(&mut self, form: Form, value: Value) -> usize {
        let number = self.kernels.len();
        let node = self.graph().node(value);
        if let Op::Window { op: WindowOp::Max | WindowOp::ArgMax, .. } = node.op {
            let of = self.s.base(node.inputs[0]);
            self.pools.entry(of).or_default().push(number);
        }
        self.latest_of_form.insert(form.clone(), number);
        self.kernels.push(Draft { form, nodes: Vec::new(), reduces: false });
        number
    }

    /// The template that computes this node alone.
    fn form(&self, value: Value) -> Form {
        let graph = self.graph();
        let node = graph.node(value);
        match &node.op {
            Op::Map(_) | Op::Random { .. } | Op::Assign { .. } => {
                self.vector_map(value).map_or(Form::Scalar, Form::Map)
            }
            Op::Reduce { .. } => {
                let operand = node.inputs[0];
                let native = self.inline[self.s.base(operand).index()] || self.native(operand);
                let form = form::reduction(self.s.order, graph, value).filter(|_| native);
                form.unwrap_or_else(|| self.fallback(value))
            }
            Op::Contract { .. } | Op::Conv { .. } => self.contraction(value).unwrap_or_else(|| self.fallback(value)),
            Op::Window { .. } if !self.target.gathers => form::window(graph, value).unwrap_or(Form::Scalar),
            // Maps read broadcast operands as they lie; this one is read by something else.
            Op::Move(MoveOp::Broadcast { .. }) if !self.target.gathers => {
                self.vector_map(value).map_or(Form::Scalar, Form::Map)
            }
            Op::Move(MoveOp::Reshape(_)) if !self.target.gathers => self.weight_copy(value).unwrap_or(Form::Scalar),
            // On CUDA a gather is an element-wise read; only sums of rows have a template.
            Op::ScatterAdd { .. } => self.rows(value),
            Op::Table { .. } | Op::Gather if !self.target.gathers => self.rows(value),
            Op::Window { .. } | Op::Table { .. } | Op::Move(_) | Op::Gather => self.fallback(value),
            Op::Leaf(_) => unreachable!("leaves have no kernel"),
        }
    }

    /// Rows by number, where the layouts allow it; what is recomputed lies nowhere.
    fn rows(&self, value: Value) -> Form {
        let stored = |v: &Value| !self.inline[self.s.base(*v).index()];
        let form = rows::rows(self.s, value).filter(|_| self.graph().node(value).inputs.iter().all(stored));
        form.map_or_else(|| self.fallback(value), Form::Rows)
    }

    /// What computes any primitive, one element at a time.
    fn fallback(&self, value: Value) -> Form {
        if self.target.gathers { Form::Map(self.walk(value)) } else { Form::Scalar }
    }

    /// A copy of a weight for the input gradient: the reader's form tells which.
    fn weight_copy(&self, value: Value) -> Option<Form> {
        behind_reshapes(self.graph(), self.graph().node(value).inputs[0])?;
        let reader = *self.users[value.index()].first()?;
        let Op::Conv { role, geometry } = self.graph().node(reader).op else { return None };
        if self.s.is_by_winograd(reader) {
            return Some(Form::WinogradWeights { role, geometry, own: self.own(value) });
        }
        if role != ConvRole::Input {
            return None;
        }
        let planar = |v: Value| !super::layout::is_blocked(&self.graph().shape(v).dims);
        let dy_planar = planar(self.graph().node(reader).inputs[0]);
        Some(Form::ConvFlipped { geometry, planar: planar(reader), dy_planar })
    }

    /// Up to which batch the readers of a transformed weight do without it.
    fn own(&self, copy: Value) -> usize {
        winograd::own(self.s, copy, &self.users[copy.index()], self.target)
    }

    fn contraction(&self, value: Value) -> Option<Form> {
        let graph = self.graph();
        let node = graph.node(value);
        let wanted = form::weight_layout(self.s.order, graph, value)?;
        // What reads memory as it lies cannot read what is recomputed.
        if self.target.gathers && node.inputs.iter().any(|v| self.inline[self.s.base(*v).index()]) {
            return None;
        }
        let dense = form::dense(graph, value).filter(|d| self.is_plain(d, node.inputs[0]));
        let (role, geometry) = match (&node.op, dense) {
            (Op::Conv { role, geometry }, _) => (*role, Some(*geometry)),
            (_, Some(d)) => (d.role, None),
            _ => return None,
        };
        // Templates read a gradient pixel by pixel in the standard order; a caller's buffer may lie otherwise.
        let gradient = match role {
            ConvRole::Forward => None,
            ConvRole::Input => Some(node.inputs[0]),
            ConvRole::Weight => node.inputs.get(1).copied(),
        };
        if self.target.gathers && gradient.is_some_and(|y| !self.native(y)) {
            return None;
        }
        // The weight must lie as the template reads it: a parameter in its master order, or its copy.
        let weight = node.inputs[1];
        match role {
            ConvRole::Forward | ConvRole::Input if self.s.is_by_winograd(value) => {
                let copy = self.s.base(weight);
                behind_reshapes(graph, graph.node(copy).inputs.first().copied()?)?;
                let geometry = geometry.expect("a convolution was chosen");
                return Some(Form::Winograd { role, geometry, own: self.own(copy) });
            }
            ConvRole::Forward => {
                behind_reshapes(graph, weight)?;
                self.s.layout(self.s.base(weight)).same_map(&wanted).then_some(())?;
            }
            ConvRole::Input if self.target.gathers || dense.is_some() => {
                behind_reshapes(graph, weight)?;
                self.s.layout(self.s.base(weight)).same_map(&wanted).then_some(())?;
            }
            ConvRole::Input => {
                let copy = self.s.base(weight);
                behind_reshapes(graph, graph.node(copy).inputs.first().copied()?)?;
            }
            ConvRole::Weight => {}
        }
        if let Some(dense) = dense {
            return Some(Form::Dense(dense));
        }
        let geometry = geometry?;
        let planar = !super::layout::is_blocked(&[geometry.channels, geometry.input[0], geometry.input[1]]);
        if role == ConvRole::Weight {
            if self.target.gathers {
                return Some(Form::ConvWeight { geometry, planar, chunks: super::tile::splits(&geometry) });
            }
            let chunks = if wanted.size <= self.target.chunked_weight_floats { self.target.chunks } else { 1 };
            return Some(Form::ConvWeight { geometry, planar, chunks });
        }
        let planar = !super::layout::is_blocked(&graph.shape(node.inputs[0]).dims);
        Some(Form::Conv { role, geometry, planar })
    }

    /// Whether a matrix product can read its input: a caller's buffer may lie otherwise than the weight's rows.
    fn is_plain(&self, dense: &form::Dense, x: Value) -> bool {
        !self.target.gathers || dense.pixels == 1 || dense.role == ConvRole::Input || self.native(x)
    }

    /// Whether the value lies in the standard layout, as vector loops expect.
    fn native(&self, value: Value) -> bool {
        if self.target.gathers && self.s.layout(value).size == 1 {
            return true;
        }
        let standard = Layout::standard(self.s.order, &self.graph().shape(value).dims);
        let layout = self.s.layout(value);
        layout.same_map(&standard) && (layout.size == standard.size || standard.size == 1)
    }

    /// The walk of an element-wise node, if every operand can be followed in vectors.
    fn vector_map(&self, value: Value) -> Option<Iter> {
        let node = self.graph().node(value);
        let iter = self.walk(value);
        if self.target.gathers {
            return Some(iter);
        }
        let indexed = matches!(&node.op, Op::Map(e) if uses_index(e)) || matches!(node.op, Op::Random { .. });
        if iter.flat && indexed && node.ty.shape.rank() > 1 && matches!(node.op, Op::Map(_)) {
            return None;
        }
        (self.native(value) && self.operands_follow(value, iter.flat)).then_some(iter)
    }

    fn operands_follow(&self, value: Value, flat: bool) -> bool {
        let node = self.graph().node(value);
        self.target.gathers
            || node.inputs.iter().all(|i| {
                let operand = self.graph().ty(*i);
                let access = form::access(&operand.shape.dims, &node.ty.shape.dims, flat);
                let dtype = operand.dtype == DType::F32 || access == Some(Access::One) || operand.dtype == DType::I32;
                access.is_some() && dtype && self.native(*i)
            })
    }

    /// The kernel that computes this node beside its own. None is earlier than what the node reads (`latest`), so that order
    /// holds; that both see the same elements is the condition of each arm. Rows and columns join only where forms, which name
    /// extents and reduced axes, are equal: the loops are then the same loop. A column's results are whole when its pass is over, so
    /// what reads one begins behind it (`k + 1`); a row's are whole at the end of each row, within the same kernel.
    fn kernel_to_join(&self, value: Value, form: &Form) -> Option<usize> {
        let latest = self.latest(value);
        match form {
            Form::Map(_) if self.gathers(value) => self.window_pair(value),
            Form::Map(_) => latest.filter(|k| self.takes_map(*k, value)),
            Form::Row { .. } => {
                let same = self.latest_of_form.get(form).copied().filter(|k| latest.is_none_or(|from| *k >= from));
                same.or(latest.filter(|k| self.takes_rows(*k, form)))
            }
            Form::Column { .. } => {
                self.latest_of_form.get(form).copied().filter(|k| latest.is_none_or(|from| *k > from))
            }
            Form::Window { op: WindowOp::Max | WindowOp::ArgMax, .. } => self.window_pair(value),
            _ => None,
        }
    }

    /// Whether an element needs other elements of an operand: then the operand must lie in memory.
    fn gathers(&self, value: Value) -> bool {
        !matches!(self.graph().node(value).op, Op::Map(_) | Op::Random { .. } | Op::Assign { .. })
    }

    /// Whether a contraction's tile holds whole rows of what this form reduces: all outputs of a sample, of one pixel. A row that is
    /// in registers as a whole needs no other task's part.
    fn takes_rows(&self, kernel: usize, form: &Form) -> bool {
        match (&self.kernels[kernel].form, form) {
            (Form::Dense(d), Form::Row { iter, per_pixel: false }) => {
                d.role == ConvRole::Forward
                    && d.outputs <= self.target.row_width
                    && iter.channels == d.outputs
                    && iter.pixels == 1
            }
            _ => false,
        }
    }

    /// Maximum and argmax of the same windows are one pass. It suffices that both read nothing but the same image, by the same
    /// windows: the pair may run wherever the first of them does.
    fn window_pair(&self, value: Value) -> Option<usize> {
        let node = self.graph().node(value);
        let Op::Window { op: WindowOp::Max | WindowOp::ArgMax, axes } = &node.op else { return None };
        self.pools.get(&self.s.base(node.inputs[0]))?.iter().copied().find(|k| {
            let other = self.graph().node(self.kernels[*k].nodes[0]);
            matches!(&other.op, Op::Window { axes: a, .. } if a == axes)
                && matches!(self.kernels[*k].form, Form::Window { .. } | Form::Map(_))
        })
    }

    /// Whether an element of this map can be computed where the kernel has an element. It suffices that the map walks what the kernel
    /// walks there: the loop itself, the result of a row or of a column, or a contraction's or window's results in blocks of
    /// channels (its epilogue). What the map reads besides lies in memory, or is a node of this kernel at the same place.
    fn takes_map(&self, kernel: usize, value: Value) -> bool {
        let draft = &self.kernels[kernel];
        let shape = self.graph().shape(value);
        let first = self.graph().shape(draft.nodes[0]);
        match &draft.form {
            Form::Map(iter) => self.walk(value) == *iter,
            Form::Row { iter, per_pixel } => {
                let domain = self.walk(value) == *iter;
                let result = shape.batch && if *per_pixel { shape == first } else { shape.numel() == 1 };
                domain || result
            }
            Form::Column { reduced, iter } => {
                // Only on the result: what it reads of this kernel must be results, never the elements reduced.
                let result = self.walk(value) == column_result(*iter, *reduced);
                result && shape.batch == first.batch
            }
            Form::Dense(_) if draft.reduces && shape.batch && shape.numel() == 1 => true,
            form @ (Form::Dense(_) | Form::Conv { .. } | Form::Winograd { .. } | Form::Window { .. }) => {
                form.epilogue(first) == Some(Iter::channelwise(shape))
                    && self.graph().shape(value).batch == first.batch
                    && self.operands_follow(value, false)
            }
            Form::DenseBackward(_)
            | Form::ConvWeight { .. }
            | Form::ConvFlipped { .. }
            | Form::WinogradWeights { .. }
            | Form::Rows(_)
            | Form::Scalar
            | Form::Moments { .. }
            | Form::Block(_)
            | Form::Lanes(_) => false,
        }
    }

    fn finish(self) -> Vec<Kernel> {
        let mut kernels: Vec<Kernel> = Vec::with_capacity(self.kernels.len());
        for draft in &self.kernels {
            let (mut nodes, mut seen) = (Vec::new(), HashSet::new());
            for &value in &draft.nodes {
                self.with_inlined(value, &mut nodes, &mut seen);
            }
            kernels.push(Kernel { form: draft.form.clone(), nodes, reads: Vec::new(), stores: Vec::new() });
        }
        let mut stored: Vec<bool> = self.graph().values().map(|v| self.is_root(v)).collect();
        for (k, draft) in self.kernels.iter().enumerate() {
            let mut all = self.reads(&draft.nodes);
            all.retain(|v| self.home[v.index()] != Some(k));
            if let Form::Winograd { own: 1.., .. } = draft.form {
                all.extend(draft.nodes.iter().find_map(|v| winograd::master(self.s, *v)));
            }
            for value in &all {
                stored[value.index()] = true;
            }
            all.sort_unstable();
            kernels[k].reads = all;
        }
        for (k, draft) in self.kernels.iter().enumerate() {
            kernels[k].stores = draft.nodes.iter().copied().filter(|v| stored[v.index()]).collect();
        }
        kernels
    }

    fn with_inlined(&self, value: Value, out: &mut Vec<Value>, seen: &mut HashSet<Value>) {
        if !seen.insert(value) {
            return;
        }
        for input in &self.graph().node(value).inputs {
            let base = self.s.base(*input);
            if self.inline[base.index()] {
                self.with_inlined(base, out, seen);
            }
        }
        out.push(value);
    }
}

/// Walk of a column reduction's result.
pub fn column_result(iter: Iter, reduced: Reduced) -> Iter {
    let channels = if reduced.channels { 1 } else { iter.channels };
    let pixels = if reduced.pixels { 1 } else { iter.pixels };
    let flat = iter.flat && channels != 1;
    Iter { batch: iter.batch && !reduced.batch, channels, pixels, flat }
}

fn uses_index(expr: &crate::graph::expr::Expr) -> bool {
    expr.nodes().iter().any(|n| matches!(n, crate::graph::expr::Scalar::Index(_)))
}

/// Give every stored value without a place of its own a storage class.
pub fn assign_storage(s: &mut Schedule) {
    let stores: Vec<Value> = s.kernels.iter().flat_map(|k| k.stores.iter().copied()).collect();
    for value in stores {
        if s.storage[value.index()].is_none() {
            let batch = s.graph().shape(value).batch;
            s.storage[value.index()] = Some(if batch { Storage::Batch } else { Storage::Fixed });
        }
    }
}
