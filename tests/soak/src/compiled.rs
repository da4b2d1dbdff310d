//! The second comparison: networks that rustc has compiled, at each SIMD level, on one thread and on several, against the
//! reference.

use crate::declared::{self, Leaves};
use crate::erased::{Erased, Outputs, Port, Ports, with_plan};
use crate::optimizer::{Clip, Rule, Training};
use crate::reference::{Compared, LOOKS, MANY_LOOKS, Noise, Reference, SEED, reference};
use kiln::__private::Feed;
use kiln::__private::plan::Plan;
use kiln::data::Dataset;
use kiln::optim::Optimizer;
use kiln::{Device, Level, Model};
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{Module, PortKind};
use kiln_codegen::schedule::ProgramKind;
use kiln_codegen::schedule::program::single;
use std::error::Error;
use std::ops::Range;

/// Threads that must not change a bit.
const THREADS: [usize; 2] = [1, 3];

/// Plans of all networks of a declaration, in the order of [`declared::networks`].
pub type Plans = fn() -> Vec<&'static Plan>;

/// Compares all networks of a declaration; the first difference is the error.
pub fn check(text: &str, plans: Plans, batches: &[usize]) -> Result<Compared, String> {
    let (networks, plans) = (declared::networks(text)?, plans());
    assert_eq!(networks.len(), plans.len(), "plans of the networks of\n{text}");
    let mut compared = Compared::default();
    for (network, plan) in networks.iter().zip(plans) {
        for batch in batches {
            let found = check_network(&network.module, plan, *batch, text);
            compared += found.map_err(|why| format!("{}, batch {batch}: {why}", network.name))?;
        }
    }
    Ok(compared)
}

/// What a model gave, bit for bit.
#[derive(Clone, Default, PartialEq)]
struct Found {
    outputs: Vec<Vec<f32>>,
    evaluated: Option<(f64, f64)>,
    loss: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    losses: Vec<f32>,
    params: Vec<Vec<f32>>,
    states: Vec<Vec<f32>>,
    /// Each sample by itself.
    alone: Vec<Vec<f32>>,
}

fn check_network(module: &Module, plan: &'static Plan, batch: usize, text: &str) -> Result<Compared, String> {
    let mut dice = declared::dice_of(text);
    let training = Training::any(&mut dice);
    let leaves = declared::leaves(module, batch, 1);
    let mut known = |many: usize| {
        let mut known = reference(module, &leaves, batch, &training, Noise::SINGLE, many, &mut dice)?;
        // What is refused gives nothing.
        if is_refused(module, ProgramKind::Infer, batch) {
            known.outputs.clear();
        }
        if is_refused(module, ProgramKind::Step, batch) {
            known.trained = None;
        }
        Ok::<_, String>(known)
    };
    let exact = known(0)?;
    let mut noisy = None;
    let mut compared = Compared::default();
    let mut wide: Option<Found> = None;
    for level in levels() {
        let mut first: Option<Found> = None;
        for threads in THREADS {
            let at = format!("{level:?} on {threads} threads, {training:?}");
            let device = Device::cpu().threads(threads).simd(level);
            let found = with_plan(plan, || run(module, &leaves, batch, (text, &training), &device, threads == 1));
            let found = found.map_err(|why| format!("{at}: {why}"))?;
            match &first {
                Some(first) => same_bits(first, &found).map_err(|why| format!("{at}, not as on 1: {why}"))?,
                None => {
                    // Tolerances cost more than all else, and most networks need none.
                    let mut result = compare(&exact, &found, batch);
                    if result.is_err() {
                        if noisy.is_none() {
                            noisy = Some(known(LOOKS)?);
                        }
                        result = compare(noisy.as_ref().unwrap_or(&exact), &found, batch);
                    }
                    // What few looks call a difference must be one to many.
                    if result.is_err() {
                        result = compare(&known(MANY_LOOKS)?, &found, batch);
                    }
                    compared += result.map_err(|why| format!("{at}: {why}"))?;
                    first = Some(found);
                }
            }
        }
        if level != Level::Portable {
            match (&wide, first) {
                (Some(wide), Some(found)) => {
                    same_bits(wide, &found).map_err(|why| format!("AVX-512, not as AVX2: {why}"))?;
                }
                (_, found) => wide = found,
            }
        }
    }
    Ok(compared)
}

fn levels() -> Vec<Level> {
    Level::ALL.into_iter().filter(|level| kiln::__private::cpu::supported(*level).is_ok()).collect()
}

