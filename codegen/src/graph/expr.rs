//! The element-wise language: a small, hash-consed expression DAG.
//!
//! Layers, activations, losses, a user's `fn` and an optimizer's update are all written in it. There is one derivative
//! (`derivative.rs`), one simplifier (the constructors of [`Pool`]) and one printer per backend.
//!
//! Every expression computes in `f32` (the interpreter in `f64`). Comparisons give a truth value, which only `Select`,
//! `And`, `Or`, `Not` and `Float` take. Integer operands (class indices, argmax) arrive converted to float.

use std::collections::{BTreeSet, HashMap, HashSet};

/// Index of a node within one [`Pool`] or [`Expr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u32);

/// A value that is the same for every element of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Uniform {
    /// Number of samples in the batch, as a float.
    Batch,
    /// Number of the training step, from 1.
    Step,
    /// 1 where the mean with this number counts in the loss, else 0: see [`Mean`](super::Mean).
    Counts(u32),
    /// Hyper-parameter `i` of an optimizer: only in update expressions.
    Hyper(u32),
}

/// One-operand functions. `Not` takes a truth value, all others a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unary {
    Neg,
    Exp,
    /// e^x - 1, exact where e^x is nearly 1.
    Expm1,
    Ln,
    /// ln(1 + x), exact where x is nearly 0.
    Log1p,
    Sqrt,
    Abs,
    Sin,
    Cos,
    Tanh,
    /// 1 / (1 + e^-x)
    Sigmoid,
    Erf,
    /// 1 - erf(x), exact where erf(x) is nearly 1.
    Erfc,
    /// Largest integer not above x.
    Floor,
    Not,
    /// Truth value to 0.0 or 1.0.
    Float,
}

/// Two-operand functions. Comparisons give a truth value; `And` and `Or` take two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
}

impl Binary {
    /// Whether the result is a truth value.
    pub fn is_truth(self) -> bool {
        use Binary::*;
        match self {
            Lt | Le | Gt | Ge | Eq | Ne | And | Or => true,
            Add | Sub | Mul | Div | Pow | Min | Max => false,
        }
    }
}

/// One node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// Operand `i` at this element.
    Input(u32),
    /// A number, as the bits of an `f64`, so that nodes can be hashed.
    Const(u64),
    /// The element's index along a (non-batch) axis of the result, as a float.
    Index(u32),
    Uniform(Uniform),
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    /// `if truth { a } else { b }`, without evaluating a NaN of the other side into the result.
    Select(Id, Id, Id),
}

impl Scalar {
    /// The nodes it computes with, in order.
    pub fn operands(self) -> impl Iterator<Item = Id> {
        let list = match self {
            Scalar::Input(_) | Scalar::Const(_) | Scalar::Index(_) | Scalar::Uniform(_) => [None; 3],
            Scalar::Unary(_, a) => [Some(a), None, None],
            Scalar::Binary(_, a, b) => [Some(a), Some(b), None],
            Scalar::Select(truth, a, b) => [Some(truth), Some(a), Some(b)],
        };
        list.into_iter().flatten()
    }
}

/// A finished expression with one result. Nodes are in evaluation order, nothing unused; the last is the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expr {
    nodes: Vec<Scalar>,
}

impl Expr {
    pub fn nodes(&self) -> &[Scalar] {
        &self.nodes
    }

    pub fn root(&self) -> Id {
        Id(self.nodes.len() as u32 - 1)
    }

    /// The operation that gives the result.
    pub fn root_node(&self) -> Scalar {
        self.nodes[self.nodes.len() - 1]
    }

    /// `operand 0`, unchanged.
    pub fn identity() -> Expr {
        Expr { nodes: vec![Scalar::Input(0)] }
    }

    /// Build an expression of `operands` operands with a closure.
    pub fn build(operands: usize, f: impl FnOnce(&mut Pool, &[Id]) -> Id) -> Expr {
        let mut pool = Pool::default();
        let inputs: Vec<Id> = (0..operands).map(|i| pool.input(i)).collect();
        let root = f(&mut pool, &inputs);
        pool.finish(root)
    }

    /// Highest operand index used, plus one.
    pub fn operands(&self) -> usize {
        self.nodes
            .iter()
            .map(|n| match n {
                Scalar::Input(i) => *i as usize + 1,
                _ => 0,
            })
            .max()
            .unwrap_or(0)
    }
}

