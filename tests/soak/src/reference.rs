//! What a network should compute, and how exactly single precision can know it.
//!
//! The interpreter gives the value in double precision. How far a correct kernel may be from it depends on the network: a
//! norm over equal values magnifies every rounding, a maximum of two almost equal values may fall to either. So the graph
//! is evaluated a few times more, with every operand rounded anew, up or down by chance, and every sum off by as much as a
//! sum of so many magnitudes may be (Monte Carlo arithmetic: Parker, 1997). How far those evaluations lie apart is what an
//! element's tolerance is made of. Where they disagree by much the element says nothing, and is counted as skipped.

use crate::declared::Leaves;
use crate::dice::Dice;
use crate::optimizer::{Memory, Training};
use kiln_codegen::graph::op::{Leaf, Op, ReduceOp, WindowOp};
use kiln_codegen::graph::{DType, Graph, Module, Value};
use kiln_codegen::interpret::{Env, Tensor, primitive, run};
use kiln_codegen::schedule::ProgramKind;
use kiln_codegen::schedule::program::{Program, program};

/// The seed of models, and of what is random in them.
pub const SEED: u64 = 7;

/// Relative sizes of roundings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    pub own: f64,
    /// Of a contraction's operands.
    pub products: f64,
}

impl Noise {
    /// A few units in the last place.
    pub const SINGLE: Noise = Noise::of(22, 22);
    /// Contractions on tensor cores, with 10 bits of mantissa.
    pub const TF32: Noise = Noise::of(22, 10);
    /// And with 7.
    pub const BF16: Noise = Noise::of(22, 7);

    const fn of(own: u32, products: u32) -> Noise {
        Noise { own: 1.0 / (1 << own) as f64, products: 1.0 / (1 << products) as f64 }
    }
}

/// How many noisy evaluations an element's tolerance is made of, where the least tolerance is exceeded.
pub const LOOKS: usize = 4;

/// And how many where that is still exceeded: a rounding that saturates is seen by few.
pub const MANY_LOOKS: usize = 40;

/// Distance of the noisy evaluations that is still an error, not a tolerance.
const APART: f64 = 12.0;

/// Relative to the largest value of a tensor: what is never an error.
const FLOOR: f64 = 4e-6;

/// A noisy evaluation further off than this share of the largest value says that the value is not known.
const UNKNOWN: f64 = 0.02;

/// A tensor, and how far correct kernels may be from it.
#[derive(Clone, Debug)]
pub struct Known {
    pub name: String,
    pub values: Vec<f64>,
    /// By element.
    pub apart: Vec<f64>,
}

/// What became of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compared {
    pub values: usize,
    /// Values that rounding alone decides.
    pub skipped: usize,
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Compared) {
        self.values += other.values;
        self.skipped += other.skipped;
    }
}

impl Known {
    fn new(name: String, values: Vec<f64>) -> Known {
        let apart = vec![0.0; values.len()];
        Known { name, values, apart }
    }

    fn look(&mut self, noisy: &[f64]) {
        for ((apart, noisy), value) in self.apart.iter_mut().zip(noisy).zip(&self.values) {
            let off = (noisy - value).abs();
            // A number that noise makes none is not known either.
            *apart = if off.is_nan() { f64::INFINITY } else { apart.max(off) };
        }
    }

    /// What is known of one sample of so many. Its tolerances are relative to that sample alone.
    pub fn sample(&self, sample: usize, batch: usize) -> Known {
        let each = self.values.len() / batch;
        let own = sample * each..(sample + 1) * each;
        let name = format!("{}, sample {sample} alone", self.name);
        Known { name, values: self.values[own.clone()].to_vec(), apart: self.apart[own].to_vec() }
    }

    fn scale(&self) -> f64 {
        self.values.iter().filter(|x| x.is_finite()).fold(1e-3, |m, x| m.max(x.abs()))
    }

