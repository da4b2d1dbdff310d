//! Hundreds of valid random declarations through the compiler, in one process: lowered, verified, differentiated,
//! scheduled with and without fusion, and every schedule run kernel by kernel on the interpreter against the plain graph.

mod common;

use common::network::{check_gradients, check_schedules};
use kiln_codegen::declaration::Fusion;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Channels around what fills a block, and some that do not.
const CHANNELS: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17, 20];

#[derive(Clone, Copy)]
struct Image {
    channels: usize,
    height: usize,
    width: usize,
}

fn activation(dice: &mut Dice) -> &'static str {
    dice.pick(&[
        "Relu;",
        "Relu;",
        "LeakyRelu<0.1>;",
        "Tanh;",
        "Sigmoid;",
        "swish;",
        "Dropout<0.25>;",
        "bend<0.3>;",
        "Gelu;",
        "Softplus;",
        "GaussianNoise<0.1>;",
    ])
}

fn label(dice: &mut Dice, prefix: &str) -> String {
    format!("{prefix}{}", dice.below(1 << 30))
}

/// A convolution that fits, and what it makes of the image.
fn convolution(dice: &mut Dice, x: Image) -> (String, Image) {
    let size = |extent: usize, k: usize, s: usize, p: usize, d: usize| {
        (extent + 2 * p).checked_sub(d * (k - 1) + 1).map(|rest| rest / s + 1)
    };
    loop {
        let groups = if x.channels > 1 && dice.chance(15) { x.channels } else { 1 };
        let channels = if groups > 1 { x.channels * dice.pick(&[1, 2]) } else { dice.pick(&CHANNELS) };
        let (kernel, stride) = (dice.pick(&[1, 2, 3, 3, 3, 5]), dice.pick(&[1, 1, 1, 2, 3]));
        let (padding, dilation) = (dice.below(kernel / 2 + 1), dice.pick(&[1, 1, 1, 2]));
        let bias = dice.chance(60);
        let extent = |e| size(e, kernel, stride, padding, dilation);
        if let (Some(height), Some(width)) = (extent(x.height), extent(x.width)) {
            let text = format!(
                "Conv2d<{channels}, {kernel}, stride = {stride}, padding = {padding}, dilation = {dilation}, \
                 groups = {groups}, bias = {bias}>;"
            );
            return (text, Image { channels, height, width });
        }
    }
}

fn pool(dice: &mut Dice, x: Image) -> Option<(String, Image)> {
    let kernel = dice.pick(&[2, 2, 3]);
    let stride = dice.pick(&[1, 2, kernel]);
    let padding = dice.below(kernel / 2 + 1);
    let ceil = dice.chance(40);
    let size = |extent: usize| {
        let rest = (extent + 2 * padding).checked_sub(kernel)?;
        let mut out = if ceil { rest.div_ceil(stride) } else { rest / stride } + 1;
        if ceil && (out - 1) * stride >= extent + padding {
            out -= 1;
        }
        Some(out)
    };
    let kind = dice.pick(&["MaxPool2d", "MaxPool2d", "AvgPool2d"]);
    let counted = if kind == "AvgPool2d" && dice.chance(50) { ", count_include_pad = false" } else { "" };
    let text = format!("{kind}<{kernel}, stride = {stride}, padding = {padding}, ceil_mode = {ceil}{counted}>;");
    Some((text, Image { height: size(x.height)?, width: size(x.width)?, ..x }))
}

/// A line or a few, and the image after them.
fn step(dice: &mut Dice, x: Image, depth: usize) -> (String, Image) {
    match dice.below(if depth > 1 { 6 } else { 9 }) {
        0 | 1 => convolution(dice, x),
        2 => match pool(dice, x) {
            Some(found) => found,
            None => ("Relu;".into(), x),
        },
        3 => {
            let norms = [
                "BatchNorm;",
                "BatchNorm;",
                "BatchNorm<affine = false>;",
                "BatchNorm<momentum = none>;",
                "LayerNorm;",
                "GroupNorm<1>;",
                "Dropout2d<0.25>;",
            ];
            (dice.pick(&norms).into(), x)
        }
        4 => (activation(dice).into(), x),
        5 => {
            let Image { channels, height, width } = x;
            let dims = dice.pick(&[[channels, 1, 1], [1, 1, 1], [channels, height, width]]);
            let (name, join) = (label(dice, "p"), dice.pick(&["Mul", "Add"]));
            (format!("param {name}: {dims:?} = Constant<0.5>; {join}(_, {name});"), x)
        }
        6 => {
            // A residual of the same shape, or with a shortcut.
            let (inner, mut y) = convolution(dice, x);
            let mut body = format!("{inner} {}", if dice.chance(60) { "BatchNorm;" } else { "" });
            if dice.chance(50) {
                let (more, z) = step(dice, y, depth + 1);
                body += &more;
                y = z;
            }
            // Back to the extents of x: a shortcut to those of y by pooling does not always exist.
            let Image { channels, height, width } = y;
            let shortcut = format!("{{ AdaptiveAvgPool2d<[{height}, {width}]>; Conv2d<{channels}, 1>; }}");
            let conditional = if dice.chance(30) { "" } else { "down " };
            (
                format!(
                    "{}: Residual {{ {body} }} shortcut {conditional}{shortcut} {}",
                    label(dice, "r"),
                    activation(dice)
                ),
                y,
            )
        }
        7 => {
            let mut texts = String::new();
            let mut channels = 0;
            for branch in ["a", "b", "c"].iter().take(2 + dice.below(2)) {
                if channels > 0 && dice.chance(20) {
                    texts += &format!("{branch}: Relu; ");
                    channels += x.channels;
                } else {
                    let c = dice.pick(&CHANNELS);
                    let kernel = dice.pick(&[1, 3]);
                    texts += &format!("{branch}: {{ Conv2d<{c}, {kernel}, padding = {}>; Relu; }} ", kernel / 2);
                    channels += c;
                }
            }
            (format!("{}: Concat {{ {texts}}}", label(dice, "c")), Image { channels, ..x })
        }
        _ => {
            // The same value read twice.
            let name = label(dice, "v");
            let join = dice.pick(&["Add(_, ", "Mul(_, ", "gate(_, "]);
            (
                format!(
                    "{} as {name}; Conv2d<{}, 3, padding = 1>; {join}{name});",
                    activation(dice).trim_end_matches(';'),
                    x.channels
                ),
                x,
            )
        }
    }
}

