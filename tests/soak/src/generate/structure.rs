//! Lines that hold other lines: residuals, branches, groups, repeats, blocks, and what is applied or read again.

use super::draft::Draft;
use super::lines::{batch_norm, linear};
use super::{functions, windows};

/// A few lines whose result has the extents that it began with.
fn keeping(d: &mut Draft) -> bool {
    let shape = d.shape.clone();
    for _ in 0..d.dice.between(1, 2) {
        keeping_line(d);
    }
    d.shape == shape
}

/// A line that keeps all extents: a padded convolution, a square dense layer, a norm, an activation.
pub fn keeping_line(d: &mut Draft) {
    let shape = d.shape.clone();
    let channels = shape[0];
    let kernel = d.dice.pick(&[1, 3, 3, 5, 7]);
    let weights = d.elements() * channels;
    let bias = d.dice.pick(&["", "", ", bias = false"]);
    let padding = if kernel > 1 { format!(", padding = {}", kernel / 2) } else { String::new() };
    let done = match (d.dice.below(4), shape.len()) {
        (0 | 1, 3) if weights * kernel * kernel <= d.budget.products => {
            d.layer(&format!("Conv2d<{channels}, {kernel}{padding}{bias}>"), shape)
        }
        (0 | 1, 2) if weights * kernel <= d.budget.products => {
            d.layer(&format!("Conv1d<{channels}, {kernel}{padding}{bias}>"), shape)
        }
        (0 | 1, 1) if weights <= d.budget.products => d.layer(&format!("Linear<{channels}{bias}>"), shape),
        (2, _) => batch_norm(d),
        _ => false,
    };
    if !done {
        activation(d);
    }
}

pub fn activation(d: &mut Draft) -> bool {
    let line = d.dice.pick(&[
        "Relu;",
        "Relu;",
        "Tanh;",
        "Sigmoid;",
        "LeakyRelu<0.2>;",
        "Elu<0.6>;",
        "Gelu;",
        "Silu;",
        "Softplus;",
    ]);
    d.same(line)
}

pub fn residual(d: &mut Draft) -> bool {
    let name = d.name("r");
    d.depth < 2 && d.braces(&format!("{name}: Residual"), keeping)
}

/// A residual whose body changes the extents, and a shortcut that follows.
pub fn shortcut(d: &mut Draft) -> bool {
    if d.depth > 1 || d.rank() == 2 {
        return false;
    }
    let from = d.shape.clone();
    let name = d.name("r");
    let done = d.braces(&format!("{name}: Residual"), |d| {
        let first = if d.rank() == 3 { windows::conv2d(d) } else { linear(d) };
        if first && d.dice.chance(60) {
            keeping_line(d);
        }
        first
    });
    if !done {
        return false;
    }
    // The closing brace is written; the shortcut stands behind it.
    let to = d.shape.clone();
    let condition = if from != to && d.dice.chance(40) { "down if reshaped " } else { "" };
    let inner = match to[..] {
        [n] => format!("Linear<{n}>;"),
        _ => format!("AdaptiveAvgPool2d<[{}, {}]>; Conv2d<{}, 1>;", to[1], to[2], to[0]),
    };
    d.body.truncate(d.body.trim_end().len());
    d.body += &format!(" shortcut {condition}{{ {inner} }}\n");
    d.trains = true;
    true
}

pub fn branches(d: &mut Draft) -> bool {
    if d.depth > 1 {
        return false;
    }
    let from = d.shape.clone();
    let mut channels = 0;
    let name = d.name("c");
    d.braces(&format!("{name}: Concat"), |d| {
        let mut trains = false;
        for branch in ["a", "b", "c"].iter().take(d.dice.between(2, 3)) {
            d.shape.clone_from(&from);
            let width = d.dice.pick(&[1, 3, 4, 8, 16, 16, 17]);
            let text = match from[..] {
                _ if channels > 0 && d.dice.chance(25) => format!("{branch}: Relu;"),
                [c, h, w] if c * h * w * width * 9 <= d.budget.products => {
                    let line = d.dice.pick(&[
                        "Conv2d<W, 1>; Relu;",
                        "Conv2d<W, 3, padding = 1>;",
                        "MaxPool2d<3, stride = 1, padding = 1>; Conv2d<W, 1>;",
                    ]);
                    trains = true;
                    d.shape[0] = width;
                    format!("{branch}: {{ {} }}", line.replace('W', &width.to_string()))
                }
                [_, _] => {
                    trains = true;
                    d.shape[0] = width;
                    format!("{branch}: {{ Conv1d<{width}, 3, padding = 1>; Tanh; }}")
                }
                [_] => {
                    trains = true;
                    d.shape[0] = width;
                    format!("{branch}: Linear<{width}>;")
                }
                _ => format!("{branch}: Tanh;"),
            };
            channels += d.shape[0];
            d.same(&text);
        }
        d.trains |= trains;
        d.shape = [&[channels], &from[1..]].concat();
        d.elements() <= d.budget.elements
    })
}

