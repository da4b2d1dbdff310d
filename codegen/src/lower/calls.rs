//! `Layer<…>(…)`: which layer, block or function a name means, its operands, and its lowering.

use super::body::{Current, Lowering};
use super::flops::flops;
use super::names::{FactKind, trail};
use super::*;
use crate::graph::builder::Builder;
use crate::graph::dims_text;
use crate::graph::op::{Leaf, Op};
use crate::layers::args::Args;
use crate::layers::site::{Site, Trail};
use crate::layers::{self, Layer, Operands, one_hot_of};
use crate::syntax::{ArgumentValue, Call, Line, Operand, Path};

impl<'a> Lowering<'a> {
    pub fn is_block(&self, name: &Ident) -> bool {
        self.scope.blocks.iter().any(|known| known.name == name)
    }

    pub fn complain(&mut self, source: Source, message: String, help: impl Into<String>) {
        self.errors.push(Mistake::new(source, message).help(help));
    }

    /// The current value, for a line that takes it.
    pub fn need_current(&mut self, what: &str, source: Source) -> Option<Value> {
        if self.current == Current::Nothing && !std::mem::replace(&mut self.complained, true) {
            let names: Vec<&str> = self.inputs.iter().map(|p| p.name.as_str()).collect();
            let message = match names.len() {
                _ if !self.calls.is_empty() => {
                    let block = &self.calls[self.calls.len() - 1];
                    format!("`{what}` takes the current value, but the block `{block}` has several operands")
                }
                0 => format!("`{what}` takes the current value, but no `input` stands before it"),
                n => format!(
                    "`{what}` takes the current value, but there are {n} inputs ({})",
                    listed(names.iter().copied())
                ),
            };
            let operand = self.names.first().and_then(|braces| Some(&braces.first()?.ident));
            let help = match names.first() {
                Some(_) if !self.calls.is_empty() => {
                    let name = operand.map_or("name", String::as_str);
                    format!("say which one: `from {name};` before it, or `{what}(…)`")
                }
                Some(name) => format!("say which one: `from {name};` before it, or `{what}(…)`"),
                None => "move the `input` line up".into(),
            };
            self.complain(source, message, help);
        }
        self.current.value()
    }

    /// What the lines of a block or group gave in the end. That they gave nothing, while no mistake was made, is one.
    pub fn value_of(&mut self, what: &str, source: Source) -> Option<Value> {
        if self.current == Current::Nothing {
            let message = format!("{what} has no value: none of its lines computes one");
            self.complain(source, message, "give it a line that does, or `from name;` as its last");
        }
        self.current.value()
    }

    /// A path that stands for a value of the network (not a target).
    pub fn operand_path(&mut self, path: &Path) -> Option<Value> {
        let value = self.resolve(path)?;
        match self.facts.get(&value).map(|f| &f.kind) {
            Some(FactKind::Class(_)) => {
                let name = path.text();
                let message = format!("`{name}` is a class target, and layers take dense values");
                self.complain(path.source(), message, format!("write `one_hot({name})`"));
                None
            }
            // A loss may be any computation; what `forward` returns is checked at the end.
            _ => Some(value),
        }
    }

    pub fn operand(&mut self, operand: &Operand) -> Option<Value> {
        match operand {
            Operand::Current(span) => self.need_current("_", Source::at(*span)),
            Operand::Path(path) => self.operand_path(path),
            Operand::Call(call) if call.name == "one_hot" => self.one_hot(call),
            Operand::Call(call) => {
                let message = format!("`{}` stands where the name of a value is expected", call.text());
                self.complain(call.source, message, "give it a line of its own, and name that: `name: Layer;`");
                None
            }
            Operand::Other(tokens) => {
                let source = operand.source();
                let text = crate::syntax::constant::tokens_text(tokens);
                self.complain(
                    source,
                    format!("`{text}` is no value of the network"),
                    "`(…)` holds names of values, `<…>` holds numbers",
                );
                None
            }
        }
    }

