//! Statements with a form of their own: `repeat`, `if`, the shortcut of a `Residual`, the terms of a loss.

use super::parse::{braced_body, diagnostic, tell};
use super::recover::{FoundList, statement};
use super::value::{parse_argument, parse_call, spanned};
use super::*;
use proc_macro2::TokenTree;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser, Result};
use syn::{Error, Token};

/// `repeat (3) { … }`, which is told and read.
pub(super) fn repeat_in_parentheses(input: ParseStream, found: &mut FoundList) -> Result<Argument> {
    let content;
    let parens = syn::parenthesized!(content in input);
    let count = parse_argument(&content)?;
    if !content.is_empty() {
        return Err(content.error(""));
    }
    let help = format!("write `repeat {} {{ … }}`", count.value.text());
    let source = Source { first: parens.span.open(), last: parens.span.close() };
    tell(found, source, "`repeat` takes its count without parentheses", help);
    Ok(count)
}

pub(super) fn operands(input: ParseStream) -> Result<Vec<Operand>> {
    // Read `(…)` as those of a call without a name.
    let tokens: TokenTree = input.parse()?;
    let parser = |stream: ParseStream| parse_call(stream);
    let mut call = proc_macro2::TokenStream::from(TokenTree::Ident(Ident::new("group", tokens.span())));
    call.extend([tokens]);
    Ok(parser.parse2(call)?.operands.unwrap_or_default())
}

pub(super) fn condition(input: ParseStream, found: &mut FoundList) -> Result<Kind> {
    let word: Token![if] = input.parse()?;
    if input.peek(syn::token::Brace) {
        return Err(Error::new(word.span, ""));
    }
    let condition = input.call(syn::Expr::parse_without_eager_brace)?;
    let then = braced_body(input, found)?;
    let mut otherwise = Vec::new();
    let other = |word: &str| input.fork().call(Ident::parse_any).is_ok_and(|own| own == word);
    if let Some(word) = ["elif", "elsif", "elseif"].into_iter().find(|word| other(word)) {
        // Read as what it means; the word becomes an `if`.
        let source = Source::at(input.span());
        tell(found, source, format!("`{word}` does not exist here"), "write `else if`");
        input.call(Ident::parse_any)?;
        otherwise.push(else_if(input, source, found)?);
    } else if input.peek(Token![else]) {
        input.parse::<Token![else]>()?;
        if input.peek(Token![if]) {
            let source = Source::at(input.span());
            let kind = self::condition(input, found)?;
            otherwise.push(Line { attributes: Vec::new(), label: None, kind, alias: None, source });
        } else {
            otherwise = braced_body(input, found)?;
        }
    }
    Ok(Kind::If { condition, then, otherwise })
}

/// What stands behind `elif`.
fn else_if(input: ParseStream, source: Source, found: &mut FoundList) -> Result<Line> {
    let condition = input.call(syn::Expr::parse_without_eager_brace)?;
    let then = braced_body(input, found)?;
    let mut otherwise = Vec::new();
    if input.peek(Token![else]) {
        input.parse::<Token![else]>()?;
        otherwise = braced_body(input, found)?;
    }
    let kind = Kind::If { condition, then, otherwise };
    Ok(Line { attributes: Vec::new(), label: None, kind, alias: None, source })
}

/// Words that are written for `shortcut`.
const SHORTCUTS: &[&str] = &["Shortcut", "skip", "Skip", "downsample", "identity", "projection"];

/// `; shortcut`, `shortcut: {` and `skip {` behind a `Residual { … }`: told, and read as `shortcut {`.
fn near_shortcut(input: ParseStream, found: &mut FoundList) -> Result<()> {
    let form = "write `Residual { … } shortcut { … }`";
    let word = |input: ParseStream| input.call(Ident::parse_any).map(|word| word.to_string()).unwrap_or_default();
    let fork = input.fork();
    if fork.peek(Token![;]) || fork.peek(Token![,]) {
        let sign: TokenTree = fork.parse()?;
        if word(&fork) == "shortcut" && (fork.peek(syn::token::Brace) || fork.peek2(syn::token::Brace)) {
            let message = format!("this `{sign}` parts the `shortcut` from its `Residual`");
            tell(found, Source::at(input.span()), message, form);
            input.parse::<TokenTree>()?;
        }
        return Ok(());
    }
    let name = word(&fork);
    if SHORTCUTS.contains(&name.as_str()) && fork.peek(syn::token::Brace) {
        let help = format!("{form}: the second braces compute what is added to the body");
        tell(found, Source::at(input.span()), format!("`{name}` is no part of a `Residual`"), help);
    }
    Ok(())
}

