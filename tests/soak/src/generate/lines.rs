//! Every kind of line but those with windows (`windows`) and those that hold others (`structure`).

use super::draft::{CHANNELS, Draft};
use super::structure::{activation, keeping_line};
use super::{functions, structure, windows};

/// Writes a line, or a few that belong together; `false`, and nothing written, where none fits the current value.
pub type Kind = fn(&mut Draft) -> bool;

/// All kinds of lines, by name: the layers of the catalogue, and what the language makes of lines.
pub const KINDS: &[(&str, Kind)] = &[
    ("Linear", linear),
    ("Conv2d", windows::conv2d),
    ("Conv1d", windows::conv1d),
    ("ConvTranspose2d", windows::conv_transpose2d),
    ("MaxPool2d", windows::max_pool2d),
    ("MaxPool1d", windows::max_pool1d),
    ("AvgPool2d", windows::avg_pool2d),
    ("AvgPool1d", windows::avg_pool1d),
    ("GlobalAvgPool", windows::global_avg_pool),
    ("GlobalMaxPool", windows::global_max_pool),
    ("AdaptiveAvgPool2d", windows::adaptive_avg_pool2d),
    ("Upsample2d", windows::upsample2d),
    ("LocalResponseNorm", windows::local_response_norm),
    ("Embedding", embedding),
    ("AffineSample", affine_sample),
    ("Flatten", |d| d.line("Flatten;", vec![d.elements()])),
    ("Reshape", reshape),
    ("Permute", permute),
    ("Slice", slice),
    ("ZeroPad1d", zero_pad1d),
    ("ZeroPad2d", zero_pad2d),
    ("BatchNorm", batch_norm),
    ("LayerNorm", layer_norm),
    ("GroupNorm", group_norm),
    ("Dropout", |d| d.same("Dropout<0.3>;")),
    ("Dropout2d", |d| d.rank() == 3 && d.same("Dropout2d<0.4>;")),
    ("GaussianNoise", |d| d.same("GaussianNoise<0.2>;")),
    ("Relu", |d| d.same("Relu;")),
    ("LeakyRelu", |d| d.same("LeakyRelu<0.2>;")),
    ("Sigmoid", |d| d.same("Sigmoid;")),
    ("Tanh", |d| d.same("Tanh;")),
    ("Elu", |d| d.same("Elu<0.6>;")),
    ("Gelu", |d| {
        let line = d.dice.pick(&["Gelu;", "Gelu<approximate = tanh>;"]);
        d.same(line)
    }),
    ("Silu", |d| d.same("Silu;")),
    ("Mish", |d| d.same("Mish;")),
    ("Softplus", |d| {
        let line = d.dice.pick(&["Softplus;", "Softplus<beta = 2, threshold = 5>;"]);
        d.same(line)
    }),
    ("Step", step),
    ("Softmax", |d| d.same("Softmax;")),
    ("LogSoftmax", |d| d.same("LogSoftmax;")),
    ("Add", |d| joined(d, "Add")),
    ("Mul", |d| joined(d, "Mul")),
    ("Dot", dot),
    ("Sum", |d| reduction(d, "Sum")),
    ("Average", |d| reduction(d, "Average")),
    ("Max", |d| reduction(d, "Max")),
    ("Concat", concat),
    ("fn", function),
    ("fn of two", function_of_two),
    ("param", param),
    ("statistic", statistic),
    ("gate", gate),
    ("Residual", structure::residual),
    ("shortcut", structure::shortcut),
    ("branches", structure::branches),
    ("repeat", structure::repeat),
    ("group", structure::group),
    ("again", structure::again),
    ("block", structure::block),
    ("skip", structure::skip),
];

/// A kind by its name.
pub fn kind(name: &str) -> Kind {
    KINDS.iter().find(|(own, _)| *own == name).expect("a kind of line").1
}

