//! The graph: values in static single assignment over a closed set of primitives.
//!
//! A [`Graph`] is an arena of nodes in topological order; a [`Value`] is an index into it. Sources and layer names lie in
//! parallel vectors, so that equality and dumps do not depend on them. [`Module`] is what lowering makes of one network:
//! two graphs (training and evaluation mode) over one list of parameters, states and ports.
//!
//! Deliberately absent: control flow, aliasing, in-place updates (`Assign` takes effect at the end), dynamic extents other
//! than the batch.

pub mod builder;
pub mod derivative;
pub mod display;
pub mod expr;
pub mod op;
pub mod simplify;
pub mod verify;

use crate::diagnostics::Source;
use expr::Expr;
use op::{Leaf, Op};

/// A node of a graph, and the one value it computes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(not(test), derive(PartialEq))]
#[cfg_attr(test, allow(clippy::derived_hash_with_manual_eq, clippy::derive_ord_xor_partial_ord))]
pub struct Value(pub u32);

/// The same comparison, counted.
#[cfg(test)]
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        crate::growth::step();
        self.0 == other.0
    }
}

impl Value {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    F32,
    I32,
    U8,
    Bool,
}

/// Extents per sample, and whether there is a batch axis before them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub batch: bool,
    pub dims: Vec<usize>,
}

impl Shape {
    pub fn sample(dims: impl Into<Vec<usize>>) -> Self {
        Shape { batch: true, dims: dims.into() }
    }

    pub fn fixed(dims: impl Into<Vec<usize>>) -> Self {
        Shape { batch: false, dims: dims.into() }
    }

    /// Elements per sample.
    pub fn numel(&self) -> usize {
        self.dims.iter().product()
    }

    pub fn rank(&self) -> usize {
        self.dims.len()
    }
}

/// `[1, 28, 28]`, as messages and dumps print extents.
pub fn dims_text(dims: &[usize]) -> String {
    let parts: Vec<String> = dims.iter().map(usize::to_string).collect();
    format!("[{}]", parts.join(", "))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    pub dtype: DType,
    pub shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub op: Op,
    pub inputs: Vec<Value>,
    pub ty: Type,
    /// No gradient passes through this node (a running maximum, a frozen layer's output).
    pub detached: bool,
}

/// Nodes in topological order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// Where each node came from, parallel to `nodes`.
    pub sources: Vec<Source>,
    /// Path of the layer each node belongs to (`features.0`, `loss`), parallel to `nodes`.
    pub layers: Vec<String>,
}

impl Graph {
    pub fn node(&self, value: Value) -> &Node {
        #[cfg(test)]
        crate::growth::step();
        &self.nodes[value.index()]
    }

    pub fn ty(&self, value: Value) -> &Type {
        &self.nodes[value.index()].ty
    }

    pub fn shape(&self, value: Value) -> &Shape {
        &self.nodes[value.index()].ty.shape
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = Value> + use<> {
        (0..self.nodes.len() as u32).map(Value)
    }

    /// The node of a leaf, if the graph has it.
    pub fn leaf(&self, leaf: Leaf) -> Option<Value> {
        self.values().find(|v| matches!(&self.node(*v).op, Op::Leaf(own) if *own == leaf))
    }

    /// Whether samples decide on this value.
    pub fn depends_on_batch(&self, value: Value) -> bool {
        let needed = self.reachable(&[value]);
        self.values().any(|v| needed[v.index()] && self.shape(v).batch)
    }

    /// Whether two values are computed alike from the same leaves.
    pub fn alike(&self, a: Value, b: Value) -> bool {
        let (one, other) = (self.node(a), self.node(b));
        a == b
            || (one.op == other.op
                && one.ty == other.ty
                && !matches!(one.op, Op::Random { .. })
                && one.inputs.len() == other.inputs.len()
                && one.inputs.iter().zip(&other.inputs).all(|(a, b)| self.alike(*a, *b)))
    }

    /// The graph of only these nodes, and where each of them is now. What they read must be among them.
    pub fn compacted(&self, needed: &[bool]) -> (Graph, Vec<Value>) {
        let mut graph = Graph::default();
        let mut place = vec![Value(u32::MAX); self.nodes.len()];
        for value in self.values().filter(|v| needed[v.index()]) {
            let mut node = self.node(value).clone();
            for input in &mut node.inputs {
                *input = place[input.index()];
            }
            place[value.index()] = Value(graph.nodes.len() as u32);
            graph.nodes.push(node);
            graph.sources.push(self.sources[value.index()]);
            graph.layers.push(self.layers[value.index()].clone());
        }
        (graph, place)
    }

    /// Which nodes `roots` need, as flags by node.
    pub fn reachable(&self, roots: &[Value]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        for root in roots {
            needed[root.index()] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            if needed[i] {
                for input in &self.nodes[i].inputs {
                    needed[input.index()] = true;
                }
            }
        }
        needed
    }
}

/// How a parameter starts. Names and formulas are PyTorch's; `fan_in`/`fan_out` are in [`Param`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    Constant(f64),
    /// A normal distribution without what lies outside of low..high.
    TruncatedNormal {
        mean: f64,
        std: f64,
        low: f64,
        high: f64,
    },
    /// Rows (or columns, whichever are fewer) of length `gain`, at right angles; axes from the second on are one.
    Orthogonal {
        gain: f64,
    },
    /// Ones on the diagonal of a matrix; a vector is read as a matrix of this shape.
    Identity {
        shape: Option<[usize; 2]>,
    },
    /// A convolution's weight that passes channels on, in so many groups.
    Dirac {
        groups: usize,
    },
    /// U(-bound, bound)
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        std: f64,
    },
    /// N(0, 1), but 0 from element `first` on for `count`: PyTorch's embedding with a `padding_idx`.
    NormalBut {
        first: usize,
        count: usize,
    },
    /// U(±gain · sqrt(3 / fan)): PyTorch's `kaiming_uniform_` with an explicit gain
    KaimingUniform {
        gain: f64,
        fan_out: bool,
    },
    KaimingNormal {
        gain: f64,
        fan_out: bool,
    },
    XavierUniform {
        gain: f64,
    },
    XavierNormal {
        gain: f64,
    },
}