fn declaration(seed: u64) -> String {
    let dice = &mut Dice(seed);
    let mut x =
        Image { channels: dice.pick(&[1, 1, 2, 3, 5, 16]), height: 4 + dice.below(6), width: 4 + dice.below(6) };
    let mut text = format!(
        "fn swish(x) {{ x * sigmoid(x) }}
        fn bend<A>(x) {{ if x > 0 {{ x }} else {{ A * (exp(x) - 1) }} }}
        fn gate(a, b) {{ tanh(a) * sigmoid(b) }}
        pub Random {{ input x: [{}, {}, {}]; target c: class<7>; target t: [4];\n",
        x.channels, x.height, x.width
    );
    for _ in 0..1 + dice.below(5) {
        let (line, y) = step(dice, x, 0);
        text += &format!("        {line}\n");
        x = y;
    }
    text += &format!("        {}\n", if dice.chance(60) { "Flatten;" } else { "GlobalAvgPool;" });
    for _ in 0..dice.below(3) {
        let n = dice.pick(&[3, 8, 15, 16, 17, 33]);
        let norm = if dice.chance(40) { "BatchNorm; " } else { "" };
        text += &format!("        Linear<{n}, bias = {}>; {norm}{}\n", dice.chance(70), activation(dice));
    }
    text += match dice.below(4) {
        0 => {
            "        Linear<7> as z; Linear<4> as v; output z, v;\n        loss: CrossEntropy(z, c) + 0.5 * Mse(v, t);"
        }
        1 => {
            "        Linear<7>; LogSoftmax as l; from x; Flatten; Linear<4> as v; output l, v;
        loss: Nll(l, c) + 0.25 * HalfSquare(v, t);"
        }
        2 => {
            "        Linear<7> as z; Softmax; Linear<4>; Sigmoid as v; output z, v;
        loss: CrossEntropy<label_smoothing = 0.1>(z, c) + Mse(v, t);"
        }
        _ => {
            "        Linear<9>; Relu as h; Linear<7> as z; from h; Linear<4> as v; output v;\n        loss: Mse(v, t) + CrossEntropy(z, c);"
        }
    };
    text + "\n}"
}

/// Every failure of these seeds, shortest declaration first.
fn all(seeds: std::ops::Range<u64>, check: impl Fn(&str, usize) + std::panic::RefUnwindSafe) {
    let mut failures: Vec<String> = Vec::new();
    for seed in seeds.clone() {
        let text = declaration(seed);
        if let Err(panic) = std::panic::catch_unwind(|| check(&text, 1 + seed as usize % 4)) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failures.push(format!("seed {seed}: {why}"));
        }
    }
    failures.sort_by_key(String::len);
    assert!(failures.is_empty(), "{} of {}; the shortest:\n{}", failures.len(), seeds.count(), failures[0]);
}

fn schedules(part: u64) {
    all(part * 1000..part * 1000 + 50, |text, batch| {
        check_schedules(text, batch, Fusion::On);
        check_schedules(text, batch, Fusion::Off);
    });
}

// In four parts, so that they run side by side.

#[test]
fn schedules_compute_the_graph_1() {
    schedules(1);
}

#[test]
fn schedules_compute_the_graph_2() {
    schedules(2);
}

#[test]
fn schedules_compute_the_graph_3() {
    schedules(3);
}

#[test]
fn schedules_compute_the_graph_4() {
    schedules(4);
}

#[test]
fn gradients_fit_differences() {
    all(9000..9025, |text, _| check_gradients(text, 2, 2));
}