/// Any line that fits.
pub fn any(d: &mut Draft) -> bool {
    // Convolutions, pools, norms, activations and what joins values are half of all lines.
    const OFTEN: [&str; 15] = [
        "Conv2d",
        "Conv2d",
        "Conv2d",
        "Conv1d",
        "Linear",
        "MaxPool2d",
        "MaxPool2d",
        "AvgPool2d",
        "BatchNorm",
        "Relu",
        "Relu",
        "param",
        "skip",
        "gate",
        "Residual",
    ];
    for _ in 0..30 {
        let kind = if d.dice.chance(50) { kind(d.dice.pick(&OFTEN)) } else { KINDS[d.dice.below(KINDS.len())].1 };
        if d.attempt(kind) {
            return true;
        }
    }
    false
}

pub fn linear(d: &mut Draft) -> bool {
    let outputs = d.dice.pick(&CHANNELS);
    let bias = if d.dice.chance(25) { ", bias = false" } else { "" };
    let shape = match d.shape[..] {
        [_] => vec![outputs],
        [l, _] => vec![l, outputs],
        _ => return false,
    };
    d.elements() * outputs <= d.budget.products && d.layer(&format!("Linear<{outputs}{bias}>"), shape)
}

/// The main line has a value already, so what is looked up joins it.
fn embedding(d: &mut Draft) -> bool {
    let [length, size] = d.shape[..] else { return false };
    let (ids, vectors) = (d.name("x"), d.name("e"));
    let count = d.dice.pick(&[2, 5, 17]);
    let padding = if d.dice.chance(30) { ", padding_idx = 1" } else { "" };
    d.header += &format!("        input {ids}: ids<[{length}], {count}>;\n");
    let before = d.named();
    d.same(&format!("Embedding<{size}{padding}>({ids}) as {vectors};"));
    d.trains = true;
    let line = d.dice.pick(&["Add", "Mul"]);
    d.same(&format!("{line}({before}, {vectors});"))
}

fn affine_sample(d: &mut Draft) -> bool {
    let [c, h, w] = d.shape[..] else { return false };
    let (rows, columns) = if d.dice.chance(60) { (h, w) } else { (d.dice.between(1, 8), d.dice.between(1, 8)) };
    let size = if (rows, columns) == (h, w) { String::new() } else { format!("<size = [{rows}, {columns}]>") };
    if c * rows * columns > d.budget.elements {
        return false;
    }
    if d.dice.chance(50) {
        let image = d.named();
        d.line("GlobalAvgPool;", vec![c]);
        d.layer("Linear<6>", vec![6]);
        return d.line(&format!("AffineSample{size}({image}, _);"), vec![c, rows, columns]);
    }
    let theta = d.param(&[2, 3]);
    d.line(&format!("AffineSample{size}(_, {theta});"), vec![c, rows, columns])
}

fn reshape(d: &mut Draft) -> bool {
    let n = d.elements();
    let divisors: Vec<usize> = (1..=n).filter(|k| n.is_multiple_of(*k)).collect();
    let a = d.dice.pick(&divisors);
    let rest: Vec<usize> = (1..=n / a).filter(|k| (n / a).is_multiple_of(*k)).collect();
    let b = d.dice.pick(&rest);
    let shape = match d.dice.below(4) {
        0 => vec![a, n / a],
        1 => vec![n],
        _ => vec![a, b, n / a / b],
    };
    d.line(&format!("Reshape<{shape:?}>;"), shape)
}

fn permute(d: &mut Draft) -> bool {
    let mut order: Vec<usize> = (0..d.rank()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, d.dice.below(i + 1));
    }
    let shape = order.iter().map(|axis| d.shape[*axis]).collect();
    d.rank() > 1 && d.line(&format!("Permute<{order:?}>;"), shape)
}

fn slice(d: &mut Draft) -> bool {
    let axis = d.dice.below(d.rank());
    let extent = d.shape[axis];
    // From the start of a block of channels, too.
    let start = if extent > 16 && d.dice.chance(50) { 16 } else { d.dice.below(extent) };
    let end = d.dice.between(start + 1, extent);
    let mut shape = d.shape.clone();
    shape[axis] = end - start;
    d.line(&format!("Slice<axis = {axis}, start = {start}, end = {end}>;"), shape)
}