pub(super) fn shortcut(input: ParseStream, found: &mut FoundList) -> Result<Option<Shortcut>> {
    near_shortcut(input, found)?;
    let fork = input.fork();
    let word: Ident = match fork.call(Ident::parse_any) {
        Ok(word) if word == "shortcut" => word,
        Ok(word) if SHORTCUTS.contains(&word.to_string().as_str()) && fork.peek(syn::token::Brace) => word,
        _ => return Ok(None),
    };
    if fork.peek(Token![:]) {
        if !fork.peek2(syn::token::Brace) {
            return Ok(None);
        }
        let message = "a `shortcut` behind `Residual { … }` is part of it, and has no `:`";
        let help = "write `Residual { … } shortcut { … }`, or give the group another name";
        tell(found, Source::at(fork.span()), message, help);
        fork.parse::<Token![:]>()?;
    }
    input.advance_to(&fork);
    let name =
        if input.peek(Ident::peek_any) && !input.peek(Token![if]) { Some(input.call(Ident::parse_any)?) } else { None };
    let reshaped = if input.peek(Token![if]) {
        input.parse::<Token![if]>()?;
        let condition: Ident = input.call(Ident::parse_any)?;
        if condition != "reshaped" {
            let message = format!(
                "a shortcut knows only `if reshaped`, found `if {condition}`\nhelp: `shortcut if reshaped {{ … }}` stands \
                 only where the body changes the shape"
            );
            found.push(Found::Told(diagnostic(Error::new(condition.span(), message))));
        }
        true
    } else {
        false
    };
    if !input.peek(syn::token::Brace) {
        let message = "the layers of a shortcut stand in braces";
        tell(found, Source::at(word.span()), message, "write `shortcut { … }`, or `shortcut name { … }`");
        let body = vec![Line::broken(Source::at(word.span()), None, Vec::new())];
        statement(input)?;
        return Ok(Some(Shortcut { name, reshaped, body, source: Source::at(word.span()) }));
    }
    let body = braced_body(input, found)?;
    Ok(Some(Shortcut { name, reshaped, body, source: Source::at(word.span()) }))
}

/// `CrossEntropy(fc, label) + 0.3 * CrossEntropy(aux, label)`
pub(super) fn terms(input: ParseStream) -> Result<Vec<Term>> {
    let mut terms = Vec::new();
    let mut negative = false;
    if input.peek(Token![-]) {
        input.parse::<Token![-]>()?;
        negative = true;
    }
    loop {
        terms.push(term(input, negative)?);
        negative = if input.peek(Token![+]) {
            input.parse::<Token![+]>()?;
            false
        } else if input.peek(Token![-]) {
            input.parse::<Token![-]>()?;
            true
        } else {
            return Ok(terms);
        };
    }
}

fn term(input: ParseStream, negative: bool) -> Result<Term> {
    let weighted = input.peek(syn::Lit)
        || input.peek(syn::token::Brace)
        || (input.peek(Ident::peek_any) && input.peek2(Token![*]));
    let weight = if weighted {
        let weight = parse_argument(input)?;
        if !input.peek(Token![*]) {
            return Err(spanned(weight.source, "between a weight and its loss stands `*`".into()));
        }
        input.parse::<Token![*]>()?;
        Some(weight)
    } else {
        None
    };
    if !input.peek(Ident::peek_any) {
        return Err(input.error(""));
    }
    let call = parse_call(input)?;
    if input.peek(Token![*]) {
        return Err(Error::new(input.span(), "the weight stands before the loss"));
    }
    Ok(Term { negative, weight, call })
}
