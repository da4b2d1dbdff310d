//! Primitives whose elements need other elements of an operand, as loops: every primitive but maps, over any layout.

use super::element::{Site, key};
use super::expr;
use super::index::{from_output, input_position, linear, output_position, to_input, under, unflatten};
use super::loops::{SHORT, add_to_sum, start_sum};
use crate::graph::Value;
use crate::graph::expr::Id;
use crate::graph::op::{ConvGeometry, ConvRole, MoveOp, Op, ReduceOp, TableRow, WindowAxis, WindowOp};
use std::collections::HashMap;

impl Site<'_, '_> {
    pub(super) fn reduce(&mut self, x: Value, op: ReduceOp, axes: &[usize], batch: bool, at: &[String]) -> String {
        let dims = self.w.dims(x);
        let mut loops = Vec::new();
        let mut from = at.to_vec();
        if batch && self.w.s.graph().shape(x).batch {
            loops.push(Loop { variable: "n".into(), extent: "launch.batch".into() });
        }
        for &axis in axes {
            let variable = self.w.fresh("j");
            from[axis] = variable.clone();
            loops.push(Loop { variable, extent: format!("{}u", dims[axis]) });
        }
        let mut inside = self.inside();
        if batch {
            inside.domain.sample = "n".into();
        }
        let id = inside.at(x, &from, false);
        let (body, x) = inside.single(id);
        let acc = self.w.fresh("g");
        match op {
            ReduceOp::Sum => {
                let long = is_long((!batch).then(|| axes.iter().map(|a| dims[*a]).product()));
                self.before += &start_sum(&acc, long);
                self.before += &nest(&loops, &format!("{body}{}", add_to_sum(&acc, &x, long)));
                acc
            }
            ReduceOp::Max => {
                self.before += &format!("float {acc} = -kiln_infinity();\n");
                let step = format!("{body}const float x = {x};\nif (x > {acc} || x != x) {acc} = x;\n");
                self.before += &nest(&loops, &step);
                acc
            }
            ReduceOp::ArgMax => {
                let index = self.w.fresh("g");
                let variable = &loops.last().expect("an axis").variable;
                self.before += &format!("float {acc} = -kiln_infinity();\nfloat {index} = 0.0f;\n");
                let step = format!(
                    "{body}const float x = {x};\nif (kiln_better(x, {acc})) {{ {acc} = x; {index} = static_cast<float>({variable}); }}\n"
                );
                self.before += &nest(&loops, &step);
                index
            }
        }
    }

    pub(super) fn contract(&mut self, inputs: &[Value], lhs: &[u8], rhs: &[u8], out: &[u8], at: &[String]) -> String {
        let has_batch = |names: &[u8]| names.first() == Some(&0);
        let mut named: HashMap<u8, String> = HashMap::new();
        for (axis, index) in out.iter().filter(|a| **a != 0).zip(at) {
            named.insert(*axis, index.clone());
        }
        let summed = !has_batch(out) && (has_batch(lhs) || has_batch(rhs));
        let mut loops = Vec::new();
        if summed {
            loops.push(Loop { variable: "n".into(), extent: "launch.batch".into() });
        }
        let mut inside = self.inside();
        if summed {
            inside.domain.sample = "n".into();
        }
        let (mut ids, mut depth) = (Vec::new(), 1);
        for (value, names) in inputs.iter().zip([lhs, rhs]) {
            let dims = self.w.dims(*value);
            let mut from = Vec::new();
            for (axis, extent) in names.iter().filter(|a| **a != 0).zip(&dims) {
                let index = named.entry(*axis).or_insert_with(|| {
                    let variable = self.w.fresh("j");
                    loops.push(Loop { variable: variable.clone(), extent: format!("{extent}u") });
                    depth *= extent;
                    variable
                });
                from.push(index.clone());
            }
            ids.push(inside.at(*value, &from, false));
        }
        let long = is_long((!summed).then_some(depth));
        self.products(inside, [ids[0], ids[1]], &loops, &[], long)
    }

    /// `acc += a · b` in loops, where all `guards` hold.
    fn products(&mut self, inside: Site, ids: [Id; 2], loops: &[Loop], guards: &[String], long: bool) -> String {
        let acc = self.w.fresh("g");
        let (statements, results) = inside.finish(&ids);
        let (a, b) = (&results[0], &results[1]);
        let product = if long {
            add_to_sum(&acc, &format!("{a} * {b}"), true)
        } else {
            format!("{acc} = fmaf({a}, {b}, {acc});\n")
        };
        let step = format!("{statements}{product}");
        self.before += &start_sum(&acc, long);
        self.before += &nest(loops, &guarded(guards, step));
        acc
    }

