//! Syntax → graph: names, constants, shapes. Here is where every mistake in a declaration is found.
//!
//! A network is lowered twice, in training and in evaluation mode, over one list of parameters and states. A line that
//! fails leaves a poisoned value, and what takes it stays silent. Deliberately absent: knowledge of any layer.
//!
//! A block of another `network!` is lowered like one of this, in a scope of its own; what is wrong in it stands on its use.

mod again;
mod attributes;
mod blocks;
mod body;
mod calls;
mod finish;
mod flops;
mod init;
mod loss;
mod names;
mod origin;
mod statements;

pub(crate) use attributes::probe_handle;

use crate::declaration::{Declaration, Fusion, Member};
use crate::diagnostics::{Diagnostic, Errors, Mistake, Source};
use crate::graph::simplify::simplify;
use crate::graph::{Counted, Label, LayerRow, Mode, Module, Port, Value};
use crate::habits;
use crate::layers::args::listed;
use crate::layers::foreign;
use crate::layers::site::Tables;
use crate::syntax::constant::{Constants, Number};
use crate::syntax::function::Function;
use crate::syntax::import::{self, Export};
use crate::syntax::{self, Argument, Block, Found, Given, Item, Kind, Line, Network};
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};

/// A network with mistakes: what it declares beside its behaviour, so that its uses stay quiet.
#[derive(Clone, Debug)]
pub struct Stub {
    pub ident: Ident,
    pub vis: TokenStream,
    /// Names of its family constants.
    pub family: Vec<String>,
    /// `NameUnfused` is declared too.
    pub twin: bool,
    /// Sides with several ports, which are generated structs: `Inputs`, `Targets`, `Outputs`.
    pub structs: Vec<&'static str>,
    /// Paths of the lines that have a `#[probe]`.
    pub probes: Vec<String>,
}

impl Stub {
    /// Of a network whose text could not be read.
    fn unknown(ident: &Ident, vis: &TokenStream) -> Stub {
        let (family, structs, probes) = (Vec::new(), Vec::new(), Vec::new());
        Stub { ident: ident.clone(), vis: vis.clone(), family, twin: false, structs, probes }
    }

    fn of(network: &Network, fusion: Fusion) -> Stub {
        let family = |constant: &&syntax::Constant| matches!(constant.given, Given::Family(_));
        let sides = ["Inputs", "Targets", "Outputs"].into_iter().zip(ports_written(&network.body));
        Stub {
            family: network.constants.iter().filter(family).map(|c| c.name.to_string()).collect(),
            twin: fusion == Fusion::Both,
            structs: sides.filter(|(_, count)| *count > 1).map(|(side, _)| side).collect(),
            probes: attributes::probes_written(network),
            ..Stub::unknown(&network.name, &network.vis)
        }
    }
}

/// How many inputs, targets and outputs the lines name.
fn ports_written(lines: &[Line]) -> [usize; 3] {
    let mut counts = [0; 3];
    for line in lines {
        match &line.kind {
            Kind::Input { .. } => counts[0] += 1,
            Kind::Target { .. } => counts[1] += 1,
            Kind::Output(paths) => counts[2] += paths.len(),
            Kind::If { then, otherwise, .. } => {
                for branch in [then, otherwise] {
                    counts.iter_mut().zip(ports_written(branch)).for_each(|(all, more)| *all += more);
                }
            }
            _ => {}
        }
    }
    counts
}

/// Most members that a family may have.
const MOST_MEMBERS: usize = 64;

/// All of `network! { … }`.
#[derive(Debug, Default)]
pub struct Front {
    pub declarations: Vec<Declaration>,
    /// Networks with mistakes.
    pub stubs: Vec<Stub>,
    /// What other `network!`s may `use`.
    pub exports: Vec<Export>,
    pub errors: Errors,
}

/// The good networks, stubs for the others, and the mistakes.
pub fn frontend(input: TokenStream) -> (Vec<Declaration>, Vec<Stub>, Errors) {
    let front = front(input);
    (front.declarations, front.stubs, front.errors)
}

