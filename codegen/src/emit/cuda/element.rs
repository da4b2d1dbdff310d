//! One element of a value as C++: operands are loaded, maps become expressions, and primitives that gather become loops.
//!
//! Every primitive is here, over any layout, so that whatever a network declares runs; templates serve the contractions.
//! A [`Site`] is a place in the text where elements are wanted; it collects statements and shares what it has computed.

use super::writer::{Access, Arg, Writer};
use crate::emit::cuda::expr;
use crate::graph::expr::{Expr, Id, Pool, Scalar};
use crate::graph::op::{ConvGeometry, ConvRole, Leaf, MoveOp, Op, ReduceOp, TableRow, WindowAxis, WindowOp};
use crate::graph::{DType, Value};
use crate::schedule::form::Iter;
use crate::schedule::{Layout, Storage};
use std::collections::HashMap;

/// Names of the variables that say which element a site is at.
#[derive(Clone, Debug)]
pub struct Domain {
    /// `n`, or `0u` where there is no batch.
    pub sample: String,
    pub channel: String,
    pub pixel: String,
    /// The element's place in a sample of the standard layout: `pixel · channels + channel`.
    pub flat: String,
    pub iter: Iter,
}

impl Domain {
    /// Variables `n`, `c`, `p` and `e`.
    pub fn of(iter: Iter) -> Self {
        let or_zero = |name: &str, there| if there { name.to_string() } else { "0u".to_string() };
        Domain {
            sample: or_zero("n", iter.batch),
            channel: or_zero("c", iter.channels > 1),
            pixel: or_zero("p", iter.pixels > 1),
            flat: or_zero("e", iter.channels * iter.pixels > 1),
            iter,
        }
    }

    /// Canonical indices of this element in a value of these extents.
    fn coords(&self, dims: &[usize]) -> Vec<String> {
        let Some((&channels, rest)) = dims.split_first() else { return Vec::new() };
        let mut at = vec![if channels == 1 { "0u".into() } else { self.channel.clone() }];
        at.extend(unflatten(&self.pixel, rest));
        at
    }
}

/// A place in the text where elements are computed.
pub struct Site<'w, 'a> {
    w: &'w Writer<'a>,
    domain: Domain,
    pool: Pool,
    leaves: Vec<String>,
    known: HashMap<(Value, String), Id>,
    /// Statements that come first: loops of gathering primitives.
    before: String,
}

impl<'w, 'a> Site<'w, 'a> {
    pub fn new(w: &'w Writer<'a>, domain: Domain) -> Self {
        let (pool, leaves) = (Pool::default(), Vec::new());
        Site { w, domain, pool, leaves, known: HashMap::new(), before: String::new() }
    }

    /// This element of `value` is in a variable already.
    pub fn define(&mut self, value: Value, variable: &str) {
        let at = self.domain.coords(&self.w.dims(value));
        let key = (value, key(&self.w.dims(value), &at));
        let id = self.leaf(variable.to_string());
        self.known.insert(key, id);
    }

    /// A site at the same element that has computed nothing.
    pub fn same_place(&self) -> Site<'w, 'a> {
        self.inside()
    }

    /// This element of `value`.
    pub fn value(&mut self, value: Value) -> Id {
        let at = self.domain.coords(&self.w.dims(value));
        self.at(value, &at, true)
    }

    /// Statements for all that was asked, and the names of these results.
    pub fn finish(self, roots: &[Id]) -> (String, Vec<String>) {
        let leaves = self.leaves;
        let (statements, results) = expr::print(&self.pool, roots, &mut |scalar| match scalar {
            Scalar::Input(i) => leaves[i as usize].clone(),
            Scalar::Uniform(u) => expr::uniform(u),
            other => unreachable!("{other:?} is no leaf"),
        });
        (self.before + &statements, results)
    }

    /// As `finish`, for one result.
    pub fn single(self, id: Id) -> (String, String) {
        let (statements, mut results) = self.finish(&[id]);
        (statements, results.remove(0))
    }

    fn leaf(&mut self, text: String) -> Id {
        let id = self.pool.input(self.leaves.len());
        self.leaves.push(text);
        id
    }