impl Init {
    /// Why a parameter of this shape cannot start so, and what to write instead.
    pub fn mismatch(&self, dims: &[usize]) -> Option<(String, String)> {
        const PLAIN: &str = "`Normal`, `Uniform`, `Constant`, `Ones` or `Zeros`";
        match self {
            Init::KaimingUniform { .. }
            | Init::KaimingNormal { .. }
            | Init::XavierUniform { .. }
            | Init::XavierNormal { .. }
                if dims.len() < 2 =>
            {
                Some(("Kaiming and Xavier need a fan, so at least 2 axes".into(), PLAIN.into()))
            }
            Init::Orthogonal { .. } if dims.len() < 2 => {
                Some(("`Orthogonal` needs at least 2 axes".into(), PLAIN.into()))
            }
            Init::Identity { shape: None } if dims.len() != 2 => {
                let help = match dims {
                    [n] => format!("`Identity<[rows, columns]>` reads its {n} values as a matrix"),
                    _ => "`Dirac` is the identity of a convolution".into(),
                };
                Some(("`Identity` is a matrix".into(), help))
            }
            Init::Identity { shape: Some([rows, columns]) } if dims.iter().product::<usize>() != rows * columns => {
                let values = dims.iter().product::<usize>();
                Some((
                    format!("`Identity<[{rows}, {columns}]>` has {} values", rows * columns),
                    format!("a shape of {values} values"),
                ))
            }
            Init::Dirac { .. } if !(3..=5).contains(&dims.len()) => Some((
                "`Dirac` is a convolution's weight, of 3 to 5 axes".into(),
                "`Identity` is that of a matrix".into(),
            )),
            Init::Dirac { groups } if *groups == 0 || !dims[0].is_multiple_of(*groups) => {
                let message = format!("its {} output channels are no {groups} groups", dims[0]);
                Some((message, format!("a divisor of {}", dims[0])))
            }
            Init::Zeros
            | Init::Ones
            | Init::Constant(_)
            | Init::Uniform { .. }
            | Init::Normal { .. }
            | Init::NormalBut { .. }
            | Init::TruncatedNormal { .. }
            | Init::Orthogonal { .. }
            | Init::Identity { .. }
            | Init::Dirac { .. }
            | Init::KaimingUniform { .. }
            | Init::KaimingNormal { .. }
            | Init::XavierUniform { .. }
            | Init::XavierNormal { .. } => None,
        }
    }
}

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// PyTorch's name, `features.0.weight`.
    pub name: String,
    pub dims: Vec<usize>,
    pub init: Init,
    pub fan_in: usize,
    pub fan_out: usize,
    /// `#[frozen]`: no gradient, no optimizer state.
    pub frozen: bool,
    /// `#[no_decay]`
    pub no_decay: bool,
    /// Where it was declared.
    pub source: Source,
}

/// A saved tensor that no optimizer changes: running statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub name: String,
    pub dims: Vec<usize>,
    pub init: Init,
    pub source: Source,
}

