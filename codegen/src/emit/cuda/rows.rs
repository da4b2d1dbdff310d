//! Rows added up by number: a warp for each row of the result, which looks for its number among 32 indices at a time.

use super::element::{Domain, Site};
use super::index::unflatten;
use super::writer::{Phase, Work, Writer};
use crate::graph::op::Op;
use crate::schedule::form::Iter;

/// Elements of a row that a lane keeps.
const MOST: usize = 4;

pub fn scatter_add(w: &Writer) -> Phase {
    let graph = w.s.graph();
    let value = w.kernel.nodes[0];
    let node = graph.node(value);
    let Op::ScatterAdd { batch, .. } = node.op else { unreachable!("a sum of rows") };
    let (values, index) = (node.inputs[0], node.inputs[1]);
    let (dims, index_dims) = (w.dims(value), w.dims(index));
    let (rows, length): (usize, usize) = (dims[0], dims[1..].iter().product());
    let indices: usize = index_dims.iter().product();
    let wide = length.div_ceil(32).min(MOST);
    // The functions below name their own variables.
    let site = || {
        let mut site = Site::new(w, Domain::of(Iter::channelwise(&node.ty.shape)));
        site.domain.sample = "n".into();
        site
    };
    let place = unflatten("i", &index_dims);
    let rest = unflatten("e", &dims[1..]);
    let behind = |mut first: Vec<String>| {
        first.extend(rest.iter().cloned());
        first
    };
    let mut read = site();
    let id = read.at(index, &place, false);
    let (index_text, number) = read.single(id);
    let mut read = site();
    let id = read.at(values, &behind(place), false);
    let (value_text, number_at) = read.single(id);
    let last = rows - 1;
    let stride = w.s.sample_stride(value);
    let plain = site();
    let offset = plain.offset(value, &behind(vec!["row".into()]), false, stride);
    let store = plain.store_at(value, &offset, "sum");
    let items = format!(
        "struct Body {{\nconst Launch& launch;\n\
         KILN_DEV u32 index(u32 n, u32 i) const {{\n{index_text}\
         const u32 found = static_cast<u32>({number});\nreturn found < {last}u ? found : {last}u;\n}}\n\
         KILN_DEV float value(u32 n, u32 i, u32 e) const {{\n{value_text}return {number_at};\n}}\n\
         KILN_DEV void store(u32 n, u32 row, u32 e, float sum) const {{\n{store}}}\n}};\n"
    );
    let (results, summed) = match (batch, graph.shape(values).batch) {
        (true, _) => ("launch.batch", "1u"),
        (false, true) => ("1u", "launch.batch"),
        (false, false) => ("1u", "1u"),
    };
    let body = format!(
        "kiln_scatter_add<{wide}, {length}>(Body{{launch}}, {results}, {summed}, {rows}u, {indices}u, cta, ctas);\n"
    );
    let pieces = rows * length.div_ceil(32 * wide);
    let work = Work { height: 8, ..if batch { Work::samples(pieces, 8) } else { Work::fixed(pieces) } };
    Phase { items, body, work, shared: 0 }
}
