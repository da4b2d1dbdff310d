//! Names of values: visible from their line on, in their own and inner braces; from outside a group by path.

use super::again::Definition;
use super::body::Lowering;
use crate::diagnostics::{Diagnostic, Mistake, Source};
use crate::graph::{Value, dims_text};
use crate::layers::args::closest;
use crate::syntax::Path;
use proc_macro2::Ident;
use std::collections::HashMap;
use std::rc::Rc;

/// A name in some braces. Lines that may be applied again keep all names that they see, so it is shared.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub ident: String,
    /// `None` if its line was wrong.
    pub value: Option<Value>,
    /// What the group's own braces name.
    pub inner: Vec<Rc<Name>>,
    /// The line, if something calls it again.
    pub definition: Option<Rc<Definition>>,
    /// Its line could not be read, so that nothing is known of it.
    pub broken: bool,
}

impl Name {
    pub fn of(ident: &str, value: Value) -> Name {
        Name { ident: ident.to_string(), value: Some(value), inner: Vec::new(), definition: None, broken: false }
    }
}

/// What is known of a value beside its type.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// How the trail calls it.
    pub path: String,
    /// The value it was made from.
    pub from: Option<Value>,
    pub dims: Vec<usize>,
    /// The layer that made it.
    pub layer: String,
    pub kind: FactKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FactKind {
    Value,
    /// A class target, with the number of classes.
    Class(usize),
    Target,
    /// An input of integers below this number.
    Ids(usize),
}