fn ports(leaves: &Leaves, kinds: &[&PortKind], leaf: impl Fn(usize) -> Leaf, samples: usize) -> Ports {
    let port = |(i, kind): (usize, &&PortKind)| {
        let tensor = &leaves[&leaf(i)];
        let each = tensor.shape.numel();
        match kind {
            PortKind::Dense(_) => Port::Floats(declared::floats(tensor), each),
            PortKind::Class(_) | PortKind::Ids(..) => {
                Port::Numbers(tensor.data.iter().map(|x| *x as i32).collect(), each)
            }
        }
    };
    Ports { samples, list: kinds.iter().enumerate().map(port).collect() }
}

fn run(
    module: &Module,
    leaves: &Leaves,
    batch: usize,
    (text, training): (&str, &Training),
    device: &Device,
    alone: bool,
) -> Result<Found, Box<dyn Error>> {
    let mut model: Model<Erased> = Model::new(device, SEED)?;
    model.poison_scratch(true);
    for (i, param) in module.params.iter().enumerate() {
        set(&mut model, &param.name, &param.dims, &declared::floats(&leaves[&Leaf::Param(i)]))?;
    }
    for (i, state) in module.states.iter().enumerate() {
        set(&mut model, &state.name, &state.dims, &declared::floats(&leaves[&Leaf::State(i)]))?;
    }
    let kinds: Vec<&PortKind> = module.inputs.iter().map(|p| &p.kind).collect();
    let inputs = ports(leaves, &kinds, Leaf::Input, batch);
    let mut found = Found::default();
    if is_refused(module, ProgramKind::Infer, batch) {
        return refused(model.forward(&inputs)).map(|()| found);
    }
    let Outputs(outputs) = model.forward(&inputs)?;
    found.outputs = outputs;
    // The first, the last and one between.
    let apart = if alone && declared::samples_are_apart(module) { vec![0, batch / 2, batch - 1] } else { Vec::new() };
    for sample in apart {
        let one = declared::samples(leaves, sample, 1);
        found.alone.extend(model.forward(&ports(&one, &kinds, Leaf::Input, 1))?.0);
    }
    if module.training.loss.is_none() {
        return Ok(found);
    }
    let kinds: Vec<&PortKind> = module.targets.iter().map(|p| &p.kind).collect();
    let targets = ports(leaves, &kinds, Leaf::Target, batch);
    let data = Dataset::new(inputs, targets)?;
    let evaluation = model.evaluate(&data)?;
    found.evaluated = Some((evaluation.loss, evaluation.accuracy));
    if is_refused(module, ProgramKind::Step, batch) {
        return refused(model.gradients(&data)).map(|()| found);
    }
    let gradients = model.gradients(&data)?;
    found.loss.push(gradients.step.loss);
    for param in &module.params {
        // A frozen one has none.
        let own = if param.frozen { Vec::new() } else { gradients.get(&param.name)?.iter().copied().collect() };
        found.gradients.push(own);
    }
    let parts = parts(module, text, training, batch);
    let gathers = training.gathers.then_some(&parts[..]);
    match training.rule.clone() {
        Rule::Sgd(o) => steps(&mut model, o, training.clip, &data, gathers, &mut found)?,
        Rule::Adagrad(o) => steps(&mut model, o, training.clip, &data, gathers, &mut found)?,
        Rule::RmsProp(o) => steps(&mut model, o, training.clip, &data, gathers, &mut found)?,
        Rule::Adam(o) => steps(&mut model, o, training.clip, &data, gathers, &mut found)?,
        Rule::AdamW(o) => steps(&mut model, o, training.clip, &data, gathers, &mut found)?,
        Rule::NAdam(o) => steps(&mut model, o, training.clip, &data, gathers, &mut found)?,
    }
    let read = |name: &str| model.parameter(name).map(|values| values.iter().copied().collect());
    found.params = module.params.iter().map(|p| read(&p.name)).collect::<kiln::Result<_>>()?;
    found.states = module.states.iter().map(|s| read(&s.name)).collect::<kiln::Result<_>>()?;
    Ok(found)
}

/// Whether a program over so many samples is refused: a variance of one value is none.
fn is_refused(module: &Module, kind: ProgramKind, batch: usize) -> bool {
    batch == 1 && single(module, kind).is_some()
}

/// What should have been refused.
fn refused<T>(result: kiln::Result<T>) -> Result<(), Box<dyn Error>> {
    match result {
        Err(kiln::Error::SingleValue { .. }) => Ok(()),
        Err(why) => Err(why.into()),
        Ok(_) => Err("a batch of one sample was not refused".into()),
    }
}