    pub(super) fn conv(&mut self, inputs: &[Value], role: ConvRole, g: &ConvGeometry, at: &[String]) -> String {
        let (group_in, group_out) = (g.channels / g.groups, g.outputs / g.groups);
        let w = self.w;
        let counted = |variable: &str, extent: usize| Loop { variable: variable.into(), extent: format!("{extent}u") };
        let mut inside = self.inside();
        match role {
            ConvRole::Forward => {
                let [c, ky, kx] = [w.fresh("j"), w.fresh("j"), w.fresh("j")];
                let (y, x, guards) = input_position(g, [&at[1], &at[2]], [&ky, &kx]);
                let channel = group_index(&at[0], group_out, group_in, &c, g.groups);
                let a = inside.at(inputs[0], &[channel, y, x], false);
                let b = inside.at(inputs[1], &[at[0].clone(), c.clone(), ky.clone(), kx.clone()], false);
                let loops = [counted(&c, group_in), counted(&ky, g.kernel[0]), counted(&kx, g.kernel[1])];
                let long = is_long(Some(group_in * g.kernel[0] * g.kernel[1]));
                self.products(inside, [a, b], &loops, &guards, long)
            }
            ConvRole::Input => {
                let [o, ky, kx] = [w.fresh("j"), w.fresh("j"), w.fresh("j")];
                let (oy, ox, guards) = output_position(g, [&at[1], &at[2]], [&ky, &kx]);
                let output = group_index(&at[0], group_in, group_out, &o, g.groups);
                let own = if g.groups == 1 { at[0].clone() } else { format!("({} % {group_in}u)", at[0]) };
                let a = inside.at(inputs[0], &[output.clone(), oy, ox], false);
                let b = inside.at(inputs[1], &[output, own, ky.clone(), kx.clone()], false);
                let loops = [counted(&o, group_out), counted(&ky, g.kernel[0]), counted(&kx, g.kernel[1])];
                let long = is_long(Some(group_out * g.kernel[0] * g.kernel[1]));
                self.products(inside, [a, b], &loops, &guards, long)
            }
            ConvRole::Weight => {
                let [oy, ox] = [w.fresh("j"), w.fresh("j")];
                let (y, x, guards) = input_position(g, [&oy, &ox], [&at[2], &at[3]]);
                let channel = group_index(&at[0], group_out, group_in, &at[1], g.groups);
                inside.domain.sample = "n".into();
                let a = inside.at(inputs[0], &[channel, y, x], false);
                let b = inside.at(inputs[1], &[at[0].clone(), oy.clone(), ox.clone()], false);
                let batch = Loop { variable: "n".into(), extent: "launch.batch".into() };
                let loops = [batch, counted(&oy, g.output[0]), counted(&ox, g.output[1])];
                self.products(inside, [a, b], &loops, &guards, is_long(None))
            }
        }
    }

    pub(super) fn window(&mut self, inputs: &[Value], op: WindowOp, axes: &[WindowAxis], at: &[String]) -> String {
        let w = self.w;
        let adjoint = matches!(op, WindowOp::Spread | WindowOp::Route);
        let (mut loops, mut there, mut guards, mut tap) = (Vec::new(), Vec::new(), Vec::new(), String::from("0u"));
        for (a, i) in axes.iter().zip(at) {
            if a.is_trivial() {
                there.push(i.clone());
                continue;
            }
            let variable = w.fresh("j");
            let (index, mut conditions) =
                if adjoint { from_output(&(*a).into(), i, &variable) } else { to_input(&(*a).into(), i, &variable) };
            there.push(index);
            guards.append(&mut conditions);
            tap = if tap == "0u" { variable.clone() } else { format!("({tap} * {}u + {variable})", a.kernel) };
            loops.push(Loop { variable, extent: format!("{}u", a.kernel) });
        }
        let (acc, arg) = (w.fresh("g"), w.fresh("g"));
        let mut inside = self.inside();
        let first = inside.at(inputs[0], &there, false);
        let tapped = format!("static_cast<float>({tap})");
        let long = is_long(Some(axes.iter().map(|a| a.kernel).product()));
        let (result, start, step) = match op {
            WindowOp::Sum | WindowOp::Spread => {
                let (body, x) = inside.single(first);
                (acc.clone(), start_sum(&acc, long), format!("{body}{}", add_to_sum(&acc, &x, long)))
            }
            WindowOp::Max | WindowOp::ArgMax => {
                let (body, x) = inside.single(first);
                let start = format!("float {acc} = -kiln_infinity();\nfloat {arg} = -1.0f;\n");
                let better = format!("{arg} < 0.0f || x > {acc} || (x != x && {acc} == {acc})");
                let step = format!("{body}const float x = {x};\nif ({better}) {{ {acc} = x; {arg} = {tapped}; }}\n");
                self.both(inputs[0], op, axes, at, [&acc, &arg]);
                (if op == WindowOp::Max { acc } else { arg }, start, step)
            }
            WindowOp::Route => {
                let index = inside.at(inputs[1], &there, false);
                let (body, results) = inside.finish(&[first, index]);
                let step = format!("{body}if ({} == {tapped}) {}", results[1], add_to_sum(&acc, &results[0], long));
                (acc.clone(), start_sum(&acc, long), step)
            }
            WindowOp::Pick => {
                let index = inside.at(inputs[1], at, false);
                let (body, results) = inside.finish(&[first, index]);
                let step = format!("{body}if ({} == {tapped}) {acc} = {};\n", results[1], results[0]);
                (acc.clone(), format!("float {acc} = 0.0f;\n"), step)
            }
        };
        self.before += &start;
        self.before += &nest(&loops, &guarded(&guards, step));
        result
    }

