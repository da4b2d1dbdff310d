//! Phases that are loops: element by element, row by row (a warp each), and columns over the batch.

use super::element::{Domain, Site};
use super::writer::{Access, Arg, Phase, Work, Writer};
use crate::graph::Value;
use crate::graph::op::{Op, ReduceOp};
use crate::schedule::form::{Iter, Reduced};
use crate::schedule::fuse::column_result;
use crate::schedule::launches::phases;

/// Whether the text names this variable.
pub fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// `const u32 c = …;` for the variables of a walk that the text names. `e` says where in the sample, physically.
pub fn place(iter: Iter, text: &str, sample: &str, flat: &str) -> String {
    let mut out = String::new();
    let mut declare = |name: &str, there: bool, value: String| {
        if there && names(text, name) {
            out += &format!("const u32 {name} = {value};\n");
        }
    };
    let Iter { channels, pixels, .. } = iter;
    declare("n", iter.batch, sample.into());
    declare("e", channels * pixels > 1 && flat != "e", flat.into());
    let channel = if pixels == 1 { flat.to_string() } else { format!("{flat} % {channels}u") };
    declare("c", channels > 1 && flat != "c", channel);
    let pixel = if channels == 1 { flat.to_string() } else { format!("{flat} / {channels}u") };
    declare("p", pixels > 1 && flat != "p", pixel);
    out
}

/// Statements that compute and store all that this kernel stores, at the site's element.
pub fn stores(site: Site, values: &[Value]) -> String {
    stores_and(site, values, None)
}

/// As `stores`, and the element of one more value is returned.
pub fn stores_and(mut site: Site, values: &[Value], returned: Option<Value>) -> String {
    let ids: Vec<_> = values.iter().chain(&returned).map(|v| site.value(*v)).collect();
    let plain = site.same_place();
    let (statements, results) = site.finish(&ids);
    let stores: String = values.iter().zip(&results).map(|(v, r)| plain.store(*v, r)).collect();
    let back = returned.map_or_else(String::new, |_| format!("return {};\n", results[values.len()]));
    statements + &stores + &back
}

/// Elements that a thread of a map computes before it stores any: so many loads of each operand are under way at once.
const AHEAD: usize = 4;

pub fn map(w: &Writer, iter: Iter) -> Phase {
    let per_sample = iter.channels * iter.pixels;
    let values = &w.kernel.stores;
    let mut site = Site::new(w, Domain::of(iter));
    let ids: Vec<_> = values.iter().map(|v| site.value(*v)).collect();
    let (gathers, plain) = (site.gathers(), site.same_place());
    let (statements, results) = site.finish(&ids);
    let store = |result: &dyn Fn(usize) -> String| -> String {
        values.iter().enumerate().map(|(i, v)| plain.store(*v, &result(i))).collect()
    };
    let (total, sample, flat) = match (iter.batch, per_sample) {
        (true, 1) => ("launch.batch".to_string(), "i".to_string(), "0u".to_string()),
        (true, _) => {
            (format!("launch.batch * {per_sample}u"), format!("i / {per_sample}u"), format!("i % {per_sample}u"))
        }
        (false, _) => (format!("{per_sample}u"), "0u".into(), "i".into()),
    };
    let flat = if per_sample == 1 { String::new() } else { format!("const u32 e = {flat};\n") };
    let at = |text: String| {
        let inner = place(iter, &text, &sample, if per_sample == 1 { "0u" } else { "e" });
        format!("{flat}{inner}{text}")
    };
    let start = "cta * KILN_THREADS + kiln_thread()";
    let body = if gathers {
        let text = at(statements + &store(&|i| results[i].clone()));
        format!("for (u32 i = {start}; i < {total}; i += ctas * KILN_THREADS) {{\n{text}}}\n")
    } else {
        let kept: String = (0..values.len()).map(|i| format!("float v{i}[{AHEAD}];\n")).collect();
        let keep: String = results.iter().enumerate().map(|(i, r)| format!("v{i}[u] = {r};\n")).collect();
        let (compute, store) = (at(statements + &keep), at(store(&|i| format!("v{i}[u]"))));
        let each = |text: &str| {
            format!(
                "#pragma unroll\nfor (u32 u = 0u; u < {AHEAD}u; ++u) {{\nconst u32 i = first + u * stride;\n\
                 if (i < {total}) {{\n{text}}}\n}}\n"
            )
        };
        format!(
            "const u32 stride = ctas * KILN_THREADS;\n\
             for (u32 first = {start}; first < {total}; first += {AHEAD}u * stride) {{\n{kept}{}{}}}\n",
            each(&compute),
            each(&store)
        )
    };
    let rows = if iter.batch { Work::samples(per_sample, 256) } else { Work::fixed(per_sample.div_ceil(256)) };
    Phase { items: String::new(), body, work: rows, shared: 0 }
}

