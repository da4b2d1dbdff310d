//! Phases that call `kiln_gemm`: dense layers and convolutions in their three roles, with what is fused into them as sink.

use super::element::{Domain, Site};
use super::loops::{add_to_sum, names, place, row_text, start_sum, stores_and};
use super::moments::tile_members;
use super::writer::{Access, Arg, Phase, Work, Writer};
use crate::declaration::Precision;
use crate::graph::Value;
use crate::graph::op::{ConvGeometry, ConvRole, Op};
use crate::schedule::form::{Dense, Form, Iter};
use crate::schedule::moments;
use crate::schedule::tile::{self, Tile};

/// An operand of the product: its type, the expression that makes it, and whether it is contiguous along the depth.
struct Operand {
    ty: String,
    pointer: String,
    along: bool,
}

/// A product D(row, col) = Σ A(row, k) · B(col, k).
struct Product {
    a: Operand,
    b: Operand,
    /// In C++, and as work without columns.
    rows: (String, Work),
    cols: usize,
    /// In C++, and as a number if it is one.
    depth: (String, Option<usize>),
    splits: usize,
}

/// A depth that does not depend on the batch.
fn fixed(depth: usize) -> (String, Option<usize>) {
    (format!("{depth}u"), Some(depth))
}

/// 4 where whole groups of four lie on 16-byte boundaries.
fn vector(extents: &[usize]) -> usize {
    if extents.iter().all(|e| e.is_multiple_of(4)) { 4 } else { 1 }
}

fn matrix(pointer: String, row_stride: usize, k_stride: usize, vector: usize) -> Operand {
    Operand { ty: format!("KilnMatrix<{row_stride}, {k_stride}, {vector}>"), pointer, along: k_stride == 1 }
}

/// The contraction of this kernel; what is recomputed may stand before it.
fn anchor(w: &Writer) -> Value {
    let own = |v: &&Value| matches!(w.s.graph().node(**v).op, Op::Contract { .. } | Op::Conv { .. });
    *w.kernel.nodes.iter().find(own).expect("a contraction kernel has its contraction")
}

fn read(w: &Writer, value: Value) -> String {
    w.pointer(Arg::Value(w.s.base(value)), Access::Read)
}

pub fn contraction(w: &Writer, phase: usize) -> Phase {
    let value = anchor(w);
    let whole = !w.kernel.reduces(w.s).is_empty();
    let tile = tile::of(&w.kernel.form, whole).expect("a contraction has a tile");
    if phase == 1 {
        return add_splits(w, value);
    }
    match &w.kernel.form {
        Form::Dense(d) => dense(w, *d, value, tile, whole),
        Form::Conv { role: ConvRole::Forward, geometry, .. } => conv_forward(w, geometry, value, tile),
        Form::Conv { geometry, .. } => conv_input(w, geometry, value, tile),
        Form::ConvWeight { geometry, chunks, .. } => conv_weight(w, geometry, value, tile, *chunks),
        other => unreachable!("{} is no contraction", other.name()),
    }
}