    /// Element `at` of `value`; `home` if that is this site's element.
    pub fn at(&mut self, value: Value, at: &[String], home: bool) -> Id {
        let w = self.w;
        let base = w.s.base(value);
        if !w.kernel.nodes.contains(&base) {
            let key = (value, key(&w.dims(value), at));
            if let Some(id) = self.known.get(&key) {
                return *id;
            }
            let text = self.load(value, at, home);
            let id = self.leaf(text);
            self.known.insert(key, id);
            return id;
        }
        let dims = w.dims(base);
        let at = match () {
            () if base == value => at.to_vec(),
            () if home && Iter::channelwise(w.s.graph().shape(base)) == self.domain.iter => self.domain.coords(&dims),
            () => unflatten(&linear(&w.dims(value), at), &dims),
        };
        let key = (base, key(&dims, &at));
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let id = self.computed(base, &dims, &at, home);
        self.known.insert(key, id);
        id
    }

    fn computed(&mut self, value: Value, dims: &[usize], at: &[String], home: bool) -> Id {
        let node = self.w.s.graph().node(value).clone();
        let inputs = &node.inputs;
        let text = match &node.op {
            Op::Map(e) => {
                let inputs: Vec<Id> = inputs.iter().map(|i| self.operand(*i, dims, at, home)).collect();
                return self.import(e, &inputs, dims, at);
            }
            Op::Assign { .. } => return self.operand(inputs[0], dims, at, home),
            Op::Random { stream } => {
                let sample = if node.ty.shape.batch { self.domain.sample.as_str() } else { "0u" };
                let element = linear(dims, at);
                format!("kiln_random(launch.run->seed, launch.run->step, {stream}u, {sample}, {element})")
            }
            Op::Reduce { op, axes, batch } => self.reduce(inputs[0], *op, axes, *batch, at),
            Op::Contract { lhs, rhs, out } => self.contract(inputs, lhs, rhs, out, at),
            Op::Conv { role, geometry } => self.conv(inputs, *role, geometry, at),
            Op::Window { op, axes } => self.window(inputs, *op, axes, at),
            Op::Table { axis, rows } => self.table(inputs[0], *axis, rows, at),
            Op::Move(op) => return self.movement(inputs, op, at),
            Op::Gather => self.gather(inputs, at),
            Op::ScatterAdd { batch, .. } => self.scatter_add(inputs, *batch, at),
            Op::Leaf(_) => self.load(value, at, home),
        };
        self.leaf(text)
    }

    /// An operand under element `at` of a node of extents `dims`.
    fn operand(&mut self, operand: Value, dims: &[usize], at: &[String], home: bool) -> Id {
        let own = self.w.dims(operand);
        if own == dims {
            return self.at(operand, at, home);
        }
        self.at(operand, &under(&own, at), false)
    }

    fn import(&mut self, expr: &Expr, inputs: &[Id], dims: &[usize], at: &[String]) -> Id {
        let mut pool = std::mem::take(&mut self.pool);
        let leaves = &mut self.leaves;
        let id = pool.import_with(expr, inputs, &mut |pool, axis| {
            if dims[axis] == 1 {
                return pool.constant(0.0);
            }
            let text = format!("static_cast<float>({})", at[axis]);
            let place = leaves.iter().position(|leaf| *leaf == text).unwrap_or_else(|| {
                leaves.push(text);
                leaves.len() - 1
            });
            pool.input(place)
        });
        self.pool = pool;
        id
    }

    /// Where element `at` lies behind the value's pointer, samples being `stride` apart.
    fn offset(&self, value: Value, at: &[String], home: bool, stride: usize) -> String {
        let (s, dims) = (self.w.s, self.w.dims(value));
        let layout = s.layout(value);
        let standard = Layout::standard(s.order, &dims);
        let plain = home && layout.same_map(&standard) && Iter::channelwise(s.graph().shape(value)) == self.domain.iter;
        let inner = if plain { self.domain.flat.clone() } else { physical(layout, &dims, at) };
        match (stride, inner.as_str()) {
            (0, _) => inner,
            (1, "0u") => self.domain.sample.clone(),
            (_, "0u") => format!("{} * {stride}u", self.domain.sample),
            _ => format!("{} * {stride}u + {inner}", self.domain.sample),
        }
    }