    /// What was found against what is known.
    pub fn compare(&self, found: &[f32]) -> Result<Compared, String> {
        if found.len() != self.values.len() {
            return Err(format!("{}: {} values instead of {}", self.name, found.len(), self.values.len()));
        }
        let scale = self.scale();
        let mut compared = Compared { values: found.len(), skipped: 0 };
        let mut wrong = Vec::new();
        for (i, ((found, value), apart)) in found.iter().zip(&self.values).zip(&self.apart).enumerate() {
            if !value.is_finite() || *apart > UNKNOWN * scale {
                compared.skipped += 1;
                continue;
            }
            let off = (f64::from(*found) - value).abs();
            if off.is_nan() || off > FLOOR * scale + APART * apart {
                wrong.push(i);
            }
        }
        match wrong.first() {
            None => Ok(compared),
            Some(i) => Err(format!(
                "{}[{i}]: expected {}, found {} ({} of {} wrong, the largest {scale}, tolerance {:.1e})",
                self.name,
                self.values[*i],
                found[*i],
                wrong.len(),
                found.len(),
                FLOOR * scale + APART * self.apart[*i]
            )),
        }
    }
}

/// What one network gives for one batch.
pub struct Reference {
    /// Evaluation mode.
    pub outputs: Vec<Known>,
    /// Loss in evaluation mode, and how many are right.
    pub evaluated: Option<(Known, Option<f64>)>,
    pub trained: Option<Trained>,
}

/// Of training mode.
pub struct Trained {
    /// The loss, and the gradient of each parameter that has one.
    pub loss: Known,
    pub gradients: Vec<(usize, Known)>,
    /// The losses of two steps, and all parameters and states behind them.
    pub losses: Vec<Known>,
    pub params: Vec<Known>,
    pub states: Vec<Known>,
}

/// Everything about a network at the leaves' batch size, from so many noisy evaluations.
#[allow(clippy::too_many_arguments)]
pub fn reference(
    module: &Module,
    leaves: &Leaves,
    batch: usize,
    training: &Training,
    noise: Noise,
    many: usize,
    dice: &mut Dice,
) -> Result<Reference, String> {
    let env = |step: u64| Env { seed: SEED, step, ..Env::batch(batch) };
    let evaluate = program(module, ProgramKind::Evaluate);
    let infer = program(module, ProgramKind::Infer).expect("every network infers");
    let program_of = evaluate.as_ref().unwrap_or(&infer);
    let roots = &program_of.roots;
    let all = looks(program_of, leaves, &env(0), noise, many, dice)?;
    let mut all = all.into_iter();
    // Scores that the loss reads and that are no output stand behind the outputs.
    let mut outputs = name(all.by_ref().take(roots.outputs.len()), |i| format!("output {i}"));
    outputs.truncate(module.outputs.len());
    let loss = name(all.by_ref().take(roots.loss.iter().count()), |_| "loss in evaluation".to_owned()).pop();
    let means = roots.means.iter().flat_map(|mean| mean.values()).count();
    let correct = all.nth(means).filter(|_| roots.correct.is_some());
    // A number of samples is right, or decided by rounding.
    let correct = correct.filter(|c| c.apart[0] == 0.0).map(|c| c.values[0]);
    let trained = match program(module, ProgramKind::Step) {
        None => None,
        Some(step) => Some(trained(module, &step, leaves, &env, training, noise, many, dice)?),
    };
    Ok(Reference { outputs, evaluated: loss.map(|loss| (loss, correct)), trained })
}

fn name(list: impl Iterator<Item = Known>, name: impl Fn(usize) -> String) -> Vec<Known> {
    list.enumerate().map(|(i, known)| Known { name: name(i), ..known }).collect()
}