fn dense(w: &Writer, d: Dense, value: Value, tile: Tile, whole: bool) -> Phase {
    let node = w.s.graph().node(value);
    let inputs = d.channels * d.pixels;
    let batch = || ("launch.batch".to_string(), Work::samples(1, tile.rows));
    let product = match d.role {
        ConvRole::Forward => {
            let (x, weight) = (read(w, node.inputs[0]), read(w, node.inputs[1]));
            let v = vector(&[inputs]);
            let (a, b) = (matrix(x, inputs, 1, v), matrix(weight, inputs, 1, v));
            Product { a, b, rows: batch(), cols: d.outputs, depth: fixed(inputs), splits: 1 }
        }
        ConvRole::Input => {
            let (dy, weight) = (read(w, node.inputs[0]), read(w, node.inputs[1]));
            let a = matrix(dy, d.outputs, 1, vector(&[d.outputs]));
            let b = matrix(weight, 1, inputs, vector(&[inputs]));
            Product { a, b, rows: batch(), cols: inputs, depth: fixed(d.outputs), splits: 1 }
        }
        ConvRole::Weight => {
            // A convolution's operands are (x, dy); a contraction's are told apart by the axis that comes first.
            let (x, dy) = match &node.op {
                Op::Contract { lhs, out, .. } if lhs[1] == out[0] => (node.inputs[1], node.inputs[0]),
                _ => (node.inputs[0], node.inputs[1]),
            };
            let (x, dy) = (read(w, x), read(w, dy));
            let a = matrix(dy, 1, d.outputs, vector(&[d.outputs]));
            let b = matrix(x, 1, inputs, vector(&[inputs]));
            let rows = (format!("{}u", d.outputs), weight_rows(d.outputs, tile));
            Product { a, b, rows, cols: inputs, depth: ("launch.batch".into(), None), splits: 1 }
        }
    };
    if whole {
        let iter = Iter { batch: true, channels: d.outputs, pixels: 1, flat: false };
        let kept = if d.outputs == 1 { "values[r * pitch]" } else { "values[r * pitch + c]" };
        let row = row_text(w, iter, false, &[(value, kept.into())]);
        let members = format!(
            "static constexpr bool WHOLE_TILE = true;\nconst Launch& launch;\n\
             KILN_DEV float element(u32, u32, u32, float sum) {{ return sum; }}\n\
             KILN_DEV void tile(u32 row0, u32 rows, u32, u32, const float* values, u32 pitch) {{\n\
             const u32 lane = kiln_thread() % 32u;\n\
             for (u32 r = kiln_thread() / 32u; r < rows; r += 8u) {{\nconst u32 n = row0 + r;\n{row}}}\n}}\n"
        );
        return gemm(w, product, tile, &members, true);
    }
    let members = match d.role {
        ConvRole::Weight => weight_sink(w, value, inputs, 1),
        ConvRole::Forward | ConvRole::Input => element_sink(w, value, 1, None),
    };
    gemm(w, product, tile, &members, false)
}

fn weight_rows(outputs: usize, tile: Tile) -> Work {
    Work { height: tile.rows, ..Work::fixed(outputs) }
}

/// A sink for elements of samples: row = sample × pixels, column = channel; or, `pixels` = 1, row = sample and column = all
/// of the sample, pixel × channels + channel.
///
/// With `kept`, that value of each element stays for the tile.
fn element_sink(w: &Writer, value: Value, pixels: usize, kept: Option<Value>) -> String {
    let shape = w.s.graph().shape(value);
    let iter = Iter::channelwise(shape);
    let mut site = Site::new(w, Domain::of(iter));
    site.define(value, "sum");
    let text = stores_and(site, &w.kernel.stores, kept);
    let channels = iter.channels;
    let (sample, flat) = match pixels {
        1 => ("row".to_string(), "col".to_string()),
        _ => (format!("row / {pixels}u"), format!("row % {pixels}u * {channels}u + col")),
    };
    let whole = channels * iter.pixels;
    let place = if pixels > 1 {
        // The column is the channel already, the row's rest the pixel.
        let mut out = place(Iter { channels: 1, pixels: 1, ..iter }, &text, &sample, "0u");
        for (name, there, definition) in [
            ("e", whole > 1, flat),
            ("c", channels > 1, "col".into()),
            ("p", iter.pixels > 1, format!("row % {pixels}u")),
        ] {
            if there && names(&text, name) {
                out += &format!("const u32 {name} = {definition};\n");
            }
        }
        out
    } else {
        place(iter, &text, &sample, &flat)
    };
    let (whole, result) = if kept.is_some() { ("true", "float") } else { ("false", "void") };
    format!(
        "static constexpr bool WHOLE_TILE = {whole};\nconst Launch& launch;\n\
         KILN_DEV {result} element(u32, u32 row, u32 col, float sum) {{\n{place}{text}}}\n"
    )
}