/// What is fed from outside or returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// Dense values per sample, canonical (row-major) order.
    Dense(Vec<usize>),
    /// A class index below the number.
    Class(usize),
    /// Integers of these extents below the number.
    Ids(Vec<usize>, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    pub name: String,
    pub kind: PortKind,
    pub source: Source,
}

/// A class target, and the scores that the first CrossEntropy or Nll term compares with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Into `Module::targets`.
    pub target: usize,
    /// One number for each class. It need not be an output.
    pub scores: Value,
}

/// The terms of a loss that are divided by the same number, added up: a mean over the batch.
///
/// A loss is Σₖ Sₖ / Wₖ: the kth mean has a sum Sₖ over the samples, and a weight Wₖ, most often the number of samples. Parts
/// of a batch, each with its own means mₖₚ and weights wₖₚ, give the whole one's loss as Σₖ (Σₚ wₖₚ·mₖₚ) / (Σₚ wₖₚ), and so for
/// gradients, which are sums of such means too. Neither can be told from the parts' totals Σₖ mₖₚ where weights differ:
/// the shares wₖₚ / Σₚ wₖₚ do, and the last part decides on all of them. So whoever adds up parts is told each mean and each
/// weight, and takes gradients of one mean at a time: all others are left out by [`Uniform::Counts`](expr::Uniform::Counts).
/// With one mean there is nothing to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mean {
    /// Scalar, without batch.
    pub value: Value,
    /// Scalar, without batch: what the sum over the batch was divided by. `None` is the number of samples.
    pub weight: Option<Value>,
}

impl Mean {
    /// Its values.
    pub fn values(&self) -> impl Iterator<Item = Value> + use<> {
        [self.value].into_iter().chain(self.weight)
    }

    pub fn map(&self, mut f: impl FnMut(Value) -> Value) -> Mean {
        Mean { value: f(self.value), weight: self.weight.map(f) }
    }
}

/// One graph with the values that programs root in.
#[derive(Clone, Debug, Default)]
pub struct Mode {
    pub graph: Graph,
    /// Parallel to `Module::outputs`.
    pub outputs: Vec<Value>,
    /// Scalar, without batch: the weighted total of all loss terms.
    pub loss: Option<Value>,
    /// The means that `loss` is the sum of, where one of them is not over samples; else empty.
    pub means: Vec<Mean>,
    /// Scalar, without batch: how many samples of the batch are classified right (for the first CrossEntropy or Nll term).
    pub correct: Option<Value>,
    /// What `correct` compares.
    pub counted: Option<Counted>,
    /// `Assign` nodes; empty in evaluation mode.
    pub assigns: Vec<Value>,
    /// The variances over a batch in which a sample has one value per channel, so that one sample has none; with their layers.
    pub single: Vec<(Value, String)>,
    /// Parallel to `Module::probes`.
    pub probes: Vec<Value>,
}

/// One line of `summary()`.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRow {
    /// `features.0`, or the position of an unlabelled layer.
    pub path: String,
    /// As written: `Conv2d<6, 5, padding = 2>`.
    pub text: String,
    pub output: Vec<usize>,
    pub parameters: usize,
    /// Multiply-adds count as two; forward pass of one sample.
    pub flops: u64,
    pub source: Source,
    /// Rustdoc of the layer kind, first sentence.
    pub doc: String,
    /// What it takes: inputs by their number, rows before it by theirs behind those.
    pub from: Vec<usize>,
}

/// A name in the declaration: one documented item each.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub name: String,
    /// With the labels around it, `features.conv1`. Labels within a `repeat` or a block may share a path.
    pub path: String,
    /// The layer as written; empty for a group.
    pub text: String,
    pub output: Vec<usize>,
    /// Elements of all parameters in it.
    pub parameters: usize,
    pub source: Source,
}

/// A line with `#[probe]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Path of the line, `features.conv2`.
    pub name: String,
    pub source: Source,
}

/// A network after lowering: all that later stages need to know.
#[derive(Clone, Debug, Default)]
pub struct Module {
    pub name: String,
    pub inputs: Vec<Port>,
    pub targets: Vec<Port>,
    /// `class` outputs do not exist; `kind` is `Dense`.
    pub outputs: Vec<Port>,
    pub params: Vec<Param>,
    pub states: Vec<State>,
    pub layers: Vec<LayerRow>,
    /// Which row (or input, as in `LayerRow::from`) gives each output, where one does.
    pub returns: Vec<usize>,
    pub labels: Vec<Label>,
    pub probes: Vec<Probe>,
    pub training: Mode,
    pub evaluation: Mode,
}

/// The identity expression of one operand is common enough to have a name here.
pub fn is_identity(expr: &Expr) -> bool {
    *expr == Expr::identity()
}
