//! Going on after a mistake: where a line ends that could not be read, and what it may have named.

use super::{Found, Kind, Line, Unread, UnreadPlace, constant};
use crate::diagnostics::{Diagnostic, Mistake, Source};
use proc_macro2::{Delimiter, Ident, LineColumn, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Result};
use syn::{Error, Token};

/// Mistakes in the order in which they were met.
pub(super) type FoundList = Vec<Found>;

/// Over what cannot be read. `error` is where the parser stopped; its own help, if it has one, is the answer.
pub(super) fn recover(
    input: ParseStream,
    place: UnreadPlace,
    lines: &[Line],
    error: &Error,
    found: &mut FoundList,
) -> Result<Vec<TokenTree>> {
    let mut tokens = statement(input)?;
    let attributes = attributes(&tokens);
    let documented = tokens[..attributes].iter().any(|token| match token {
        TokenTree::Group(group) => group.stream().to_string().starts_with("doc"),
        _ => false,
    });
    let whole = tokens.clone();
    tokens.drain(..attributes);
    found.push(match told(error) {
        Ok(diagnostic) => Found::Told(diagnostic),
        Err((source, message)) => {
            // An error without a place of its own came to the end of what stands there.
            let nowhere = source.begins_at(proc_macro2::Span::call_site());
            let last = tokens.last().or(whole.last()).map(Source::of);
            let stopped = last.filter(|_| nowhere || tokens.is_empty()).unwrap_or(source);
            Found::Unread(Unread { place, tokens: tokens.clone(), stopped, message, documented, named: named(lines) })
        }
    });
    Ok(tokens)
}

/// What these lines name.
fn named(lines: &[Line]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in lines {
        names.extend(line.label.iter().chain(&line.alias).map(Ident::to_string));
        if let Kind::Input { name, .. } | Kind::Target { name, .. } | Kind::Param { name, .. } = &line.kind {
            names.push(name.to_string());
        }
    }
    names
}

/// A parser's error as ours if it has a help, else where it stands and its text.
pub(super) fn told(error: &Error) -> std::result::Result<Diagnostic, (Source, String)> {
    let text = error.to_string();
    let source = Source::of(&error.to_compile_error());
    match text.split_once("\nhelp: ") {
        Some((message, help)) => Ok(Mistake::new(source, message).help(help)),
        // What syn says of the end of a stream is true of brackets too, and says nothing.
        None => Err((source, text.trim_start_matches("unexpected end of input, ").to_string())),
    }
}

/// How many tokens at the start are `#[…]`.
fn attributes(tokens: &[TokenTree]) -> usize {
    let mut count = 0;
    while let (Some(TokenTree::Punct(sign)), Some(TokenTree::Group(group))) = (tokens.get(count), tokens.get(count + 1))
        && sign.as_char() == '#'
        && group.delimiter() == Delimiter::Bracket
    {
        count += 2;
    }
    count
}

/// Up to the next `;` or the braces that end a statement, at least one token.
pub(super) fn statement(input: ParseStream) -> Result<Vec<TokenTree>> {
    let mut tokens: Vec<TokenTree> = Vec::new();
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let ends = match &token {
            TokenTree::Punct(sign) if sign.as_char() == ';' => !closed_later(input, &tokens),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let goes_on = input.peek(Token![else])
                    || input.peek(Token![>])
                    || input.peek(Token![,]) && open_angles(&tokens) > 0
                    || input.peek(syn::token::Paren)
                    || input.peek(Token![;])
                    || input.peek(Token![as])
                    || input.peek(Token![.]);
                !goes_on
            }
            _ => false,
        };
        tokens.push(token);
        if ends {
            break;
        }
    }
    Ok(tokens)
}

/// `<` without their `>`.
fn open_angles(tokens: &[TokenTree]) -> usize {
    let mut open = 0usize;
    let mut before = ' ';
    for token in tokens {
        let sign = match token {
            TokenTree::Punct(sign) => sign.as_char(),
            _ => ' ',
        };
        match sign {
            '<' => open += 1,
            '>' if before != '-' && before != '=' => open = open.saturating_sub(1),
            _ => {}
        }
        before = sign;
    }
    open
}

/// `Conv2d<8; 3>`: the `;` separates arguments, for the `>` comes before the next `;` and before another `<`.
fn closed_later(input: ParseStream, tokens: &[TokenTree]) -> bool {
    if open_angles(tokens) == 0 {
        return false;
    }
    let fork = input.fork();
    while let Ok(token) = fork.parse::<TokenTree>() {
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '>' => return true,
            TokenTree::Punct(sign) if matches!(sign.as_char(), ';' | '<') => return false,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return false,
            _ => {}
        }
    }
    false
}

/// Names that the line may have given to values: all words that are no layer's and stand outside of brackets.
pub(super) fn names(tokens: &[TokenTree]) -> Vec<Ident> {
    let mut names: Vec<Ident> = Vec::new();
    for token in tokens {
        if let TokenTree::Ident(word) = token
            && word != "_"
            && !names.contains(word)
            && !WORDS.contains(&word.to_string().as_str())
        {
            names.push(word.clone());
        }
    }
    names
}

/// What no value is called.
const WORDS: &[&str] = &[
    "let", "mut", "const", "var", "self", "input", "target", "param", "loss", "output", "for", "in", "if", "else", "as",
];

/// Whether a token stands on a later line than the one before it, and may begin a statement.
pub(crate) fn begins_line(before: &TokenTree, token: &TokenTree) -> bool {
    let end = match before {
        TokenTree::Group(group) => group.span_close().end(),
        other => other.span().end(),
    };
    let start = token.span().start();
    let joins = matches!(before, TokenTree::Punct(sign) if ",=+-*/|&<(:.".contains(sign.as_char()));
    start.line > end.line && !joins && matches!(token, TokenTree::Ident(_))
}

/// Tokens with the blanks that stand between them, one at most.
pub(super) fn written_text(tokens: &[TokenTree]) -> String {
    let located = tokens.iter().all(|token| token.span().start().line > 0);
    if !located {
        return constant::tokens_text(&TokenStream::from_iter(tokens.iter().cloned()));
    }
    let mut text = String::new();
    let mut end = None;
    write_tokens(tokens, &mut text, &mut end);
    text
}

fn write_tokens(tokens: &[TokenTree], text: &mut String, end: &mut Option<LineColumn>) {
    let put = |part: &str, span: Span, text: &mut String, end: &mut Option<LineColumn>| {
        if end.is_some_and(|end| end != span.start()) {
            text.push(' ');
        }
        text.push_str(part);
        *end = Some(span.end());
    };
    for token in tokens {
        let TokenTree::Group(group) = token else {
            put(&token.to_string(), token.span(), text, end);
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::None => ("", ""),
        };
        put(open, group.span_open(), text, end);
        write_tokens(&group.stream().into_iter().collect::<Vec<_>>(), text, end);
        put(close, group.span_close(), text, end);
    }
}

/// A token as messages show it.
pub(crate) fn short(token: &TokenTree) -> String {
    match token {
        TokenTree::Group(g) => match g.delimiter() {
            Delimiter::Brace => "{ … }".into(),
            Delimiter::Bracket => "[…]".into(),
            _ => "(…)".into(),
        },
        other => other.to_string(),
    }
}