/// A sink for a weight gradient, element row × cols + column; or for its parts.
fn weight_sink(w: &Writer, value: Value, cols: usize, splits: usize) -> String {
    let body = if splits > 1 {
        let pointer = w.pointer(Arg::Partials(w.number), Access::Write);
        let size = w.s.layout(value).size;
        format!("{pointer}[split * {size}u + row * {cols}u + col] = sum;\n")
    } else {
        let site = weight_site(w, value, "sum");
        format!("const u32 e = row * {cols}u + col;\n{}", site.store_at(value, "e", "sum"))
    };
    let split = if splits > 1 { "u32 split" } else { "u32" };
    format!(
        "static constexpr bool WHOLE_TILE = false;\nconst Launch& launch;\n\
         KILN_DEV void element({split}, u32 row, u32 col, float sum) {{\n{body}}}\n"
    )
}

fn weight_site<'w, 'a>(w: &'w Writer<'a>, value: Value, variable: &str) -> Site<'w, 'a> {
    let mut site = Site::new(w, Domain::of(Iter::channelwise(w.s.graph().shape(value))));
    site.define(value, variable);
    site
}

/// The second phase of a split weight gradient: parts added in order.
fn add_splits(w: &Writer, value: Value) -> Phase {
    let Form::ConvWeight { chunks, .. } = w.kernel.form else { unreachable!("only weight gradients are split") };
    let size = w.s.layout(value).size;
    let partials = w.pointer(Arg::Partials(w.number), Access::Read);
    let store = weight_site(w, value, "sum").store_at(value, "e", "sum");
    let body = format!(
        "for (u32 e = cta * KILN_THREADS + kiln_thread(); e < {size}u; e += ctas * KILN_THREADS) {{\n\
         {}for (u32 split = 0u; split < {chunks}u; ++split) {}{store}}}\n",
        start_sum("sum", true),
        add_to_sum("sum", &format!("{partials}[split * {size}u + e]"), true),
    );
    Phase { items: String::new(), body, work: Work::fixed(size.div_ceil(256)), shared: 0 }
}

fn precision(w: &Writer) -> &'static str {
    match w.precision {
        Precision::F32 => "KilnF32",
        Precision::Tf32 => "KilnTf32",
        Precision::Bf16 => "KilnBf16",
    }
}

/// Products that are one chain. Tensor cores round the operands, so that a longer chain is not what they lose most by.
const LONGEST: usize = 1024;

/// Of a product of this depth; `None` where the batch decides it.
fn tile_text(w: &Writer, t: Tile, depth: Option<usize>) -> String {
    let [rows, cols, warps] = t.warps;
    let long = w.precision == Precision::F32 && depth.is_none_or(|depth| depth > LONGEST);
    let long = if long { ", true" } else { "" };
    format!("KilnTile<{}, {}, {}, {rows}, {cols}, {warps}, {}{long}>", t.rows, t.cols, t.depth, t.stages)
}

fn gemm(w: &Writer, p: Product, tile: Tile, sink: &str, whole: bool) -> Phase {
    let items = format!("struct Sink {{\n{sink}}};\n");
    let (rows, work) = &p.rows;
    let body = format!(
        "const {} a{{{}}};\nconst {} b{{{}}};\nSink sink{{launch}};\n\
         kiln_gemm<{}, {}>(a, b, sink, {rows}, {}u, {}, {}u, cta, ctas, shared);\n",
        p.a.ty,
        p.a.pointer,
        p.b.ty,
        p.b.pointer,
        tile_text(w, tile, p.depth.1),
        precision(w),
        p.cols,
        p.depth.0,
        p.splits,
    );
    let width = p.cols.div_ceil(tile.cols) * p.splits;
    Phase { items, body, work: Work { width, ..*work }, shared: tile.shared([p.a.along, p.b.along], whole) }
}

fn geometry(g: &ConvGeometry) -> String {
    let ConvGeometry { channels, outputs, input, output, kernel, stride, padding, dilation, .. } = g;
    format!(
        "struct G {{ enum : u32 {{ C = {channels}, O = {outputs}, H = {}, W = {}, OH = {}, OW = {}, KH = {}, KW = {}, \
         SH = {}, SW = {}, PH = {}, PW = {}, DH = {}, DW = {} }}; }};\n",
        input[0],
        input[1],
        output[0],
        output[1],
        kernel[0],
        kernel[1],
        stride[0],
        stride[1],
        padding[0],
        padding[1],
        dilation[0],
        dilation[1],
    )
}