fn zero_pad1d(d: &mut Draft) -> bool {
    let [c, l] = d.shape[..] else { return false };
    let (left, right) = (d.dice.below(3), d.dice.below(3));
    d.line(&format!("ZeroPad1d<[{left}, {right}]>;"), vec![c, l + left + right])
}

fn zero_pad2d(d: &mut Draft) -> bool {
    let [c, h, w] = d.shape[..] else { return false };
    let [left, right, top, bottom] = std::array::from_fn(|_| d.dice.below(3));
    d.line(&format!("ZeroPad2d<[{left}, {right}, {top}, {bottom}]>;"), vec![c, h + top + bottom, w + left + right])
}

pub fn batch_norm(d: &mut Draft) -> bool {
    let call = d.dice.pick(&[
        "BatchNorm",
        "BatchNorm",
        "BatchNorm",
        "BatchNorm<affine = false>",
        "BatchNorm<track_running_stats = false>",
        "BatchNorm<momentum = none, eps = 0.01>",
    ]);
    let shape = d.shape.clone();
    if call.contains("affine = false") { d.same(&format!("{call};")) } else { d.layer(call, shape) }
}

fn layer_norm(d: &mut Draft) -> bool {
    let shape = d.shape.clone();
    match d.dice.below(5) {
        0 => d.layer(&format!("LayerNorm<{}>", shape[shape.len() - 1]), shape),
        1 if shape.len() > 1 => d.layer(&format!("LayerNorm<{:?}, bias = false>", &shape[1..]), shape.clone()),
        2 => d.same("LayerNorm<elementwise_affine = false>;"),
        _ => d.layer("LayerNorm", shape),
    }
}

fn group_norm(d: &mut Draft) -> bool {
    let shape = d.shape.clone();
    let divisors: Vec<usize> = (1..=shape[0]).filter(|g| shape[0].is_multiple_of(*g)).collect();
    let groups = d.dice.pick(&divisors);
    if d.dice.chance(20) {
        return d.same(&format!("GroupNorm<{groups}, affine = false>;"));
    }
    d.layer(&format!("GroupNorm<{groups}>"), shape)
}

fn step(d: &mut Draft) -> bool {
    d.trains = false;
    d.same("Step;")
}

/// What joins the current value: an earlier one, another input, or a parameter of a shape that broadcasts.
fn other(d: &mut Draft) -> String {
    let shape = d.shape.clone();
    match d.dice.below(4) {
        0 | 1 => match d.earlier_to_broadcast(&shape) {
            Some(name) => name,
            None => {
                let dims = d.broadcastable();
                d.param(&dims)
            }
        },
        2 => {
            let dims = d.broadcastable();
            d.input(&dims)
        }
        _ => {
            let dims = d.broadcastable();
            d.param(&dims)
        }
    }
}

fn joined(d: &mut Draft, layer: &str) -> bool {
    let other = other(d);
    let operands = if d.dice.chance(80) { format!("_, {other}") } else { format!("{other}, _") };
    d.same(&format!("{layer}({operands});"))
}

fn param(d: &mut Draft) -> bool {
    let dims = d.broadcastable();
    let name = d.param(&dims);
    let layer = d.dice.pick(&["Add", "Add", "Mul"]);
    d.same(&format!("{layer}(_, {name});"))
}

fn axes(d: &mut Draft) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..d.rank()).filter(|_| d.dice.chance(50)).collect();
    if axes.is_empty() {
        axes.push(d.dice.below(d.rank()));
    }
    axes
}

fn without(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let stays = |i: &usize| keep || !axes.contains(i);
    let mut left: Vec<usize> =
        (0..shape.len()).filter(stays).map(|i| if axes.contains(&i) { 1 } else { shape[i] }).collect();
    if left.is_empty() {
        left.push(1);
    }
    left
}

fn axes_text(axes: &[usize]) -> String {
    if let [axis] = axes { axis.to_string() } else { format!("{axes:?}") }
}

fn reduction(d: &mut Draft, layer: &str) -> bool {
    let (axes, keep) = (axes(d), d.dice.chance(60));
    let shape = without(&d.shape, &axes, keep);
    d.line(&format!("{layer}<axis = {}, keepdim = {keep}>;", axes_text(&axes)), shape)
}

