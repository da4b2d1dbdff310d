//! What the compiler makes of one text, and whether that may be.

use kiln_codegen::declaration::Fusion;
use kiln_codegen::syntax::{self, Item, import};
use proc_macro2::{Span, TokenStream, TokenTree};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Room of a compiler's own thread.
const STACK: usize = 8 << 20;

pub enum Judged {
    Accepted,
    Rejected,
    /// A block of elsewhere is asked for first.
    Fetches,
    Faulty(Fault),
}

#[derive(Clone)]
pub enum Fault {
    /// In the words of the worker that saw it; the first line is the kind.
    Said(String),
    Slow,
    Memory,
    Crash(String),
}

impl Fault {
    pub fn text(&self) -> String {
        match self {
            Fault::Said(text) => text.clone(),
            Fault::Slow => format!("more than {} s", super::limits::SECONDS),
            Fault::Memory => format!("more than {} MB", super::limits::BYTES >> 20),
            Fault::Crash(status) => format!("the process ended: {status}"),
        }
    }

    /// Faults of one kind are one fault.
    pub fn kind(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_string()
    }
}

fn fault(kind: &str, detail: impl std::fmt::Display) -> Judged {
    Judged::Faulty(Fault::Said(format!("{kind}\n{detail}")))
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic's place and message are kept instead of printed.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or_default();
        PANIC.with(|panic| *panic.borrow_mut() = Some(format!("panic at {place}\n{message}")));
    }));
}

/// On a thread with as much stack as a compiler's.
pub fn judge(text: &str) -> Judged {
    std::thread::scope(|scope| {
        let judging = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            super::limits::watch_this_thread();
            let judged = catch_unwind(AssertUnwindSafe(|| of(text)));
            judged.unwrap_or_else(|_| {
                let panic = PANIC.with(|panic| panic.borrow_mut().take());
                Judged::Faulty(Fault::Said(panic.unwrap_or_default()))
            })
        });
        judging.expect("a thread can be started").join().expect("panics are caught within")
    })
}

fn of(text: &str) -> Judged {
    let input: TokenStream = text.parse().expect("only tokens are judged");
    let fetches = import::next(&input).is_some();
    if !fetches {
        super::limits::allow(lines(input.clone()));
    }
    let output = kiln_codegen::compile(input.clone());
    let (mut errors, mut unplaced) = (0, None);
    complaints(output.clone(), &mut |span, message| {
        errors += 1;
        let bytes = span.byte_range();
        if bytes.is_empty() {
            unplaced.get_or_insert(message);
        }
    });
    if let Some(message) = unplaced {
        return fault("an error without a place", message);
    }
    let file = match syn::parse2::<syn::File>(output) {
        Ok(file) => file,
        Err(why) => return fault("what is given cannot be read", why),
    };
    if fetches {
        return Judged::Fetches;
    }
    if errors > 0 {
        return Judged::Rejected;
    }
    match lost(input, &file) {
        Some(name) => fault("a network is lost", name),
        None => Judged::Accepted,
    }
}

/// Lines of all networks, repeats and blocks unrolled.
fn lines(input: TokenStream) -> u64 {
    let (declarations, _, errors) = kiln_codegen::lower::frontend(input);
    errors.discard();
    let versions = |fusion| if fusion == Fusion::Both { 2 } else { 1 };
    let lines = declarations
        .iter()
        .map(|d| versions(d.fusion) * d.members.iter().map(|m| m.module.layers.len()).sum::<usize>());
    lines.sum::<usize>() as u64
}

/// Each `compile_error!` with its place and its message.
fn complaints(tokens: TokenStream, found: &mut dyn FnMut(Span, String)) {
    let list: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in list.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        match at.checked_sub(2).map(|from| &list[from..at]) {
            Some([TokenTree::Ident(word), TokenTree::Punct(_)]) if *word == "compile_error" => {
                found(word.span(), group.stream().to_string());
            }
            _ => complaints(group.stream(), found),
        }
    }
}

/// A network that was written, but is not given.
fn lost(input: TokenStream, file: &syn::File) -> Option<String> {
    let (items, _) = syntax::parse(input, &mut Vec::new());
    let given: BTreeSet<String> = file
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Struct(item) => Some(item.ident.to_string()),
            _ => None,
        })
        .collect();
    items.iter().find_map(|item| match item {
        Item::Network(network) => Some(network.name.to_string()).filter(|name| !given.contains(name)),
        Item::Block(_) | Item::Function(_) | Item::Import(_) | Item::Broken { .. } | Item::Unreadable { .. } => None,
    })
}