    /// `one_hot(digit)`
    pub fn one_hot(&mut self, call: &Call) -> Option<Value> {
        let operand = match call.operands.as_deref() {
            Some([Operand::Path(path)]) => path,
            _ => {
                self.complain(call.source, "`one_hot` takes one class target".into(), "`one_hot(digit)`");
                return None;
            }
        };
        let label = self.resolve(operand)?;
        let Some(FactKind::Class(classes)) = self.facts.get(&label).map(|f| f.kind.clone()) else {
            let message = format!("`one_hot` takes a class target, but `{}` is none", operand.text());
            self.complain(operand.source(), message, format!("`target {}: class<10>;`", operand.text()));
            return None;
        };
        let mut b = Builder { graph: &mut self.graph, source: call.source, layer: "one_hot".into() };
        let value = one_hot_of(&mut b, label, classes);
        self.fact(value, format!("one_hot({})", operand.text()), None, "one_hot", FactKind::Target);
        Some(value)
    }

    /// A layer or `fn`, lowered at `path`; the trail calls it `shown`.
    pub fn layer_call(&mut self, call: &Call, line: &Line, path: &str, shown: &str) -> Option<Value> {
        let name = call.name.to_string();
        if call.qualifier.is_none() {
            if let Some(function) = self.scope.functions.iter().find(|f| f.name == call.name).cloned() {
                return self.function_call(&function, call, shown);
            }
            if let Some(layer) = layers::find(&name) {
                return self.known_layer(layer, call, line, path, shown);
            }
        }
        if !self.scope.unreadable.contains(&name) {
            let diagnostic = self.unknown_layer(call);
            self.errors.push(diagnostic);
        }
        None
    }

    fn known_layer(
        &mut self,
        layer: &'static Layer,
        call: &Call,
        line: &Line,
        path: &str,
        shown: &str,
    ) -> Option<Value> {
        if let Some(operands) = &call.operands
            && let Some(other) = operands.iter().find(|o| matches!(o, Operand::Other(_)))
        {
            let diagnostic = no_value(layer, call, other);
            self.errors.push(diagnostic);
            return None;
        }
        if let Some(diagnostic) = self.nested(layer, call).or_else(|| self.foreign_arguments(layer, call)) {
            self.errors.push(diagnostic);
            return None;
        }
        // The channels for `_` come from the first operand; without one, arguments are still checked.
        let inputs = self.operands(call, layer.name, layer.operands).filter(|inputs| self.takes(layer, inputs, call));
        let ids = inputs.as_ref().and_then(|inputs| self.ids(inputs[0]));
        let channels = inputs.as_ref().and_then(|v| self.graph.shape(*v.first()?).dims.first().copied());
        let args =
            Args::read(call, layer.arguments, layer.surplus, layer.usage, &self.constants, channels, self.errors);
        if let (None, Some(args)) = (&inputs, &args) {
            args.check_constants(self.errors);
        }
        let (inputs, args) = (inputs?, args?);
        let source = Source::at(call.name.span());
        if layer.operands == Operands::One && !self.graph.shape(inputs[0]).batch {
            let message = format!("`{}` takes a value that depends on an input, but its operand does not", layer.name);
            self.complain(source, message, "`Add`, `Mul` and `fn`s take parameters as operands");
            return None;
        }
        let (facts, taken) = (&self.facts, inputs[0]);
        let trail = || trail(facts, taken);
        let from = self.graph.nodes.len();
        let elements = self.tables.elements;
        let (first, repeated) = (inputs[0], inputs.clone());
        // Dumps and `summary()` need the position too: the name alone may be there twice.
        let layer_name = if shown == path { path.to_string() } else { format!("{path} {shown}") };
        let mut site = Site {
            args,
            inputs,
            b: Builder { graph: &mut self.graph, source, layer: layer_name },
            tables: self.tables,
            path: path.to_string(),
            training: self.training && !self.wishes.frozen,
            wishes: &self.wishes,
            used: &mut self.used_wishes,
            trail: Trail::told_by(&trail),
            ids,
        };
        match (layer.lower)(&mut site) {
            Ok(value) => {
                // A layer that hands its operand on (dropout in evaluation) keeps that value's name.
                if !repeated.contains(&value) {
                    self.fact(value, shown.to_string(), Some(first), layer.name, FactKind::Value);
                }
                let parameters = self.tables.elements - elements;
                let text = self.text_of(call);
                self.row(path, &text, layer.doc, value, from, parameters, line.source);
                self.not_too_large(value, source)
            }
            Err(diagnostic) => {
                self.errors.push(diagnostic);
                None
            }
        }
    }