fn dot(d: &mut Draft) -> bool {
    let (axes, keep) = (axes(d), d.dice.chance(60));
    let own = d.shape.clone();
    let name = match d.earlier(&own) {
        Some(name) => name,
        None => d.param(&own),
    };
    let shape = without(&own, &axes, keep);
    d.line(&format!("Dot<axis = {}, keepdim = {keep}>(_, {name});", axes_text(&axes)), shape)
}

fn concat(d: &mut Draft) -> bool {
    let shape = d.shape.clone();
    let name = match d.earlier(&shape) {
        Some(name) if d.dice.chance(60) => name,
        _ => {
            let mut dims = shape.clone();
            dims[0] = d.dice.pick(&[1, 3, 16, shape[0]]);
            let name = d.input(&dims);
            let joined = [&[shape[0] + dims[0]], &shape[1..]].concat();
            return d.line(&format!("Concat(_, {name});"), joined);
        }
    };
    d.line(&format!("Concat({name}, _);"), [&[2 * shape[0]], &shape[1..]].concat())
}

fn function(d: &mut Draft) -> bool {
    let (text, call) = d.dice.pick(&functions::ONE);
    d.items.insert(text);
    d.same(&format!("{call};"))
}

fn function_of_two(d: &mut Draft) -> bool {
    let (text, call) = d.dice.pick(&functions::TWO);
    d.items.insert(text);
    let other = other(d);
    let operands = if d.dice.chance(60) { format!("_, {other}") } else { format!("{other}, _") };
    d.same(&format!("{call}({operands});"))
}

/// A statistic along some axes, read back by the values it is of: a norm written by hand, or a part of one.
fn statistic(d: &mut Draft) -> bool {
    let axes = axes_text(&axes(d));
    let shape = d.shape.clone();
    let x = d.named();
    let (mean, deviation) = (d.name("m"), d.name("d"));
    let what = d.dice.pick(&["Average", "Average", "Average", "Max", "Sum"]);
    d.same(&format!("{what}<axis = {axes}, keepdim = true> as {mean};"));
    if what != "Average" || d.dice.chance(35) {
        d.items.insert(functions::TWO[1].0);
        return d.line(&format!("blend({x}, {mean});"), shape);
    }
    d.items.extend([functions::SQUARE, functions::OVER]);
    d.same(&format!("square({x}, {mean});"));
    d.same(&format!("Average<axis = {axes}, keepdim = true> as {deviation};"));
    if d.dice.chance(50) {
        return d.line(&format!("over({x}, {deviation});"), shape);
    }
    d.line(&format!("over({x}, {deviation}) as n{deviation};"), shape.clone());
    d.line(&format!("square(n{deviation}, {mean});"), shape)
}

/// A value for each channel, position or sample that lines of its own have made, joined to values that came another way: what
/// squeezes and excites.
fn gate(d: &mut Draft) -> bool {
    let shape = d.shape.clone();
    let before = d.named();
    if d.dice.chance(30) {
        let dims = d.broadcastable();
        let name = d.input(&dims);
        d.line(&format!("from {name};"), dims);
    } else {
        let axes = axes(d);
        let what = d.dice.pick(&["Average", "Average", "Max", "Sum"]);
        let dims = without(&shape, &axes, true);
        d.line(&format!("{what}<axis = {}, keepdim = true>;", axes_text(&axes)), dims);
    }
    for _ in 0..d.dice.between(0, 3) {
        let done = match d.dice.below(3) {
            0 => function(d),
            1 => activation(d),
            _ => {
                keeping_line(d);
                true
            }
        };
        if !done {
            return false;
        }
    }
    let gate = d.named();
    d.line(&format!("from {before};"), shape.clone());
    for _ in 0..d.dice.between(0, 2) {
        keeping_line(d);
    }
    let join = d.dice.pick(&["Mul", "Mul", "Add"]);
    d.line(&format!("{join}(_, {gate});"), shape)
}
