//! Statements that are no layer: ports, `param`, `output`; and the forms with braces, `Residual` and `Concat`.

use super::body::{Current, Lowering, OutputValue, Place};
use super::names::{Fact, FactKind, Name};
use super::*;
use crate::graph::builder::Builder;
use crate::graph::op::{Leaf, MoveOp, Op};
use crate::graph::{DType, PortKind, Shape, Type, dims_text};
use crate::layers::args::Args;
use crate::layers::site::{Site, Trail};
use crate::syntax::{ArgumentValue, Call, Kind, Line, Operand, Path, PortSyntax, Shortcut};
use std::rc::Rc;

impl Lowering<'_> {
    fn at_top(&mut self, word: &str, ident: &Ident) -> bool {
        let top = self.names.len() == 1 && self.calls.is_empty();
        if !top {
            let message = format!("`{word}` stands at the top of a network, not inside braces");
            let help = format!(
                "move the line before the first layer; in a block, values come in by name: `block Up(x, {ident})`"
            );
            self.errors.push(Mistake::new(Source::at(ident.span()), message).help(help));
        }
        top
    }

    /// Extents in `[…]`.
    fn extents(&mut self, dims: &[Argument], what: &str) -> Option<Vec<usize>> {
        let mut extents = Vec::new();
        for dim in dims {
            match self.constants.argument(dim) {
                Ok(Number::Int(n)) if (1..=1 << 24).contains(&n) => extents.push(n as usize),
                Ok(other) => {
                    let message = format!("a size of {what} is a positive whole number, found {}", other.text());
                    let help = match other {
                        Number::Float(x) if x >= 1.0 => format!("write `{}`", x.round() as i64),
                        Number::Int(i) if i < 0 => {
                            "leave it out if it stands for the batch; other sizes are written".into()
                        }
                        Number::Int(0) => "the smallest size is 1".into(),
                        Number::Int(_) => "the largest size is 2^24".to_string(),
                        Number::Float(_) | Number::Bool(_) => "write how many numbers there are along this axis".into(),
                    };
                    self.errors.push(Mistake::new(dim.source, message).help(help));
                }
                Err(diagnostic) => self.errors.push(diagnostic),
            }
        }
        (extents.len() == dims.len()).then_some(extents)
    }

    fn port(&mut self, name: &Ident, port: &PortSyntax, word: &str) -> Option<PortKind> {
        match port {
            PortSyntax::Dense(dims, _) if self.is_batch(dims.first()) => {
                let first = &dims[0];
                let rest: Vec<String> = dims[1..].iter().map(Argument::text).collect();
                let message = format!("`{}` stands for the batch, which is not written", first.text());
                self.complain(first.source, message, format!("write `{word} {name}: [{}];`", rest.join(", ")));
                None
            }
            PortSyntax::Dense(dims, source) => {
                let dims = self.extents(dims, &format!("`{name}`"))?;
                if dims.is_empty() || dims.len() > 3 {
                    let message = format!(
                        "`{name}` has {}, but values are vectors [n], sequences [channels, length] or images [channels, height, width]",
                        counted(dims.len(), "axis")
                    );
                    self.errors.push(Mistake::new(*source, message).help("the batch axis is not written"));
                    return None;
                }
                Some(PortKind::Dense(dims))
            }
            PortSyntax::Call(call) if call.name == "class" && word == "target" => match call.arguments.as_slice() {
                [classes] => {
                    self.extents(std::slice::from_ref(classes), &format!("`{name}`")).map(|n| PortKind::Class(n[0]))
                }
                other => {
                    let message =
                        format!("`class` takes the number of classes, found {}", counted(other.len(), "argument"));
                    let help =
                        habits::port(word, name, call).unwrap_or_else(|| format!("write `target {name}: class<10>;`"));
                    self.errors.push(Mistake::new(call.source, message).help(help));
                    None
                }
            },
            PortSyntax::Call(call) if call.name == "ids" && word == "input" => self.ids_port(name, call),
            PortSyntax::Call(call) => {
                let help = if word == "input" {
                    "an input is `[n]`, `[c, l]`, `[c, h, w]` or `ids<[n], below>`"
                } else {
                    "a target is `class<10>`, `[n]`, `[c, l]` or `[c, h, w]`"
                };
                let message = format!("`{}` is no kind of {word}", call.text());
                let help = habits::port(word, name, call).unwrap_or_else(|| help.to_string());
                self.errors.push(Mistake::new(call.source, message).help(help));
                None
            }
        }
    }

    /// `None`, `-1`, `batch` as the first size: the batch axis of other languages.
    fn is_batch(&self, first: Option<&Argument>) -> bool {
        match first.map(|first| &first.value) {
            Some(ArgumentValue::Word(word, own)) => {
                let name = word.to_string();
                own.is_empty()
                    && self.constants.get(word).is_none()
                    && matches!(name.to_lowercase().as_str(), "none" | "batch" | "batch_size" | "b" | "bs" | "n")
            }
            Some(ArgumentValue::Expr(expr)) => self.constants.expr(expr).is_ok_and(|number| number == Number::Int(-1)),
            Some(ArgumentValue::Channels) => true,
            _ => false,
        }
    }

    /// `ids<[32], 5000>`
    fn ids_port(&mut self, name: &Ident, call: &Call) -> Option<PortKind> {
        let [Argument { value: ArgumentValue::List(extents), source, .. }, below] = call.arguments.as_slice() else {
            let message = "`ids` takes the length and the number that all ids stay below";
            self.errors.push(Mistake::new(call.source, message).help("`ids<[32], 5000>`"));
            return None;
        };
        let dims = self.extents(extents, &format!("`{name}`"))?;
        let below = self.extents(std::slice::from_ref(below), &format!("`{name}`"))?[0];
        if dims.len() != 1 {
            let message = format!("`{name}` has {}, but ids are a list [length]", counted(dims.len(), "axis"));
            self.errors.push(Mistake::new(*source, message).help("the batch axis is not written"));
            return None;
        }
        Some(PortKind::Ids(dims, below))
    }

    pub fn input(&mut self, name: &Ident, port: &PortSyntax) {
        if !self.at_top("input", name) {
            return;
        }
        let source = Source::at(name.span());
        let Some(kind @ (PortKind::Dense(_) | PortKind::Ids(..))) = self.port(name, port, "input") else {
            self.bind(name, None, Vec::new());
            self.current = Current::Poisoned;
            return;
        };
        let (dtype, dims, fact) = match &kind {
            PortKind::Dense(dims) => (DType::F32, dims.clone(), FactKind::Value),
            PortKind::Ids(dims, below) => (DType::I32, dims.clone(), FactKind::Ids(*below)),
            PortKind::Class(_) => unreachable!("is no input"),
        };
        let ty = Type { dtype, shape: Shape::sample(dims) };
        let value = self.graph.push_leaf(Leaf::Input(self.inputs.len()), ty, source, &name.to_string());
        self.inputs.push(Port { name: name.to_string(), kind, source });
        self.fact(value, name.to_string(), None, "input", fact);
        if self.not_too_large(value, source).is_none() {
            self.bind(name, None, Vec::new());
            self.current = Current::Poisoned;
            return;
        }
        self.bind(name, Some(value), Vec::new());
        if !self.begun && self.current != Current::Poisoned {
            self.current = if self.inputs.len() == 1 { Current::Is(value) } else { Current::Nothing };
        }
    }

    pub fn target(&mut self, name: &Ident, port: &PortSyntax) {
        if !self.at_top("target", name) {
            return;
        }
        let source = Source::at(name.span());
        let Some(kind) = self.port(name, port, "target") else {
            self.bind(name, None, Vec::new());
            return;
        };
        let (ty, fact) = match &kind {
            PortKind::Class(n) => (Type { dtype: DType::I32, shape: Shape::sample([]) }, FactKind::Class(*n)),
            PortKind::Dense(dims) | PortKind::Ids(dims, _) => {
                (Type { dtype: DType::F32, shape: Shape::sample(dims.clone()) }, FactKind::Target)
            }
        };
        let value = self.graph.push_leaf(Leaf::Target(self.targets.len()), ty, source, &name.to_string());
        self.targets.push(Port { name: name.to_string(), kind, source });
        self.fact(value, name.to_string(), None, "target", fact);
        self.bind(name, Some(value), Vec::new());
    }

    pub fn fact(&mut self, value: Value, path: String, from: Option<Value>, layer: &str, kind: FactKind) {
        // A layer that hands its operand on makes no new value.
        let dims = self.graph.shape(value).dims.clone();
        self.facts.entry(value).or_insert(Fact { path, from, dims, layer: layer.to_string(), kind });
    }

    pub fn output(&mut self, paths: &[Path]) {
        let source = paths.first().map(Path::source).unwrap_or_default();
        if self.outputs.is_some() || !self.calls.is_empty() {
            let message = if self.outputs.is_some() { "`output` is already given" } else { "a block has no `output`" };
            self.errors.push(Mistake::new(source, message).help("one line lists all: `output a, b;`"));
            return;
        }
        let mut outputs: Vec<OutputValue> = Vec::new();
        for path in paths {
            let value = self.operand_path(path);
            let name = path.segments.last().map(Ident::to_string).unwrap_or_default();
            if outputs.iter().any(|o| o.name == name) {
                let message = format!("two outputs are named `{name}`");
                let help = "name one of the values with `as`";
                self.errors.push(Mistake::new(path.source(), message).help(help));
            }
            outputs.push(OutputValue { name, value, source: path.source() });
        }
        self.outputs = Some(outputs);
    }

    pub fn param_line(&mut self, name: &Ident, dims: &[Argument], init: Option<&Argument>, place: &Place) {
        let source = Source::at(name.span());
        let dims = self.extents(dims, &format!("`{name}`"));
        let start = init;
        let init = match start {
            Some(init) => self.init(init),
            None => {
                let message = format!("`param {name}` has no start value");
                let dims: Vec<String> = dims.iter().flatten().map(usize::to_string).collect();
                let help = format!(
                    "write `param {name}: [{}] = Zeros;`, or another start such as `Constant<0.25>`",
                    dims.join(", ")
                );
                self.errors.push(Mistake::new(source, message).help(help));
                None
            }
        };
        let (Some(dims), Some(init)) = (dims, init) else { return self.bind(name, None, Vec::new()) };
        if let Some((problem, help)) = init.mismatch(&dims) {
            let message = format!("`{name}` has shape {}: {problem}", dims_text(&dims));
            let at = start.map_or(source, |start| start.source);
            self.errors.push(Mistake::new(at, message).help(help));
            return self.bind(name, None, Vec::new());
        }
        let path = place.join(&name.to_string());
        let frozen = self.wishes.frozen;
        self.wishes.frozen |= self.frozen_by_path(&path);
        let taps: usize = dims.iter().skip(2).fold(1, |n, d| n.saturating_mul(*d));
        let fan_out = dims.first().copied().unwrap_or(1).saturating_mul(taps);
        let fan_in = dims.get(1).copied().unwrap_or(1).saturating_mul(taps);
        let mut site = Site {
            args: Args::none("param", source, &self.constants),
            inputs: Vec::new(),
            b: Builder { graph: &mut self.graph, source, layer: path.clone() },
            tables: self.tables,
            path: place.prefix.clone(),
            training: self.training,
            wishes: &self.wishes,
            used: &mut self.used_wishes,
            trail: Trail::default(),
            ids: None,
        };
        let made = site.param(&name.to_string(), &dims, init, fan_in, fan_out);
        self.wishes.frozen = frozen;
        match made {
            Ok(value) => {
                self.fact(value, path, None, "param", FactKind::Value);
                let what = format!("the parameter `{name}`");
                let exempt = name.to_string().starts_with('_');
                self.computed.push(super::body::Computed { value, source, what, exempt });
                self.bind(name, Some(value), Vec::new());
            }
            Err(diagnostic) => {
                self.errors.push(diagnostic);
                self.bind(name, None, Vec::new());
            }
        }
    }

    /// What a group takes: `{ … }(value)`.
    pub fn group_operand(&mut self, operands: &[Operand], source: Source) -> Current {
        match operands {
            [operand] => Current::of(self.operand(operand)),
            other => {
                let message = format!("a group takes 1 value, found {}", other.len());
                let help = "write `name: { … }(value)`; inside, other values are known by name";
                self.errors.push(Mistake::new(source, message).help(help));
                Current::Poisoned
            }
        }
    }

    /// body(x) + x, or body(x) + shortcut(x).
    pub fn residual(
        &mut self,
        body: &[Line],
        shortcut: Option<&Shortcut>,
        line: &Line,
        place: &mut Place,
    ) -> (Option<Value>, Vec<Rc<Name>>) {
        if body.is_empty() {
            let message = "this `Residual` is empty: it would double its input";
            self.complain(line.source, message.into(), "give it lines, or remove it");
            return (None, Vec::new());
        }
        let Some(start) = self.need_current("Residual", line.source) else { return (None, Vec::new()) };
        self.names.push(Vec::new());
        self.body(body, place);
        let main = self.current.value();
        let mut skip = Some(start);
        if let Some(shortcut) = shortcut {
            let reshaped = main.is_none_or(|y| self.graph.shape(y) != self.graph.shape(start));
            if !shortcut.reshaped || reshaped {
                self.current = Current::Is(start);
                let name = shortcut.name.as_ref().map_or("shortcut".to_string(), Ident::to_string);
                self.names.push(Vec::new());
                self.body(&shortcut.body, &mut Place::sequential(place.join(&name)));
                let inner = self.names.pop().unwrap_or_default();
                skip = self.current.value();
                if let Some(name) = &shortcut.name {
                    self.bind(name, skip, inner);
                }
            }
        }
        let names = self.names.pop().unwrap_or_default();
        let (Some(y), Some(x)) = (main, skip) else { return (None, names) };
        if self.refuses_ids(&[y, x], "Residual", line.source) {
            return (None, names);
        }
        if !self.graph.shape(y).batch {
            let message = "the body of `Residual` does not depend on any input";
            let help = "its first line takes what the line before `Residual` gave; remove a `from` in it";
            self.errors.push(Mistake::new(line.source, message).help(help));
            return (None, names);
        }
        if self.graph.shape(y) != self.graph.shape(x) {
            let diagnostic = self.unequal(y, x, start, shortcut, line.source);
            self.errors.push(diagnostic);
            return (None, names);
        }
        let path = place.join("Residual");
        let from = self.graph.nodes.len();
        let mut b = Builder { graph: &mut self.graph, source: line.source, layer: path.clone() };
        let sum = b.add(y, x);
        self.fact(sum, path.clone(), Some(y), "Residual", FactKind::Value);
        self.row(&path, "Residual", "body(x) + shortcut(x).", sum, from, 0, line.source);
        (Some(sum), names)
    }

    fn unequal(&self, y: Value, x: Value, start: Value, shortcut: Option<&Shortcut>, source: Source) -> Diagnostic {
        let dims = |v: Value| self.graph.shape(v).dims.clone();
        let (body, input, skip) = (dims(y), dims(start), dims(x));
        if let Some(shortcut) = shortcut {
            let message = format!(
                "the shortcut gives shape {}, but the body of `Residual` gives {}",
                dims_text(&skip),
                dims_text(&body)
            );
            let diagnostic = Mistake::new(shortcut.source, message).trail(self.trail(x));
            return match shortcut_layers(&input, &body) {
                Some(layers) => diagnostic.help(format!("`shortcut {{ {layers} }}` gives that shape")),
                None => diagnostic.help("let it end with a layer that gives the shape of the body"),
            };
        }
        let message = format!("the body of `Residual` turns shape {} into {}", dims_text(&input), dims_text(&body));
        let diagnostic = Mistake::new(source, message).trail(self.trail(y));
        diagnostic.help(match shortcut_layers(&input, &body) {
            Some(layers) => format!("bring the input to that shape: `Residual {{ … }} shortcut {{ {layers} }}`"),
            None => "the body must keep the shape, or a `shortcut { … }` must give the same".into(),
        })
    }

    /// Branches of the current value, joined along the channels.
    pub fn branches(&mut self, branches: &[Line], line: &Line, place: &mut Place) -> (Option<Value>, Vec<Rc<Name>>) {
        let start = self.current;
        if start == Current::Nothing && self.need_current("Concat", line.source).is_none() {
            return (None, Vec::new());
        }
        if branches.len() < 2 && !branches.iter().any(|branch| matches!(branch.kind, Kind::Broken { .. })) {
            let message = format!("`Concat` joins at least 2 branches, found {}", branches.len());
            self.errors.push(Mistake::new(line.source, message).help("`Concat { a: { … } b: { … } }`"));
        }
        self.names.push(Vec::new());
        let mut values = Vec::new();
        for branch in branches {
            self.current = start;
            let computes =
                matches!(branch.kind, Kind::Call(_) | Kind::Group { .. } | Kind::Residual { .. } | Kind::Concat { .. });
            if !computes && !matches!(branch.kind, Kind::Broken { .. }) {
                let message = "a branch of `Concat` is a layer or a group";
                self.errors.push(Mistake::new(branch.source, message).help("`name: { … }`"));
                self.current = Current::Poisoned;
            } else {
                self.line(branch, place);
            }
            values.push(self.current.value().map(|value| (value, branch)));
        }
        let names = self.names.pop().unwrap_or_default();
        let Some(values) = values.into_iter().collect::<Option<Vec<_>>>().filter(|v| !v.is_empty()) else {
            return (None, names);
        };
        let lacking = values.iter().find(|(value, _)| !self.graph.shape(*value).batch);
        if let Some((_, branch)) = lacking {
            let message = "this branch does not depend on any input";
            let help = "a branch begins with what the line before `Concat` gave; a parameter is joined by `Concat(_, name)` after a layer";
            self.errors.push(Mistake::new(branch.source, message).help(help));
            return (None, names);
        }
        let all: Vec<Value> = values.iter().map(|(value, _)| *value).collect();
        if self.refuses_ids(&all, "Concat", line.source) {
            return (None, names);
        }
        let first = self.graph.shape(values[0].0).dims.clone();
        for (value, branch) in &values[1..] {
            let dims = &self.graph.shape(*value).dims;
            if first.is_empty() || dims.len() != first.len() || dims[1..] != first[1..] {
                let source = branch.label.as_ref().map_or(branch.source, |label| Source::at(label.span()));
                let message =
                    format!("this branch has shape {}, but the first one has {}", dims_text(dims), dims_text(&first));
                let diagnostic = Mistake::new(source, message)
                    .help("`Concat` joins along the channels: all axes behind the first must be equal")
                    .trail(self.trail(*value));
                self.errors.push(diagnostic);
                return (None, names);
            }
        }
        let path = place.join("Concat");
        let from = self.graph.nodes.len();
        let operands: Vec<Value> = values.iter().map(|(value, _)| *value).collect();
        let mut b = Builder { graph: &mut self.graph, source: line.source, layer: path.clone() };
        let joined = b.op(Op::Move(MoveOp::Concat { axis: 0 }), &operands);
        if self.not_too_large(joined, line.source).is_none() {
            return (None, names);
        }
        self.fact(joined, path.clone(), Some(operands[0]), "Concat", FactKind::Value);
        self.row(&path, "Concat", "Branches joined along the channels.", joined, from, 0, line.source);
        (Some(joined), names)
    }
}

/// What brings the input of a `Residual` to the shape of its body.
fn shortcut_layers(input: &[usize], body: &[usize]) -> Option<String> {
    match (input, body) {
        ([_], [n]) => Some(format!("Linear<{n}>;")),
        ([_, h, w], [c, oh, ow]) if *oh <= *h && *ow <= *w => {
            let stride = h.div_ceil(*oh);
            let fits = (h - 1) / stride + 1 == *oh && (w - 1) / stride + 1 == *ow;
            let stride = if stride == 1 { String::new() } else { format!(", stride = {stride}") };
            fits.then(|| format!("Conv2d<{c}, 1{stride}, bias = false>; BatchNorm;"))
        }
        _ => None,
    }
}