/// As [`frontend`], with what the text gives to others.
pub fn front(input: TokenStream) -> Front {
    let mut errors = Errors::default();
    let mut found = Vec::new();
    let (mut items, written) = syntax::parse(input, &mut found);
    for one in &found {
        errors.push(match one {
            Found::Told(diagnostic) => diagnostic.clone(),
            Found::Unread(unread) => habits::explain(unread),
        });
    }
    let (mut declarations, mut stubs) = (Vec::new(), Vec::new());
    check_names(&items, &mut errors);
    blocks_without_their_word(&mut items, &mut errors);
    repeated_constants(&mut items, &mut errors);
    for (i, item) in items.iter().enumerate() {
        let network = match item {
            // No item can have its name, which was reported.
            Item::Network(Network { name, .. }) | Item::Broken { name, .. } if !is_rust_name(name) => continue,
            Item::Network(network) => network,
            Item::Broken { vis, name } => {
                stubs.push(Stub::unknown(name, vis));
                continue;
            }
            Item::Block(_) | Item::Function(_) | Item::Import(_) | Item::Unreadable { .. } => continue,
        };
        // The second of a name would only be told that its type is there already.
        let repeated = |other: &Item| matches!(other, Item::Network(n) if n.name == network.name);
        if items[..i].iter().any(repeated) {
            continue;
        }
        let mut scope = Scope::new(&items[..i]);
        scope.below = declared(&items[i..]);
        let mut own = Errors::default();
        let intact = network.intact;
        let whole = match &network.origin {
            Some(origin) => origin::whole(network, origin, &scope, &mut own),
            None => Some(origin::Whole::written(network, scope)),
        };
        let Some(whole) = whole else {
            let mut said = Errors::default();
            stubs.push(Stub::of(network, attributes::declaration(network, &mut said).fusion));
            said.discard();
            errors.extend(own);
            continue;
        };
        match lower_network(&whole, &mut own) {
            (Some(mut declaration), _) if own.is_empty() && intact => {
                declaration.text = import::source(&items[..=i], &written[..=i]).to_string();
                declarations.push(declaration);
            }
            (_, fusion) => stubs.push(Stub::of(&whole.network, fusion)),
        }
        errors.extend(own);
    }
    errors.dedup();
    let mut exports = import::exports(&items, &written);
    exports.retain(|export| is_rust_name(&export.name));
    Front { exports, declarations, stubs, errors }
}

/// Whether an item of Rust can have this name.
fn is_rust_name(name: &Ident) -> bool {
    syn::parse_str::<Ident>(&name.to_string()).is_ok()
}

/// A block that may be used.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// As it is called here.
    name: &'a Ident,
    block: &'a Block,
    /// What it may use in turn.
    before: &'a [Item],
    /// It comes from another `network!`.
    imported: bool,
}

/// What a network or block may use: the items before it.
#[derive(Clone)]
struct Scope<'a> {
    blocks: Vec<Known<'a>>,
    functions: Vec<Function>,
    /// Names of blocks and `fn`s with mistakes of their own.
    unreadable: BTreeSet<String>,
    /// Names of blocks and `fn`s that are declared below.
    below: BTreeSet<String>,
}

impl<'a> Scope<'a> {
    fn new(items: &'a [Item]) -> Self {
        let (unreadable, below) = (BTreeSet::new(), BTreeSet::new());
        let mut scope = Scope { blocks: Vec::new(), functions: Vec::new(), unreadable, below };
        for (i, item) in items.iter().enumerate() {
            match item {
                Item::Block(block) => {
                    scope.blocks.push(Known { name: &block.name, block, before: &items[..i], imported: false });
                }
                Item::Function(function) => scope.functions.push(function.clone()),
                Item::Import(import) => {
                    let Some((last, before)) = import.items.split_last() else { continue };
                    match last {
                        Item::Block(block) => {
                            scope.blocks.push(Known { name: &import.name, block, before, imported: true });
                        }
                        Item::Function(function) => {
                            let mut function = function.clone();
                            function.name = import.name.clone();
                            function.own = Some(Scope::new(before).functions);
                            scope.functions.push(function);
                        }
                        Item::Network(_) | Item::Import(_) | Item::Broken { .. } | Item::Unreadable { .. } => {}
                    }
                }
                Item::Unreadable { name } => {
                    scope.unreadable.insert(name.to_string());
                }
                Item::Network(_) | Item::Broken { .. } => {}
            }
        }
        scope
    }
}

/// `Act { Relu; }` for `block Act { Relu; }`: it has no input, and other items use it as a layer.
fn blocks_without_their_word(items: &mut [Item], errors: &mut Errors) {
    let mut called = BTreeSet::new();
    for item in items.iter() {
        if let Item::Network(Network { body, .. }) | Item::Block(Block { body, .. }) = item {
            again::called_names(body, &mut called);
        }
    }
    for item in items.iter_mut() {
        let Item::Network(network) = item else { continue };
        let has_input = network.origin.is_some() || network.body.iter().any(body::may_be_input);
        if has_input || !called.contains(&network.name.to_string()) {
            continue;
        }
        let name = network.name.clone();
        let constants: Vec<String> = network.constants.iter().map(syntax::Constant::text).collect();
        let constants = if constants.is_empty() { String::new() } else { format!("<{}>", constants.join(", ")) };
        let message = format!("`{name}` has no `input`, and is used as a layer: it is a block");
        errors.push(
            Mistake::new(Source::at(name.span()), message).help(format!("write `block {name}{constants} {{ … }}`")),
        );
        *item = Item::Unreadable { name };
    }
}

