//! What a layer sees while it is lowered: its arguments, its operands, and where to put parameters and nodes.

use super::args::{Args, Result};
use crate::diagnostics::{Mistake, Source};
use crate::graph::builder::Builder;
use crate::graph::expr::{Id, Pool};
use crate::graph::op::{Leaf, Op};
use crate::graph::{DType, Init, Param, Shape, State, Type, Value, dims_text};
use std::collections::HashMap;
use std::ops::Range;

/// Parameters and states of a network: made by the first lowering, met again by the second.
#[derive(Debug, Default)]
pub struct Tables {
    pub params: Vec<Param>,
    pub states: Vec<State>,
    /// How many the running lowering has met.
    pub params_met: usize,
    pub states_met: usize,
    /// `Assign` nodes of the running lowering.
    pub assigns: Vec<Value>,
    /// [`Mode::single`](crate::graph::Mode::single) of the running lowering.
    pub single: Vec<(Value, String)>,
    /// Random streams given out.
    pub streams: u32,
    /// Elements of parameters that the running lowering has met.
    pub elements: usize,
    /// A line is applied again: only these entries may be met.
    again: Option<Again>,
    /// The first that did not fit.
    unfit: Option<String>,
    /// What states have been assigned: their value, should they be read again.
    latest: HashMap<usize, Value>,
}

/// The entries of a line: from which to which parameter and state.
#[derive(Clone, Debug)]
pub struct Again {
    params: Range<usize>,
    states: Range<usize>,
}

/// What [`Tables::end_again`] goes back to.
pub struct BeforeAgain {
    met: (usize, usize),
    again: Option<Again>,
}

impl Tables {
    /// Start again from the first parameter.
    pub fn rewind(&mut self) {
        (self.params_met, self.states_met, self.streams, self.elements) = (0, 0, 0, 0);
        self.assigns.clear();
        self.single.clear();
        self.latest.clear();
    }

    /// How many parameters and states have been met.
    pub fn met(&self) -> (usize, usize) {
        (self.params_met, self.states_met)
    }

    /// What was met since then.
    pub fn since(&self, (params, states): (usize, usize)) -> Again {
        Again { params: params..self.params_met, states: states..self.states_met }
    }

    /// Until [`Tables::end_again`], parameters and states are these, in this order.
    pub fn begin_again(&mut self, entries: &Again) -> BeforeAgain {
        let before = BeforeAgain { met: self.met(), again: self.again.take() };
        (self.params_met, self.states_met) = (entries.params.start, entries.states.start);
        self.again = Some(entries.clone());
        before
    }

    /// What did not fit, if anything did not.
    pub fn end_again(&mut self, before: BeforeAgain) -> Option<String> {
        if let Some(again) = &self.again
            && self.unfit.is_none()
            && (self.params_met, self.states_met) != (again.params.end, again.states.end)
        {
            let left = self.params.get(self.params_met..again.params.end).and_then(|rest| rest.first());
            self.unfit = left.map(|param| format!("it would not use its `{}`", param.name));
        }
        (self.params_met, self.states_met) = before.met;
        self.again = before.again;
        if self.again.is_none() { self.unfit.take() } else { self.unfit.clone() }
    }

    /// Whether the entry that is met may be met here.
    fn fits(&mut self, known: Option<(&str, &[usize])>, inside: bool, name: &str, dims: &[usize]) -> bool {
        let problem = match known.filter(|_| inside) {
            Some((own, shape)) if own == name && shape == dims => return true,
            Some((own, shape)) if own == name => {
                format!("`{name}` has shape {}, but {} is needed", dims_text(shape), dims_text(dims))
            }
            Some(_) | None => format!("it would need a `{name}`, which it does not have"),
        };
        self.unfit.get_or_insert(problem);
        false
    }
}

/// What `#[…]` around a layer asks for.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub frozen: bool,
    /// Parameters by name, path or the path of a line around them, or all of them by the empty name; with the number of
    /// the attribute.
    pub no_decay: Vec<(String, usize)>,
    /// The innermost last; the flag says that it stands on the layer itself.
    pub inits: Vec<Wish>,
}

#[derive(Clone, Debug)]
pub struct Wish {
    pub parameter: String,
    pub init: Init,
    pub source: Source,
    /// Stands on the layer itself, not on a group around it.
    pub own: bool,
    /// Number of the attribute in the network, to know which were never used.
    pub id: usize,
}

