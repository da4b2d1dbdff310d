//! Errors with a place. Mistakes are collected, not thrown: a stage goes on after one, and the pipeline stops at its
//! barriers when something was collected.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};

/// Where a node came from. Two spans, because stable Rust cannot join them.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub first: Span,
    pub last: Span,
}

/// Sources never decide whether two things are equal.
impl PartialEq for Source {
    fn eq(&self, _: &Source) -> bool {
        true
    }
}

impl Default for Source {
    fn default() -> Self {
        Source::at(Span::call_site())
    }
}

impl Source {
    pub fn at(span: Span) -> Self {
        Source { first: span, last: span }
    }

    /// From the first to the last token.
    pub fn of(tokens: &impl ToTokens) -> Self {
        let mut spans = tokens.to_token_stream().into_iter().map(|t| t.span());
        let first = spans.next().unwrap_or_else(Span::call_site);
        Source { first, last: spans.last().unwrap_or(first) }
    }

    /// Spans cannot be compared, but what they print can.
    pub fn begins_at(&self, span: Span) -> bool {
        format!("{:?}", self.first) == format!("{span:?}")
    }

    pub fn to(self, last: Source) -> Self {
        Source { first: self.first, last: last.last }
    }
}

/// What is wrong, with both values, and where. It is told to nobody before [`Mistake::help`] says what to type: so no
/// message is without a help.
#[derive(Clone, Debug)]
#[must_use = "a mistake without a help is told to nobody"]
pub struct Mistake {
    source: Source,
    message: String,
    trail: Option<String>,
}

impl Mistake {
    pub fn new(source: Source, message: impl Into<String>) -> Self {
        Mistake { source, message: message.into(), trail: None }
    }

    pub fn trail(mut self, trail: impl Into<String>) -> Self {
        self.trail = Some(trail.into());
        self
    }

    pub fn help(self, help: impl Into<String>) -> Diagnostic {
        let Mistake { source, message, trail } = self;
        Diagnostic { source, message, help: help.into(), trail }
    }
}

/// One mistake. `message` is what is wrong, with both values; `help` what to type; `trail` the shapes that led there.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    pub source: Source,
    pub message: String,
    pub help: String,
    pub trail: Option<String>,
}

impl Diagnostic {
    pub fn trail(mut self, trail: impl Into<String>) -> Self {
        self.trail = Some(trail.into());
        self
    }

    /// `compile_error! { … }`, which may stand for an item, an expression or a type.
    pub fn to_compile_error(&self) -> TokenStream {
        let (text, first) = (self.text(), self.source.first);
        let mut tokens = quote_spanned!(first=> ::core::compile_error!);
        let mut group = proc_macro2::Group::new(proc_macro2::Delimiter::Brace, quote_spanned!(first=> #text));
        group.set_span(self.source.last);
        tokens.extend([proc_macro2::TokenTree::Group(group)]);
        tokens
    }

    /// The whole text as rustc will show it.
    pub fn text(&self) -> String {
        let mut text = format!("{}\nhelp: {}", self.message, self.help);
        if let Some(trail) = &self.trail {
            text += &format!("\ntrail: {trail}");
        }
        text
    }
}

/// Every mistake of one declaration. Dropping a non-empty list unread is a bug, and panics in tests.
#[derive(Debug, Default)]
pub struct Errors {
    list: Vec<Diagnostic>,
}

impl Errors {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn extend(&mut self, other: Errors) {
        self.list.extend(other.list);
    }

    /// One of each message and place: a block used twice, or the members of a family, repeat themselves.
    pub fn dedup(&mut self) {
        let mut seen = std::collections::HashSet::new();
        self.list.retain(|d| seen.insert(format!("{:?} {}", d.source.first, d.text())));
    }

    /// Say in each trail for which member of a family it is.
    pub fn in_trails(&mut self, member: &str) {
        for trail in self.list.iter_mut().filter_map(|d| d.trail.as_mut()) {
            *trail = format!("with {member}: {trail}");
        }
    }

    /// Those behind the first `from` that stand at `there` stand on `here`, and say where they come from.
    pub fn move_to(&mut self, from: usize, there: Span, here: Source, prefix: &str) {
        for diagnostic in self.list[from..].iter_mut().filter(|d| d.source.begins_at(there)) {
            diagnostic.source = here;
            diagnostic.message.insert_str(0, prefix);
        }
    }

    /// All behind the first `from` stand on `here`, where `name` could not be used for a `reason`. A message says that once,
    /// of the innermost place.
    pub fn stand_on(&mut self, from: usize, here: Source, name: &str, reason: &str) {
        for diagnostic in &mut self.list[from..] {
            diagnostic.source = here;
            if !diagnostic.message.contains(reason) {
                diagnostic.message.insert_str(0, &format!("`{name}` {reason}: "));
            }
        }
    }

    /// Drop all behind the first `from` on purpose.
    pub fn truncate(&mut self, from: usize) {
        self.list.truncate(from);
    }

    /// Drop them on purpose.
    pub fn discard(mut self) {
        self.list.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// `compile_error!`s in source order of collection.
    pub fn to_compile_errors(&self) -> TokenStream {
        self.list.iter().map(Diagnostic::to_compile_error).collect()
    }
}

/// The name that was probably meant.
pub fn closest<'s>(word: &str, names: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let small = word.to_lowercase();
    names
        .map(|name| (distance(&small, &name.to_lowercase()), name))
        .filter(|(d, name)| *d <= name.len().max(word.len()) / 3)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// How many letters to insert, remove, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
