//! `Mini`: `input x: [4]; target y: class<3>; fc: Linear<3>; loss: CrossEntropy(_, y);`, and a running mean of the input
//! as state. Kernels are scalar and one per step, as an emitter without any wits would write them.

use crate::data::{Classes, Dataset, Rows};
use crate::device::cpu::{Ctx, Entry, Gradient};
use crate::plan::*;
use crate::{Device, Model, Network};

pub struct Mini;

// SAFETY: the plan below is written for the kernels below; tests of the runtime run them under all its sizes.
unsafe impl Network for Mini {
    type Inputs = Rows<4>;
    type Targets = Classes<3>;
    type Outputs = Rows<3>;
    const NAME: &'static str = "Mini";
    const PARAMETERS: usize = 15;
    const FORWARD_FLOPS: u64 = 24;

    fn plan() -> &'static Plan {
        &PLAN
    }
}

/// `Mini` with a plan that gives its first kernel no scratch memory, of which it takes a float.
pub struct Greedy;

// SAFETY: this is no sound network: for a test that poisons scratch memory, which puts marks where that float goes.
unsafe impl Network for Greedy {
    type Inputs = Rows<4>;
    type Targets = Classes<3>;
    type Outputs = Rows<3>;
    const NAME: &'static str = "Greedy";
    const PARAMETERS: usize = Mini::PARAMETERS;
    const FORWARD_FLOPS: u64 = Mini::FORWARD_FLOPS;

    fn plan() -> &'static Plan {
        static GREEDY: Plan = Plan {
            name: "Greedy",
            infer: Program {
                variants: &[Variant { worker_floats: 0, ..variant(&[FORWARD], "", false) }],
                single: None,
            },
            ..PLAN
        };
        &GREEDY
    }
}

pub type Batch = Dataset<Rows<4>, Classes<3>>;

pub fn model(seed: u64) -> Model<Mini> {
    let mut model = Mini::new(&Device::cpu().threads(2), seed).unwrap();
    model.poison_scratch(true);
    model
}

