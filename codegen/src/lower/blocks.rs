//! Uses of what the user declared: `fn`s and blocks, with their constants.

use super::attributes::Stands;
use super::body::{Current, Lowering, Place};
use super::names::{FactKind, trail};
use super::origin::declared_constants;
use super::*;
use crate::graph::builder::Builder;
use crate::graph::expr::{Expr, Id};
use crate::graph::op::Op;
use crate::layers;
use crate::layers::args::{Args, closest};
use crate::layers::site::{Site, Trail};
use crate::syntax::constant::{LARGEST_NUMBER, is_finite};
use crate::syntax::{ArgumentValue, Call};

/// How much there is before an imported block is lowered.
struct Marks {
    errors: usize,
    nodes: usize,
    computed: usize,
    labels: usize,
    params: usize,
    states: usize,
}

impl Lowering<'_> {
    /// `leaky<0.1>;` or `gate(a, b)`
    pub fn function_call(&mut self, function: &Function, call: &Call, shown: &str) -> Option<Value> {
        let name = function.name.to_string();
        let source = Source::at(call.name.span());
        let count = function.params.len();
        let listed_params = function.params.iter().map(Ident::to_string).collect::<Vec<_>>().join(", ");
        let inputs = match &call.operands {
            None if count == 1 => vec![self.need_current(&name, source)?],
            Some(operands) if operands.len() == count => {
                let values: Vec<Option<Value>> = operands.iter().map(|operand| self.operand(operand)).collect();
                values.into_iter().collect::<Option<Vec<_>>>()?
            }
            found => {
                let found = found.as_ref().map_or(0, Vec::len);
                let message = format!("`{name}` takes {}, found {found}", counted(count, "value"));
                self.complain(source, message, format!("`{name}({listed_params})`"));
                return None;
            }
        };
        if self.refuses_ids(&inputs, &name, source) {
            return None;
        }
        let declared: Vec<_> = function.constants.iter().map(|c| (c, None)).collect();
        let channels = self.channels();
        let constants = bind_constants(call, &declared, &self.constants, channels, self.errors)?;
        let mut numbers = Vec::new();
        for (name, value) in constants.values {
            let Some(value) = value.float() else {
                self.complain(call.source, format!("`{name}` is a number, found {}", value.text()), "`1.0` or `0.0`");
                return None;
            };
            if !is_finite(value) {
                let message = format!("`{name}` is a finite number, found {value:e}");
                self.complain(call.source, message, LARGEST_NUMBER);
                return None;
            }
            numbers.push((name, value));
        }
        let (facts, taken) = (&self.facts, inputs[0]);
        let trail = || trail(facts, taken);
        let from = self.graph.nodes.len();
        let known = self.scope.functions.clone();
        let others: Vec<Function> = known.into_iter().take_while(|f| f.name != function.name).collect();
        let mut site = Site {
            args: Args::none(&name, source, &self.constants),
            inputs: inputs.clone(),
            b: Builder { graph: &mut self.graph, source, layer: shown.to_string() },
            tables: self.tables,
            path: String::new(),
            training: self.training,
            wishes: &self.wishes,
            used: &mut self.used_wishes,
            trail: Trail::told_by(&trail),
            ids: None,
        };
        if let Err(diagnostic) = layers::check_broadcast(&site) {
            self.errors.push(diagnostic);
            return None;
        }
        let mut sound = true;
        let errors = &mut *self.errors;
        let expr = Expr::build(count, |pool, ids: &[Id]| {
            function.instantiate(&numbers, &others, pool, ids, errors).unwrap_or_else(|| {
                sound = false;
                pool.constant(0.0)
            })
        });
        if !sound {
            return None;
        }
        let value = site.b.op(Op::Map(expr), &inputs);
        self.fact(value, shown.to_string(), Some(inputs[0]), &name, FactKind::Value);
        self.row(shown, &call.text(), "An element-wise function.", value, from, 0, call.source);
        self.not_too_large(value, source)
    }

    /// Where the tokens of an imported block stand: all on the name in the `use`.
    fn import_span(&self, name: &Ident) -> Option<proc_macro2::Span> {
        self.scope.blocks.iter().find(|known| known.name == name).map(|known| known.name.span())
    }

    fn marks(&self) -> Marks {
        Marks {
            errors: self.errors.len(),
            nodes: self.graph.nodes.len(),
            computed: self.computed.len(),
            labels: self.labels.len(),
            params: self.tables.params.len(),
            states: self.tables.states.len(),
        }
    }

    /// What an imported block made since `begin` stands on this use of it.
    fn move_to_use(&mut self, begin: &Marks, there: proc_macro2::Span, call: &Call) {
        let here = Source::at(call.name.span());
        self.errors.move_to(begin.errors, there, here, &format!("in the block `{}`: ", call.name));
        let sources = self.graph.sources[begin.nodes..]
            .iter_mut()
            .chain(self.computed[begin.computed..].iter_mut().map(|c| &mut c.source))
            .chain(self.tables.params[begin.params..].iter_mut().map(|p| &mut p.source))
            .chain(self.tables.states[begin.states..].iter_mut().map(|s| &mut s.source));
        sources.filter(|source| source.begins_at(there)).for_each(|source| *source = here);
        // Nobody can point at them.
        self.labels.truncate(begin.labels);
    }

    /// What `_` in `<…>` stands for.
    fn channels(&self) -> Option<usize> {
        self.current.value().and_then(|v| self.graph.shape(v).dims.first().copied())
    }

    /// The lines of a block in its own world of names and constants.
    pub fn block_call(&mut self, call: &Call, place: &mut Place) -> Option<Value> {
        let name = call.name.to_string();
        let source = Source::at(call.name.span());
        let Known { block, before, imported, .. } = *self.scope.blocks.iter().find(|known| *known.name == call.name)?;
        if let Some(word) = whole_network(&block.body) {
            let message = format!("the block `{name}` has {word}: it is a whole network, not a part of one");
            self.complain(source, message, format!("declare a network from it: `pub Name = {};`", call.text()));
            return None;
        }
        let declared = declared_constants(block);
        if let Some(family) = block.constants.iter().find(|c| matches!(c.given, Given::Family(_))) {
            let message = format!("`{}` of the block `{name}` cannot be a family", family.name);
            self.complain(Source::at(family.name.span()), message, format!("write `{}`", family.name));
            return None;
        }
        let channels = self.channels();
        let constants = bind_constants(call, &declared, &self.constants, channels, self.errors);
        let takes = block.operands.as_ref().map_or(1, Vec::len);
        let inputs: Option<Vec<Value>> = match &call.operands {
            None if takes == 1 => self.need_current(&name, source).map(|value| vec![value]),
            Some(operands) if operands.len() == takes => {
                let values: Vec<Option<Value>> = operands.iter().map(|operand| self.operand(operand)).collect();
                values.into_iter().collect()
            }
            found => {
                let found = found.as_ref().map_or(0, Vec::len);
                let names: Vec<String> = block.operands.iter().flatten().map(Ident::to_string).collect();
                let message = format!("`{name}` takes {}, found {found}", counted(takes, "value"));
                self.complain(source, message, format!("`{}({})`", call.text(), names.join(", ")));
                None
            }
        };
        let (constants, inputs) = (constants?, inputs?);
        let current = if inputs.len() == 1 { Current::Is(inputs[0]) } else { Current::Nothing };
        let outer_constants = std::mem::replace(&mut self.constants, constants);
        let outer_names = std::mem::replace(&mut self.names, vec![Vec::new()]);
        let outer_later = std::mem::take(&mut self.later_names);
        let outer_called = std::mem::take(&mut self.called);
        super::again::called_names(&block.body, &mut self.called);
        let mut inner_scope = Scope::new(before);
        inner_scope.below = self.scope.names().into_iter().chain(self.scope.below.iter().cloned()).collect();
        let begin = self.marks();
        let outer_scope = std::mem::replace(&mut self.scope, inner_scope);
        self.current = current;
        self.calls.push(name.clone());
        for (operand, value) in block.operands.iter().flatten().zip(&inputs) {
            self.bind(operand, Some(*value), Vec::new());
        }
        if block.body.is_empty() {
            self.complain(Source::at(block.name.span()), format!("the block `{name}` is empty"), "give it a line");
            self.current = Current::of(self.current.value());
        }
        self.around(&block.attributes, Stands::Group, |lowering| lowering.body(&block.body, place));
        self.calls.pop();
        self.scope = outer_scope;
        self.later_names = outer_later;
        self.called = outer_called;
        self.names = outer_names;
        self.constants = outer_constants;
        if imported && let Some(there) = self.import_span(&call.name) {
            self.move_to_use(&begin, there, call);
        }
        self.value_of(&format!("the block `{name}`"), source)
    }
}