/// Where expressions are built: equal nodes are one node, and constructors simplify.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    nodes: Vec<Scalar>,
    seen: HashMap<Scalar, Id>,
}

impl Pool {
    pub fn node(&self, id: Id) -> Scalar {
        self.nodes[id.0 as usize]
    }

    fn push(&mut self, node: Scalar) -> Id {
        if let Some(&id) = self.seen.get(&node) {
            return id;
        }
        let id = Id(self.nodes.len() as u32);
        self.nodes.push(node);
        self.seen.insert(node, id);
        id
    }

    /// The number of this node, if it is one.
    pub fn value(&self, id: Id) -> Option<f64> {
        match self.node(id) {
            Scalar::Const(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    pub fn input(&mut self, i: usize) -> Id {
        self.push(Scalar::Input(i as u32))
    }

    pub fn index(&mut self, axis: usize) -> Id {
        self.push(Scalar::Index(axis as u32))
    }

    pub fn uniform(&mut self, uniform: Uniform) -> Id {
        self.push(Scalar::Uniform(uniform))
    }

    pub fn constant(&mut self, x: f64) -> Id {
        // -0.0 and 0.0 are one constant, so that simplification sees one zero.
        let x = if x == 0.0 { 0.0 } else { x };
        self.push(Scalar::Const(x.to_bits()))
    }

    pub fn unary(&mut self, op: Unary, a: Id) -> Id {
        if let Some(x) = self.value(a)
            && !matches!(op, Unary::Not | Unary::Float)
        {
            return self.constant(fold_unary(op, x));
        }
        match (op, self.node(a)) {
            (Unary::Neg, Scalar::Unary(Unary::Neg, inner)) => inner,
            (Unary::Not, Scalar::Unary(Unary::Not, inner)) => inner,
            _ => self.push(Scalar::Unary(op, a)),
        }
    }

    pub fn binary(&mut self, op: Binary, a: Id, b: Id) -> Id {
        use Binary::*;
        let (x, y) = (self.value(a), self.value(b));
        if let (Some(x), Some(y)) = (x, y)
            && !op.is_truth()
        {
            return self.constant(fold_binary(op, x, y));
        }
        match op {
            Add if x == Some(0.0) => b,
            Add | Sub if y == Some(0.0) => a,
            Sub if x == Some(0.0) => self.unary(Unary::Neg, b),
            // 0 · x is 0: derivatives make such terms, and dropping them keeps a NaN of a dead branch out.
            Mul if x == Some(0.0) || y == Some(0.0) => self.constant(0.0),
            Mul if x == Some(1.0) => b,
            Mul | Div if y == Some(1.0) => a,
            Mul if x == Some(-1.0) => self.unary(Unary::Neg, b),
            Mul if y == Some(-1.0) => self.unary(Unary::Neg, a),
            Div if x == Some(0.0) => a,
            Pow if y == Some(1.0) => a,
            Pow if y == Some(2.0) => self.push(Scalar::Binary(Mul, a, a)),
            // Commutative: one order, so that equal expressions meet.
            Add | Mul if a > b => self.push(Scalar::Binary(op, b, a)),
            _ => self.push(Scalar::Binary(op, a, b)),
        }
    }

    pub fn select(&mut self, truth: Id, a: Id, b: Id) -> Id {
        if a == b {
            return a;
        }
        if let Scalar::Unary(Unary::Not, inner) = self.node(truth) {
            return self.push(Scalar::Select(inner, b, a));
        }
        self.push(Scalar::Select(truth, a, b))
    }

    pub fn add(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Add, a, b)
    }
    pub fn sub(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Sub, a, b)
    }
    pub fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Mul, a, b)
    }
    pub fn div(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Div, a, b)
    }
    pub fn neg(&mut self, a: Id) -> Id {
        self.unary(Unary::Neg, a)
    }
    pub fn scale(&mut self, factor: f64, a: Id) -> Id {
        let factor = self.constant(factor);
        self.mul(factor, a)
    }

    /// Copy `expr` into this pool with its operands replaced by `inputs`. `index(axis)` stays as it is.
    pub fn import(&mut self, expr: &Expr, inputs: &[Id]) -> Id {
        self.import_with(expr, inputs, &mut |pool, axis| pool.index(axis))
    }

    /// As `import`, with `index(axis)` replaced too.
    pub fn import_with(&mut self, expr: &Expr, inputs: &[Id], index: &mut dyn FnMut(&mut Pool, usize) -> Id) -> Id {
        let mut map: Vec<Id> = Vec::with_capacity(expr.nodes.len());
        for node in &expr.nodes {
            let at = |id: Id| map[id.0 as usize];
            let new = match *node {
                Scalar::Input(i) => inputs[i as usize],
                Scalar::Index(axis) => index(self, axis as usize),
                Scalar::Const(_) | Scalar::Uniform(_) => self.push(*node),
                Scalar::Unary(op, a) => self.unary(op, at(a)),
                Scalar::Binary(op, a, b) => self.binary(op, at(a), at(b)),
                Scalar::Select(c, a, b) => self.select(at(c), at(a), at(b)),
            };
            map.push(new);
        }
        map[map.len() - 1]
    }

    /// The nodes that `roots` need, and they, each behind its operands.
    pub fn reachable(&self, roots: &[Id]) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut open: Vec<Id> = roots.to_vec();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.node(id).operands());
            }
        }
        found
    }

    /// Take `root` and what it needs out as an expression.
    pub fn finish(&self, root: Id) -> Expr {
        let order = self.ordered(root);
        let place: HashMap<Id, Id> = order.iter().enumerate().map(|(i, id)| (*id, Id(i as u32))).collect();
        let nodes = order
            .iter()
            .map(|id| match self.node(*id) {
                Scalar::Unary(op, a) => Scalar::Unary(op, place[&a]),
                Scalar::Binary(op, a, b) => Scalar::Binary(op, place[&a], place[&b]),
                Scalar::Select(c, a, b) => Scalar::Select(place[&c], place[&a], place[&b]),
                leaf => leaf,
            })
            .collect();
        Expr { nodes }
    }

    /// `root` and what it needs, each behind its operands. With a stack of its own, for a chain of `let`s may be long.
    fn ordered(&self, root: Id) -> Vec<Id> {
        let mut order = Vec::new();
        let mut done = HashSet::new();
        let mut open = vec![(root, false)];
        while let Some((id, operands_are_done)) = open.pop() {
            if operands_are_done {
                order.push(id);
            } else if done.insert(id) {
                open.push((id, true));
                let operands: Vec<Id> = self.node(id).operands().collect();
                open.extend(operands.into_iter().rev().map(|operand| (operand, false)));
            }
        }
        order
    }
}