/// The roots of a program with their tolerances.
pub fn looks(
    program: &Program,
    leaves: &Leaves,
    env: &Env,
    noise: Noise,
    many: usize,
    dice: &mut Dice,
) -> Result<Vec<Known>, String> {
    let roots = program.roots.all();
    let exact = run(&program.graph, leaves, &roots, env)?;
    let mut known: Vec<Known> = exact.into_iter().map(|t| Known::new(String::new(), t.data)).collect();
    for _ in 0..many {
        let noisy = noisy(&program.graph, leaves, &roots, env, noise, dice)?;
        for (known, noisy) in known.iter_mut().zip(&noisy) {
            known.look(&noisy.data);
        }
    }
    Ok(known)
}

/// Two steps of training, exactly and with noise.
#[allow(clippy::too_many_arguments)]
fn trained(
    module: &Module,
    step: &Program,
    leaves: &Leaves,
    env: &dyn Fn(u64) -> Env,
    training: &Training,
    noise: Noise,
    many: usize,
    dice: &mut Dice,
) -> Result<Trained, String> {
    let walk = |dice: Option<&mut Dice>| two_steps(module, step, leaves, env, training, noise, dice);
    let exact = walk(None)?;
    let mut known: Vec<Known> = exact.into_iter().map(|(name, values)| Known::new(name, values)).collect();
    for _ in 0..many {
        for (known, (_, noisy)) in known.iter_mut().zip(walk(Some(dice))?) {
            known.look(&noisy);
        }
    }
    let mut known = known.into_iter();
    let loss = known.next().expect("a loss");
    let gradients = step.roots.gradients.iter().map(|(p, _)| *p).zip(known.by_ref()).collect();
    let losses = known.by_ref().take(2).collect();
    let params = known.by_ref().take(module.params.len()).collect();
    Ok(Trained { loss, gradients, losses, params, states: known.collect() })
}

/// Loss and gradients of the first step, both losses, then all parameters and states.
fn two_steps(
    module: &Module,
    step: &Program,
    leaves: &Leaves,
    env: &dyn Fn(u64) -> Env,
    training: &Training,
    noise: Noise,
    mut dice: Option<&mut Dice>,
) -> Result<Vec<(String, Vec<f64>)>, String> {
    let mut leaves = leaves.clone();
    let roots = step.roots.all();
    let mut memory = Memory::new(&training.rule, module);
    let (mut list, mut losses) = (Vec::new(), Vec::new());
    for number in 0..2 {
        let values = match &mut dice {
            None => run(&step.graph, &leaves, &roots, &env(number))?,
            Some(dice) => noisy(&step.graph, &leaves, &roots, &env(number), noise, dice)?,
        };
        let mut values = values.into_iter();
        let loss = values.next().ok_or("a step without a loss")?.data;
        let means = step.roots.means.iter().flat_map(|mean| mean.values()).count();
        values.by_ref().take(means + usize::from(step.roots.correct.is_some())).for_each(drop);
        let gradients: Vec<Vec<f64>> = values.by_ref().take(step.roots.gradients.len()).map(|t| t.data).collect();
        if number == 0 {
            list.push(("loss".to_owned(), loss.clone()));
            for ((param, _), gradient) in step.roots.gradients.iter().zip(&gradients) {
                list.push((format!("gradient of {}", module.params[*param].name), gradient.clone()));
            }
        }
        losses.push((format!("loss of step {}", number + 1), loss));
        let mut gradients = gradients;
        training.clip.clip(&mut gradients);
        // What has no gradient is not moved, not even by weight decay.
        for ((index, _), gradient) in step.roots.gradients.iter().zip(&gradients) {
            let tensor = leaves.get_mut(&Leaf::Param(*index)).ok_or("a parameter without a value")?;
            memory.update(*index, number + 1, &mut tensor.data, gradient, !module.params[*index].no_decay);
        }
        memory.step();
        for (assign, value) in step.roots.assigns.iter().zip(values) {
            let Op::Assign { state } = step.graph.node(*assign).op else {
                return Err("a root that assigns nothing".into());
            };
            leaves.get_mut(&Leaf::State(state)).ok_or("a state without a value")?.data = value.data;
        }
    }
    list.append(&mut losses);
    for (i, param) in module.params.iter().enumerate() {
        list.push((format!("{} behind two steps", param.name), leaves[&Leaf::Param(i)].data.clone()));
    }
    for (i, state) in module.states.iter().enumerate() {
        list.push((format!("{} behind two steps", state.name), leaves[&Leaf::State(i)].data.clone()));
    }
    Ok(list)
}

