//! Lines with windows: convolutions and pools of images and sequences.

use super::draft::{CHANNELS, Draft};

/// One axis of a window.
#[derive(Clone, Copy)]
struct Span {
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
}

impl Span {
    /// PyTorch's rule; `None` where the kernel is larger than what it slides over.
    fn output(self, extent: usize, ceil: bool) -> Option<usize> {
        let reach = self.dilation * (self.kernel - 1) + 1;
        let room = (extent + 2 * self.padding).checked_sub(reach)?;
        if !ceil {
            return Some(room / self.stride + 1);
        }
        let windows = room.div_ceil(self.stride) + 1;
        let begins_outside = (windows - 1) * self.stride >= extent + self.padding;
        Some(windows - usize::from(begins_outside))
    }
}

/// `5`, or `[1, 7]`.
fn pair(of: &[Span], part: impl Fn(&Span) -> usize) -> String {
    match of {
        [one] => part(one).to_string(),
        [a, b] if part(a) == part(b) => part(a).to_string(),
        both => format!("{:?}", both.iter().map(part).collect::<Vec<_>>()),
    }
}

/// Kernels 1 to 7; padding none, half, full, or anything between.
fn convolution_span(d: &mut Draft) -> Span {
    let kernel = d.dice.pick(&[1, 2, 3, 3, 3, 4, 5, 5, 6, 7]);
    let dilation = d.dice.pick(&[1, 1, 1, 1, 2, 3]);
    let reach = dilation * (kernel - 1);
    let padding = match d.dice.below(7) {
        0..=2 => 0,
        3 | 4 => reach / 2,
        5 => reach,
        _ => d.dice.between(0, reach),
    };
    Span { kernel, stride: d.dice.pick(&[1, 1, 1, 1, 2, 2, 3]), padding, dilation }
}

fn spans(d: &mut Draft, one: fn(&mut Draft) -> Span) -> Vec<Span> {
    let first = one(d);
    if d.rank() == 2 {
        return vec![first];
    }
    // Height and width apart in every fifth.
    if d.dice.chance(20) { vec![first, one(d)] } else { vec![first; 2] }
}

/// `, stride = 2` and the like where it is not the default.
fn arguments(spans: &[Span], stride: usize) -> String {
    let mut text = String::new();
    for (name, part, default) in [
        ("stride", (|s| s.stride) as fn(&Span) -> usize, stride),
        ("padding", |s| s.padding, 0),
        ("dilation", |s| s.dilation, 1),
    ] {
        if spans.iter().any(|s| part(s) != default) {
            text += &format!(", {name} = {}", pair(spans, part));
        }
    }
    text
}

fn groups(d: &mut Draft, channels: usize) -> (usize, usize) {
    let outputs = d.dice.pick(&CHANNELS);
    match d.dice.below(10) {
        0 => (channels, channels * d.dice.pick(&[1, 1, 2])),
        1 if channels.is_multiple_of(2) => (2, outputs.next_multiple_of(2)),
        _ => (1, outputs),
    }
}

fn weights(d: &mut Draft, groups: usize) -> String {
    let mut text = if groups > 1 { format!(", groups = {groups}") } else { String::new() };
    if d.dice.chance(25) {
        text += ", bias = false";
    }
    text
}

/// `Conv2d` of an image, `Conv1d` of a sequence.
fn convolution(d: &mut Draft, name: &str) -> bool {
    for _ in 0..12 {
        let spans = spans(d, convolution_span);
        let (groups, outputs) = groups(d, d.shape[0]);
        let mut shape = vec![outputs];
        for (span, extent) in spans.iter().zip(&d.shape[1..]) {
            match span.output(*extent, false) {
                Some(output) => shape.push(output),
                None => break,
            }
        }
        if shape.len() != d.rank() {
            continue;
        }
        let taps: usize = spans.iter().map(|s| s.kernel).product();
        if shape.iter().product::<usize>() * d.shape[0] / groups * taps > d.budget.products {
            continue;
        }
        let text = format!("{name}<{outputs}, {}{}", pair(&spans, |s| s.kernel), arguments(&spans, 1));
        let text = format!("{text}{}>", weights(d, groups));
        if d.layer(&text, shape) {
            return true;
        }
    }
    false
}

pub fn conv2d(d: &mut Draft) -> bool {
    d.rank() == 3 && convolution(d, "Conv2d")
}

pub fn conv1d(d: &mut Draft) -> bool {
    d.rank() == 2 && convolution(d, "Conv1d")
}