/// `op` on numbers; `Not` and `Float` take truth values and are not folded.
pub fn fold_unary(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Ln => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Erf => erf(x),
        Unary::Erfc => erfc(x),
        Unary::Floor => x.floor(),
        Unary::Not => f64::from(x == 0.0),
        Unary::Float => x,
    }
}

/// `op` on numbers; a truth value is 0 or 1. `Min` and `Max` hand a NaN of either side on, as PyTorch's do.
pub fn fold_binary(op: Binary, x: f64, y: f64) -> f64 {
    match op {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Pow => x.powf(y),
        Binary::Min if x.is_nan() || y.is_nan() => f64::NAN,
        Binary::Max if x.is_nan() || y.is_nan() => f64::NAN,
        Binary::Min => x.min(y),
        Binary::Max => x.max(y),
        Binary::Lt => f64::from(x < y),
        Binary::Le => f64::from(x <= y),
        Binary::Gt => f64::from(x > y),
        Binary::Ge => f64::from(x >= y),
        Binary::Eq => f64::from(x == y),
        Binary::Ne => f64::from(x != y),
        Binary::And => f64::from(x != 0.0 && y != 0.0),
        Binary::Or => f64::from(x != 0.0 || y != 0.0),
    }
}

/// The error function in double precision: a series near zero, a continued fraction beyond.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() {
        return x;
    }
    let value = if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term.abs() > 1e-18 * sum.abs() && n < 200.0 {
            n += 1.0;
            term *= -a * a / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        1.0 - erfc_beyond(a)
    };
    value.copysign(x)
}

/// What is left of 1, also where that is little.
pub fn erfc(x: f64) -> f64 {
    if x >= 2.5 { erfc_beyond(x) } else { 1.0 - erf(x) }
}

/// erfc from 2.5 on: its continued fraction.
fn erfc_beyond(x: f64) -> f64 {
    let mut fraction = 0.0;
    for n in (1..=60).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    (-x * x).exp() / (std::f64::consts::PI.sqrt() * (x + fraction))
}
