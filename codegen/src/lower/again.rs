//! `other: name(value);`: a labelled line applied again, with the parameters that it has.
//!
//! The line is lowered once more at the same path, and meets its entries in [`Tables`] instead of making new ones. Names in
//! it mean what they meant where it stands.

use super::body::{Current, Lowering};
use super::names::Name;
use super::*;
use crate::layers::site::{Again, Wishes};
use crate::layers::{self, Operands};
use crate::syntax::{Call, Operand, Path};
use std::rc::Rc;

/// A labelled line that may be applied again.
#[derive(Debug)]
pub(super) struct Definition {
    pub line: Line,
    /// Prefix of its parameters.
    pub path: String,
    /// What is visible where it stands.
    pub names: Vec<Vec<Rc<Name>>>,
    pub wishes: Wishes,
    /// Its entries among parameters and states.
    pub entries: Again,
}

/// All names that `lines` call, layers or not.
pub(super) fn called_names(lines: &[Line], names: &mut BTreeSet<String>) {
    for line in lines {
        match &line.kind {
            Kind::Call(call) => {
                names.insert(call.name.to_string());
            }
            Kind::Group { body, .. } | Kind::Repeat { body, .. } => called_names(body, names),
            Kind::If { then, otherwise, .. } => {
                called_names(then, names);
                called_names(otherwise, names);
            }
            Kind::Residual { body, shortcut } => {
                called_names(body, names);
                called_names(shortcut.as_ref().map_or(&[], |s| &s.body), names);
            }
            Kind::Concat { branches } => called_names(branches, names),
            Kind::Input { .. }
            | Kind::Target { .. }
            | Kind::From(_)
            | Kind::Param { .. }
            | Kind::Output(_)
            | Kind::Loss(_)
            | Kind::Broken { .. } => {}
        }
    }
}