/// Additions that a plain sum may be made of; a longer one keeps an account of its rounding.
pub const SHORT: usize = 16;

/// Declares a sum.
pub fn start_sum(sum: &str, long: bool) -> String {
    if long { format!("float {sum} = 0.0f, {sum}_lost = 0.0f;\n") } else { format!("float {sum} = 0.0f;\n") }
}

/// Adds to it.
pub fn add_to_sum(sum: &str, x: &str, long: bool) -> String {
    if long { format!("kiln_add({sum}, {sum}_lost, {x});\n") } else { format!("{sum} += {x};\n") }
}

/// Reductions within a row, in rounds: those of one round depend on earlier rounds only.
struct Rounds {
    list: Vec<Vec<Value>>,
}

impl Rounds {
    fn of(w: &Writer) -> Self {
        let graph = w.s.graph();
        let mut depth = vec![0usize; graph.nodes.len()];
        let mut list: Vec<Vec<Value>> = Vec::new();
        for &value in &w.kernel.nodes {
            let node = graph.node(value);
            let inputs = node.inputs.iter().map(|i| w.s.base(*i)).filter(|i| w.own.contains(i));
            let below = inputs.map(|i| depth[i.index()]).max().unwrap_or(0);
            depth[value.index()] = below;
            if let Op::Reduce { .. } = node.op {
                if list.len() == below {
                    list.push(Vec::new());
                }
                list[below].push(value);
                depth[value.index()] = below + 1;
            }
        }
        Rounds { list }
    }
}

/// The text of one row, a warp's work: reductions round by round, then stores. `given` are values that the caller has in
/// a variable at element `c`; `lane` and the row's `n` and `p` are in scope.
pub fn row_text(w: &Writer, iter: Iter, per_pixel: bool, given: &[(Value, String)]) -> String {
    let extent = if per_pixel { iter.channels } else { iter.channels * iter.pixels };
    let long = extent > 32 * SHORT;
    let walk = Domain::of(iter);
    let result = Iter { channels: 1, pixels: if per_pixel { iter.pixels } else { 1 }, ..iter };
    let mut known: Vec<(Value, String)> = Vec::new();
    let element = |known: &[(Value, String)]| {
        let mut site = Site::new(w, walk.clone());
        for (value, variable) in given.iter().chain(known) {
            site.define(*value, variable);
        }
        site
    };
    let head = if per_pixel {
        format!("for (u32 c = lane; c < {extent}u; c += 32u) {{\nconst u32 e = p * {}u + c;\n", iter.channels)
    } else {
        format!("for (u32 e = lane; e < {extent}u; e += 32u) {{\n")
    };
    let looped = |text: String| {
        let inner = if per_pixel { String::new() } else { place(Iter { batch: false, ..iter }, &text, "n", "e") };
        format!("{head}{inner}{text}}}\n")
    };
    let mut text = String::new();
    for round in &Rounds::of(w).list {
        let (mut site, mut step) = (element(&known), String::new());
        let operand = |v: &Value| w.s.graph().node(*v).inputs[0];
        let ids: Vec<_> = round.iter().map(|v| site.value(operand(v))).collect();
        let (statements, results) = site.finish(&ids);
        let mut after = String::new();
        let mut found = Vec::new();
        for (value, x) in round.iter().zip(&results) {
            let Op::Reduce { op, .. } = w.s.graph().node(*value).op else { unreachable!("a reduction") };
            let r = w.fresh("r");
            match op {
                ReduceOp::Sum => {
                    text += &start_sum(&r, long);
                    step += &add_to_sum(&r, x, long);
                    after += &format!("{r} = kiln_warp_sum({r});\n");
                    found.push((*value, r));
                }
                ReduceOp::Max => {
                    text += &format!("float {r} = -kiln_infinity();\n");
                    step += &format!("if ({x} > {r} || {x} != {x}) {r} = {x};\n");
                    after += &format!("{r} = kiln_warp_max({r});\n");
                    found.push((*value, r));
                }
                ReduceOp::ArgMax => {
                    let at = w.fresh("r");
                    text += &format!("float {r} = -kiln_infinity();\nu32 {at} = lane;\n");
                    step += &format!("if (kiln_better({x}, {r})) {{ {r} = {x}; {at} = e; }}\n");
                    after += &format!("kiln_warp_argmax({r}, {at});\n");
                    found.push((*value, format!("static_cast<float>({at})")));
                }
            }
        }
        let step = if per_pixel { step.replace("= e;", "= c;") } else { step };
        text += &looped(statements + &step);
        text += &after;
        known.extend(found);
    }
    let (wide, narrow): (Vec<Value>, Vec<Value>) = w.kernel.stores.iter().partition(|v| {
        let own = Iter::of(w.s.order, w.s.graph().shape(**v));
        own == iter && iter != result
    });
    if !wide.is_empty() {
        text += &looped(stores(element(&known), &wide));
    }
    if !narrow.is_empty() {
        let mut site = Site::new(w, Domain::of(result));
        for (value, variable) in &known {
            site.define(*value, variable);
        }
        // With one element a row, what the caller has is at this element too.
        if iter == result {
            for (value, variable) in given {
                site.define(*value, variable);
            }
        }
        let inner = stores(site, &narrow);
        let flat = if per_pixel { "const u32 e = p;\n" } else { "" };
        text += &format!("if (lane == 0u) {{\n{flat}{inner}}}\n");
    }
    text
}