/// Three separable clusters: class k has its largest value at position k.
pub fn data(samples: usize) -> Batch {
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for i in 0..samples {
        let class = i * 7 % 3;
        let noise = |j: usize| ((i * 13 + j * 5) % 11) as f32 * 0.05;
        values.extend((0..4).map(|j| noise(j) + if j == class { 1.0 } else { 0.0 }));
        labels.push(class);
    }
    Dataset::new(Rows::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

/// W [3, 4] as [1][4][16 o] at 0, b [3] at 64; both padded to 16 outputs.
const WEIGHT: usize = 0;
const BIAS: usize = 64;
/// Per sample: logits at 0, their gradient at 16.
const LOGITS: usize = 0;
const GRADIENT: usize = 16;

pub const fn row(extent: usize) -> Axis {
    Axis { extent, block: 1, outer: 1, inner: 0 }
}

pub const FC_WEIGHT: Tensor = Tensor {
    name: "fc.weight",
    dims: &[3, 4],
    layout: Layout {
        axes: &[Axis { extent: 3, block: 16, outer: 64, inner: 1 }, Axis { extent: 4, block: 1, outer: 16, inner: 0 }],
        size: 64,
    },
    offset: WEIGHT,
    init: Init::KaimingUniform { gain: 0.577_350_269_189_625_8, fan_out: false },
    fan_in: 4,
    fan_out: 3,
    trainable: true,
    gradient: true,
    decay: true,
};

pub const FC_BIAS: Tensor = Tensor {
    name: "fc.bias",
    dims: &[3],
    layout: Layout { axes: &[row(3)], size: 16 },
    offset: BIAS,
    init: Init::Uniform { low: -0.5, high: 0.5 },
    fan_in: 4,
    fan_out: 3,
    trainable: true,
    gradient: true,
    decay: false,
};

pub const RUNNING_MEAN: Tensor = Tensor {
    name: "norm.running_mean",
    dims: &[4],
    layout: Layout { axes: &[row(4)], size: 16 },
    offset: 0,
    init: Init::Zeros,
    fan_in: 0,
    fan_out: 0,
    trainable: false,
    gradient: false,
    decay: false,
};

static PLAN: Plan = Plan {
    version: VERSION,
    name: "Mini",
    kernels: Kernels { step: 1, forward: 1 },
    unfused: Kernels { step: 1, forward: 1 },
    params: &[FC_WEIGHT, FC_BIAS],
    param_floats: 80,
    trainable_floats: 80,
    states: &[RUNNING_MEAN],
    state_floats: 16,
    inputs: &[Port { name: "x", kind: PortKind::Dense { dims: &[4] } }],
    targets: &[Port { name: "y", kind: PortKind::Class { classes: 3 } }],
    outputs: &[Port { name: "fc", kind: PortKind::Dense { dims: &[3] } }],
    counted: Some(Counted { target: 0, output: 0, classes: 3 }),
    layers: &[LayerRow { path: "fc", text: "Linear<3>", output: &[3], parameters: 15, flops: 24, from: &[0] }],
    returns: &[1],
    infer: Program { variants: &[variant(&[FORWARD], "", false)], single: None },
    evaluate: Some(Program { variants: &[variant(&[FORWARD, LOSS], SCORES, true)], single: None }),
    gradients: Some(Program { variants: &[variant(&[FORWARD, LOSS, BACKWARD], "", true)], single: None }),
    step: Some(Program { variants: &[variant(&[FORWARD, LOSS, BACKWARD, RUNNING], SCORES, true)], single: None }),
    rest: &[Range { offset: BIAS, floats: 16, decay: false }],
    source: Source::NONE,
    cuda: super::mini_cuda::CUDA,
};

/// The scores, as `Kept::rows` reads them.
const SCORES: &str = "0\t4\tfc\tcontract\t3\tbatch\tfloat\tBatch\t0\t0\t16\tsamples\t3\t3:1:1:0\n";

const fn variant(launches: &'static [Launch], kept: &'static str, loss: bool) -> Variant {
    const OUTPUT: Stored =
        Stored { space: Space::Batch, offset: LOGITS, layout: Layout { axes: &[row(3)], size: 3 }, sample: 16 };
    const fn scalar(offset: usize) -> Stored {
        Stored { space: Space::Fixed, offset, layout: Layout { axes: &[], size: 1 }, sample: 0 }
    }
    Variant {
        max_batch: usize::MAX,
        batch_floats: 32,
        fixed_floats: 2,
        derived_floats: 0,
        worker_floats: 1,
        launches,
        kept,
        outputs: &[OUTPUT],
        loss: if loss { Some(scalar(0)) } else { None },
        means: &[],
        correct: if loss { Some(scalar(1)) } else { None },
    }
}

const FORWARD: Launch = launch("k0_fc", |batch, _| batch, forward);
const LOSS: Launch = launch("k1_loss", |_, _| 1, loss);
const BACKWARD: Launch = launch("k2_grad", |_, _| 3, backward);
const RUNNING: Launch = launch("k3_running", |_, _| 1, running);

const fn launch(name: &'static str, tasks: fn(usize, &[usize]) -> usize, entry: Entry) -> Launch {
    Launch {
        name,
        layers: "fc",
        ops: "contract",
        args: &[
            Arg { space: Space::Batch, offset: LOGITS, at: 0 },
            Arg { space: Space::Updates, offset: WEIGHT, at: 0 },
            Arg { space: Space::Grads, offset: BIAS, at: 0 },
        ],
        numbers: &[],
        tasks,
        entry: [entry; 3],
        cost: Cost { flops_per_sample: 0, flops: 0, floats_per_sample: 0, floats: 0 },
        derived: false,
    }
}

/// One task a sample.
///
/// # Safety
/// Here and below: a launch of [`PLAN`] is under way, which has this task.
unsafe fn forward(cx: &Ctx, worker: usize, sample: usize) {
    // SAFETY: here and below, the engine has sized all arenas from the plan above, whose numbers these are.
    unsafe {
        let scratch = cx.scratch(worker);
        for o in 0..3 {
            *scratch = *cx.params(BIAS + o);
            for i in 0..4 {
                *scratch += *cx.port(0).add(sample * 4 + i) * *cx.params(WEIGHT + i * 16 + o);
            }
            *cx.batch(LOGITS).add(sample * 16 + o) = *scratch;
        }
    }
}

/// # Safety
/// As `forward`.
unsafe fn loss(cx: &Ctx, _: usize, _: usize) {
    // SAFETY: as in `forward`.
    unsafe {
        let (mut total, mut correct) = (0.0, 0.0);
        for sample in 0..cx.batch {
            let logits = std::slice::from_raw_parts(cx.batch(LOGITS).add(sample * 16), 3);
            let gradient = std::slice::from_raw_parts_mut(cx.batch(GRADIENT).add(sample * 16), 3);
            let (loss, right) = cross_entropy(logits, *cx.port_i32(1).add(sample) as usize, cx.batch, gradient);
            total += loss;
            correct += right;
        }
        *cx.fixed(0) = total / cx.batch as f32;
        *cx.fixed(1) = correct;
    }
}

/// Of one sample: its loss, whether it is classified right, and its part of the gradient.
pub fn cross_entropy(logits: &[f32], label: usize, batch: usize, gradient: &mut [f32]) -> (f32, f32) {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f32 = logits.iter().map(|z| (z - max).exp()).sum();
    for (o, (g, z)) in gradient.iter_mut().zip(logits).enumerate() {
        let one_hot = if o == label { 1.0 } else { 0.0 };
        *g = ((z - max).exp() / sum - one_hot) / batch as f32;
    }
    let first = logits.iter().position(|z| *z == max);
    (sum.ln() + max - logits[label], if first == Some(label) { 1.0 } else { 0.0 })
}

/// One task an output. The weight is updated where there is a rule, the bias by the optimizer's own pass.
///
/// # Safety
/// As `forward`.
unsafe fn backward(cx: &Ctx, _: usize, o: usize) {
    // SAFETY: as in `forward`.
    unsafe {
        let gradient = |sample: usize| *cx.batch(GRADIENT).add(sample * 16 + o);
        *cx.arg(2).add(o) = (0..cx.batch).map(gradient).sum();
        for i in 0..4 {
            let product = |sample: usize| gradient(sample) * *cx.port(0).add(sample * 4 + i);
            let sum: f32 = (0..cx.batch).map(product).sum();
            Gradient::new(cx, cx.arg(1), true).put(i * 16 + o, &sum, 1);
        }
    }
}

/// running = 0.9 · running + 0.1 · mean
///
/// # Safety
/// As `forward`.
unsafe fn running(cx: &Ctx, _: usize, _: usize) {
    // SAFETY: as in `forward`.
    unsafe {
        for i in 0..4 {
            let sum: f32 = (0..cx.batch).map(|sample| *cx.port(0).add(sample * 4 + i)).sum();
            let state = cx.states(i);
            *state = 0.9 * *state + 0.1 * (sum / cx.batch as f32);
        }
    }
}
