//! Uses of what the user declared: `fn`s and blocks, with their constants.

use super::body::{Current, Lowering, Place};
use super::names::FactKind;
use super::*;
use crate::graph::builder::Builder;
use crate::graph::expr::{Expr, Id};
use crate::graph::op::Op;
use crate::layers;
use crate::layers::args::Args;
use crate::layers::site::Site;
use crate::syntax::{ArgumentValue, Call};

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
        let constants = self.bind_constants(call, &function.constants.iter().map(|c| (c, None)).collect::<Vec<_>>())?;
        let mut numbers = Vec::new();
        for (name, value) in constants.values {
            let Some(value) = value.float() else {
                self.complain(call.source, format!("`{name}` is a number, found {}", value.text()), "`1.0` or `0.0`");
                return None;
            };
            numbers.push((name, value));
        }
        let trail = self.trail(inputs[0]);
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
            trail,
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

    /// The constants of a block or `fn` from a call's `<…>`, by place or by name.
    fn bind_constants(&mut self, call: &Call, declared: &[(&Ident, Option<&Argument>)]) -> Option<Constants> {
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
                let known =
                    listed(declared.iter().map(|(n, _)| n.to_string()).collect::<Vec<_>>().iter().map(String::as_str));
                let message = match &argument.name {
                    Some(name) => format!("`{owner}` has no constant `{name}`"),
                    None => {
                        let found = call.arguments.iter().filter(|a| a.name.is_none()).count();
                        format!("`{owner}` takes {}, found {found}", counted(declared.len(), "constant"))
                    }
                };
                let source = argument.name.as_ref().map_or(argument.source, |n| Source::at(n.span()));
                self.complain(source, message, format!("`{owner}` knows {known}"));
                return None;
            };
            if given[slot].is_some() {
                self.complain(
                    argument.source,
                    format!("`{}` of `{owner}` is given twice", declared[slot].0),
                    "keep one",
                );
            }
            let channels = self.current.value().and_then(|v| self.graph.shape(v).dims.first().copied());
            let value = match (&argument.value, channels) {
                (ArgumentValue::Channels, Some(channels)) => Ok(Number::Int(channels as i64)),
                _ => self.constants.argument(argument),
            };
            match value {
                Ok(value) => given[slot] = Some(value),
                Err(diagnostic) => {
                    self.errors.push(diagnostic);
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
                        self.errors.push(diagnostic);
                        return None;
                    }
                },
                (None, None) => {
                    let source = Source::at(call.name.span());
                    let message = format!("`{owner}` needs `{name}`");
                    self.complain(source, message, format!("for example `{owner}<{name} = 1>`"));
                    return None;
                }
            };
            constants.values.push((name.to_string(), value));
        }
        Some(constants)
    }

    /// The lines of a block in its own world of names and constants.
    pub fn block_call(&mut self, call: &Call, place: &mut Place) -> Option<Value> {
        let name = call.name.to_string();
        let source = Source::at(call.name.span());
        let (block, at) = *self.scope.blocks.iter().find(|(block, _)| block.name == call.name)?;
        let declared: Vec<(&Ident, Option<&Argument>)> = block
            .constants
            .iter()
            .map(|c| match &c.given {
                Given::Default(argument) => (&c.name, Some(&**argument)),
                Given::Required | Given::Family(_) => (&c.name, None),
            })
            .collect();
        if let Some(family) = block.constants.iter().find(|c| matches!(c.given, Given::Family(_))) {
            let message = format!("`{}` of the block `{name}` cannot be a family", family.name);
            self.complain(Source::at(family.name.span()), message, format!("write `{}`", family.name));
            return None;
        }
        let constants = self.bind_constants(call, &declared);
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
        let inner_scope = Scope::new(&self.scope.items[..at]);
        let outer_scope = std::mem::replace(&mut self.scope, inner_scope);
        self.current = current;
        self.calls.push(name.clone());
        for (operand, value) in block.operands.iter().flatten().zip(&inputs) {
            self.bind(operand, Some(*value), Vec::new());
        }
        if block.body.is_empty() {
            self.complain(Source::at(block.name.span()), format!("the block `{name}` is empty"), "give it a line");
        }
        self.body(&block.body, place);
        self.calls.pop();
        self.scope = outer_scope;
        self.later_names = outer_later;
        self.names = outer_names;
        self.constants = outer_constants;
        if self.current == Current::Nothing { None } else { self.current.value() }
    }
}