impl Lowering<'_> {
    /// Make `ident` known in the present braces.
    pub fn bind(&mut self, ident: &Ident, value: Option<Value>, inner: Vec<Rc<Name>>) {
        let name = ident.to_string();
        let here = self.names.last_mut().expect("a body has braces");
        if let Some(broken) = here.iter_mut().find(|own| own.ident == name && own.broken) {
            *broken = Rc::new(Name { ident: name, value, inner, definition: None, broken: false });
            return;
        }
        if here.iter().any(|own| own.ident == name) {
            let message = format!("the name `{name}` is already used in these braces");
            self.errors.push(Mistake::new(Source::at(ident.span()), message).help("give one of them another name"));
            return;
        }
        here.push(Rc::new(Name { ident: name, value, inner, definition: None, broken: false }));
    }

    /// Names that a line may have given which could not be read: known, and quiet.
    pub fn poison(&mut self, names: &[Ident]) {
        for name in names {
            if self.names.iter().flatten().any(|own| *name == own.ident) {
                continue;
            }
            let name = Name { ident: name.to_string(), value: None, inner: Vec::new(), definition: None, broken: true };
            self.names.last_mut().expect("a body has braces").push(Rc::new(name));
        }
    }

    /// The name that was just bound stands for a line that can be applied again.
    pub fn define(&mut self, ident: &Ident, definition: Rc<Definition>) {
        let here = self.names.last_mut().and_then(|braces| braces.last_mut());
        // It was bound just now, and nobody else has it.
        if let Some(name) = here.filter(|name| *ident == name.ident).and_then(Rc::get_mut) {
            name.definition = Some(definition);
        }
    }

    /// The value behind a path. `None` if there is none (reported) or it is poisoned (silent).
    pub fn resolve(&mut self, path: &Path) -> Option<Value> {
        self.find(path)?.value
    }

    /// What a path names; `None` is reported.
    pub fn find(&mut self, path: &Path) -> Option<&Name> {
        let first = &path.segments[0];
        let Some(mut name) = self.names.iter().rev().flat_map(|braces| braces.iter().rev()).find(|n| *first == n.ident)
        else {
            let diagnostic = self.unknown_name(first);
            self.errors.push(diagnostic);
            return None;
        };
        for segment in &path.segments[1..] {
            let Some(inner) = name.inner.iter().find(|n| *segment == n.ident) else {
                // Nothing is known of what a line names that has mistakes.
                name.value?;
                let source = Source::at(segment.span());
                let known: Vec<&str> = name.inner.iter().map(|n| n.ident.as_str()).collect();
                let message = format!("`{}` names no `{segment}`", name.ident);
                let help = match closest(&segment.to_string(), known.iter().copied()) {
                    Some(near) => format!("did you mean `{}.{near}`?", name.ident),
                    None if known.is_empty() => format!("nothing in `{}` has a name", name.ident),
                    None => format!("it names {}", super::listed(known.into_iter())),
                };
                self.errors.push(Mistake::new(source, message).help(help));
                return None;
            };
            name = inner;
        }
        Some(name)
    }

    fn unknown_name(&self, ident: &Ident) -> Diagnostic {
        let name = ident.to_string();
        let source = Source::at(ident.span());
        if self.later_names.contains(&name) {
            let message = format!("`{name}` is used before the line that names it");
            return Mistake::new(source, message).help("a name is visible from its line on: move that line up");
        }
        let message = format!("there is no value named `{name}` here");
        let diagnostic = Mistake::new(source, message);
        if let Some(path) = self.hidden(&name) {
            return diagnostic.help(format!("from outside its group it is `{path}`"));
        }
        let known: Vec<&str> = self.names.iter().flatten().map(|n| n.ident.as_str()).collect();
        match closest(&name, known.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => diagnostic.help(format!("name a line: `{name}: Layer;` or `Layer as {name};`")),
            None => diagnostic.help(format!("known here: {}", super::listed(known.into_iter()))),
        }
    }

    /// The number that ids stay below, if this value is an input of ids.
    pub fn ids(&self, value: Value) -> Option<usize> {
        match self.facts.get(&value)?.kind {
            FactKind::Ids(below) => Some(below),
            FactKind::Value | FactKind::Class(_) | FactKind::Target => None,
        }
    }

    /// Whether one of these values are ids, which `what` cannot take; complained about.
    pub fn refuses_ids(&mut self, values: &[Value], what: &str, source: Source) -> bool {
        let Some(value) = values.iter().find(|v| self.ids(**v).is_some()) else { return false };
        let name = self.facts.get(value).map(|fact| fact.path.clone()).unwrap_or_default();
        let message = format!("`{what}` takes numbers, but `{name}` are ids");
        self.complain(source, message, format!("`Embedding<64>(_)` makes a vector of each of `{name}`"));
        true
    }

    /// The path to a name inside some group.
    pub fn hidden(&self, name: &str) -> Option<String> {
        fn within(names: &[Rc<Name>], name: &str) -> Option<String> {
            names.iter().find_map(|n| {
                if n.inner.iter().any(|i| i.ident == name) {
                    return Some(format!("{}.{name}", n.ident));
                }
                within(&n.inner, name).map(|path| format!("{}.{path}", n.ident))
            })
        }
        self.names.iter().rev().find_map(|braces| within(braces, name))
    }

    /// `image [1, 28, 28] → features.0 [6, 28, 28] → here`: the lines that changed the shape.
    pub fn trail(&self, value: Value) -> String {
        trail(&self.facts, value)
    }
}

/// [`Lowering::trail`] of what is known so far.
pub(super) fn trail(facts: &HashMap<Value, Fact>, value: Value) -> String {
    let mut changes: Vec<&Fact> = Vec::new();
    let mut at = facts.get(&value);
    while let Some(fact) = at {
        let before = fact.from.and_then(|from| facts.get(&from));
        if before.is_none_or(|before| before.dims != fact.dims) {
            changes.push(fact);
        }
        at = before;
    }
    changes.reverse();
    let count = changes.len();
    let shown = |i: usize| count <= 12 || i < 4 || i >= count - 7;
    let steps = changes.iter().enumerate().filter(|(i, _)| shown(*i) || *i == 4).map(|(i, fact)| match shown(i) {
        true => format!("{} {}", fact.path, dims_text(&fact.dims)),
        false => "…".to_string(),
    });
    steps.chain(["here".to_string()]).collect::<Vec<_>>().join(" → ")
}