/// The shapes that led to a layer, as text where a message needs it: it is long to make, and most lines are right.
#[derive(Clone, Default)]
pub struct Trail<'a>(Option<&'a dyn Fn() -> String>);

impl<'a> Trail<'a> {
    pub fn told_by(text: &'a dyn Fn() -> String) -> Trail<'a> {
        Trail(Some(text))
    }
}

impl From<Trail<'_>> for String {
    fn from(trail: Trail) -> String {
        trail.0.map(|text| text()).unwrap_or_default()
    }
}

pub struct Site<'a> {
    pub args: Args<'a>,
    pub inputs: Vec<Value>,
    pub b: Builder<'a>,
    pub tables: &'a mut Tables,
    /// Prefix of parameter names: `features.0`.
    pub path: String,
    /// In training mode, and not frozen.
    pub training: bool,
    pub wishes: &'a Wishes,
    /// Which attributes found a parameter, by `Wish::id`.
    pub used: &'a mut Vec<usize>,
    /// `image [1, 28, 28] → features.0 [6, 28, 28] → here`
    pub trail: Trail<'a>,
    /// The number that the operand's ids stay below, for a layer that takes ids.
    pub ids: Option<usize>,
}

impl Site<'_> {
    /// Extents of operand `i`.
    pub fn dims(&self, i: usize) -> Vec<usize> {
        self.b.dims(self.inputs[i]).to_vec()
    }

    /// A mistake of shapes, on the layer's name.
    pub fn shape_error(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(self.args.source, message).trail(self.trail.clone())
    }

    /// The operand as an image [C, H, W].
    pub fn image(&self) -> Result<[usize; 3]> {
        match self.dims(0)[..] {
            [c, h, w] => Ok([c, h, w]),
            ref dims => {
                let message = format!(
                    "`{}` takes an image [channels, height, width], but its input has shape {}",
                    self.args.layer,
                    dims_text(dims)
                );
                let count: usize = dims.iter().product();
                let side = count.isqrt();
                let example = if side * side == count {
                    format!("`Reshape<[1, {side}, {side}]>;`")
                } else {
                    "`Reshape<[channels, height, width]>;`".to_string()
                };
                let help = match (dims.len(), self.args.layer.strip_suffix("2d")) {
                    (2, Some(stem)) if super::find(&format!("{stem}1d")).is_some() => {
                        format!("`{stem}1d` takes sequences")
                    }
                    _ => format!("put it before `Flatten`, or {example} before it"),
                };
                Err(self.shape_error(message).help(help))
            }
        }
    }

    /// The operand as a sequence [C, L].
    pub fn sequence(&self) -> Result<[usize; 2]> {
        match self.dims(0)[..] {
            [c, l] => Ok([c, l]),
            ref dims => {
                let message = format!(
                    "`{}` takes a sequence [channels, length], but its input has shape {}",
                    self.args.layer,
                    dims_text(dims)
                );
                let help = match (dims.len(), self.args.layer.strip_suffix("1d")) {
                    (3, Some(stem)) => format!("`{stem}2d` takes images"),
                    (1, _) => format!("`Reshape<[1, {}]>;` before it makes one channel of a vector", dims[0]),
                    _ => "`Reshape<[channels, length]>;` before it".to_string(),
                };
                Err(self.shape_error(message).help(help))
            }
        }
    }

    /// A trainable value named `path.name`.
    pub fn param(&mut self, name: &str, dims: &[usize], init: Init, fan_in: usize, fan_out: usize) -> Result<Value> {
        let full = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        self.param_named(name, full, dims, init, fan_in, fan_out)
    }

    pub fn param_named(
        &mut self,
        name: &str,
        full: String,
        dims: &[usize],
        init: Init,
        fan_in: usize,
        fan_out: usize,
    ) -> Result<Value> {
        let numel = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n < 1 << 32);
        let Some(numel) = numel else {
            let message = format!("`{full}` would have shape {}, which is too large", dims_text(dims));
            return Err(self
                .shape_error(message)
                .help("make the layer or its input smaller: 2^32 numbers are the most"));
        };
        let index = self.tables.params_met;
        if let Some(again) = self.tables.again.clone() {
            let known = self.tables.params.get(index).map(|p| (p.name.clone(), p.dims.clone()));
            let known = known.as_ref().map(|(name, dims)| (name.as_str(), dims.as_slice()));
            if !self.tables.fits(known, again.params.contains(&index), &full, dims) {
                return Err(Mistake::new(self.args.source, format!("`{full}` does not fit"))
                    .help("apply the line to what has the shape that it was first applied to"));
            }
            self.tables.params_met += 1;
            return Ok(self.leaf(Leaf::Param(index), dims));
        }
        self.tables.params_met += 1;
        self.tables.elements += numel;
        if index == self.tables.params.len() {
            let init = self.wished(name, &full, dims, init)?;
            let below =
                |path: &str| full.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let asked = |wish: &&(String, usize)| wish.0.is_empty() || wish.0 == name || below(&wish.0);
            let wishes: Vec<usize> = self.wishes.no_decay.iter().filter(asked).map(|(_, id)| *id).collect();
            let no_decay = !wishes.is_empty();
            self.used.extend(wishes);
            self.tables.params.push(Param {
                name: full,
                dims: dims.to_vec(),
                init,
                fan_in,
                fan_out,
                frozen: self.wishes.frozen,
                no_decay,
                source: self.args.source,
            });
        }
        Ok(self.push_leaf(Leaf::Param(index), dims))
    }

    fn push_leaf(&mut self, leaf: Leaf, dims: &[usize]) -> Value {
        let ty = Type { dtype: DType::F32, shape: Shape::fixed(dims) };
        self.b.graph.push_leaf(leaf, ty, self.b.source, &self.b.layer)
    }

    /// The one node of a leaf that may be there: gradients of all uses add up in it.
    fn leaf(&mut self, leaf: Leaf, dims: &[usize]) -> Value {
        match self.b.graph.leaf(leaf) {
            Some(value) => value,
            None => self.push_leaf(leaf, dims),
        }
    }

    /// The innermost `#[init]` for this parameter. One around a group leaves those to their default whose
    /// shape it is not for.
    fn wished(&mut self, name: &str, full: &str, dims: &[usize], default: Init) -> Result<Init> {
        let asked = |wish: &&Wish| wish.parameter == name || wish.parameter == full;
        let Some(wish) = self.wishes.inits.iter().rev().find(asked) else { return Ok(default) };
        self.used.push(wish.id);
        let Some((problem, help)) = wish.init.mismatch(dims) else { return Ok(wish.init) };
        if !wish.own {
            return Ok(default);
        }
        let message = format!("`{name}` of `{}` has shape {}: {problem}", self.args.layer, dims_text(dims));
        Err(Mistake::new(wish.source, message).help(help))
    }

    /// A saved value that training changes by `assign`: its number and its leaf.
    pub fn state(&mut self, name: &str, dims: &[usize], init: Init) -> (usize, Value) {
        let full = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        let index = self.tables.states_met;
        if let Some(again) = self.tables.again.clone() {
            let known = self.tables.states.get(index).map(|s| (s.name.clone(), s.dims.clone()));
            let known = known.as_ref().map(|(name, dims)| (name.as_str(), dims.as_slice()));
            self.tables.fits(known, again.states.contains(&index), &full, dims);
            self.tables.states_met += 1;
            // Two uses in one step move a running statistic twice, the second from where the first left it.
            let latest = self.tables.latest.get(&index).copied();
            return (index, latest.unwrap_or_else(|| self.leaf(Leaf::State(index), dims)));
        }
        self.tables.states_met += 1;
        if index == self.tables.states.len() {
            self.tables.states.push(State { name: full, dims: dims.to_vec(), init, source: self.args.source });
        }
        (index, self.push_leaf(Leaf::State(index), dims))
    }

    pub fn assign(&mut self, state: usize, value: Value) {
        if self.tables.latest.insert(state, value).is_some() {
            let graph = &self.b.graph;
            self.tables.assigns.retain(|other| graph.node(*other).op != Op::Assign { state });
        }
        let node = self.b.op(Op::Assign { state }, &[value]);
        self.tables.assigns.push(node);
    }

    /// Uniform numbers in [0, 1) with a stream of their own.
    pub fn random(&mut self, dims: &[usize]) -> Value {
        let stream = self.tables.streams;
        self.tables.streams += 1;
        self.b.random(stream, Shape::sample(dims))
    }

    /// An element-wise layer.
    pub fn map1(&mut self, f: impl FnOnce(&mut Pool, Id) -> Id) -> Value {
        let x = self.inputs[0];
        self.b.map1(x, f)
    }
}