    /// Maximum and its position come from the same loop: whoever asks for the other finds it.
    fn both(&mut self, x: Value, op: WindowOp, axes: &[WindowAxis], at: &[String], [acc, arg]: [&String; 2]) {
        let w = self.w;
        let (other, variable) = if op == WindowOp::Max { (WindowOp::ArgMax, arg) } else { (WindowOp::Max, acc) };
        let wanted = Op::Window { op: other, axes: axes.to_vec() };
        let partner = w.kernel.nodes.iter().find(|v| {
            let node = w.s.graph().node(**v);
            node.op == wanted && w.s.base(node.inputs[0]) == w.s.base(x)
        });
        if let Some(partner) = partner {
            let id = self.leaf(variable.clone());
            self.known.insert((*partner, key(&w.dims(*partner), at)), id);
        }
    }

    pub(super) fn table(&mut self, x: Value, axis: usize, rows: &[TableRow], at: &[String]) -> String {
        let w = self.w;
        let [acc, from, weights, sources, starts] = [(); 5].map(|()| w.fresh("g"));
        let join = |list: Vec<String>| list.join(", ");
        let mut start = vec!["0u".to_string()];
        let mut total = 0;
        for row in rows {
            total += row.len();
            start.push(format!("{total}u"));
        }
        let entries: Vec<&(usize, u64)> = rows.iter().flatten().collect();
        let index = join(entries.iter().map(|e| format!("{}u", e.0)).collect());
        let weight = join(entries.iter().map(|e| expr::number(f64::from_bits(e.1))).collect());
        let (i, j) = (&at[axis], w.fresh("j"));
        let long = is_long(rows.iter().map(|row| row.len()).max().or(Some(0)));
        let mut source = at.to_vec();
        source[axis] = from.clone();
        let mut inside = self.inside();
        let id = inside.at(x, &source, false);
        let (body, x) = inside.single(id);
        self.before += &format!(
            "const u32 {starts}[] = {{{}}};\nconst u32 {sources}[] = {{{index}}};\nconst float {weights}[] = {{{weight}}};\n\
             {}for (u32 {j} = {starts}[{i}]; {j} < {starts}[{i} + 1u]; ++{j}) {{\n\
             const u32 {from} = {sources}[{j}];\n{body}{}}}\n",
            join(start),
            start_sum(&acc, long),
            add_to_sum(&acc, &format!("{weights}[{j}] * {x}"), long),
        );
        acc
    }

    pub(super) fn movement(&mut self, inputs: &[Value], op: &MoveOp, at: &[String]) -> Id {
        let x = inputs[0];
        let from = self.w.dims(x);
        let mut source = at.to_vec();
        match op {
            MoveOp::Reshape(dims) if *dims == from => self.at(x, at, false),
            MoveOp::Reshape(dims) => self.at(x, &unflatten(&linear(dims, at), &from), false),
            MoveOp::Transpose(perm) => {
                for (result, operand) in perm.iter().enumerate() {
                    source[*operand] = at[result].clone();
                }
                self.at(x, &source, false)
            }
            MoveOp::Slice { axis, start, .. } => {
                source[*axis] = format!("({} + {start}u)", at[*axis]);
                self.at(x, &source, false)
            }
            MoveOp::Broadcast { .. } => self.at(x, &under(&from, at), false),
            MoveOp::Concat { axis } => {
                let result = self.w.fresh("g");
                let (mut start, mut text, i) = (0, String::new(), &at[*axis]);
                for operand in inputs {
                    let end = start + self.w.dims(*operand)[*axis];
                    source[*axis] = if start == 0 { i.clone() } else { format!("({i} - {start}u)") };
                    let mut inside = self.inside();
                    let id = inside.at(*operand, &source, false);
                    let (body, x) = inside.single(id);
                    text += &format!("if ({i} >= {start}u && {i} < {end}u) {{\n{body}{result} = {x};\n}}\n");
                    start = end;
                }
                self.before += &format!("float {result} = 0.0f;\n{text}");
                self.leaf(result)
            }
            MoveOp::Pad { axis, before, .. } => {
                let result = self.w.fresh("g");
                let (i, extent) = (&at[*axis], from[*axis]);
                source[*axis] = format!("({i} - {before}u)");
                let mut inside = self.inside();
                let id = inside.at(x, &source, false);
                let (body, x) = inside.single(id);
                // Below `before` the difference wraps around and is not below the extent either.
                self.before += &format!(
                    "float {result} = 0.0f;\nif ({i} - {before}u < {extent}u) {{\n{body}{result} = {x};\n}}\n"
                );
                self.leaf(result)
            }
        }
    }