    fn load(&self, value: Value, at: &[String], home: bool) -> String {
        let w = self.w;
        let resident = w.resident.get(&w.s.base(value));
        let stride = if resident.is_some() { 0 } else { w.s.sample_stride(value) };
        let offset = self.offset(value, at, home, stride);
        let pointer = match resident {
            Some(name) => name.clone(),
            None => w.pointer(Arg::Value(w.s.base(value)), Access::Read),
        };
        let constant = match (w.s.storage(value), &w.s.graph().node(w.s.base(value)).op) {
            (Some(Storage::Port(_)), _) => true,
            (_, Op::Leaf(Leaf::Param(_))) => !w.updates,
            _ => false,
        };
        let integer = w.s.graph().ty(value).dtype != DType::F32;
        match (integer, constant) {
            (false, false) => format!("{pointer}[{offset}]"),
            (false, true) => format!("kiln_read_only({pointer} + ({offset}))"),
            (true, false) => format!("static_cast<float>(reinterpret_cast<const i32*>({pointer})[{offset}])"),
            (true, true) => {
                format!("static_cast<float>(kiln_read_only(reinterpret_cast<const i32*>({pointer}) + ({offset})))")
            }
        }
    }

    /// The statement that stores this site's element of `value`; a gradient goes through the optimizer's functor where the
    /// plan updates its parameter here.
    pub fn store(&self, value: Value, result: &str) -> String {
        let at = self.domain.coords(&self.w.dims(value));
        let mut text = String::new();
        if let Some(name) = self.w.resident.get(&value) {
            text += &self.assign(value, name, &self.offset(value, &at, true, 0), result);
        }
        if self.w.keeps(value) {
            text += &self.store_at(value, &self.offset(value, &at, true, self.w.s.sample_stride(value)), result);
        }
        text
    }

    fn assign(&self, value: Value, pointer: &str, offset: &str, result: &str) -> String {
        if self.w.s.graph().ty(value).dtype == DType::F32 {
            format!("{pointer}[{offset}] = {result};\n")
        } else {
            format!("reinterpret_cast<i32*>({pointer})[{offset}] = static_cast<i32>({result});\n")
        }
    }

    /// As `store`, at this physical offset.
    pub fn store_at(&self, value: Value, offset: &str, result: &str) -> String {
        let w = self.w;
        if let Some(Storage::Grad(param)) = w.s.storage(value)
            && w.updated.contains(&param)
        {
            let [p, g, s0, s1] = w.update_pointers(value, param);
            let group = usize::from(!w.decays[param]);
            return format!(
                "KilnOptimizer::update(launch.run->hyper[{group}], {p}, {g}, {s0}, {s1}, {offset}, {result});\n"
            );
        }
        self.assign(value, &w.pointer(Arg::Value(value), Access::Write), offset, result)
    }

    /// A site at other elements, for the inside of a loop.
    fn inside(&self) -> Site<'w, 'a> {
        Site::new(self.w, self.domain.clone())
    }