/// `SAMPLE, CHANNEL, ROW, COLUMN, VECTOR` of an input.
fn patches(w: &Writer, x: Value, g: &ConvGeometry) -> String {
    let layout = w.s.layout(x);
    let strides: Vec<usize> = layout.axes.iter().rev().take(3).rev().map(|a| a.outer).collect();
    let [channel, row, column] = strides[..] else { panic!("an image has three axes, not {}", strides.len()) };
    let sample = w.s.sample_stride(x);
    let v = if channel == 1 && g.channels > 1 { vector(&[g.channels, row, column, sample]) } else { 1 };
    format!("{sample}, {channel}, {row}, {column}, {v}")
}

fn conv_forward(w: &Writer, g: &ConvGeometry, value: Value, tile: Tile) -> Phase {
    let node = w.s.graph().node(value);
    let depth = g.kernel[0] * g.kernel[1] * g.channels;
    let pixels = g.output[0] * g.output[1];
    let x = read(w, node.inputs[0]);
    let a = Operand { ty: format!("KilnPatches<G, {}>", patches(w, node.inputs[0], g)), pointer: x, along: true };
    let b = matrix(read(w, node.inputs[1]), depth, 1, vector(&[depth]));
    let rows = (format!("launch.batch * {pixels}u"), Work::samples(pixels, tile.rows));
    let product = Product { a, b, rows, cols: g.outputs, depth: fixed(depth), splits: 1 };
    let served = moments::served(w.uses, w.kernel);
    let mut sink = element_sink(w, value, pixels, served.map(|(_, x)| x));
    if let Some((kernel, x)) = served {
        sink += &tile_members(w, kernel, x, tile.cols, tile.rows);
    }
    let mut phase = gemm(w, product, tile, &sink, served.is_some());
    phase.items.insert_str(0, &geometry(g));
    phase
}

fn conv_input(w: &Writer, g: &ConvGeometry, value: Value, tile: Tile) -> Phase {
    let node = w.s.graph().node(value);
    let (dy, weight) = (read(w, node.inputs[0]), read(w, node.inputs[1]));
    let sample = w.s.sample_stride(node.inputs[0]);
    let (v_dy, v_weight) = (vector(&[g.outputs, sample]), vector(&[g.channels]));
    let pixels = g.input[0] * g.input[1];
    let sink = element_sink(w, value, pixels, None);
    let items = format!("{}struct Sink {{\n{sink}}};\n", geometry(g));
    let body = format!(
        "Sink sink{{launch}};\nkiln_conv_input<{}, {}, G, {sample}, {v_dy}, {v_weight}>({dy}, {weight}, sink, launch.batch, \
         cta, ctas, shared);\n",
        tile_text(w, tile, Some(g.kernel[0] * g.kernel[1] * g.outputs)),
        precision(w),
    );
    // One tile more for each class of pixels that the strides make.
    let more = g.stride[0] * g.stride[1] - 1;
    let work = Work { more, width: g.channels.div_ceil(tile.cols), ..Work::samples(pixels, tile.rows) };
    Phase { items, body, work, shared: tile.shared([true, false], false) }
}

fn conv_weight(w: &Writer, g: &ConvGeometry, value: Value, tile: Tile, splits: usize) -> Phase {
    let node = w.s.graph().node(value);
    let cols = g.kernel[0] * g.kernel[1] * g.channels;
    let pixels = g.output[0] * g.output[1];
    let x = read(w, node.inputs[0]);
    let a = matrix(read(w, node.inputs[1]), 1, g.outputs, vector(&[g.outputs]));
    let b = Operand { ty: format!("KilnPatchColumns<G, {}>", patches(w, node.inputs[0], g)), pointer: x, along: false };
    let rows = (format!("{}u", g.outputs), weight_rows(g.outputs, tile));
    let product = Product { a, b, rows, cols, depth: (format!("launch.batch * {pixels}u"), None), splits };
    let sink = weight_sink(w, value, cols, splits);
    let mut phase = gemm(w, product, tile, &sink, false);
    phase.items.insert_str(0, &geometry(g));
    phase
}
