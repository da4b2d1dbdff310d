//! The lowering of one network in one mode: its state, and the walk over its lines.

use super::again::{Definition, called_names};
use super::attributes::{Asked, AskedOfLine, Stands};
use super::calls::Giver;
use super::names::{Fact, Name};
use super::*;
use crate::graph::{Graph, Mean, Probe};
use crate::layers::site::Wishes;
use crate::syntax::limits::MOST_LEVELS;
use crate::syntax::{Kind, Line};
use proc_macro2::TokenTree;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Nested `repeat`s grow fast.
const MOST_LINES: usize = 5_000;

/// The value that the next line takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Current {
    /// None yet: no input, or several.
    Nothing,
    /// A line before was wrong.
    Poisoned,
    Is(Value),
}

impl Current {
    pub fn of(value: Option<Value>) -> Self {
        value.map_or(Current::Poisoned, Current::Is)
    }

    pub fn value(self) -> Option<Value> {
        match self {
            Current::Is(value) => Some(value),
            Current::Nothing | Current::Poisoned => None,
        }
    }
}

/// Where parameter names are made: the prefix, and how lines without a label are called.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub prefix: String,
    /// An `nn.Sequential`: every line is a member. Otherwise an `nn.Module`.
    pub sequential: bool,
    /// Position of the next line.
    pub next: usize,
}

impl Place {
    pub fn module(prefix: String) -> Self {
        Place { prefix, sequential: false, next: 0 }
    }

    pub fn sequential(prefix: String) -> Self {
        Place { prefix, sequential: true, next: 0 }
    }

    /// The full name of a member.
    pub fn join(&self, member: &str) -> String {
        if self.prefix.is_empty() { member.to_string() } else { format!("{}.{member}", self.prefix) }
    }
}

/// A line that computed something, for the search for unused values.
#[derive(Clone, Debug)]
pub(super) struct Computed {
    pub value: Value,
    pub source: Source,
    /// What messages call it.
    pub what: String,
    /// Its name begins with `_`.
    pub exempt: bool,
}

/// The terms of `loss:` after lowering.
#[derive(Clone, Debug)]
pub(super) struct LossValue {
    pub total: Option<Value>,
    /// [`Mode::means`](crate::graph::Mode::means).
    pub means: Vec<Mean>,
    pub correct: Option<Value>,
    pub counted: Option<Counted>,
    /// The first operand of each term.
    pub predictions: Vec<Option<(String, Value)>>,
    pub source: Source,
}

/// An `output` with its name.
#[derive(Clone, Debug)]
pub(super) struct OutputValue {
    pub name: String,
    pub value: Option<Value>,
    pub source: Source,
}

pub(super) struct Lowering<'a> {
    pub scope: Scope<'a>,
    pub training: bool,
    pub graph: Graph,
    pub tables: &'a mut Tables,
    pub errors: &'a mut Errors,
    pub constants: Constants,
    pub names: Vec<Vec<Rc<Name>>>,
    /// Names of lines that come later, for the message about a use before.
    pub later_names: BTreeSet<String>,
    pub current: Current,
    pub facts: HashMap<Value, Fact>,
    pub wishes: Wishes,
    /// `#[init]`s and `#[no_decay]`s met, and the numbers of those that found a parameter.
    pub asked: Vec<Asked>,
    pub used_wishes: Vec<usize>,
    /// `#[frozen(…)]` and `#[probe(…)]` of the network, and the paths of all lines if there is any.
    pub frozen_lines: Vec<AskedOfLine>,
    pub probed_lines: Vec<AskedOfLine>,
    pub paths: Vec<String>,
    /// `#[probe]`s met, with the value of their line.
    pub probes: Vec<(Probe, Value)>,
    /// Names that some line calls: labels among them are kept with their lines.
    pub called: BTreeSet<String>,
    pub layers: Vec<LayerRow>,
    /// The row, or input, that a value comes from.
    pub givers: HashMap<Value, Giver>,
    pub returns: Vec<usize>,
    pub labels: Vec<Label>,
    pub inputs: Vec<Port>,
    pub targets: Vec<Port>,
    pub outputs: Option<Vec<OutputValue>>,
    pub loss: Option<LossValue>,
    pub computed: Vec<Computed>,
    /// Blocks around the present line.
    pub calls: Vec<String>,
    /// A layer was lowered, so that a further input does not take the current value away.
    pub begun: bool,
    /// Lines lowered so far.
    pub lines: usize,
    /// Bodies around the present line, and whether there were too many.
    pub level: usize,
    pub too_deep: bool,
    /// One message about the missing current value is enough.
    pub complained: bool,
}

