//! One element of a value as C++: operands are loaded, maps become expressions, and primitives that gather become loops
//! (`gather`).
//!
//! Every primitive is here, over any layout, so that whatever a network declares runs; templates serve the contractions.
//! A [`Site`] is a place in the text where elements are wanted; it collects statements and shares what it has computed.

use super::expr;
use super::index::{linear, physical, under, unflatten};
use super::writer::{Access, Arg, Writer};
use crate::graph::expr::{Expr, Id, Pool, Scalar};
use crate::graph::op::{Leaf, Op};
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
    pub(super) w: &'w Writer<'a>,
    pub(super) domain: Domain,
    pool: Pool,
    leaves: Vec<String>,
    pub(super) known: HashMap<(Value, String), Id>,
    /// Statements that come first: loops of gathering primitives.
    pub(super) before: String,
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

    /// Whether something asked for needs a loop of its own.
    pub fn gathers(&self) -> bool {
        !self.before.is_empty()
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

    pub(super) fn leaf(&mut self, text: String) -> Id {
        let id = self.pool.input(self.leaves.len());
        self.leaves.push(text);
        id
    }

    /// Element `at` of `value`; `home` if that is this site's element.
    pub fn at(&mut self, value: Value, at: &[String], home: bool) -> Id {
        let w = self.w;
        let base = w.s.base(value);
        if !w.own.contains(&base) {
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
    pub(super) fn offset(&self, value: Value, at: &[String], home: bool, stride: usize) -> String {
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
        // What the whole graph only reads before anything writes it: a kernel may be started while its predecessor still
        // runs, so "nobody writes it in this launch" would not be enough. Parameters are updated behind their last reader.
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
            let pointers = w.update_pointers(value, param).join(", ");
            return format!("KilnOptimizer::update({pointers}, {offset}, {result});\n");
        }
        self.assign(value, &w.pointer(Arg::Value(value), Access::Write), offset, result)
    }

    /// A site at other elements, for the inside of a loop.
    pub(super) fn inside(&self) -> Site<'w, 'a> {
        Site::new(self.w, self.domain.clone())
    }
}

/// What tells elements of a value apart: indices along axes that have more than one.
pub(super) fn key(dims: &[usize], at: &[String]) -> String {
    let there: Vec<&str> = dims.iter().zip(at).filter(|(d, _)| **d != 1).map(|(_, i)| i.as_str()).collect();
    there.join(", ")
}