    /// `Add(Relu(x), Tanh(x))`, `Add(x, Relu)`, `Add<x, y>`: layers where names of values stand, and values in `<…>`.
    fn nested(&self, layer: &Layer, call: &Call) -> Option<Diagnostic> {
        let several = matches!(layer.operands, Operands::Two | Operands::AtLeastTwo);
        if several && call.operands.is_none() && call.arguments.iter().filter(|a| a.name.is_none()).count() > 1 {
            let first = call.arguments.first()?;
            let texts: Vec<String> = call.arguments.iter().map(Argument::text).collect();
            let message = format!("values of `{}` stand in `(…)`", layer.name);
            return Some(Mistake::new(first.source, message).help(format!(
                "write `{}({})`",
                layer.name,
                texts.join(", ")
            )));
        }
        let is_layer = |operand: &&Operand| match operand {
            Operand::Call(inner) => inner.name != "one_hot",
            Operand::Path(path) => {
                path.segments.len() == 1
                    && layers::find(&path.segments[0].to_string()).is_some()
                    && !self.names.iter().flatten().any(|name| path.segments[0] == name.ident)
            }
            Operand::Current(_) | Operand::Other(_) => false,
        };
        let operand = call.operands.iter().flatten().find(is_layer)?;
        let message = format!("`{}` stands where the name of a value is expected", habits::operand_text(operand));
        Some(Mistake::new(operand.source(), message).help(match habits::within(call, &self.known_names()) {
            Some(text) => format!("write `{text}`"),
            None => "give it a line of its own, and name that: `name: Layer;`".into(),
        }))
    }

    /// `kernel_size = 3`, `activation = relu`: arguments that other languages have, all of them at once.
    fn foreign_arguments(&self, layer: &Layer, call: &Call) -> Option<Diagnostic> {
        let known: Vec<&str> = layer.arguments.iter().map(|slot| slot.name).collect();
        let unknown: Vec<&Ident> = call
            .arguments
            .iter()
            .filter_map(|a| a.name.as_ref())
            .filter(|name| !known.iter().any(|own| *name == own))
            .collect();
        let foreign = |name: &&Ident| foreign::is_argument(&name.to_string(), &known);
        // `Linear<16, Relu>`
        let layer_word = call.arguments.iter().find(|a| match (&a.name, &a.value) {
            (None, ArgumentValue::Word(word, own)) => own.is_empty() && layers::find(&word.to_string()).is_some(),
            _ => false,
        });
        if let (Some(argument), []) = (layer_word, unknown.as_slice()) {
            let mut own = call.clone();
            own.arguments.retain(|a| a.source.first.start() != argument.source.first.start());
            let message = format!("`{}` is a layer, not an argument", argument.value.text());
            let text = format!("write `{}; {}`", habits::within(&own, &self.known_names())?, argument.value.text());
            return Some(Mistake::new(argument.source, message).help(text));
        }
        let first = *unknown.first().filter(|_| unknown.iter().all(foreign))?;
        let text = habits::within(call, &self.known_names())?;
        let message = format!("`{}` has no argument `{first}`", layer.name);
        Some(Mistake::new(Source::at(first.span()), message).help(format!("write `{text}`")))
    }