pub fn row(w: &Writer, iter: Iter, per_pixel: bool) -> Phase {
    let text = row_text(w, iter, per_pixel, &[]);
    let per_sample = if per_pixel { iter.pixels } else { 1 };
    let (rows, head) = if per_sample > 1 {
        let head = format!("const u32 n = row / {per_sample}u;\nconst u32 p = row % {per_sample}u;\n");
        (format!("launch.batch * {per_sample}u"), head)
    } else {
        ("launch.batch".into(), "const u32 n = row;\nconst u32 p = 0u;\n".into())
    };
    let body = format!(
        "const u32 lane = kiln_thread() % 32u;\n\
         for (u32 row = cta * 8u + kiln_thread() / 32u; row < {rows}; row += ctas * 8u) {{\n{head}{text}}}\n"
    );
    Phase { items: String::new(), body, work: Work::samples(per_sample, 8), shared: 0 }
}

/// Rows and columns of a column reduction.
struct Columns {
    /// Columns, and rows per sample.
    cols: usize,
    rows: usize,
    /// Whether every sample has its own result.
    per_sample: bool,
    width: usize,
}

pub fn column(w: &Writer, iter: Iter, reduced: Reduced, phase: usize) -> Phase {
    let kept_channels = if reduced.channels { 1 } else { iter.channels };
    let kept_pixels = if reduced.pixels { 1 } else { iter.pixels };
    let cols = kept_channels * kept_pixels;
    let k = Columns {
        cols,
        rows: iter.channels * iter.pixels / cols.max(1),
        per_sample: iter.batch && !reduced.batch,
        width: cols.next_power_of_two().min(32),
    };
    let two = phases(w.kernel) == 2;
    let reduces = w.kernel.reduces(w.s);
    let values = reduces.len();
    let load = if phase == 0 { load_elements(w, iter, &k, &reduces) } else { load_partials(w, &k, values) };
    let store =
        if two && phase == 0 { store_partials(w, &k, values) } else { store_results(w, iter, reduced, &k, &reduces) };
    let maxima: Vec<&str> = reduces
        .iter()
        .map(|v| match w.s.graph().node(*v).op {
            Op::Reduce { op: ReduceOp::Max, .. } => "true",
            _ => "false",
        })
        .collect();
    let is_maximum = maxima.iter().enumerate().map(|(i, m)| format!("i == {i} ? {m} : ")).collect::<String>() + "false";
    let items = format!(
        "struct Body {{\nconst Launch& launch;\n\
         KILN_DEV static constexpr bool maximum(int i) {{ return {is_maximum}; }}\n\
         KILN_DEV void load(u32 row, u32 col, float (&v)[{values}]) const {{\n{load}}}\n\
         KILN_DEV void store(u32 chunk, u32 col, const float (&v)[{values}]) const {{\n{store}}}\n}};\n"
    );
    let (rows, chunks) = match (phase, two, k.per_sample) {
        (0, true, _) => (format!("launch.batch * {}u", k.rows), format!("{}u", w.chunks)),
        (1, ..) => (format!("{}u", w.chunks), "1u".into()),
        (_, _, true) => (format!("launch.batch * {}u", k.rows), "launch.batch".into()),
        _ if iter.batch => (format!("launch.batch * {}u", k.rows), "1u".into()),
        _ => (format!("{}u", k.rows), "1u".into()),
    };
    let width = k.width;
    let body = format!(
        "Body body{{launch}};\nkiln_columns<{width}, {values}>(body, {rows}, {cols}u, {chunks}, cta, ctas, shared);\n"
    );
    let tiles = cols.div_ceil(width);
    let work = match (phase, two, k.per_sample) {
        (0, true, _) => Work::fixed(tiles * w.chunks),
        (_, _, true) => Work::samples(tiles, 1),
        _ => Work::fixed(tiles),
    };
    Phase { items, body, work, shared: values * 256 * 4 }
}