    pub(super) fn gather(&mut self, inputs: &[Value], at: &[String]) -> String {
        let rank = self.w.dims(inputs[1]).len();
        let [chosen, result] = [self.w.fresh("g"), self.w.fresh("g")];
        let mut index = self.inside();
        let id = index.at(inputs[1], &at[..rank], false);
        let (statements, number) = index.single(id);
        let mut source = vec![chosen.clone()];
        source.extend_from_slice(&at[rank..]);
        let mut inside = self.inside();
        let id = inside.at(inputs[0], &source, false);
        let (body, x) = inside.single(id);
        // No index reaches beyond the last row, whatever was computed.
        let last = self.w.dims(inputs[0])[0] - 1;
        self.before += &format!(
            "float {result};\nu32 {chosen};\n{{\n{statements}{chosen} = static_cast<u32>({number});\n\
             if ({chosen} > {last}u) {chosen} = {last}u;\n}}\n{{\n{body}{result} = {x};\n}}\n"
        );
        result
    }

    pub(super) fn scatter_add(&mut self, inputs: &[Value], batch: bool, at: &[String]) -> String {
        let dims = self.w.dims(inputs[1]);
        let summed = !batch && self.w.s.graph().shape(inputs[0]).batch;
        let mut loops = Vec::new();
        if summed {
            loops.push(Loop { variable: "n".into(), extent: "launch.batch".into() });
        }
        let place: Vec<String> = dims.iter().map(|_| self.w.fresh("j")).collect();
        for (variable, extent) in place.iter().zip(&dims) {
            loops.push(Loop { variable: variable.clone(), extent: format!("{extent}u") });
        }
        let mut inside = self.inside();
        let mut index = self.inside();
        if summed {
            inside.domain.sample = "n".into();
            index.domain.sample = "n".into();
        }
        let id = index.at(inputs[1], &place, false);
        let (statements, number) = index.single(id);
        let mut source = place.clone();
        source.extend_from_slice(&at[1..]);
        let id = inside.at(inputs[0], &source, false);
        let (body, x) = inside.single(id);
        let acc = self.w.fresh("g");
        let long = is_long((!summed).then(|| dims.iter().product()));
        let add = add_to_sum(&acc, &x, long);
        let step = format!("{statements}if (static_cast<u32>({number}) == {}) {{\n{body}{add}}}\n", at[0]);
        self.before += &format!("{}{}", start_sum(&acc, long), nest(&loops, &step));
        acc
    }
}

/// Whether a sum of so many values keeps an account of its rounding; `None` where the batch decides how many.
fn is_long(values: Option<usize>) -> bool {
    values.is_none_or(|values| values > SHORT)
}

/// A loop from 0.
struct Loop {
    variable: String,
    extent: String,
}

fn nest(loops: &[Loop], body: &str) -> String {
    let mut text = body.to_string();
    for Loop { variable, extent } in loops.iter().rev() {
        text = format!("for (u32 {variable} = 0u; {variable} < {extent}; ++{variable}) {{\n{text}}}\n");
    }
    if loops.is_empty() { format!("{{\n{text}}}\n") } else { text }
}

pub fn guarded(guards: &[String], step: String) -> String {
    if guards.is_empty() { step } else { format!("if ({}) {{\n{step}}}\n", guards.join(" && ")) }
}

/// Channel `inner` of the group that `index` belongs to.
fn group_index(index: &str, own: usize, other: usize, inner: &str, groups: usize) -> String {
    if groups == 1 { inner.to_string() } else { format!("({index} / {own}u * {other}u + {inner})") }
}