/// Both modes of `network` with these constants, or nothing after a mistake.
pub(super) fn lower(
    network: &syntax::Network,
    scope: &Scope,
    constants: &Constants,
    errors: &mut Errors,
) -> Option<Module> {
    let mut tables = Tables::default();
    let before = errors.len();
    let mut training = Lowering::new(scope, constants, &mut tables, errors, true);
    let mode = training.network(network);
    let (Some((training, _)), true) = (mode, errors.len() == before) else { return None };
    tables.rewind();
    let mut evaluation = Lowering::new(scope, constants, &mut tables, errors, false);
    let mode = evaluation.network(network);
    let (inputs, targets) = (evaluation.inputs.clone(), evaluation.targets.clone());
    let (layers, labels) = (evaluation.layers.clone(), evaluation.labels.clone());
    let returns = evaluation.returns.clone();
    let probes = evaluation.probes.iter().map(|(probe, _)| probe.clone()).collect();
    let (Some((evaluation, outputs)), true) = (mode, errors.len() == before) else { return None };
    Some(Module {
        name: network.name.to_string(),
        inputs,
        targets,
        outputs,
        params: tables.params,
        states: tables.states,
        layers,
        returns,
        labels,
        probes,
        training,
        evaluation,
    })
}

impl<'a> Lowering<'a> {
    fn new(
        scope: &Scope<'a>,
        constants: &Constants,
        tables: &'a mut Tables,
        errors: &'a mut Errors,
        training: bool,
    ) -> Self {
        Lowering {
            scope: scope.clone(),
            training,
            graph: Graph::default(),
            tables,
            errors,
            constants: constants.clone(),
            names: vec![Vec::new()],
            later_names: BTreeSet::new(),
            current: Current::Nothing,
            facts: HashMap::new(),
            wishes: Wishes::default(),
            asked: Vec::new(),
            used_wishes: Vec::new(),
            frozen_lines: Vec::new(),
            probed_lines: Vec::new(),
            probes: Vec::new(),
            paths: Vec::new(),
            called: BTreeSet::new(),
            layers: Vec::new(),
            givers: HashMap::new(),
            returns: Vec::new(),
            labels: Vec::new(),
            inputs: Vec::new(),
            targets: Vec::new(),
            outputs: None,
            loss: None,
            computed: Vec::new(),
            calls: Vec::new(),
            begun: false,
            lines: 0,
            level: 0,
            too_deep: false,
            complained: false,
        }
    }

    fn network(&mut self, network: &syntax::Network) -> Option<(Mode, Vec<Port>)> {
        if !network.body.iter().any(may_be_input) {
            let source = Source::at(network.name.span());
            let message = format!("the network `{}` has no `input`", network.name);
            self.errors.push(Mistake::new(source, message).help(format!(
                "declare what it is fed: `input image: [1, 28, 28];`; a piece of a network is `block {} {{ … }}`",
                network.name
            )));
            self.complained = true;
            self.current = Current::Poisoned;
        }
        called_names(&network.body, &mut self.called);
        let mut place = Place::module(String::new());
        self.around(&network.attributes, Stands::Network, |lowering| lowering.body(&network.body, &mut place));
        self.finish(network)
    }