impl Lowering<'_> {
    /// The path that a call names, if it could be that of a line and is no block, `fn` or layer.
    pub fn called_line(&self, call: &Call) -> Option<Path> {
        let segments: Vec<Ident> = match &call.qualifier {
            None => vec![call.name.clone()],
            Some((first, text)) => {
                let parts: Vec<&str> = text.split('.').filter(|part| !part.is_empty()).collect();
                let idents = parts.iter().map(|part| Ident::new(part, first.span()));
                if parts.iter().any(|part| part.contains(':')) {
                    return None;
                }
                idents.chain([call.name.clone()]).collect()
            }
        };
        let name = call.name.to_string();
        let taken = call.qualifier.is_none()
            && (layers::find(&name).is_some() || self.scope.functions.iter().any(|f| f.name == call.name));
        let known = self.names.iter().flatten().find(|own| segments[0] == own.ident);
        // `x.relu()` is a habit, unless the group `x` names a line so.
        let method = || {
            let named =
                known.is_some_and(|own| own.value.is_none() || own.inner.iter().any(|inner| call.name == inner.ident));
            segments.len() == 2 && !named && (foreign::ours(&name).is_some() || layers::find(&name).is_some())
        };
        (!taken && known.is_some() && !method()).then_some(Path { segments })
    }

    /// The line applied to other values: its value and the names in it. `line` is the one that asks for it.
    pub fn apply_again(
        &mut self,
        call: &Call,
        line: &Line,
        path: &Path,
    ) -> (Option<Value>, Option<Rc<Definition>>, Vec<Rc<Name>>) {
        let nothing = (None, None, Vec::new());
        let source = path.source();
        let text = path.text();
        let (value, definition) = match self.find(path) {
            Some(name) => (name.value, name.definition.clone()),
            None => return nothing,
        };
        let Some(definition) = definition else {
            // A line with mistakes has been spoken about.
            if value.is_some() {
                let message = format!("`{text}` is a value, not a line that can be applied");
                self.complain(source, message, "a label does that: `name: Layer;`, not `Layer as name;`");
            }
            return nothing;
        };
        if let Some(argument) = call.arguments.first() {
            let message = format!("`{text}` is there already, so it takes no `<…>`");
            self.complain(argument.source, message, format!("write `{text}(…)`, or a line of its own"));
            return nothing;
        }
        if let Some(attribute) =
            line.attributes.iter().find(|a| !a.path().is_ident("doc") && !a.path().is_ident("probe"))
        {
            let name = attribute.path().get_ident().map(Ident::to_string).unwrap_or_default();
            let message = format!("`#[{name}]` says nothing here: the parameters are those of `{text}`");
            self.complain(Source::of(attribute.path()), message, format!("write it before the line `{text}`"));
            return nothing;
        }
        let takes = self.operands_of(&definition.line);
        let values: Option<Vec<Value>> = match &call.operands {
            None if takes.is_none_or(|n| n == 1) => self.need_current(&text, source).map(|value| vec![value]),
            None => {
                self.complain(
                    source,
                    format!("`{text}` takes several values"),
                    format!("list them: `{text}(_, other)`"),
                );
                None
            }
            Some(operands) if takes.is_none_or(|n| n == operands.len()) => {
                let values: Vec<Option<Value>> = operands.iter().map(|operand| self.operand(operand)).collect();
                values.into_iter().collect()
            }
            Some(operands) => {
                let message =
                    format!("`{text}` takes {}, found {}", counted(takes.unwrap_or(1), "value"), operands.len());
                self.complain(source, message, format!("`{text}(_)`"));
                None
            }
        };
        let Some(values) = values else { return nothing };
        let (value, inner) = self.lowered_again(&definition, &values, source, &text);
        (value, Some(definition), inner)
    }

    fn lowered_again(
        &mut self,
        definition: &Definition,
        values: &[Value],
        source: Source,
        text: &str,
    ) -> (Option<Value>, Vec<Rc<Name>>) {
        let mut line = definition.line.clone();
        let mut names = definition.names.clone();
        self.current = match values {
            [value] => Current::Is(*value),
            _ => Current::Nothing,
        };
        match &mut line.kind {
            Kind::Call(call) if values.len() > 1 => {
                // Under names that nobody can write.
                let operand = |i: usize| Ident::new(&format!("__operand{i}"), source.first);
                let own =
                    values.iter().enumerate().map(|(i, value)| Rc::new(Name::of(&operand(i).to_string(), *value)));
                names.push(own.collect());
                let paths = (0..values.len()).map(|i| Operand::Path(Path { segments: vec![operand(i)] }));
                call.operands = Some(paths.collect());
            }
            Kind::Call(call) => call.operands = None,
            Kind::Group { operands, .. } => *operands = None,
            _ => {}
        }
        let outer_names = std::mem::replace(&mut self.names, names);
        let outer_later = std::mem::take(&mut self.later_names);
        let outer_wishes = std::mem::replace(&mut self.wishes, definition.wishes.clone());
        let outer = self.tables.begin_again(&definition.entries);
        let (errors, nodes, computed, labels) =
            (self.errors.len(), self.graph.nodes.len(), self.computed.len(), self.labels.len());
        let (value, inner) = self.apply(&line, &definition.path);
        if let Some(problem) = self.tables.end_again(outer) {
            self.errors.truncate(errors);
            let message = format!("`{text}` cannot be applied here: {problem}");
            let help = format!("the same parameters fit only what has the shape that `{text}` was first applied to");
            self.complain(source, message, help);
        } else {
            self.errors.stand_on(errors, source, text, "cannot be applied here");
        }
        self.wishes = outer_wishes;
        self.later_names = outer_later;
        self.names = outer_names;
        self.graph.sources[nodes..].iter_mut().for_each(|own| *own = source);
        self.computed[computed..].iter_mut().for_each(|own| own.source = source);
        self.labels.truncate(labels);
        (value.filter(|_| self.errors.len() == errors), inner)
    }

    /// How many values the line takes, if that is fixed.
    fn operands_of(&self, line: &Line) -> Option<usize> {
        let Kind::Call(call) = &line.kind else { return Some(1) };
        if let Some(known) = self.scope.blocks.iter().find(|known| *known.name == call.name) {
            return Some(known.block.operands.as_ref().map_or(1, Vec::len));
        }
        if let Some(function) = self.scope.functions.iter().find(|f| f.name == call.name) {
            return Some(function.params.len());
        }
        // A layer of several values counts them itself.
        let layer = layers::find(&call.name.to_string());
        layer.is_none_or(|layer| layer.operands == Operands::One).then_some(1)
    }
}