    fn reduce(&mut self, x: Value, op: ReduceOp, axes: &[usize], batch: bool, at: &[String]) -> String {
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
                self.before += &format!("float {acc} = 0.0f;\n");
                self.before += &nest(&loops, &format!("{body}{acc} += {x};\n"));
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
                    "{body}const float x = {x};\nif (x > {acc}) {{ {acc} = x; {index} = static_cast<float>({variable}); }}\n"
                );
                self.before += &nest(&loops, &step);
                index
            }
        }
    }

    fn contract(&mut self, inputs: &[Value], lhs: &[u8], rhs: &[u8], out: &[u8], at: &[String]) -> String {
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
        let mut ids = Vec::new();
        for (value, names) in inputs.iter().zip([lhs, rhs]) {
            let dims = self.w.dims(*value);
            let mut from = Vec::new();
            for (axis, extent) in names.iter().filter(|a| **a != 0).zip(&dims) {
                let index = named.entry(*axis).or_insert_with(|| {
                    let variable = self.w.fresh("j");
                    loops.push(Loop { variable: variable.clone(), extent: format!("{extent}u") });
                    variable
                });
                from.push(index.clone());
            }
            ids.push(inside.at(*value, &from, false));
        }
        self.products(inside, [ids[0], ids[1]], &loops, &[])
    }

    /// `acc += a · b` in loops, where all `guards` hold.
    fn products(&mut self, inside: Site, ids: [Id; 2], loops: &[Loop], guards: &[String]) -> String {
        let acc = self.w.fresh("g");
        let (statements, results) = inside.finish(&ids);
        let step = format!("{statements}{acc} = fmaf({}, {}, {acc});\n", results[0], results[1]);
        self.before += &format!("float {acc} = 0.0f;\n");
        self.before += &nest(loops, &guarded(guards, step));
        acc
    }

    fn conv(&mut self, inputs: &[Value], role: ConvRole, g: &ConvGeometry, at: &[String]) -> String {
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
                self.products(inside, [a, b], &loops, &guards)
            }
            ConvRole::Input => {
                let [o, ky, kx] = [w.fresh("j"), w.fresh("j"), w.fresh("j")];
                let (oy, ox, guards) = output_position(g, [&at[1], &at[2]], [&ky, &kx]);
                let output = group_index(&at[0], group_in, group_out, &o, g.groups);
                let own = if g.groups == 1 { at[0].clone() } else { format!("({} % {group_in}u)", at[0]) };
                let a = inside.at(inputs[0], &[output.clone(), oy, ox], false);
                let b = inside.at(inputs[1], &[output, own, ky.clone(), kx.clone()], false);
                let loops = [counted(&o, group_out), counted(&ky, g.kernel[0]), counted(&kx, g.kernel[1])];
                self.products(inside, [a, b], &loops, &guards)
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
                self.products(inside, [a, b], &loops, &guards)
            }
        }
    }

    fn window(&mut self, inputs: &[Value], op: WindowOp, axes: &[WindowAxis], at: &[String]) -> String {
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
        let (result, start, step) = match op {
            WindowOp::Sum | WindowOp::Spread => {
                let (body, x) = inside.single(first);
                (acc.clone(), format!("float {acc} = 0.0f;\n"), format!("{body}{acc} += {x};\n"))
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
                let step = format!("{body}if ({} == {tapped}) {acc} += {};\n", results[1], results[0]);
                (acc.clone(), format!("float {acc} = 0.0f;\n"), step)
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

    fn table(&mut self, x: Value, axis: usize, rows: &[TableRow], at: &[String]) -> String {
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
        let mut source = at.to_vec();
        source[axis] = from.clone();
        let mut inside = self.inside();
        let id = inside.at(x, &source, false);
        let (body, x) = inside.single(id);
        self.before += &format!(
            "const u32 {starts}[] = {{{}}};\nconst u32 {sources}[] = {{{index}}};\nconst float {weights}[] = {{{weight}}};\n\
             float {acc} = 0.0f;\nfor (u32 {j} = {starts}[{i}]; {j} < {starts}[{i} + 1u]; ++{j}) {{\n\
             const u32 {from} = {sources}[{j}];\n{body}{acc} += {weights}[{j}] * {x};\n}}\n",
            join(start)
        );
        acc
    }

    fn movement(&mut self, inputs: &[Value], op: &MoveOp, at: &[String]) -> Id {
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

    fn gather(&mut self, inputs: &[Value], at: &[String]) -> String {
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
        self.before += &format!(
            "float {result};\nu32 {chosen};\n{{\n{statements}{chosen} = static_cast<u32>({number});\n}}\n\
             {{\n{body}{result} = {x};\n}}\n"
        );
        result
    }

    fn scatter_add(&mut self, inputs: &[Value], batch: bool, at: &[String]) -> String {
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
        let step = format!("{statements}if (static_cast<u32>({number}) == {}) {{\n{body}{acc} += {x};\n}}\n", at[0]);
        self.before += &format!("float {acc} = 0.0f;\n{}", nest(&loops, &step));
        acc
    }
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

/// One axis of a window or convolution.
struct Axis {
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
fn to_input(a: &Axis, i: &str, tap: &str) -> (String, Vec<String>) {
    // Before the first element the unsigned difference wraps around and is beyond the last one too.
    let index = format!("({} + {}{})", times(i, a.stride), times(tap, a.dilation), plus(" - ", a.padding));
    let guard = format!("{index} < {}u", a.input);
    (index, vec![guard])
}

/// The output index whose tap `tap` meets input `i`, and when there is one.
fn from_output(a: &Axis, i: &str, tap: &str) -> (String, Vec<String>) {
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

/// What tells elements of a value apart: indices along axes that have more than one.
fn key(dims: &[usize], at: &[String]) -> String {
    let there: Vec<&str> = dims.iter().zip(at).filter(|(d, _)| **d != 1).map(|(_, i)| i.as_str()).collect();
    there.join(", ")
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
fn under(dims: &[usize], at: &[String]) -> Vec<String> {
    dims.iter().zip(at).map(|(extent, i)| if *extent == 1 { "0u".into() } else { i.clone() }).collect()
}

/// Where a canonical index lies.
fn physical(layout: &Layout, dims: &[usize], at: &[String]) -> String {
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
