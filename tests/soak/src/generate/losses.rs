//! The end of a declaration: heads, outputs, loss terms.

use super::draft::{CHANNELS, Draft};

/// Writes what stands behind the main line.
pub fn losses(d: &mut Draft) {
    if d.dice.chance(8) {
        // No loss: `forward` is all there is.
        if d.dice.chance(20) {
            let name = d.named();
            d.same("Tanh as end;");
            d.same(&format!("output {name}, end;"));
        }
        return;
    }
    let direct = d.dice.chance(45);
    if !direct {
        head(d);
    } else if !d.trains {
        let dims = d.broadcastable();
        let name = d.param(&dims);
        d.same(&format!("Add(_, {name});"));
    }
    let first = d.named();
    let mut terms = vec![term(d, &first)];
    let mut outputs = vec![first.clone()];
    if d.dice.chance(30) {
        if d.dice.chance(50) {
            d.same(&format!("from {first};"));
        }
        // The second term's own head may stand behind the first one.
        head(d);
        let second = d.named();
        terms.push(format!("{} * {}", d.dice.pick(&["0.5", "0.25", "2"]), term(d, &second)));
        outputs.push(second);
    } else if d.dice.chance(10) {
        terms.push(format!("0.5 * Mean({first})"));
    }
    if d.dice.chance(30) {
        outputs.reverse();
        outputs.truncate(d.dice.between(1, 2));
    }
    // The prediction of an only term is what `forward` returns anyway.
    if terms.len() > 1 || d.dice.chance(20) {
        d.same(&format!("output {};", outputs.join(", ")));
    }
    d.same(&format!("loss: {};", terms.join(" + ")));
}

/// To a few values by a dense layer.
fn head(d: &mut Draft) {
    if d.rank() > 1 {
        let line = d.dice.pick(&["Flatten;", "Flatten;", "GlobalAvgPool;", "GlobalMaxPool;"]);
        let shape = vec![if line == "Flatten;" { d.elements() } else { d.shape[0] }];
        d.line(line, shape);
    }
    let outputs = loop {
        let outputs = d.dice.pick(&CHANNELS);
        if outputs > 1 && outputs <= 20 {
            break outputs;
        }
    };
    let bias = if d.dice.chance(25) { ", bias = false" } else { "" };
    d.line(&format!("Linear<{outputs}{bias}>;"), vec![outputs]);
    d.trains = true;
}

/// A term over the named value, which is the current one; its target stands at the top.
fn term(d: &mut Draft, value: &str) -> String {
    let target = d.name("t");
    let shape = d.shape.clone();
    if shape.len() == 1 && shape[0] > 1 && d.dice.chance(55) {
        let n = shape[0];
        d.header += &format!("        target {target}: class<{n}>;\n");
        let weight: Vec<String> = (0..n).map(|i| format!("{}", [1.0, 0.5, 2.0, 1.5][i % 4])).collect();
        let weight = weight.join(", ");
        return match d.dice.below(7) {
            0 => format!("CrossEntropy<label_smoothing = 0.1>({value}, {target})"),
            1 => format!("CrossEntropy<weight = [{weight}]>({value}, {target})"),
            2 => {
                let name = d.name("v");
                d.same(&format!("LogSoftmax as {name};"));
                format!("Nll({name}, {target})")
            }
            3 => {
                let name = d.name("v");
                d.same(&format!("LogSoftmax as {name};"));
                format!("Nll<weight = [{weight}]>({name}, {target})")
            }
            4 => format!("Mse({value}, one_hot({target}))"),
            _ => format!("CrossEntropy({value}, {target})"),
        };
    }
    if d.dice.chance(6) {
        return format!("Mean({value})");
    }
    d.header += &format!("        target {target}: {shape:?};\n");
    match d.dice.below(10) {
        0 => format!("L1({value}, {target})"),
        1 => format!("Huber<delta = 0.7>({value}, {target})"),
        2 => format!("HalfSquare({value}, {target})"),
        3 => format!("Perceptron({value}, {target})"),
        4 => format!("BceWithLogits({value}, {target})"),
        5 => format!("BceWithLogits<pos_weight = 2>({value}, {target})"),
        6 => format!("SmoothL1<beta = 0.7>({value}, {target})"),
        7 => {
            let name = d.name("v");
            d.same(&format!("Sigmoid as {name};"));
            format!("Bce({name}, {target})")
        }
        _ => format!("Mse({value}, {target})"),
    }
}