/// `block B<C, C>`; the second is left out.
fn repeated_constants(items: &mut [Item], errors: &mut Errors) {
    for item in items {
        let Item::Block(block) = item else { continue };
        let mut seen: Vec<Ident> = Vec::new();
        let owner = block.name.clone();
        block.constants.retain(|constant| {
            let repeated = seen.contains(&constant.name);
            if repeated {
                let message = format!("the block `{owner}` has two constants named `{}`", constant.name);
                errors.push(
                    Mistake::new(Source::at(constant.name.span()), message).help("remove one, or give it another name"),
                );
            }
            seen.push(constant.name.clone());
            !repeated
        });
    }
}

/// Names of blocks and `fn`s among these.
fn declared(items: &[Item]) -> BTreeSet<String> {
    let names = items.iter().filter_map(|item| match item {
        Item::Block(block) => Some(&block.name),
        Item::Function(function) => Some(&function.name),
        Item::Import(import) => Some(&import.name),
        Item::Unreadable { name } => Some(name),
        Item::Network(_) | Item::Broken { .. } => None,
    });
    names.map(Ident::to_string).collect()
}

/// What networks declare beside themselves, `NetInputs` and `NetUnfused`, each with its network.
fn generated_names(items: &[Item]) -> BTreeMap<String, &Ident> {
    let mut names = BTreeMap::new();
    for item in items {
        let Item::Network(network) = item else { continue };
        let sides = ["Inputs", "Targets", "Outputs"].into_iter().zip(ports_written(&network.body));
        let twin = network
            .attributes
            .iter()
            .any(|a| a.path().is_ident("fusion") && a.to_token_stream().to_string().contains("both"));
        let suffixes = sides.filter(|(_, count)| *count > 1).map(|(side, _)| side).chain(twin.then_some("Unfused"));
        names.extend(suffixes.map(|suffix| (format!("{}{suffix}", network.name), &network.name)));
    }
    names
}

fn check_names(items: &[Item], errors: &mut Errors) {
    let mut seen: Vec<&Ident> = Vec::new();
    let generated = generated_names(items);
    for item in items {
        let (name, what) = match item {
            Item::Network(Network { name, .. }) | Item::Broken { name, .. } => (name, "network"),
            Item::Block(b) => (&b.name, "block"),
            Item::Function(f) => (&f.name, "fn"),
            Item::Import(i) => (&i.name, "block"),
            Item::Unreadable { .. } => continue,
        };
        let source = Source::at(name.span());
        if seen.contains(&name) {
            let message = format!("`{name}` is already a name in this `network!`");
            errors.push(Mistake::new(source, message).help("give one of them another name"));
        } else if what != "network" && foreign::is_taken(&name.to_string()) {
            let message = format!("`{name}` is a layer of the language, and cannot be the name of a {what}");
            errors.push(Mistake::new(source, message).help("give it another name"));
        } else if let Some(owner) = generated.get(&name.to_string()).filter(|owner| **owner != name) {
            let message = format!("`{name}` is the name of something that the network `{owner}` declares");
            errors.push(Mistake::new(source, message).help(format!(
                "give it another name: `{owner}` has several inputs, targets or outputs, or `#[fusion(both)]`"
            )));
        } else if !is_rust_name(name) {
            let message = format!("`{name}` is a word of Rust, and cannot be the name of a {what}");
            errors.push(Mistake::new(source, message).help("give it another name"));
        }
        seen.push(name);
    }
}

/// The declaration, or nothing after a mistake; and which versions of it are asked for.
fn lower_network(whole: &origin::Whole, errors: &mut Errors) -> (Option<Declaration>, Fusion) {
    let network = &whole.network;
    let mut declaration = attributes::declaration(network, errors);
    let fusion = declaration.fusion;
    let (fixed, family) = constants(network, errors);
    declaration.family = family;
    if !errors.is_empty() {
        // Constants in doubt would give mistakes that are none.
        return (None, fusion);
    }
    for values in product(&declaration.family) {
        let mut constants = fixed.clone();
        for ((name, _), value) in declaration.family.iter().zip(&values) {
            constants.values.push((name.clone(), Number::Int(*value)));
        }
        let Some(mut module) = whole.lower(constants, errors) else {
            if !values.is_empty() {
                let names = declaration.family.iter().map(|(name, _)| name);
                let which: Vec<String> = names.zip(&values).map(|(n, v)| format!("{n} = {v}")).collect();
                errors.in_trails(&which.join(", "));
            }
            return (None, fusion);
        };
        simplify(&mut module.training);
        simplify(&mut module.evaluation);
        declaration.members.push(Member { values, module });
    }
    (Some(declaration), fusion)
}

