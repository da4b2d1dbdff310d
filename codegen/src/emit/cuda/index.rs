//! Indices as C++ expressions: row-major numbers, offsets, and where taps of windows and convolutions meet.

use crate::graph::op::{ConvGeometry, WindowAxis};
use crate::schedule::Layout;

/// One axis of a window or convolution.
pub struct Axis {
    input: usize,
    output: usize,
    stride: usize,
    dilation: usize,
    padding: usize,
}

impl From<WindowAxis> for Axis {
    fn from(a: WindowAxis) -> Self {
        let WindowAxis { input, output, stride, dilation, padding, .. } = a;
        Axis { input, output, stride, dilation, padding }
    }
}

fn axes(g: &ConvGeometry) -> [Axis; 2] {
    [0, 1].map(|i| Axis {
        input: g.input[i],
        output: g.output[i],
        stride: g.stride[i],
        dilation: g.dilation[i],
        padding: g.padding[i],
    })
}

fn times(i: &str, factor: usize) -> String {
    if factor == 1 { i.to_string() } else { format!("{i} * {factor}u") }
}

fn plus(sign: &str, number: usize) -> String {
    if number == 0 { String::new() } else { format!("{sign}{number}u") }
}

/// The input index that tap `tap` of output `i` meets, and when it is inside.
pub fn to_input(a: &Axis, i: &str, tap: &str) -> (String, Vec<String>) {
    // Before the first element the unsigned difference wraps around and is beyond the last one too.
    let index = format!("({} + {}{})", times(i, a.stride), times(tap, a.dilation), plus(" - ", a.padding));
    let guard = format!("{index} < {}u", a.input);
    (index, vec![guard])
}

/// The output index whose tap `tap` meets input `i`, and when there is one.
pub fn from_output(a: &Axis, i: &str, tap: &str) -> (String, Vec<String>) {
    let (from, step) = (format!("{i}{}", plus(" + ", a.padding)), times(tap, a.dilation));
    let reach = format!("({from} - {step})");
    let index = if a.stride == 1 { reach.clone() } else { format!("({reach} / {}u)", a.stride) };
    let mut guards = vec![format!("{from} >= {step}")];
    if a.stride > 1 {
        guards.push(format!("{reach} % {}u == 0u", a.stride));
    }
    guards.push(format!("{index} < {}u", a.output));
    (index, guards)
}

pub fn input_position(g: &ConvGeometry, at: [&str; 2], taps: [&str; 2]) -> (String, String, Vec<String>) {
    let [ay, ax] = axes(g);
    let (y, mut guards) = to_input(&ay, at[0], taps[0]);
    let (x, mut more) = to_input(&ax, at[1], taps[1]);
    guards.append(&mut more);
    (y, x, guards)
}

pub fn output_position(g: &ConvGeometry, at: [&str; 2], taps: [&str; 2]) -> (String, String, Vec<String>) {
    let [ay, ax] = axes(g);
    let (y, mut guards) = from_output(&ay, at[0], taps[0]);
    let (x, mut more) = from_output(&ax, at[1], taps[1]);
    guards.append(&mut more);
    (y, x, guards)
}

/// The row-major number of an index.
pub fn linear(dims: &[usize], at: &[String]) -> String {
    let mut text = String::from("0u");
    for (extent, i) in dims.iter().zip(at).filter(|(extent, _)| **extent != 1) {
        text = if text == "0u" { i.clone() } else { format!("({text} * {extent}u + {i})") };
    }
    text
}

/// The index of a row-major number.
pub fn unflatten(number: &str, dims: &[usize]) -> Vec<String> {
    let total: usize = dims.iter().product();
    let mut stride = total;
    dims.iter()
        .map(|extent| {
            let whole = stride == total;
            stride /= (*extent).max(1);
            match (*extent, stride, whole) {
                (1, _, _) => "0u".into(),
                (_, 1, true) => number.to_string(),
                (_, 1, false) => format!("({number} % {extent}u)"),
                (_, _, true) => format!("({number} / {stride}u)"),
                _ => format!("({number} / {stride}u % {extent}u)"),
            }
        })
        .collect()
}

/// The index of a broadcast operand under an element of the result.
pub fn under(dims: &[usize], at: &[String]) -> Vec<String> {
    dims.iter().zip(at).map(|(extent, i)| if *extent == 1 { "0u".into() } else { i.clone() }).collect()
}

/// Where a canonical index lies.
pub fn physical(layout: &Layout, dims: &[usize], at: &[String]) -> String {
    let extents: Vec<usize> = layout.axes.iter().map(|a| a.extent).collect();
    let at = if extents == dims { at.to_vec() } else { unflatten(&linear(dims, at), &extents) };
    let mut terms = Vec::new();
    for (axis, i) in layout.axes.iter().zip(&at) {
        match axis.outer {
            _ if axis.extent == 1 || i == "0u" => {}
            1 => terms.push(i.clone()),
            stride => terms.push(format!("{i} * {stride}u")),
        }
    }
    if terms.is_empty() { "0u".into() } else { terms.join(" + ") }
}
