//! One declaration, several programs: they differ in their roots and in training or evaluation mode.

use crate::autodiff;
use crate::graph::op::{Leaf, Op};
use crate::graph::{Graph, Mean, Mode, Module, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramKind {
    /// Evaluation mode, outputs.
    Infer,
    /// Evaluation mode, outputs (and behind them the scores whose right answers are counted, where they are none), loss and
    /// correct predictions.
    Evaluate,
    /// Training mode, loss and gradients; changes nothing.
    Gradients,
    /// As `Gradients`, and running statistics are assigned.
    Step,
}

impl ProgramKind {
    pub const ALL: [ProgramKind; 4] =
        [ProgramKind::Infer, ProgramKind::Evaluate, ProgramKind::Gradients, ProgramKind::Step];

    pub fn name(self) -> &'static str {
        match self {
            ProgramKind::Infer => "infer",
            ProgramKind::Evaluate => "evaluate",
            ProgramKind::Gradients => "gradients",
            ProgramKind::Step => "step",
        }
    }

    /// It ends with gradients, and parameters change between runs.
    pub fn trains(self) -> bool {
        matches!(self, ProgramKind::Gradients | ProgramKind::Step)
    }
}

/// What must be there when the program has run.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    pub outputs: Vec<Value>,
    pub loss: Option<Value>,
    /// [`Mode::means`](crate::graph::Mode::means).
    pub means: Vec<Mean>,
    pub correct: Option<Value>,
    /// Parameter and its gradient.
    pub gradients: Vec<(usize, Value)>,
    /// `Assign` nodes.
    pub assigns: Vec<Value>,
}

impl Roots {
    pub fn all(&self) -> Vec<Value> {
        self.iter().collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = Value> {
        let gradients = self.gradients.iter().map(|(_, v)| *v);
        self.results().chain(gradients).chain(self.assigns.iter().copied())
    }

    /// What is read when the program has run, and lies where it likes.
    pub fn results(&self) -> impl Iterator<Item = Value> {
        let means = self.means.iter().flat_map(Mean::values);
        self.outputs.iter().copied().chain(self.loss).chain(means).chain(self.correct)
    }

    /// Every root replaced.
    pub fn map(&self, mut f: impl FnMut(Value) -> Value) -> Roots {
        Roots {
            outputs: self.outputs.iter().map(|v| f(*v)).collect(),
            loss: self.loss.map(&mut f),
            means: self.means.iter().map(|mean| mean.map(&mut f)).collect(),
            correct: self.correct.map(&mut f),
            gradients: self.gradients.iter().map(|(p, v)| (*p, f(*v))).collect(),
            assigns: self.assigns.iter().map(|v| f(*v)).collect(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Program {
    pub kind: ProgramKind,
    pub graph: Graph,
    pub roots: Roots,
}

/// The programs of a network. Every target has the same ones.
#[derive(Clone, Debug)]
pub struct Programs(Vec<Program>);

impl Programs {
    pub fn of(module: &Module) -> Programs {
        let mut list: Vec<Program> = Vec::new();
        for kind in ProgramKind::ALL {
            // Both have the same gradients, whose graph is long to write.
            let gradients = list.iter().find(|p| kind == ProgramKind::Step && p.kind == ProgramKind::Gradients);
            list.extend(match (gradients, forward(module, kind)) {
                (Some(Program { graph, roots, .. }), Some((_, own))) => {
                    let roots = Roots { gradients: roots.gradients.clone(), ..own };
                    Some(Program { kind, graph: graph.clone(), roots })
                }
                _ => program(module, kind),
            });
        }
        Programs(list)
    }

    pub fn get(&self, kind: ProgramKind) -> Option<&Program> {
        self.0.iter().find(|p| p.kind == kind)
    }
}

/// The program of this kind, with its backward part written; `None` if it needs a loss and there is none.
pub fn program(module: &Module, kind: ProgramKind) -> Option<Program> {
    let (mode, mut roots) = forward(module, kind)?;
    let mut graph = mode.graph.clone();
    if kind.trains() {
        roots.gradients = gradients(module, &mut graph, mode.loss?);
    }
    Some(Program { kind, graph, roots })
}

/// A layer of this program that takes the variance of its batch and has one value per channel of a sample: no batch of one
/// sample has such a variance.
pub fn single(module: &Module, kind: ProgramKind) -> Option<&str> {
    let (mode, roots) = forward(module, kind)?;
    let needed = mode.graph.reachable(&roots.all());
    mode.single.iter().find(|(variance, _)| needed[variance.index()]).map(|(_, layer)| layer.as_str())
}

/// The mode that a program runs in, and its roots but for gradients.
fn forward(module: &Module, kind: ProgramKind) -> Option<(&Mode, Roots)> {
    let mode = if kind.trains() { &module.training } else { &module.evaluation };
    let mut roots = Roots::default();
    if !kind.trains() {
        roots.outputs = mode.outputs.clone();
        if kind == ProgramKind::Evaluate {
            roots.outputs.extend(mode.counted.map(|counted| counted.scores).filter(|v| !mode.outputs.contains(v)));
        }
    }
    if kind != ProgramKind::Infer {
        roots.loss = Some(mode.loss?);
        roots.means = mode.means.clone();
        roots.correct = mode.correct;
    }
    if kind == ProgramKind::Step {
        roots.assigns = mode.assigns.clone();
    }
    Some((mode, roots))
}

fn gradients(module: &Module, graph: &mut Graph, loss: Value) -> Vec<(usize, Value)> {
    let trained: Vec<(usize, Value)> = graph
        .values()
        .filter_map(|v| match graph.node(v).op {
            Op::Leaf(Leaf::Param(p)) if !module.params[p].frozen => Some((p, v)),
            _ => None,
        })
        .collect();
    let leaves: Vec<Value> = trained.iter().map(|(_, v)| *v).collect();
    let found = autodiff::gradients(graph, loss, &leaves);
    trained.iter().zip(found).filter_map(|((p, _), g)| g.map(|g| (*p, g))).collect()
}
