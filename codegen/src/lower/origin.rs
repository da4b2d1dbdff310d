//! `pub Pets = path::ResNet18<CLASSES = 37>;`: a network whose lines are those of a block.

use super::blocks::bind_constants;
use super::*;
use crate::syntax::Origin;

/// A network with its lines, wherever they are written.
pub(super) struct Whole<'a> {
    pub network: Network,
    /// What its lines may use.
    scope: Scope<'a>,
    block: Option<Declared<'a>>,
}

/// The block behind it.
struct Declared<'a> {
    origin: &'a Origin,
    block: &'a Block,
}

impl<'a> Whole<'a> {
    /// `pub Name { … }`
    pub fn written(network: &Network, scope: Scope<'a>) -> Self {
        Whole { network: network.clone(), scope, block: None }
    }

    /// One member, or nothing after a mistake. `constants` are the network's own.
    pub fn lower(&self, constants: Constants, errors: &mut Errors) -> Option<Module> {
        let Some(Declared { origin, block }) = &self.block else {
            return body::lower(&self.network, &self.scope, &constants, errors);
        };
        let declared = declared_constants(block);
        let constants = bind_constants(&origin.call, &declared, &constants, None, errors)?;
        let before = errors.len();
        let module = body::lower(&self.network, &self.scope, &constants, errors);
        let Some(import) = &origin.import else { return module };
        let name = &import.name;
        errors.move_to(before, name.span(), Source::at(name.span()), &format!("in the block `{name}`: "));
        // Its labels have no place in this file.
        module.map(|module| Module { labels: Vec::new(), ..module })
    }
}

/// The network with the lines of its block; `None` if there are none, which is reported or was before.
pub(super) fn whole<'a>(
    network: &Network,
    origin: &'a Origin,
    scope: &Scope<'a>,
    errors: &mut Errors,
) -> Option<Whole<'a>> {
    let name = &origin.call.name;
    let source = Source::at(name.span());
    let known = match &origin.import {
        Some(import) => {
            let (last, before) = import.items.split_last()?;
            match last {
                Item::Block(block) => Some((block, Scope::new(before))),
                _ => None,
            }
        }
        None => {
            let known = scope.blocks.iter().find(|known| known.name == name);
            known.map(|known| (known.block, Scope::new(known.before)))
        }
    };
    let Some((block, inner)) = known else {
        if !scope.unreadable.contains(&name.to_string()) {
            let message = format!("there is no block `{name}`");
            let help = format!("a `block {name} {{ input …; … }}` stands before this line, or a path leads to one");
            errors.push(Mistake::new(source, message).help(help));
        }
        return None;
    };
    if let Some(operands) = &block.operands {
        let message = format!("the block `{name}` takes {}, so it is no network", counted(operands.len(), "value"));
        errors.push(
            Mistake::new(source, message)
                .help(format!("use it in one: `pub {} {{ input …; {name}(…); }}`", network.name)),
        );
        return None;
    }
    if !block.body.iter().any(body::may_be_input) {
        let message = format!("the block `{name}` has no `input`, so it is no network");
        let help = format!("use it in one: `pub {} {{ input …; {}; }}`", network.name, origin.call.text());
        errors.push(Mistake::new(source, message).help(help));
        return None;
    }
    let mut own = network.clone();
    own.body.clone_from(&block.body);
    own.attributes.extend(block.attributes.iter().filter(|a| !a.path().is_ident("doc")).cloned());
    let declared = Declared { origin, block };
    Some(Whole { network: own, scope: inner, block: Some(declared) })
}

/// Each constant of a block with its default.
pub(super) fn declared_constants(block: &Block) -> Vec<(&Ident, Option<&Argument>)> {
    block
        .constants
        .iter()
        .map(|c| match &c.given {
            Given::Default(argument) => (&c.name, Some(&**argument)),
            Given::Required | Given::Family(_) => (&c.name, None),
        })
        .collect()
}