fn set(model: &mut Model<Erased>, name: &str, dims: &[usize], values: &[f32]) -> kiln::Result<()> {
    let array = ndarray::ArrayViewD::from_shape(dims, values).expect("as many values as elements");
    model.set_parameter(name, array)
}

/// Parts of the batch whose gathered gradients are those of the whole: all of it where samples see each other, or where what is
/// random depends on their places.
fn parts(module: &Module, text: &str, training: &Training, batch: usize) -> Vec<Range<usize>> {
    let random = module.training.graph.nodes.iter().any(|node| matches!(node.op, Op::Random { .. }));
    if !training.gathers || batch < 3 || random || text.contains("BatchNorm") {
        return vec![0..batch; 1];
    }
    vec![0..batch / 3, batch / 3..batch]
}

fn steps<O: Optimizer>(
    model: &mut Model<Erased>,
    optimizer: O,
    clip: Clip,
    data: &Dataset<Ports, Ports>,
    gathers: Option<&[Range<usize>]>,
    found: &mut Found,
) -> kiln::Result<()> {
    let optimizer = optimizer.bind(model)?;
    let mut optimizer = match clip {
        Clip::None => optimizer,
        Clip::Value(limit) => optimizer.clip_value(limit)?,
        Clip::Norm(most) => optimizer.clip_norm(most)?,
    };
    for _ in 0..2 {
        let Some(parts) = gathers else {
            found.losses.push(model.train_step(data, &mut optimizer)?.loss);
            continue;
        };
        let mut losses = Vec::new();
        for part in parts {
            let rows: Vec<usize> = part.clone().collect();
            let of = |ports: &Ports| {
                let mut own = Ports::default();
                ports.gather_into(&rows, &mut own);
                own
            };
            losses.push(model.accumulate(&Dataset::new(of(data.inputs()), of(data.targets()))?)?.loss);
        }
        model.apply(&mut optimizer)?;
        // A part's loss is its own.
        if let [loss] = losses[..] {
            found.losses.push(loss);
        }
    }
    Ok(())
}

fn compare(known: &Reference, found: &Found, batch: usize) -> Result<Compared, String> {
    let mut compared = Compared::default();
    if known.outputs.len() != found.outputs.len() {
        return Err(format!("{} outputs instead of {}", found.outputs.len(), known.outputs.len()));
    }
    for (known, found) in known.outputs.iter().zip(&found.outputs) {
        compared += known.compare(found)?;
    }
    let outputs = known.outputs.len();
    for (i, alone) in found.alone.iter().enumerate() {
        let (known, sample) = (&known.outputs[i % outputs], [0, batch / 2, batch - 1][i / outputs]);
        compared += known.sample(sample, batch).compare(alone)?;
    }
    if let (Some((loss, correct)), Some((found, accuracy))) = (&known.evaluated, found.evaluated) {
        compared += loss.compare(&[found as f32])?;
        if let Some(correct) = correct
            && (accuracy * batch as f64 - correct).abs() > 1e-3
        {
            return Err(format!("accuracy: expected {correct} of {batch}, found {}", accuracy * batch as f64));
        }
    }
    let Some(known) = &known.trained else { return Ok(compared) };
    compared += known.loss.compare(&found.loss)?;
    for (param, gradient) in &known.gradients {
        compared += gradient.compare(&found.gradients[*param])?;
    }
    for (known, found) in known.losses.iter().zip(&found.losses) {
        compared += known.compare(&[*found])?;
    }
    for (known, found) in known.params.iter().zip(&found.params).chain(known.states.iter().zip(&found.states)) {
        compared += known.compare(found)?;
    }
    Ok(compared)
}

/// Whether two runs gave the same bits; NaN is equal to itself.
fn same_bits(a: &Found, b: &Found) -> Result<(), String> {
    let one = |what: &str, a: &[f32], b: &[f32]| {
        let differs = |(x, y): (&f32, &f32)| x.to_bits() != y.to_bits() && !(x.is_nan() && y.is_nan());
        match a.iter().zip(b).position(differs) {
            Some(i) => Err(format!("{what}[{i}]: {} and {}", a[i], b[i])),
            None => Ok(()),
        }
    };
    for (what, a, b) in [
        ("outputs", &a.outputs, &b.outputs),
        ("outputs of a sample alone", &a.alone, &b.alone),
        ("gradients", &a.gradients, &b.gradients),
        ("parameters", &a.params, &b.params),
        ("states", &a.states, &b.states),
    ] {
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            one(&format!("{what} {i}"), a, b)?;
        }
    }
    one("losses", &a.losses, &b.losses)?;
    one("loss", &a.loss, &b.loss)
}
