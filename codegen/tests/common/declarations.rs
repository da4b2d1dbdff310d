//! Random declarations that are sound: odd sizes, branches, residuals, repeats, several losses and outputs.

/// A small generator; equal seeds give equal declarations.
pub struct Dice {
    state: u64,
    /// Labels given out, so that parameter names differ.
    labels: usize,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1), labels: 0 }
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.state >> 33) as usize % sides
    }

    fn label(&mut self) -> usize {
        self.labels += 1;
        self.labels
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.roll(high - low + 1)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len())]
    }
}

/// `pub Random { … }`
pub fn declaration(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut shape = match dice.roll(3) {
        0 => vec![dice.between(1, 40)],
        1 => vec![dice.of(&[1, 2, 3, 5, 8, 16, 17]), dice.between(3, 11), dice.between(3, 11)],
        _ => vec![dice.of(&[1, 3, 4, 6]), dice.between(5, 13), dice.between(5, 13)],
    };
    let mut body = format!("input x: {shape:?}; ");
    let classes = dice.between(2, 19);
    let dense = dice.roll(4) == 0;
    body += &if dense { format!("target y: [{classes}]; ") } else { format!("target y: class<{classes}>; ") };
    if dice.roll(6) == 0 {
        body += dice.of(&["Standardize; ", "Standardize<per = pixel>; "]);
    }
    let lines = dice.between(1, 7);
    for _ in 0..lines {
        body += &line(&mut dice, &mut shape, 0);
    }
    if shape.len() > 1 {
        body += if dice.roll(3) == 0 { "GlobalAvgPool; " } else { "Flatten; " };
        if dice.roll(4) == 0 {
            body += "Dropout<0.3>; ";
        }
    }
    body += &format!("head: Linear<{classes}>; ");
    body += match (dense, dice.roll(8)) {
        (true, 0) => "loss: HalfSquare(_, y);",
        (true, 1) => "loss: L1(_, y);",
        (true, 2) => "loss: Huber<delta = 0.7>(_, y);",
        (true, 3) => "loss: Perceptron(_, y);",
        (true, 4) => "loss: BceWithLogits<pos_weight = 2>(_, y);",
        (true, 5) => "Sigmoid; loss: Bce(_, y);",
        (true, _) => "Sigmoid; loss: Mse(_, y);",
        (false, 0) => "LogSoftmax; loss: Nll(_, y);",
        (false, 1) => "loss: CrossEntropy(head, y) + 0.25 * Mse(head, one_hot(y)); output head;",
        (false, _) => "loss: CrossEntropy<label_smoothing = 0.1>(_, y);",
    };
    format!("pub Random {{ {body} }}")
}

/// A line that fits the shape, and moves it on.
fn line(dice: &mut Dice, shape: &mut Vec<usize>, depth: usize) -> String {
    match (dice.roll(17), shape.len()) {
        (0, _) if depth < 2 => {
            // A residual whose body keeps the shape, or a shortcut that follows.
            let mut inner = shape.clone();
            let body: String = (0..dice.between(1, 3)).map(|_| line(dice, &mut inner, depth + 1)).collect();
            if inner == *shape {
                return format!("r{}: Residual {{ {body} }} ", dice.label());
            }
            let label = dice.label();
            let text = match (&inner[..], &shape[..]) {
                ([n], [_]) => format!("r{label}: Residual {{ {body} }} shortcut {{ Linear<{n}>; }} "),
                ([c, h, w], [_, _, _]) => format!(
                    "r{label}: Residual {{ {body} }} shortcut if reshaped {{ AdaptiveAvgPool2d<[{h}, {w}]>; Conv2d<{c}, 1>; }} "
                ),
                _ => return element_wise(dice),
            };
            *shape = inner;
            text
        }
        (1, 3) if depth < 2 => {
            let (a, b) = (dice.between(1, 9), dice.between(1, 9));
            let kernel = dice.of(&[1, 3]);
            let padding = kernel / 2;
            shape[0] += a + b;
            let label = dice.label();
            format!(
                "c{label}: Concat {{ Conv2d<{a}, 1>; p: {{ Conv2d<{b}, {kernel}, padding = {padding}>; Tanh; }} q: Relu; }} "
            )
        }
        (2, _) => format!("repeat {} {{ {} }} ", dice.between(1, 2), element_wise(dice)),
        (3 | 12, _) => normalising(dice, shape),
        (13, _) => moving(dice, shape),
        (14, _) => reducing(dice, shape),
        (15, _) => {
            let (name, join) = (dice.label(), dice.of(&["Add", "Mul"]));
            format!("Tanh as v{name}; {}{join}(_, v{name}); ", element_wise(dice))
        }
        (16, 3) => dice.of(&["Dropout2d<0.3>; ", "GaussianNoise<0.1>; "]).into(),
        (16, _) => "GaussianNoise<0.1>; ".into(),
        (7, 2) => {
            shape[1] = dice.between(1, 19);
            format!("Linear<{}>; ", shape[1])
        }
        (4, _) => element_wise(dice),
        (_, 1) => {
            shape[0] = dice.between(1, 35);
            format!("Linear<{}, bias = {}>; ", shape[0], dice.roll(3) > 0)
        }
        (5, 3) => {
            let (h, w) = (dice.between(1, shape[1]), dice.between(1, shape[2]));
            (shape[1], shape[2]) = (h, w);
            format!("AdaptiveAvgPool2d<[{h}, {w}]>; ")
        }
        (6 | 7, 3) => pool(dice, shape),
        (_, 3) => conv(dice, shape),
        _ => element_wise(dice),
    }
}

