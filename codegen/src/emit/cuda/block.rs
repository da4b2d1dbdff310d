//! A chain within a sample: one block of threads, stage after stage, values between them in shared memory.

use super::element::{Domain, Site};
use super::gather::guarded;
use super::index::{input_position, output_position};
use super::loops::{place, stores};
use super::writer::{Phase, Work, Writer};
use crate::graph::Value;
use crate::graph::op::{ConvGeometry, ConvRole, Op};
use crate::schedule::form::{Form, Iter};
use crate::schedule::{Kernel, Stage, blocks};
use std::collections::HashMap;

pub fn block(w: &Writer, stages: &[Stage]) -> Phase {
    let resident = blocks::resident(w.s, w.kernel);
    let (mut head, mut shared, mut names) = (String::new(), 0, HashMap::new());
    for (i, (value, size)) in resident.iter().enumerate() {
        head += &format!("float* const s{i} = shared.take<float>({size}u);\n");
        shared += (size * 4).div_ceil(16) * 16;
        names.insert(*value, format!("s{i}"));
    }
    let mut steps = Vec::new();
    for stage in stages {
        let Stage { form, nodes, stores } = stage.clone();
        let kernel = Kernel { form, nodes, reads: Vec::new(), stores };
        let w = w.stage(&kernel, &names);
        let text = match &kernel.form {
            Form::Map(iter) => map(&w, *iter),
            Form::Conv { role, geometry, .. } => conv(&w, *role, geometry),
            other => unreachable!("{} is no stage", other.name()),
        };
        steps.push(format!("// {}: {}\n{text}", w.s.layers(&kernel.nodes), kernel.form.name()));
    }
    // The last barrier keeps the next sample out of what this one still reads.
    let body = format!(
        "{head}for (u32 n = cta; n < launch.batch; n += ctas) {{\n{}kiln_barrier();\n}}\n",
        steps.join("kiln_barrier();\n")
    );
    Phase { items: String::new(), body, work: Work::samples(1, 1), shared }
}

fn map(w: &Writer, iter: Iter) -> String {
    let text = stores(Site::new(w, Domain::of(iter)), &w.kernel.stores);
    let count = iter.channels * iter.pixels;
    let inner = place(Iter { batch: false, ..iter }, &text, "n", if count == 1 { "0u" } else { "e" });
    format!("for (u32 e = kiln_thread(); e < {count}u; e += KILN_THREADS) {{\n{inner}{text}}}\n")
}

/// Every thread computes a few channels of a pixel: an input element is read once for all of them, and the threads of a
/// warp read the same weights.
fn conv(w: &Writer, role: ConvRole, g: &ConvGeometry) -> String {
    let own = |v: &&Value| matches!(w.s.graph().node(**v).op, Op::Conv { .. });
    let value = *w.kernel.nodes.iter().find(own).expect("a convolution stage has its convolution");
    let inputs = &w.s.graph().node(value).inputs;
    let (channels, others, [height, width]) = match role {
        ConvRole::Forward => (g.outputs, g.channels, g.output),
        ConvRole::Input | ConvRole::Weight => (g.channels, g.outputs, g.input),
    };
    let pixels = height * width;
    let each = channels_each(channels, pixels);
    let iter = Iter { batch: true, channels, pixels, flat: false };
    let at = [format!("(p / {width}u)"), format!("(p % {width}u)")];
    let (y, x, guards) = match role {
        ConvRole::Forward => input_position(g, [&at[0], &at[1]], ["ky", "kx"]),
        ConvRole::Input | ConvRole::Weight => output_position(g, [&at[0], &at[1]], ["ky", "kx"]),
    };
    let mut source = Site::new(w, Domain::of(iter));
    let operand = source.at(inputs[0], &["i".into(), y, x], false);
    let (load, operand) = source.single(operand);
    let mut weights = Site::new(w, Domain::of(iter));
    let (o, i) = ("(first + j)".to_string(), "i".to_string());
    let (o, i) = if role == ConvRole::Forward { (o, i) } else { (i, o) };
    let weight = weights.at(inputs[1], &[o, i, "ky".into(), "kx".into()], false);
    let (weigh, weight) = weights.single(weight);
    let [kh, kw] = g.kernel;
    let step = format!(
        "for (u32 i = 0u; i < {others}u; ++i) {{\n{load}const float x = {operand};\n#pragma unroll\n\
         for (u32 j = 0u; j < {each}u; ++j) {{\n{weigh}acc[j] = fmaf(x, {weight}, acc[j]);\n}}\n}}\n"
    );
    let mut site = Site::new(w, Domain::of(iter));
    site.define(value, "acc[j]");
    let text = stores(site, &w.kernel.stores);
    format!(
        "for (u32 t = kiln_thread(); t < {}u; t += KILN_THREADS) {{\nconst u32 p = t % {pixels}u;\n\
         const u32 first = t / {pixels}u * {each}u;\nfloat acc[{each}] = {{}};\n\
         for (u32 ky = 0u; ky < {kh}u; ++ky) {{\nfor (u32 kx = 0u; kx < {kw}u; ++kx) {{\n{}}}\n}}\n\
         #pragma unroll\nfor (u32 j = 0u; j < {each}u; ++j) {{\nconst u32 c = first + j;\n\
         const u32 e = p * {channels}u + c;\n{text}}}\n}}\n",
        pixels * (channels / each),
        guarded(&guards, step),
    )
}

/// As many channels a thread as leave work for all threads.
fn channels_each(channels: usize, pixels: usize) -> usize {
    let fits = |each: &usize| channels.is_multiple_of(*each) && pixels * (channels / each) >= 256;
    (1..=channels.min(8)).rev().find(fits).unwrap_or(1)
}