pub fn conv_transpose2d(d: &mut Draft) -> bool {
    if d.rank() != 3 {
        return false;
    }
    for _ in 0..12 {
        let spans = spans(d, convolution_span);
        let (groups, outputs) = groups(d, d.shape[0]);
        let mut shape = vec![outputs];
        let mut behind = Vec::new();
        for (s, extent) in spans.iter().zip(&d.shape[1..]) {
            behind.push(d.dice.below(s.stride.max(s.dilation)) * usize::from(d.dice.chance(30)));
            let whole = (extent - 1) * s.stride + s.dilation * (s.kernel - 1) + 1 + behind[behind.len() - 1];
            shape.push(whole.saturating_sub(2 * s.padding));
        }
        let taps: usize = spans.iter().map(|s| s.kernel).product();
        if shape.contains(&0) || d.elements() * outputs / groups * taps > d.budget.products {
            continue;
        }
        let mut text = format!("ConvTranspose2d<{outputs}, {}{}", pair(&spans, |s| s.kernel), arguments(&spans, 1));
        if behind.iter().any(|b| *b > 0) {
            text += &format!(", output_padding = {behind:?}");
        }
        let text = format!("{text}{}>", weights(d, groups));
        if d.layer(&text, shape) {
            return true;
        }
    }
    false
}

fn pool_span(d: &mut Draft) -> Span {
    let kernel = d.dice.pick(&[1, 2, 2, 2, 3, 3, 4, 5]);
    let stride = d.dice.pick(&[1, 2, kernel, kernel]);
    let padding = if d.dice.chance(35) { d.dice.between(0, kernel / 2) } else { 0 };
    Span { kernel, stride, padding, dilation: 1 }
}

fn dilated_pool_span(d: &mut Draft) -> Span {
    let span = pool_span(d);
    let dilation = d.dice.pick(&[1, 1, 1, 1, 2]);
    Span { dilation, padding: span.padding.min(span.kernel / 2), ..span }
}

fn pool(d: &mut Draft, name: &str) -> bool {
    let largest = name.starts_with("Max");
    for _ in 0..12 {
        let spans = spans(d, if largest { dilated_pool_span } else { pool_span });
        let ceil = d.dice.chance(25);
        let mut shape = vec![d.shape[0]];
        for (span, extent) in spans.iter().zip(&d.shape[1..]) {
            shape.extend(span.output(*extent, ceil));
        }
        if shape.len() != d.rank() || shape.contains(&0) {
            continue;
        }
        // The default of a pool's stride is its kernel; what is written is always right.
        let usual = spans.iter().all(|s| s.stride == s.kernel);
        let mut text = format!("{name}<{}", pair(&spans, |s| s.kernel));
        let as_usual: Vec<Span> =
            spans.iter().map(|s| Span { stride: if usual { 1 } else { s.stride }, ..*s }).collect();
        text += &arguments(&as_usual, if usual { 1 } else { 0 });
        if ceil {
            text += ", ceil_mode = true";
        }
        if !largest && d.dice.chance(30) {
            text += ", count_include_pad = false";
        } else if name == "AvgPool2d" && d.dice.chance(10) {
            text += ", divisor_override = 3";
        }
        if d.line(&format!("{text}>;"), shape) {
            return true;
        }
    }
    false
}

pub fn max_pool2d(d: &mut Draft) -> bool {
    d.rank() == 3 && pool(d, "MaxPool2d")
}

pub fn max_pool1d(d: &mut Draft) -> bool {
    d.rank() == 2 && pool(d, "MaxPool1d")
}

pub fn avg_pool2d(d: &mut Draft) -> bool {
    d.rank() == 3 && pool(d, "AvgPool2d")
}

pub fn avg_pool1d(d: &mut Draft) -> bool {
    d.rank() == 2 && pool(d, "AvgPool1d")
}

pub fn global_avg_pool(d: &mut Draft) -> bool {
    d.rank() > 1 && d.line("GlobalAvgPool;", vec![d.shape[0]])
}

pub fn global_max_pool(d: &mut Draft) -> bool {
    d.rank() > 1 && d.line("GlobalMaxPool;", vec![d.shape[0]])
}

pub fn adaptive_avg_pool2d(d: &mut Draft) -> bool {
    if d.rank() != 3 {
        return false;
    }
    let (h, w) = (d.dice.between(1, d.shape[1] + 1), d.dice.between(1, d.shape[2] + 1));
    d.line(&format!("AdaptiveAvgPool2d<[{h}, {w}]>;"), vec![d.shape[0], h, w])
}

pub fn upsample2d(d: &mut Draft) -> bool {
    if d.rank() != 3 {
        return false;
    }
    let mode = d.dice.pick(&["", ", mode = bilinear", ", mode = bilinear, align_corners = true"]);
    if d.dice.chance(50) {
        let factor = d.dice.pick(&[1, 2, 2, 3]);
        let shape = vec![d.shape[0], d.shape[1] * factor, d.shape[2] * factor];
        return d.line(&format!("Upsample2d<scale_factor = {factor}{mode}>;"), shape);
    }
    let (h, w) = (d.dice.between(1, d.shape[1] + 4), d.dice.between(1, d.shape[2] + 4));
    d.line(&format!("Upsample2d<size = [{h}, {w}]{mode}>;"), vec![d.shape[0], h, w])
}

pub fn local_response_norm(d: &mut Draft) -> bool {
    let size = d.dice.pick(&[1, 2, 3, 5]);
    let more = d.dice.pick(&["", ", alpha = 0.5, beta = 0.75, k = 2", ", alpha = 1"]);
    d.rank() > 1 && d.same(&format!("LocalResponseNorm<{size}{more}>;"))
}