    /// The lines of one pair of braces.
    pub fn body(&mut self, lines: &[Line], place: &mut Place) {
        if self.level == MOST_LEVELS {
            if let Some(line) = lines.first().filter(|_| !std::mem::replace(&mut self.too_deep, true)) {
                let message =
                    format!("more than {MOST_LEVELS} levels of lines, blocks and lines applied again written out");
                self.errors.push(Mistake::new(line.source, message).help("let fewer blocks or groups use one another"));
            }
            self.current = Current::Poisoned;
            return;
        }
        self.level += 1;
        self.body_within(lines, place);
        self.level -= 1;
    }

    fn body_within(&mut self, lines: &[Line], place: &mut Place) {
        let outer = std::mem::take(&mut self.later_names);
        self.later_names.extend(lines.iter().flat_map(line_names).map(|n| n.to_string()));
        self.later_names.extend(outer.iter().cloned());
        for line in lines {
            self.line(line, place);
            for name in line_names(line) {
                self.later_names.remove(&name.to_string());
            }
        }
        self.later_names = outer;
    }

    pub fn line(&mut self, line: &Line, place: &mut Place) {
        self.lines += 1;
        if self.lines > MOST_LINES {
            if self.lines == MOST_LINES + 1 {
                let message = format!("the network has more than {MOST_LINES} lines, repeats and blocks unrolled");
                self.errors
                    .push(Mistake::new(line.source, message).help("repeat fewer times, or declare several networks"));
            }
            self.current = Current::Poisoned;
            return;
        }
        let stands = match &line.kind {
            Kind::Call(call) if !self.is_block(&call.name) => Stands::Layer,
            _ => Stands::Group,
        };
        let met = self.tables.met();
        self.around(&line.attributes, stands, |lowering| lowering.bare_line(line, place));
        self.attributes_without_meaning(line, met);
    }

    fn bare_line(&mut self, line: &Line, place: &mut Place) {
        match &line.kind {
            Kind::Broken { names, .. } => {
                self.poison(names);
                self.current = Current::Poisoned;
                self.begun = true;
            }
            Kind::Input { name, port } => self.input(name, port),
            Kind::Target { name, port } => self.target(name, port),
            Kind::From(path) => {
                let value = self.operand_path(path);
                self.begun = true;
                self.current = Current::of(value);
            }
            Kind::Output(paths) => self.output(paths),
            Kind::Loss(terms) => self.loss_line(terms, line.source),
            Kind::Param { name, dims, init } => self.param_line(name, dims, init.as_ref(), place),
            // Chosen at expansion: the lines stand in its place, and name values as if they were written there.
            Kind::If { condition, then, otherwise } => match self.constants.truth(condition) {
                Ok(true) => self.body(then, place),
                Ok(false) => self.body(otherwise, place),
                Err(diagnostic) => {
                    let diagnostic = self.value_in_condition(condition).unwrap_or(diagnostic);
                    self.errors.push(diagnostic);
                    self.current = Current::Poisoned;
                }
            },
            Kind::Repeat { count, body } => self.repeat(count, body, place),
            Kind::Call(_) | Kind::Group { .. } | Kind::Residual { .. } | Kind::Concat { .. } => {
                self.computing_line(line, place);
            }
        }
    }

    /// `if x > 0 { … }` over a value of the network.
    fn value_in_condition(&self, condition: &syn::Expr) -> Option<Diagnostic> {
        let known = |token: &TokenTree| match token {
            TokenTree::Ident(word) => {
                self.constants.get(word).is_none() && self.names.iter().flatten().any(|name| *word == name.ident)
            }
            _ => false,
        };
        let token = condition.to_token_stream().into_iter().find(known)?;
        let message = format!("`{token}` is a value, and `if` chooses while compiling, by constants");
        let help = format!(
            "what depends on values is a function before the network: `fn f({token}) {{ if {token} > 0 {{ {token} }} else {{ 0 }} }}`"
        );
        Some(Mistake::new(Source::at(token.span()), message).help(help))
    }