/// The line that only a network has.
fn whole_network(body: &[Line]) -> Option<String> {
    body.iter().find_map(|line| match &line.kind {
        Kind::Input { name, .. } => Some(format!("the input `{name}`")),
        Kind::Target { name, .. } => Some(format!("the target `{name}`")),
        Kind::Output(_) => Some("an `output`".into()),
        Kind::Loss(_) => Some("a `loss:`".into()),
        Kind::If { then, otherwise, .. } => whole_network(then).or_else(|| whole_network(otherwise)),
        _ => None,
    })
}

/// The constants of a block or `fn` from a call's `<…>`, by place or by name. What stands there is read with `outer`.
pub(super) fn bind_constants(
    call: &Call,
    declared: &[(&Ident, Option<&Argument>)],
    outer: &Constants,
    channels: Option<usize>,
    errors: &mut Errors,
) -> Option<Constants> {
    let owner = call.name.to_string();
    let mut given: Vec<Option<Number>> = vec![None; declared.len()];
    let mut sound = true;
    let mut place = 0;
    for argument in &call.arguments {
        let slot = match &argument.name {
            None => {
                place += 1;
                (place <= declared.len()).then(|| place - 1)
            }
            Some(name) => declared.iter().position(|(own, _)| *own == name),
        };
        let Some(slot) = slot else {
            let known: Vec<String> = declared.iter().map(|(n, _)| n.to_string()).collect();
            let message = match &argument.name {
                Some(name) => format!("`{owner}` has no constant `{name}`"),
                None => {
                    let found = call.arguments.iter().filter(|a| a.name.is_none()).count();
                    format!("`{owner}` takes {}, found {found}", counted(declared.len(), "constant"))
                }
            };
            let source = argument.name.as_ref().map_or(argument.source, |n| Source::at(n.span()));
            let help = match known.as_slice() {
                [] => format!("write `{owner}`"),
                known => {
                    let name = argument.name.as_ref().map(Ident::to_string).unwrap_or_default();
                    match closest(&name, known.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("`{owner}` knows {}", listed(known.iter().map(String::as_str))),
                    }
                }
            };
            errors.push(Mistake::new(source, message).help(help));
            return None;
        };
        if given[slot].is_some() {
            let message = format!("`{}` of `{owner}` is given twice", declared[slot].0);
            errors.push(Mistake::new(argument.source, message).help("keep one"));
        }
        let value = match (&argument.value, channels) {
            (ArgumentValue::Channels, Some(channels)) => Ok(Number::Int(channels as i64)),
            _ => outer.argument(argument),
        };
        match value {
            Ok(value) => given[slot] = Some(value),
            Err(diagnostic) => {
                errors.push(diagnostic);
                sound = false;
            }
        }
    }
    if !sound {
        return None;
    }
    let mut constants = Constants { owner: owner.clone(), values: Vec::new() };
    for ((name, default), value) in declared.iter().zip(given) {
        let value = match (value, default) {
            (Some(value), _) => value,
            (None, Some(default)) => match constants.argument(default) {
                Ok(value) => value,
                Err(diagnostic) => {
                    errors.push(diagnostic);
                    return None;
                }
            },
            (None, None) => {
                let source = Source::at(call.name.span());
                let message = format!("`{owner}` needs `{name}`");
                let help = format!("for example `{owner}<{name} = 1>`");
                errors.push(Mistake::new(source, message).help(help));
                return None;
            }
        };
        constants.values.push((name.to_string(), value));
    }
    Some(constants)
}
