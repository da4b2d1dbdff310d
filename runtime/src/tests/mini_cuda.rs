//! The CUDA half of `Mini`, with parameters in another order than on the CPU; its kernels are functions that `Fake` runs.
//! The weight is updated where its gradient is made, the bias by the optimizer's own pass.

use super::fake::{floats, update};
use super::mini::{FC_BIAS, FC_WEIGHT, RUNNING_MEAN, cross_entropy, row};
use crate::device::cuda::{Node, Unit};
use crate::plan::*;

/// b [3], padded to 4, then W [3, 4] as it is.
const BIAS: usize = 0;
const WEIGHT: usize = 16;
/// Per sample: logits, then their gradient, three floats each.
const LOGITS: usize = 0;
const GRADIENT: usize = 4;

pub const CUDA: Cuda = Cuda {
    precision: Precision::F32,
    weights: Weights {
        params: &[
            Tensor {
                layout: Layout { axes: &[Axis { extent: 3, block: 1, outer: 4, inner: 0 }, row(4)], size: 12 },
                offset: WEIGHT,
                ..FC_WEIGHT
            },
            Tensor { layout: Layout { axes: &[row(3)], size: 4 }, offset: BIAS, ..FC_BIAS },
        ],
        param_floats: 32,
        trainable_floats: 32,
        states: &[RUNNING_MEAN],
        state_floats: 16,
    },
    kernels: &[
        kernel("mini_forward", false),
        kernel("mini_loss", false),
        kernel("mini_weight", true),
        kernel("mini_bias", false),
        kernel("mini_running", false),
    ],
    infer: CudaProgram { variants: &[variant(&[FORWARD], false)] },
    evaluate: Some(CudaProgram { variants: &[variant(&[FORWARD, LOSS], true)] }),
    gradients: Some(CudaProgram { variants: &[variant(&[FORWARD, LOSS, WEIGHTS, BIASES], true)] }),
    step: Some(CudaProgram { variants: &[variant(&[FORWARD, LOSS, WEIGHTS, BIASES, RUNNING], true)] }),
    rest: &[Range { offset: BIAS, floats: 4, decay: false }],
};

const fn kernel(name: &'static str, updates: bool) -> CudaKernel {
    CudaKernel { name, text: "", threads: 256, shared: 0, updates }
}

const fn variant(launches: &'static [CudaLaunch], loss: bool) -> CudaVariant {
    const fn scalar(offset: usize) -> Option<Stored> {
        Some(Stored { space: Space::Fixed, offset, layout: Layout { axes: &[], size: 1 }, sample: 0 })
    }
    const OUTPUT: Stored =
        Stored { space: Space::Batch, offset: LOGITS, layout: Layout { axes: &[row(3)], size: 3 }, sample: 3 };
    CudaVariant {
        max_batch: 4096,
        batch_floats: 8,
        fixed_floats: 8,
        launches,
        kept: "",
        outputs: &[OUTPUT],
        // Not in the order in which they are asked for.
        loss: if loss { scalar(5) } else { None },
        means: &[],
        correct: if loss { scalar(2) } else { None },
    }
}

const FORWARD: CudaLaunch = launch(
    0,
    &[
        arg(Space::Port, 0, 4, Access::Read),
        arg(Space::Params, WEIGHT, 12, Access::Read),
        arg(Space::Params, BIAS, 3, Access::Read),
        arg(Space::Batch, LOGITS, 3, Access::Write),
    ],
    &[],
);
const LOSS: CudaLaunch = launch(
    1,
    &[
        arg(Space::Batch, LOGITS, 3, Access::Read),
        arg(Space::Port, 1, 1, Access::Read),
        arg(Space::Batch, GRADIENT, 3, Access::Write),
        arg(Space::Fixed, 0, 8, Access::Write),
    ],
    &[0],
);
const WEIGHTS: CudaLaunch = launch(
    2,
    &[
        arg(Space::Port, 0, 4, Access::Read),
        arg(Space::Batch, GRADIENT, 3, Access::Read),
        arg(Space::Params, WEIGHT, 12, Access::ReadWrite),
        arg(Space::Grads, WEIGHT, 12, Access::Write),
        arg(Space::Optimizer(0), WEIGHT, 12, Access::ReadWrite),
        arg(Space::Optimizer(1), WEIGHT, 12, Access::ReadWrite),
        arg(Space::Optimizer(2), WEIGHT, 12, Access::ReadWrite),
        arg(Space::Hyper, WEIGHT, 20, Access::Read),
    ],
    &[1],
);
const BIASES: CudaLaunch =
    launch(3, &[arg(Space::Batch, GRADIENT, 3, Access::Read), arg(Space::Grads, BIAS, 3, Access::Write)], &[1]);