    fn repeat(&mut self, count: &Argument, body: &[Line], place: &mut Place) {
        let times = match self.constants.argument(count) {
            Ok(Number::Int(times)) if (0..=4096).contains(&times) => times,
            Ok(other) => {
                let message = format!("`repeat` takes a whole number from 0 to 4096, found {}", other.text());
                let help = match other.float() {
                    Some(x) if (0.0..=4096.0).contains(&x) => format!("write `repeat {} {{ … }}`", x.round() as i64),
                    Some(x) if x < 0.0 => "write how often the lines stand there: `repeat 3 { … }`".to_string(),
                    _ => "write a whole number of times: `repeat 3 { … }`".to_string(),
                };
                self.errors.push(Mistake::new(count.source, message).help(help));
                1
            }
            Err(diagnostic) => {
                self.errors.push(diagnostic);
                1
            }
        };
        // Rounds without lines count for nothing, and could be millions.
        for _ in 0..if body.is_empty() { 0 } else { times } {
            self.names.push(Vec::new());
            let before = self.errors.len();
            self.body(body, place);
            self.names.pop();
            if self.errors.len() > before {
                // Further rounds would say the same.
                self.current = Current::Poisoned;
                return;
            }
        }
    }

    /// A line that gives a value: it gets its place among the parameter names, and binds its names.
    fn computing_line(&mut self, line: &Line, place: &mut Place) {
        self.begun = true;
        if let Kind::Call(call) = &line.kind
            && line.label.is_none()
            && !place.sequential
            && self.is_block(&call.name)
        {
            // Transparent: its lines are named as if they stood here.
            let elements = self.tables.elements;
            self.no_probe(&line.attributes);
            let value = self.block_call(call, place);
            return self.computed_line(line, place, value, Vec::new(), elements);
        }
        let elements = self.tables.elements;
        let position = place.next;
        let transparent = line.label.is_none()
            && !place.sequential
            && matches!(line.kind, Kind::Residual { .. } | Kind::Concat { .. });
        if !transparent {
            place.next += 1;
        }
        if let Kind::Call(call) = &line.kind
            && !self.is_block(&call.name)
            && let Some(path) = self.called_line(call)
        {
            let (value, definition, inner) = self.apply_again(call, line, &path);
            let member = line.label.as_ref().map_or(position.to_string(), Ident::to_string);
            self.probe(line, &place.join(&member), value);
            self.computed_line(line, place, value, inner, elements);
            if let (Some(label), Some(definition)) = (&line.label, definition) {
                self.define(label, definition);
            }
            return;
        }
        if transparent {
            // It has no path of its own.
            self.no_probe(&line.attributes);
            let (value, inner) = match &line.kind {
                Kind::Residual { body, shortcut } => self.residual(body, shortcut.as_ref(), line, place),
                Kind::Concat { branches } => self.branches(branches, line, place),
                _ => (None, Vec::new()),
            };
            return self.computed_line(line, place, value, inner, elements);
        }
        let member = self.renamed(&line.attributes).unwrap_or_else(|| match &line.label {
            Some(label) => label.to_string(),
            None => position.to_string(),
        });
        let path = place.join(&member);
        let frozen = self.wishes.frozen;
        self.wishes.frozen |= self.frozen_by_path(&path);
        let label = line.label.as_ref().filter(|label| self.called.contains(&label.to_string()));
        let before = label.map(|label| (label, self.names.clone(), self.wishes.clone(), self.tables.met()));
        let (value, inner) = self.apply(line, &path);
        self.wishes.frozen = frozen;
        // An alias names the value.
        let alias = line.alias.as_ref().filter(|_| line.label.is_none());
        let shown = alias.map_or(path.clone(), |alias| place.join(&alias.to_string()));
        self.probe(line, &shown, value);
        self.computed_line(line, place, value, inner, elements);
        if let Some((label, names, wishes, met)) = before {
            let entries = self.tables.since(met);
            self.define(label, Rc::new(Definition { line: line.clone(), path, names, wishes, entries }));
        }
    }

