//! The `fn`s and blocks that generated networks use.

pub const SAME: &str = "fn same(x) { x }";
pub const SQUARE: &str = "fn square(x, m) { (x - m) * (x - m) }";
pub const OVER: &str = "fn over(x, v) { x / sqrt(v + 0.00001) }";

/// Of one operand: text, and how it is used.
pub const ONE: [(&str, &str); 12] = [
    ("fn swish(x) { x * sigmoid(x) }", "swish"),
    ("fn bend<A>(x) { if x > 0 { x } else { A * (exp(x) - 1) } }", "bend<0.3>"),
    ("fn soft(x) { ln(1 + exp(min(x, 10))) }", "soft"),
    ("fn wave(x) { sin(x) + 0.5 * cos(2 * x) }", "wave"),
    ("fn root(x) { sqrt(abs(x) + 0.1) }", "root"),
    ("fn power<P>(x) { pow(abs(x) + 0.5, P) }", "power<1.5>"),
    ("fn bell(x) { erf(x) }", "bell"),
    ("fn clipped(x) { max(min(x, 0.7), 0 - 0.6) }", "clipped"),
    ("fn affine(x) { 0.5 * x + 0.25 }", "affine"),
    ("fn constant_slope(x) { let y = x * 3; y - 2 * x }", "constant_slope"),
    ("fn step_up(x) { if x >= 0.2 { 1 + x } else { x / 2 } }", "step_up"),
    ("fn turned(x) { 0 - x }", "turned"),
];

/// Of two.
pub const TWO: [(&str, &str); 5] = [
    ("fn gate(a, b) { tanh(a) * sigmoid(b) }", "gate"),
    ("fn blend(a, b) { 0.3 * a + 0.7 * b }", "blend"),
    ("fn larger(a, b) { max(a, b) }", "larger"),
    ("fn ratio(a, b) { a / (1 + b * b) }", "ratio"),
    ("fn apart(a, b) { (a - b) * (a - b) }", "apart"),
];

/// Constants choose what stands in it.
const CHOICE: &str = "block Choice<C, N = 1, BN = true> { conv: Conv2d<C, 3, padding = 1>; if BN { norm: BatchNorm; } else { Tanh; } repeat N { if N > 1 { Silu; } else { Relu; } } }";

/// Blocks that keep the extents of an image: text, name, and what stands behind the number of channels.
pub const BLOCKS: [(&str, &str, &str); 5] = [
    (
        "block Wide<C> { Residual { conv1: Conv2d<C, 3, padding = 1, bias = false>; bn1: BatchNorm; Relu; conv2: Conv2d<C, 3, padding = 1>; } shortcut down if reshaped { Conv2d<C, 1>; } Relu; }",
        "Wide",
        "",
    ),
    ("block Two<C>(a, b) { Add(a, b); conv: Conv2d<C, 1>; Tanh; }", "Two", ""),
    (CHOICE, "Choice", ""),
    (CHOICE, "Choice", ", BN = false"),
    (CHOICE, "Choice", ", N = 2"),
];