/// One evaluation with roundings of this relative size, each by chance.
fn noisy(
    graph: &Graph,
    leaves: &Leaves,
    wanted: &[Value],
    env: &Env,
    noise: Noise,
    dice: &mut Dice,
) -> Result<Vec<Tensor>, String> {
    let needed = graph.reachable(wanted);
    let mut known: Vec<Option<Tensor>> = vec![None; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        if let Op::Leaf(leaf) = node.op {
            let mut tensor = leaves.get(&leaf).cloned().ok_or_else(|| format!("{leaf:?} is not known"))?;
            // The device has these very numbers; what it makes of them is what noise stands for.
            if node.ty.dtype == DType::F32 && matches!(leaf, Leaf::Param(_) | Leaf::Input(_)) {
                tensor.data.iter_mut().for_each(|x| *x += 0.25 * noise.own * dice.signed() * *x);
            }
            known[i] = Some(tensor);
            continue;
        }
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|v| known[v.index()].as_ref().expect("in order")).collect();
        let mut result = primitive(&node.op, &inputs, &node.ty.shape, env)?;
        if node.ty.dtype == DType::F32 {
            match rounding(&node.op) {
                Rounding::None => {}
                Rounding::Own => result.data.iter_mut().for_each(|x| *x += noise.own * dice.signed() * *x),
                Rounding::Sum => {
                    let contracts = matches!(node.op, Op::Contract { .. } | Op::Conv { .. });
                    let noise = if contracts { noise.products } else { noise.own };
                    let magnitudes: Vec<Tensor> = inputs.iter().map(|t| magnitude(t)).collect();
                    let sizes = primitive(&node.op, &magnitudes.iter().collect::<Vec<_>>(), &node.ty.shape, env)?;
                    for (x, size) in result.data.iter_mut().zip(&sizes.data) {
                        *x += noise * dice.signed() * size.abs();
                    }
                }
            }
            // Near 1 a probability is 1, and what is left of it nothing.
            result.data.iter_mut().for_each(|x| *x = f64::from(*x as f32));
        }
        known[i] = Some(result);
    }
    Ok(wanted.iter().filter_map(|v| known[v.index()].clone()).collect())
}

fn magnitude(tensor: &Tensor) -> Tensor {
    Tensor { data: tensor.data.iter().map(|x| x.abs()).collect(), ..tensor.clone() }
}

/// How a primitive rounds.
enum Rounding {
    /// It moves values.
    None,
    /// By its result.
    Own,
    /// By the sum of the magnitudes that it adds up.
    Sum,
}

fn rounding(op: &Op) -> Rounding {
    match op {
        Op::Map(_) => Rounding::Own,
        Op::Reduce { op: ReduceOp::Sum, .. }
        | Op::Contract { .. }
        | Op::Conv { .. }
        | Op::Table { .. }
        | Op::Window { op: WindowOp::Sum | WindowOp::Spread, .. } => Rounding::Sum,
        // The second operand are indices.
        Op::Window { op: WindowOp::Route, .. } | Op::ScatterAdd { .. } => Rounding::Own,
        Op::Leaf(_)
        | Op::Reduce { op: ReduceOp::Max | ReduceOp::ArgMax, .. }
        | Op::Window { op: WindowOp::Max | WindowOp::ArgMax | WindowOp::Pick, .. }
        | Op::Move(_)
        | Op::Gather
        | Op::Random { .. }
        | Op::Assign { .. } => Rounding::None,
    }
}