pub fn repeat(d: &mut Draft) -> bool {
    let count = d.dice.between(1, 3);
    // Labels of a repeated line would be labels of several.
    d.depth < 2
        && d.braces(&format!("repeat {count}"), |d| {
            let channels = d.shape[0];
            let shape = d.shape.clone();
            match shape.len() {
                3 if d.elements() * channels * 9 <= d.budget.products => {
                    d.trains = true;
                    d.same(&format!("Conv2d<{channels}, 3, padding = 1>;"));
                }
                1 if channels * channels <= d.budget.products => {
                    d.trains = true;
                    d.same(&format!("Linear<{channels}>;"));
                }
                _ => {}
            }
            activation(d)
        })
}

pub fn group(d: &mut Draft) -> bool {
    let name = d.name("g");
    let from = d.shape.clone();
    let (trains, start) = (d.trains, d.body.len());
    let done = d.depth < 2 && d.braces(&format!("{name}:"), keeping);
    // Attributes ask for parameters.
    if done && ["Conv1d<", "Conv2d<", "Linear<"].iter().any(|layer| d.body[start..].contains(layer)) {
        let attribute = match d.dice.below(10) {
            0 => "#[frozen] ".to_owned(),
            1 => "#[no_decay] ".to_owned(),
            2 => "#[init(weight = Normal<0, 0.1>)] ".to_owned(),
            3 => format!("#[name = \"parts.{name}\"] "),
            _ => String::new(),
        };
        let own = d.body.split_off(start);
        d.body += &own.replacen(&format!("{name}:"), &format!("{attribute}{name}:"), 1);
        if attribute.starts_with("#[frozen]") {
            d.trains = trains;
        }
    }
    if done {
        d.remember(name, from);
    }
    done
}

/// A labelled line once more, with the same parameters; a new one where there is none.
pub fn again(d: &mut Draft) -> bool {
    if let Some((label, to)) = d.again() {
        return d.line(&format!("{label}(_);"), to);
    }
    group(d) && d.again().is_some_and(|(label, to)| d.line(&format!("{label}(_);"), to))
}

pub fn block(d: &mut Draft) -> bool {
    let [c, h, w] = d.shape[..] else { return false };
    let outputs = d.dice.pick(&[c, c, 3, 8, 16]);
    if c.max(outputs) * h * w * outputs * 9 > d.budget.products {
        return false;
    }
    let (text, call, more) = d.dice.pick(&functions::BLOCKS);
    d.items.insert(text);
    let name = d.name("b");
    let operands = if call == "Two" { format!("(_, {})", d.named()) } else { String::new() };
    d.trains = true;
    d.line(&format!("{name}: {call}<{outputs}{more}>{operands};"), vec![outputs, h, w])
}

/// The same value read twice.
pub fn skip(d: &mut Draft) -> bool {
    let shape = d.shape.clone();
    let name = d.named();
    for _ in 0..d.dice.between(1, 2) {
        keeping_line(d);
    }
    if d.dice.chance(20) {
        let joined = [&[2 * shape[0]], &shape[1..]].concat();
        return d.line(&format!("Concat(_, {name});"), joined) || d.same(&format!("Add(_, {name});"));
    }
    let join = d.dice.pick(&["Add", "Add", "Mul", "gate"]);
    if join == "gate" {
        d.items.insert(functions::TWO[0].0);
    }
    d.line(&format!("{join}(_, {name});"), shape)
}
