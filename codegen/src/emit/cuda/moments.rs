//! Statistics in one pass: partial moments of runs of rows or of a convolution's tiles, merged in order.

use super::element::{Domain, Site};
use super::loops::{place, stores};
use super::writer::{Access, Arg, Phase, Work, Writer};
use crate::graph::Value;
use crate::schedule::form::{Form, Iter};
use crate::schedule::launches::phases;
use crate::schedule::moments::{reductions, tile_rows};

pub fn moments(w: &Writer, iter: Iter, tiled: bool, phase: usize) -> Phase {
    let Iter { channels, pixels, .. } = iter;
    let two = phases(w.kernel) == 2;
    let total = format!("launch.batch * {pixels}u");
    let per_chunk = format!("({total} + {0}u) / {1}u", w.chunks - 1, w.chunks);
    let (load, rows, chunks) = match (tiled, phase) {
        (true, _) => {
            let run = tile_rows(w.s, w.uses, w.kernel);
            let rows = format!("({total} + {}u) / {run}u", run - 1);
            (load_part(w, channels, &format!("{run}u"), &total), rows, "1u".to_string())
        }
        (false, 1) => (load_part(w, channels, &per_chunk, &total), format!("{}u", w.chunks), "1u".into()),
        (false, _) if two => (load_element(w, iter), total, format!("{}u", w.chunks)),
        (false, _) => (load_element(w, iter), total, "1u".into()),
    };
    let store = if two && phase == 0 { store_part(w, channels, "chunk") } else { store_results(w, iter) };
    let items = format!(
        "struct Body {{\nconst Launch& launch;\n\
         KILN_DEV KilnMoments load(u32 row, u32 col) const {{\n{load}}}\n\
         KILN_DEV void store(u32 chunk, u32 col, const KilnMoments& found) const {{\n{store}}}\n}};\n"
    );
    let width = channels.next_power_of_two().min(32);
    let body = format!(
        "const Body body{{launch}};\nkiln_moments<{width}>(body, {rows}, {channels}u, {chunks}, cta, ctas, shared);\n"
    );
    let pieces = channels.div_ceil(width) * if two && phase == 0 { w.chunks } else { 1 };
    Phase { items, body, work: Work::fixed(pieces), shared: 3 * 256 * 4 }
}

fn load_element(w: &Writer, iter: Iter) -> String {
    let Form::Moments { x, .. } = w.kernel.form else { unreachable!("a moments kernel") };
    let mut site = Site::new(w, Domain::of(iter));
    let id = site.value(x);
    let (statements, value) = site.single(id);
    let (channels, pixels) = (iter.channels, iter.pixels);
    let (sample, flat) = match pixels {
        1 => ("row".to_string(), "col".to_string()),
        _ => (format!("row / {pixels}u"), format!("row % {pixels}u * {channels}u + col")),
    };
    let whole = channels * pixels > 1;
    let text = format!("{statements}return KilnMoments{{1.0f, {value}, 0.0f}};\n");
    let place = place(iter, &text, &sample, if whole { "e" } else { "0u" });
    let flat = if whole { format!("const u32 e = {flat};\n") } else { String::new() };
    format!("{flat}{place}{text}")
}

fn load_part(w: &Writer, channels: usize, run: &str, total: &str) -> String {
    let pointer = w.pointer(Arg::Partials(w.number), Access::Read);
    format!(
        "const float* const part = {pointer} + row * {}u + col;\n\
         return KilnMoments{{kiln_part(row, {run}, {total}), part[0], part[{channels}]}};\n",
        2 * channels
    )
}

fn store_part(w: &Writer, channels: usize, part: &str) -> String {
    part_store(&w.pointer(Arg::Partials(w.number), Access::Write), channels, part)
}

fn part_store(pointer: &str, channels: usize, part: &str) -> String {
    format!(
        "float* const part = {pointer} + {part} * {}u + col;\npart[0] = found.mean;\npart[{channels}] = found.squares;\n",
        2 * channels
    )
}

fn store_results(w: &Writer, iter: Iter) -> String {
    let result = Iter { batch: false, channels: iter.channels, pixels: 1, flat: false };
    let mut site = Site::new(w, Domain::of(result));
    let [sum, squares] = reductions(w.s, w.kernel);
    site.define(sum, "found.mean * found.count");
    site.define(squares, "found.squares");
    let text = stores(site, &w.kernel.stores);
    let flat = if iter.channels > 1 { "const u32 e = col;\n" } else { "" };
    format!("{flat}{}{text}", place(result, &text, "0u", if iter.channels > 1 { "e" } else { "0u" }))
}

/// The members of a convolution's sink that leave the moments of each tile behind: `element` gives the value.
pub fn tile_members(w: &Writer, served: usize, x: Value, columns: usize, rows: usize) -> String {
    let channels = w.s.graph().shape(x).dims[0];
    let pointer = w.pointer(Arg::Partials(served), Access::Write);
    let store = part_store(&pointer, channels, &format!("(row0 / {rows}u)"));
    format!(
        "KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {{\n\
         kiln_tile_moments<{columns}>(values, pitch, rows, cols, [&](u32 at, const KilnMoments& found) {{\n\
         const u32 col = col0 + at;\n{store}}});\n}}\n"
    )
}
