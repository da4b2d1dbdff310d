//! One module for all kernels whose texts differ in numbers only.
//!
//! Layers of one kind differ in extents and strides; an instance for each of them would cost seconds of rustc and gain nothing, for
//! the loops that deserve constants are in `kiln` already. Where kernels are alike but for `usize` literals, those that differ come
//! from the launch's table; those that all have in common stay literals, and so do all numbers of a kernel that is one of its kind.

use super::Launch;
use super::body::Args;
use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};
use quote::{format_ident, quote};
use std::collections::HashMap;

/// Distinct kernels, in order of first use.
#[derive(Default)]
pub struct Kernels {
    families: Vec<Family>,
    by_skeleton: HashMap<String, usize>,
}

/// Kernels that differ in numbers only.
struct Family {
    first: Launch,
    doc: String,
    /// The numbers of each distinct member, in the order of the text.
    members: Vec<Vec<usize>>,
}

/// Which kernel a launch runs.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    family: usize,
    member: usize,
}

/// The modules, and the table of each member.
pub struct Printed {
    pub modules: Vec<TokenStream>,
    families: Vec<(Ident, Vec<Vec<usize>>)>,
}

impl Kernels {
    /// The kernel of this launch, known from now on if it is new.
    pub fn choose(&mut self, launch: &Launch, doc: &str) -> Chosen {
        let mut skeleton = Skeleton::default();
        let opaque = has_items(&launch.body);
        skeleton.text = format!("{} {}", launch.args.len(), launch.name);
        for part in parts(launch) {
            skeleton.read(part.clone(), opaque);
            skeleton.text.push('\n');
        }
        let family = *self.by_skeleton.entry(skeleton.text).or_insert_with(|| {
            self.families.push(Family { first: launch.clone(), doc: doc.into(), members: Vec::new() });
            self.families.len() - 1
        });
        let members = &mut self.families[family].members;
        let known = members.iter().position(|numbers| *numbers == skeleton.numbers);
        let member = known.unwrap_or_else(|| {
            members.push(skeleton.numbers);
            members.len() - 1
        });
        Chosen { family, member }
    }

    pub fn print(&self) -> Printed {
        let names = self.families.iter().enumerate().map(|(i, f)| format_ident!("k{i}_{}", f.first.name));
        let (modules, families) = names.zip(&self.families).map(|(name, family)| family.print(name)).unzip();
        Printed { modules, families }
    }
}

impl Printed {
    /// Name of the module, and what its launch has in its table.
    pub fn module(&self, chosen: Chosen) -> (&Ident, &[usize]) {
        let (name, tables) = &self.families[chosen.family];
        (name, &tables[chosen.member])
    }
}

/// Whatever of a launch is text of its kernel.
fn parts(launch: &Launch) -> impl Iterator<Item = &TokenStream> {
    launch.descriptor.iter().chain([&launch.tasks, &launch.body])
}