    /// Whether a layer that takes ids gets them, and no other does.
    fn takes(&mut self, layer: &Layer, inputs: &[Value], call: &Call) -> bool {
        let source = Source::at(call.name.span());
        if layer.operands != Operands::Ids {
            return !self.refuses_ids(inputs, layer.name, source);
        }
        if self.ids(inputs[0]).is_none() {
            let shape = dims_text(&self.graph.shape(inputs[0]).dims);
            let message = format!("`{}` takes ids, but its input are numbers of shape {shape}", layer.name);
            self.complain(source, message, "integers come in through an input of ids: `input text: ids<[32], 5000>;`");
            return false;
        }
        true
    }

    /// The operands of a call, `[current]` if it lists none.
    fn operands(&mut self, call: &Call, name: &str, takes: Operands) -> Option<Vec<Value>> {
        let source = Source::at(call.name.span());
        let one = matches!(takes, Operands::One | Operands::Ids);
        let many = if takes == Operands::Two { "2 values" } else { "at least 2 values" };
        let Some(operands) = &call.operands else {
            if !one {
                let message = format!("`{name}` takes {many}, found none");
                self.complain(source, message, format!("list them: `{name}(_, other)`"));
                return None;
            }
            return self.need_current(name, source).map(|value| vec![value]);
        };
        let fits = match takes {
            Operands::One | Operands::Ids => operands.len() == 1,
            Operands::Two => operands.len() == 2,
            Operands::AtLeastTwo => operands.len() >= 2,
        };
        if !fits {
            let takes = if one { "1 value" } else { many };
            let message = format!("`{name}` takes {takes}, found {}", operands.len());
            let help = if one && operands.is_empty() {
                format!("without `()` it takes the current value: `{};`", call.text())
            } else if one {
                format!("`{}(_)`, or join them first: `Add(a, b)`, `Concat(a, b)`", call.text())
            } else {
                format!("`{name}(_, other)`")
            };
            self.complain(source, message, help);
            return None;
        }
        // All of them, so that each wrong name is reported.
        let values: Vec<Option<Value>> = operands.iter().map(|operand| self.operand(operand)).collect();
        values.into_iter().collect()
    }