/// The operands of all reductions at element (row, col).
fn load_elements(w: &Writer, iter: Iter, k: &Columns, reduces: &[Value]) -> String {
    let mut site = Site::new(w, Domain::of(iter));
    let ids: Vec<_> = reduces.iter().map(|v| site.value(w.s.graph().node(*v).inputs[0])).collect();
    let (statements, results) = site.finish(&ids);
    let mut text = statements;
    for (i, x) in results.iter().enumerate() {
        text += &format!("v[{i}] = {x};\n");
    }
    let per_sample = k.rows;
    let (sample, inner) = match (iter.batch, per_sample) {
        (true, 1) => ("row".to_string(), "0u".to_string()),
        (true, _) => (format!("row / {per_sample}u"), format!("row % {per_sample}u")),
        (false, _) => ("0u".into(), "row".into()),
    };
    // Rows walk what is summed within a sample, columns what is kept; both in physical order.
    let (channels, pixels) = (iter.channels, iter.pixels);
    let flat = match (k.cols, k.rows) {
        (1, _) => inner,
        (_, 1) => "col".into(),
        _ if k.cols == channels => format!("{inner} * {channels}u + col"),
        _ => format!("col * {channels}u + {inner}"),
    };
    debug_assert_eq!(k.cols * k.rows, channels * pixels);
    let needed = if channels * pixels > 1 { format!("const u32 e = {flat};\n") } else { String::new() };
    let rest = place(iter, &text, &sample, if channels * pixels > 1 { "e" } else { "0u" });
    needed + &rest + &text
}

fn store_partials(w: &Writer, k: &Columns, values: usize) -> String {
    let pointer = w.pointer(Arg::Partials(w.number), Access::Write);
    (0..values).map(|i| format!("{pointer}[(chunk * {values}u + {i}u) * {}u + col] = v[{i}];\n", k.cols)).collect()
}

fn load_partials(w: &Writer, k: &Columns, values: usize) -> String {
    let pointer = w.pointer(Arg::Partials(w.number), Access::Read);
    (0..values).map(|i| format!("v[{i}] = {pointer}[(row * {values}u + {i}u) * {}u + col];\n", k.cols)).collect()
}

/// Maps on the results, and stores.
fn store_results(w: &Writer, iter: Iter, reduced: Reduced, k: &Columns, reduces: &[Value]) -> String {
    let result = column_result(iter, reduced);
    let mut site = Site::new(w, Domain::of(result));
    for (i, value) in reduces.iter().enumerate() {
        site.define(*value, &format!("v[{i}]"));
    }
    let text = stores(site, &w.kernel.stores);
    let flat = if k.cols > 1 { "const u32 e = col;\n" } else { "" };
    format!("{flat}{}{text}", place(result, &text, "chunk", if k.cols > 1 { "e" } else { "0u" }))
}