fn element_wise(dice: &mut Dice) -> String {
    const ALL: [&str; 15] = [
        "Relu; ",
        "Relu; ",
        "Tanh; ",
        "Sigmoid; ",
        "LeakyRelu<0.2>; ",
        "Dropout<0.2>; ",
        "Elu<0.6>; ",
        "Gelu; ",
        "Gelu<approximate = tanh>; ",
        "Silu; ",
        "Softplus<beta = 2>; ",
        "Softmax; ",
        "LogSoftmax; ",
        "Relu; ",
        // What stands before it learns nothing.
        "Step; ",
    ];
    dice.of(&ALL).into()
}

fn normalising(dice: &mut Dice, shape: &[usize]) -> String {
    let channels = shape[0];
    let groups = (1..=channels).filter(|g| channels.is_multiple_of(*g)).nth(dice.roll(3)).unwrap_or(1);
    match dice.roll(8) {
        0 => "LayerNorm; ".into(),
        1 => format!("LayerNorm<{}, bias = false>; ", shape[shape.len() - 1]),
        2 => format!("GroupNorm<{groups}>; "),
        3 => "BatchNorm<affine = false>; ".into(),
        4 => "BatchNorm<track_running_stats = false>; ".into(),
        5 => "BatchNorm<momentum = none, eps = 0.01>; ".into(),
        _ => "BatchNorm; ".into(),
    }
}

/// Axes in another order, a part of one, more zeros, or an image as a sequence.
fn moving(dice: &mut Dice, shape: &mut Vec<usize>) -> String {
    match (dice.roll(4), shape.len()) {
        (0, rank @ 2..) => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.rotate_left(dice.between(1, rank - 1));
            *shape = order.iter().map(|axis| shape[*axis]).collect();
            format!("Permute<{order:?}>; ")
        }
        (1, 3) => {
            let [left, right, top, bottom] = std::array::from_fn(|_| dice.roll(3));
            (shape[1], shape[2]) = (shape[1] + top + bottom, shape[2] + left + right);
            format!("ZeroPad2d<[{left}, {right}, {top}, {bottom}]>; ")
        }
        (1, 2) => {
            shape[1] += 2;
            "ZeroPad1d<1>; ".into()
        }
        (2, 3) => {
            *shape = vec![shape[0], shape[1] * shape[2]];
            format!("Reshape<{shape:?}>; ")
        }
        (_, rank) => {
            let axis = dice.roll(rank);
            let start = dice.roll(shape[axis]);
            let end = dice.between(start + 1, shape[axis]);
            shape[axis] = end - start;
            format!("Slice<axis = {axis}, start = {start}, end = {end}>; ")
        }
    }
}

fn reducing(dice: &mut Dice, shape: &mut Vec<usize>) -> String {
    let axis = dice.roll(shape.len());
    // Where nothing else is left, one number stays.
    let keep = shape.len() == 1 || dice.roll(2) == 0;
    if keep {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    let arguments = format!("<axis = {axis}, keepdim = {keep}>");
    match dice.of(&["Sum", "Average", "Max", "Dot"]) {
        "Dot" => {
            let name = dice.label();
            format!("Tanh as v{name}; {}Dot{arguments}(_, v{name}); ", element_wise(dice))
        }
        layer => format!("{layer}{arguments}; "),
    }
}

fn output(extent: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Option<usize> {
    (extent + 2 * padding).checked_sub(dilation * (kernel - 1) + 1).map(|room| room / stride + 1)
}

fn conv(dice: &mut Dice, shape: &mut [usize]) -> String {
    let channels = shape[0];
    let groups = if dice.roll(4) == 0 { dice.of(&[channels, 1, 2]) } else { 1 };
    let groups = if channels.is_multiple_of(groups) { groups } else { 1 };
    let out = groups * dice.between(1, 18usize.div_ceil(groups));
    let (kernel, stride) = ([dice.between(1, 4), dice.between(1, 4)], [dice.between(1, 2), dice.between(1, 3)]);
    let dilation = dice.of(&[1, 1, 2]);
    let padding = kernel.map(|k| dice.roll(3).min(dilation * (k - 1)));
    let size = |i: usize| output(shape[i + 1], kernel[i], stride[i], padding[i], dilation);
    let (Some(h), Some(w)) = (size(0), size(1)) else { return element_wise(dice) };
    (shape[0], shape[1], shape[2]) = (out, h, w);
    let bias = dice.roll(3) > 0;
    format!(
        "Conv2d<{out}, {kernel:?}, stride = {stride:?}, padding = {padding:?}, dilation = {dilation}, groups = {groups}, \
         bias = {bias}>; "
    )
}

fn pool(dice: &mut Dice, shape: &mut [usize]) -> String {
    let (kernel, stride) = ([dice.between(1, 3), dice.between(1, 3)], [dice.between(1, 3), dice.between(1, 2)]);
    let padding = [dice.roll(kernel[0] / 2 + 1), dice.roll(kernel[1] / 2 + 1)];
    let size = |i: usize| output(shape[i + 1], kernel[i], stride[i], padding[i], 1);
    let (Some(h), Some(w)) = (size(0), size(1)) else { return element_wise(dice) };
    (shape[1], shape[2]) = (h, w);
    let name = dice.of(&["MaxPool2d", "AvgPool2d"]);
    format!("{name}<{kernel:?}, stride = {stride:?}, padding = {padding:?}>; ")
}