const RUNNING: CudaLaunch =
    launch(4, &[arg(Space::Port, 0, 4, Access::Read), arg(Space::State, 0, 4, Access::ReadWrite)], &[]);

const fn launch(kernel: usize, args: &'static [CudaArg], after: &'static [usize]) -> CudaLaunch {
    const SAMPLES: Work = Work { per_sample: 1, fixed: 0, height: 16, more: 0, width: 1 };
    CudaLaunch { kernel, layers: "fc", ops: "contract", args, parts: &[SAMPLES], after }
}

const fn arg(space: Space, offset: usize, floats: usize, access: Access) -> CudaArg {
    CudaArg { space, offset, floats, access }
}

/// Runs one kernel; sums in the order of `mini`.
///
/// # Safety
/// The arguments are those of the tables above, and lie in memory that is there.
pub unsafe fn execute(node: &Node, unit: &Unit) {
    let (batch, args) = (node.batch, &node.args);
    // SAFETY: the lengths are those of the tables above.
    unsafe {
        match node.name.as_str() {
            "mini_forward" => {
                let (x, w, b) = (floats(args[0], 4 * batch), floats(args[1], 12), floats(args[2], 3));
                for (row, logits) in x.chunks(4).zip(floats(args[3], 3 * batch).chunks_mut(3)) {
                    for (o, z) in logits.iter_mut().enumerate() {
                        *z = (0..4).fold(b[o], |sum, i| sum + row[i] * w[o * 4 + i]);
                    }
                }
            }
            "mini_loss" => {
                let labels = floats(args[1], batch).iter().map(|label| label.to_bits() as usize);
                let samples = floats(args[0], 3 * batch).chunks(3).zip(floats(args[2], 3 * batch).chunks_mut(3));
                let (mut total, mut correct) = (0.0, 0.0);
                for ((logits, gradient), label) in samples.zip(labels) {
                    let (loss, right) = cross_entropy(logits, label, batch, gradient);
                    total += loss;
                    correct += right;
                }
                let fixed = floats(args[3], 8);
                (fixed[5], fixed[2]) = (total / batch as f32, correct);
            }
            "mini_weight" => {
                let (x, g) = (floats(args[0], 4 * batch), floats(args[1], 3 * batch));
                for at in 0..12 {
                    let (o, i) = (at / 4, at % 4);
                    let gradient = (0..batch).map(|sample| g[sample * 3 + o] * x[sample * 4 + i]).sum();
                    update(unit, args[7], [args[2], args[3], args[4], args[5], args[6]], at, gradient);
                }
            }
            "mini_bias" => {
                let g = floats(args[0], 3 * batch);
                for (o, sum) in floats(args[1], 3).iter_mut().enumerate() {
                    *sum = (0..batch).map(|sample| g[sample * 3 + o]).sum();
                }
            }
            "mini_running" => {
                let x = floats(args[0], 4 * batch);
                for (i, state) in floats(args[1], 4).iter_mut().enumerate() {
                    let sum: f32 = (0..batch).map(|sample| x[sample * 4 + i]).sum();
                    *state = 0.9 * *state + 0.1 * (sum / batch as f32);
                }
            }
            other => panic!("no kernel `{other}`"),
        }
    }
}