    /// A line with a place of its own among the parameter names: its value, and what it names.
    pub fn apply(&mut self, line: &Line, path: &str) -> (Option<Value>, Vec<Rc<Name>>) {
        match &line.kind {
            Kind::Call(call) if self.is_block(&call.name) => {
                (self.block_call(call, &mut Place::module(path.to_string())), Vec::new())
            }
            Kind::Call(call) => {
                // A layer outside of any group bears its own name on the trail: a bare position says little.
                let bare = line.label.is_none() && !path.contains('.');
                let shown = if bare { call.name.to_string() } else { path.to_string() };
                (self.layer_call(call, line, path, &shown), Vec::new())
            }
            Kind::Group { body, operands } => {
                let start = match operands {
                    Some(operands) => self.group_operand(operands, line.source),
                    None => self.current,
                };
                self.current = start;
                if body.is_empty() {
                    let message = "this group is empty, so it has no value";
                    self.errors.push(Mistake::new(line.source, message).help("remove it"));
                    self.current = Current::Poisoned;
                }
                self.names.push(Vec::new());
                self.body(body, &mut Place::sequential(path.to_string()));
                let inner = self.names.pop().unwrap_or_default();
                (self.value_of("this group", line.source), inner)
            }
            Kind::Residual { body, shortcut } => {
                self.residual(body, shortcut.as_ref(), line, &mut Place::module(path.to_string()))
            }
            Kind::Concat { branches } => self.branches(branches, line, &mut Place::module(path.to_string())),
            _ => (None, Vec::new()),
        }
    }

    fn computed_line(
        &mut self,
        line: &Line,
        place: &Place,
        value: Option<Value>,
        inner: Vec<Rc<Name>>,
        elements: usize,
    ) {
        self.current = Current::of(value);
        let text = match &line.kind {
            Kind::Call(call) => call.text(),
            Kind::Residual { .. } => "Residual".into(),
            Kind::Concat { .. } => "Concat".into(),
            _ => String::new(),
        };
        if let Some(value) = value {
            let named = line.label.iter().chain(&line.alias);
            let exempt = named.clone().any(|name| name.to_string().starts_with('_'));
            let what = match line.label.as_ref().or(line.alias.as_ref()) {
                Some(name) => format!("the value `{name}`"),
                None => format!("the value of `{text}`"),
            };
            let source = named.clone().next().map_or(line.source, |name| Source::at(name.span()));
            self.computed.push(Computed { value, source, what, exempt });
            for name in named {
                self.labels.push(Label {
                    name: name.to_string(),
                    path: place.join(&name.to_string()),
                    text: text.clone(),
                    output: self.graph.shape(value).dims.clone(),
                    parameters: self.tables.elements - elements,
                    source: Source::at(name.span()),
                });
            }
        }
        if let Some(label) = &line.label {
            self.bind(label, value, inner);
        }
        if let Some(alias) = &line.alias {
            self.bind(alias, value, Vec::new());
        }
    }
}

/// Whether the line declares an input, or might.
pub(super) fn may_be_input(line: &Line) -> bool {
    matches!(line.kind, Kind::Input { .. } | Kind::If { .. } | Kind::Broken { .. })
}

/// What a line will name in its braces.
fn line_names(line: &Line) -> Vec<&Ident> {
    let mut names: Vec<&Ident> = line.label.iter().chain(&line.alias).collect();
    match &line.kind {
        Kind::Input { name, .. } | Kind::Target { name, .. } | Kind::Param { name, .. } => names.push(name),
        Kind::If { then, otherwise, .. } => names.extend(then.iter().chain(otherwise).flat_map(line_names)),
        _ => {}
    }
    names
}