/// Whether items stand in a body: they see none of its variables, so their numbers must be literals.
fn has_items(body: &TokenStream) -> bool {
    body.clone().into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => word == "static",
        TokenTree::Group(group) => has_items(&group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

fn number(literal: &Literal) -> Option<usize> {
    literal.to_string().strip_suffix("usize")?.parse().ok()
}

/// A text without its numbers, and the numbers.
#[derive(Default)]
struct Skeleton {
    text: String,
    numbers: Vec<usize>,
}

impl Skeleton {
    fn read(&mut self, tokens: TokenStream, opaque: bool) {
        for tree in tokens {
            match tree {
                TokenTree::Literal(literal) => match number(&literal) {
                    Some(number) if !opaque => {
                        self.numbers.push(number);
                        self.text.push('#');
                    }
                    _ => self.text += &literal.to_string(),
                },
                TokenTree::Group(group) => {
                    let [open, close] = match group.delimiter() {
                        Delimiter::Parenthesis => ["(", ")"],
                        Delimiter::Brace => ["{", "}"],
                        Delimiter::Bracket => ["[", "]"],
                        Delimiter::None => ["", ""],
                    };
                    self.text += open;
                    self.read(group.stream(), opaque);
                    self.text += close;
                }
                TokenTree::Ident(word) => self.text += &word.to_string(),
                TokenTree::Punct(sign) => self.text.push(sign.as_char()),
            }
            self.text.push(' ');
        }
    }
}

/// Replaces numbers, by their place in the text.
struct Filling<'a> {
    /// By place: its number in the launch's table, or `None` for a literal.
    slots: &'a [Option<usize>],
    next: usize,
}

impl Filling<'_> {
    fn fill(&mut self, tokens: TokenStream, table: &TokenStream) -> TokenStream {
        let mut filled = TokenStream::new();
        for tree in tokens {
            match tree {
                TokenTree::Literal(literal) if number(&literal).is_some() => {
                    let slot = self.slots[self.next];
                    self.next += 1;
                    match slot.map(Literal::usize_unsuffixed) {
                        Some(slot) => filled.extend(quote!(#table[#slot])),
                        None => filled.extend([TokenTree::Literal(literal)]),
                    }
                }
                TokenTree::Group(group) => {
                    let inner = self.fill(group.stream(), table);
                    filled.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
                }
                // The descriptor is no longer a static.
                TokenTree::Ident(word) if word == "D" => filled.extend(quote!(d)),
                other => filled.extend([other]),
            }
        }
        filled
    }
}

/// By place in the text: where its number stands in the table of a member, if members differ in it. What always has the same
/// value as an earlier place shares its entry.
fn slots(members: &[Vec<usize>]) -> (Vec<Option<usize>>, Vec<Vec<usize>>) {
    let places = members.first().map_or(0, Vec::len);
    let mut columns: Vec<Vec<usize>> = Vec::new();
    let slots = (0..places).map(|place| {
        let column: Vec<usize> = members.iter().map(|m| m[place]).collect();
        if column.iter().all(|number| *number == column[0]) {
            return None;
        }
        Some(columns.iter().position(|c| *c == column).unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        }))
    });
    let slots = slots.collect();
    let tables = (0..members.len()).map(|m| columns.iter().map(|c| c[m]).collect()).collect();
    (slots, tables)
}

/// `Gemm = Gemm { … }`, taken apart.
fn type_and_value(descriptor: TokenStream) -> (TokenTree, TokenStream) {
    let mut parts = descriptor.into_iter();
    let ty = parts.next().expect("a type");
    (ty, parts.collect())
}

impl Family {
    fn print(&self, name: Ident) -> (TokenStream, (Ident, Vec<Vec<usize>>)) {
        let (slots, tables) = slots(&self.members);
        let bindings = Args::bindings(self.first.args.len());
        let Launch { descriptor, tasks, body, .. } = self.first.clone();
        let count = tables.first().map_or(0, Vec::len);
        let text = if count == 0 {
            let descriptor = descriptor.map(|descriptor| {
                let (ty, value) = type_and_value(descriptor);
                quote!(static D: #ty #value;)
            });
            quote! {
                #descriptor
                pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize { #tasks }
                #[inline(always)]
                unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
                    unsafe { #bindings #body }
                }
            }
        } else {
            let mut filling = Filling { slots: &slots, next: 0 };
            let descriptors = descriptor.map(|descriptor| {
                let (_, value) = type_and_value(descriptor);
                let mut twice = [quote!(numbers), quote!(cx.numbers)].map(|table| {
                    filling.next = 0;
                    filling.fill(value.clone(), &table)
                });
                twice.each_mut().map(|value| quote!(let d #value;))
            });
            let [for_tasks, for_run] = descriptors.unwrap_or_default();
            let tasks = filling.fill(tasks, &quote!(numbers));
            let body = filling.fill(body, &quote!(cx.numbers));
            quote! {
                type Cx<'a> = Numbered<'a, #count>;
                pub fn tasks(#[allow(unused)] batch: usize, #[allow(unused)] numbers: &[usize]) -> usize {
                    #for_tasks #tasks
                }
                #[inline(always)]
                unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
                    unsafe { let cx = Cx::new(cx); #for_run #bindings #body }
                }
            }
        };
        let doc = &self.doc;
        let module = quote! {
            #[doc = #doc]
            mod #name {
                use ::kiln::__private::cpu::*;
                #text
                pub static ENTRY: [Entry; 3] = levels!(run);
            }
        };
        (module, (name, tables))
    }
}