    /// Sizes that no memory holds end here, so that no later product overflows.
    pub fn not_too_large(&mut self, value: Value, source: Source) -> Option<Value> {
        let dims = &self.graph.shape(value).dims;
        if dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).is_some_and(|n| n < 1 << 31) {
            return Some(value);
        }
        let message = format!("a value of shape {} is too large", dims_text(dims));
        let help = "2^31 numbers a sample are the most: make the layer or its input smaller";
        self.errors.push(Mistake::new(source, message).help(help).trail(self.trail(value)));
        None
    }

    /// What to say about a name that is no layer, block or `fn` here.
    fn unknown_layer(&self, call: &Call) -> Diagnostic {
        let name = call.name.to_string();
        let mut source = Source::at(call.name.span());
        if let Some((first, text)) = &call.qualifier {
            source.first = first.span();
            let mistake = Mistake::new(source, format!("`{text}{name}` is no layer"));
            return match (habits::within(call, &self.known_names()), foreign::missing(&name)) {
                (Some(ours), _) => mistake.help(format!("write `{ours}`")),
                (None, Some(help)) => mistake.help(help),
                (None, None) => mistake.help(self.layer_of_self(text, &name)),
            };
        }
        if self.calls.contains(&name) {
            let message = format!("the block `{name}` uses itself");
            return Mistake::new(source, message).help("a block cannot be recursive: `repeat` unrolls");
        }
        if layers::find_loss(&name).is_some() {
            let message = format!("`{name}` is a loss, not a layer");
            return Mistake::new(source, message)
                .help(format!("write `loss: {};`", habits::loss(call).unwrap_or_else(|| format!("{name}(_, truth)"))));
        }
        if let Some(diagnostic) = habits::statement(call, source) {
            return diagnostic;
        }
        if name == "Residual" {
            let inner = call
                .operands
                .as_deref()
                .and_then(|operands| operands.iter().map(habits::operand).collect::<Option<Vec<_>>>());
            let help = match inner {
                Some(lines) if !lines.is_empty() => format!("write `Residual {{ {} }}`", lines.join(" ")),
                _ => "its lines stand in braces: `Residual { … }`".to_string(),
            };
            return Mistake::new(source, "`Residual` is followed by its lines in `{ … }`").help(help);
        }
        let mistake = Mistake::new(source, format!("there is no layer `{name}`"));
        // What is declared further down, or nearly called so, is meant before what other languages call so.
        if self.scope.is_declared_below(&name) {
            return Mistake::new(source, format!("`{name}` is used above its declaration"))
                .help("move its `block` or `fn` up, before this network or block");
        }
        let declared = self.scope.names();
        if let Some(same) = declared.iter().find(|own| own.to_lowercase() == name.to_lowercase()) {
            return mistake.help(format!("did you mean `{same}`?"));
        }
        if let (Some(_), Some(text)) =
            (foreign::ours(&name).or(foreign::container(&name)), habits::within(call, &self.known_names()))
        {
            return mistake.help(format!("write `{text}`"));
        }
        if let Some(help) = foreign::missing(&name) {
            return mistake.help(help);
        }
        let labels: Vec<&str> =
            self.names.iter().flatten().filter(|n| n.definition.is_some()).map(|n| n.ident.as_str()).collect();
        if let Some(near) = foreign::suggestion(&name, declared.iter().map(String::as_str).chain(labels)) {
            return mistake.help(format!("did you mean `{near}`?"));
        }
        if let Some(path) = self.hidden(&name) {
            return mistake.help(format!("from outside its group it is `{path}`"));
        }
        mistake.help(format!("if it is yours, declare it before: `block {name} {{ … }}` or `fn {name}(x) {{ … }}`"))
    }

    /// What lines before this one are called.
    fn known_names(&self) -> Vec<String> {
        self.names.iter().flatten().map(|name| name.ident.clone()).collect()
    }

    /// `self.conv1` where no line is called so.
    fn layer_of_self(&self, before: &str, name: &str) -> String {
        if before.starts_with("self") {
            format!(
                "a layer is declared where it is applied: `{name}: Layer<arguments>;`, and applied again as `{name}(value);`"
            )
        } else {
            "layers are named without what stands before the dot, and blocks come by `use path::Block;` before the network".into()
        }
    }

    /// A line of the summary.
    #[allow(clippy::too_many_arguments)]
    pub fn row(
        &mut self,
        path: &str,
        text: &str,
        doc: &str,
        value: Value,
        from: usize,
        parameters: usize,
        source: Source,
    ) {
        let flops = (from..self.graph.nodes.len()).map(|i| flops(&self.graph, Value(i as u32))).sum();
        let takes = self.own_nodes(value, from);
        self.layers.push(LayerRow {
            path: path.to_string(),
            text: text.to_string(),
            output: self.graph.shape(value).dims.clone(),
            parameters,
            flops,
            source,
            doc: doc.to_string(),
            from: takes,
        });
    }

    /// As written, with the values of constants: `Conv2d<64, 3>` of `Conv2d<C, 3>`.
    pub fn text_of(&self, call: &Call) -> String {
        let value = |argument: &Argument| {
            let constant = match &argument.value {
                ArgumentValue::Word(_, inner) => inner.is_empty(),
                ArgumentValue::Expr(expr) => !matches!(expr, syn::Expr::Lit(_) | syn::Expr::Unary(_)),
                ArgumentValue::Channels | ArgumentValue::List(_) | ArgumentValue::Text(_) => false,
            };
            let number = self.constants.argument(argument).ok().filter(|_| constant);
            number.map_or_else(|| argument.value.text(), Number::text)
        };
        let parts = call.arguments.iter().map(|argument| match &argument.name {
            Some(name) => format!("{name} = {}", value(argument)),
            None => value(argument),
        });
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { call.name.to_string() } else { format!("{}<{}>", call.name, parts.join(", ")) }
    }

    /// The next row has all nodes from `from` on: the inputs and rows (numbered behind all inputs) that they take.
    fn own_nodes(&mut self, value: Value, from: usize) -> Vec<usize> {
        // A layer that hands its operand on stands between that and what follows.
        let made = from..self.graph.nodes.len();
        let taken: Vec<Value> = match made.is_empty() {
            true => vec![value],
            false => {
                made.clone().flat_map(|i| self.graph.nodes[i].inputs.clone()).filter(|v| v.index() < from).collect()
            }
        };
        let mut takes = Vec::new();
        for giver in taken.iter().filter_map(|v| self.giver(*v)) {
            if !takes.contains(&giver) {
                takes.push(giver);
            }
        }
        let row = Giver::Row(self.layers.len());
        self.givers.insert(value, row);
        self.givers.extend(made.map(|i| (Value(i as u32), row)));
        takes.into_iter().map(|giver| self.numbered(giver)).collect()
    }

    /// What a value comes from, unless it is a parameter or a target.
    pub fn giver(&self, value: Value) -> Option<Giver> {
        match self.graph.node(value).op {
            Op::Leaf(Leaf::Input(i)) => Some(self.givers.get(&value).copied().unwrap_or(Giver::Input(i))),
            Op::Leaf(_) => None,
            _ => self.givers.get(&value).copied(),
        }
    }

    /// As `LayerRow::from` counts. All inputs must have been met, which `finish` sees to.
    pub fn numbered(&self, giver: Giver) -> usize {
        match giver {
            Giver::Input(i) => i,
            Giver::Row(row) => INPUTS + row,
        }
    }
}