/// What the emitted code names, so that no constant of a network may be called so.
const NO_CONSTANT_NAMES: &[&str] = &[
    "kiln", "core", "std", "Self", "usize", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "isize", "f32",
    "f64", "bool", "str", "char",
];

type Family = Vec<(String, Vec<i64>)>;

/// The network's constants with one value, and those of a family.
fn constants(network: &syntax::Network, errors: &mut Errors) -> (Constants, Family) {
    let mut fixed = Constants { owner: network.name.to_string(), values: Vec::new() };
    let mut family: Family = Vec::new();
    for constant in &network.constants {
        let name = constant.name.to_string();
        let source = Source::at(constant.name.span());
        if fixed.get(&constant.name).is_some() || family.iter().any(|(own, _)| *own == name) {
            let message = format!("the constant `{name}` is declared twice");
            errors.push(Mistake::new(source, message).help("remove one, or give it another name"));
            continue;
        }
        if !is_rust_name(&constant.name) || NO_CONSTANT_NAMES.contains(&name.as_str()) {
            let message = format!("`{name}` has a meaning in Rust, and cannot be the name of a constant");
            let help = format!("give it another name, such as `{}_`", name.to_uppercase());
            errors.push(Mistake::new(source, message).help(help));
            continue;
        }
        match &constant.given {
            Given::Default(argument) if matches!(argument.value, syntax::ArgumentValue::List(_)) => {
                let help = format!("write `{name} in {}`", argument.value.text());
                errors.push(
                    Mistake::new(argument.source, "a list of values is a family, which `in` declares").help(help),
                );
            }
            Given::Required => errors.push(
                Mistake::new(source, format!("the constant `{name}` of `{}` has no value", network.name))
                    .help(format!("write `{name} = 64`, or a family: `{name} in [8, 32, 128]`")),
            ),
            Given::Default(argument) => match fixed.argument(argument) {
                Ok(value) => fixed.values.push((name, value)),
                Err(diagnostic) => errors.push(diagnostic),
            },
            Given::Family(members) => {
                if let Some(members) = family_members(&name, source, members, &fixed, errors) {
                    family.push((name, members));
                }
            }
        }
    }
    let count: usize = family.iter().map(|(_, members)| members.len()).product();
    if count > MOST_MEMBERS {
        let message =
            format!("the family `{}` has {count} members, but at most {MOST_MEMBERS} are allowed", network.name);
        let help = "list fewer members, or declare several families";
        errors.push(Mistake::new(Source::at(network.name.span()), message).help(help));
    }
    (fixed, family)
}

fn family_members(
    name: &str,
    source: Source,
    members: &[Argument],
    fixed: &Constants,
    errors: &mut Errors,
) -> Option<Vec<i64>> {
    let mut values = Vec::new();
    if members.is_empty() {
        let message = format!("the family constant `{name}` has no members");
        errors.push(Mistake::new(source, message).help(format!("list them: `{name} in [8, 32]`")));
        return None;
    }
    for member in members {
        match fixed.argument(member) {
            Ok(Number::Int(value)) if values.contains(&value) => {
                errors.push(Mistake::new(member.source, format!("{value} is listed twice")).help("remove one"));
                return None;
            }
            Ok(Number::Int(value)) => values.push(value),
            Ok(other) => {
                let message = format!("a member of a family is a whole number, found {}", other.text());
                let help = match other {
                    Number::Float(x) => format!("write `{}`", x.round() as i64),
                    _ => format!("a truth value is a constant: `{name} = true`"),
                };
                errors.push(Mistake::new(member.source, message).help(help));
                return None;
            }
            Err(diagnostic) => {
                errors.push(diagnostic);
                return None;
            }
        }
    }
    Some(values)
}

/// Every combination, the last constant fastest; one empty combination for no constants.
fn product(family: &Family) -> Vec<Vec<i64>> {
    let mut all = vec![Vec::new()];
    for (_, members) in family {
        all = all
            .iter()
            .flat_map(|prefix: &Vec<i64>| {
                members.iter().map(move |value| prefix.iter().copied().chain([*value]).collect())
            })
            .collect();
    }
    all
}

/// `count` things, in the words of messages.
fn counted(count: usize, thing: &str) -> String {
    match (count, thing) {
        (1, _) => format!("1 {thing}"),
        (_, "axis") => format!("{count} axes"),
        _ => format!("{count} {thing}s"),
    }
}
