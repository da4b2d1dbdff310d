//! Habits of lines: what people write where a statement stands, and the line as it should be written.

mod declared;
mod expressions;
mod flow;
mod statements;

pub use declared::port_text;

use super::Unread;
use crate::diagnostics::{Diagnostic, Mistake, Source};
use crate::syntax::constant::tokens_text;
use declared::{loss, param, port};
use expressions::{expression, group, residual, several_lines};
use flow::{attribute_alone, branch, comment, decorator, loop_, repeat, unfinished};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use statements::{constant, definition, import, output, printed, returned};

/// The tokens of a line, up to its `;` or braces.
struct Line<'t> {
    tokens: &'t [TokenTree],
    /// The identifiers among the tokens, and nothing for the others.
    words: Vec<String>,
    unread: &'t Unread,
}

/// What each habit is recognised by and answered with, in this order; the first that knows the line answers.
const HABITS: &[fn(&Line) -> Option<Diagnostic>] = &[
    comment,
    attribute_alone,
    decorator,
    unfinished,
    loop_,
    repeat,
    branch,
    definition,
    import,
    printed,
    constant,
    returned,
    output,
    port,
    param,
    loss,
    residual,
    group,
    several_lines,
    expression,
];

pub fn explain(unread: &Unread) -> Diagnostic {
    let end = unread.tokens.iter().rposition(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'));
    let line = Line::new(&unread.tokens[..end.map_or(0, |end| end + 1)], unread);
    if let Some(answer) = HABITS.iter().find_map(|habit| habit(&line)) {
        return answer;
    }
    let message = match &unread.message {
        // The parser's own words speak of tokens.
        message if message.is_empty() || message.starts_with("expected") => "this line cannot be read".to_string(),
        message => message.clone(),
    };
    Mistake::new(unread.stopped, message).help(
        "a line is `Layer<arguments>;`, `name: Layer<arguments>;` or `Layer<arguments>(value);`; what is fixed stands in \
         `<…>`, values in `(…)`, layers in `{…}`",
    )
}

/// The habits that a word alone is recognised by.
const WORDS: &[fn(&Line) -> Option<Diagnostic>] = &[unfinished, loop_, branch, definition, import, printed, returned];

/// What a line means that could be read, but calls what is no layer.
pub fn word(unread: &Unread) -> Option<Diagnostic> {
    let line = Line::new(&unread.tokens, unread);
    WORDS.iter().find_map(|habit| habit(&line))
}

impl<'t> Line<'t> {
    fn new(tokens: &'t [TokenTree], unread: &'t Unread) -> Line<'t> {
        let word = |token: &TokenTree| match token {
            TokenTree::Ident(word) => word.to_string(),
            _ => String::new(),
        };
        Line { tokens, words: tokens.iter().map(word).collect(), unread }
    }

    /// The identifier there, or nothing.
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    fn is(&self, at: usize, sign: char) -> bool {
        matches!(self.tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign)
    }

    fn at(&self, at: usize) -> Source {
        self.tokens.get(at).map_or(self.unread.stopped, Source::of)
    }

    fn group(&self, at: usize, delimiter: Delimiter) -> Option<&Group> {
        match self.tokens.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
            _ => None,
        }
    }

    /// The `{ … }` at the end.
    fn body(&self) -> Option<&Group> {
        self.group(self.tokens.len().checked_sub(1)?, Delimiter::Brace)
    }

    fn text(&self, from: usize, to: usize) -> String {
        tokens_text(&TokenStream::from_iter(self.tokens[from.min(to)..to].iter().cloned()))
    }

    fn mistake(&self, at: usize, message: impl Into<String>) -> Mistake {
        Mistake::new(self.at(at), message)
    }
}