/// An input, or a row of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Giver {
    Input(usize),
    Row(usize),
}

/// Rows are numbered from here until it is known how many inputs there are.
pub(super) const INPUTS: usize = 1 << 32;

impl Scope<'_> {
    /// What can be used like a layer.
    pub(super) fn names(&self) -> Vec<String> {
        let blocks = self.blocks.iter().map(|known| known.name.to_string());
        blocks.chain(self.functions.iter().map(|f| f.name.to_string())).collect()
    }

    /// Whether a block or `fn` of this name stands below what is lowered.
    fn is_declared_below(&self, name: &str) -> bool {
        self.below.contains(name)
    }
}

/// What stands in `(…)` of a layer and is no value.
fn no_value(layer: &Layer, call: &Call, operand: &Operand) -> Diagnostic {
    let mistake = match operand {
        Operand::Other(tokens) => habits::odd_operand(tokens).map(|(source, message)| Mistake::new(source, message)),
        _ => None,
    };
    let several = !layer.arguments.iter().any(|slot| slot.positional);
    let message = match several {
        true => format!("`{}` takes values, and this is none", layer.name),
        false => format!("numbers of `{}` stand in `<…>`, `(…)` holds values", layer.name),
    };
    let mistake = mistake.unwrap_or_else(|| Mistake::new(operand.source(), message));
    if let Some((function, line)) = habits::arithmetic(call) {
        return mistake.help(format!("declare `{function}` before the network, and write `{line}`"));
    }
    match habits::within(call, &[]) {
        Some(text) => mistake.help(format!("write `{text}`")),
        None => mistake.help(format!("for example `{}`", layer.usage)),
    }
}

/// For messages about values.
pub(super) fn shape_text(lowering: &Lowering, value: Value) -> String {
    dims_text(&lowering.graph.shape(value).dims)
}
