//! Items and statements, with recovery: after a mistake reading goes on behind the next `;` or `{…}`.

use super::forms::{condition, operands, repeat_in_parentheses, shortcut, terms};
use super::function::Function;
use super::import::{Written, respanned};
use super::recover::{FoundList, begins_line, names, recover, short, statement, told, written_text};
use super::value::{angle, parse_argument, parse_call, parse_list, parse_path, placed, spanned};
use super::*;
use crate::diagnostics::{Diagnostic, Mistake};
use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser, Result};
use syn::{Attribute, Error, Token};

/// The whole of `network! { … }`, and how each item is written.
pub fn parse(input: TokenStream, found: &mut Vec<Found>) -> (Vec<Item>, Vec<Written>) {
    let mut items = Vec::new();
    let mut written = Vec::new();
    let beyond = limits::mistake(&input);
    let input = if beyond.is_some() { limits::outermost(input) } else { input };
    let last = input.clone().into_iter().last().map(|token| token.span());
    let parser = |input: ParseStream| {
        while !input.is_empty() {
            if input.peek(Token![;]) {
                input.parse::<Token![;]>()?;
                continue;
            }
            if beyond.is_some() {
                // Only names, so that uses of what is declared stay quiet.
                if let Some((item, own)) = broken(&input.fork()) {
                    items.push(item);
                    written.push(own);
                }
                statement(input)?;
                continue;
            }
            let fork = input.fork();
            match item(&fork, found) {
                Ok((item, mut own)) => {
                    own.tokens = between(input, &fork);
                    if let Item::Network(Network { body, .. }) | Item::Block(Block { body, .. }) = &item {
                        items.extend(misplaced(body));
                        written.resize(items.len(), Written::default());
                    }
                    items.push(item);
                    written.push(own);
                    input.advance_to(&fork);
                }
                Err(e) => {
                    if let Some((item, own)) = broken(&input.fork()) {
                        items.push(item);
                        written.push(own);
                    }
                    recover(input, UnreadPlace::Item, &[], &e, found)?;
                }
            }
        }
        Ok(())
    };
    if let Err(e) = parser.parse2(input) {
        found.push(Found::Told(diagnostic(placed(e, last))));
    }
    found.extend(beyond.map(Found::Told));
    (items, written)
}

/// What `input` has and `rest` has no more.
fn between(input: ParseStream, rest: ParseStream) -> TokenStream {
    let (mut at, end) = (input.cursor(), rest.cursor());
    let mut tokens = TokenStream::new();
    while at != end {
        let Some((token, next)) = at.token_tree() else { break };
        tokens.extend([token]);
        at = next;
    }
    tokens
}

/// A syntax error as ours; its text may hold a `help:` line.
pub fn diagnostic(e: Error) -> Diagnostic {
    told(&e).unwrap_or_else(|(source, message)| {
        let message = if message.is_empty() { "this is no argument".to_string() } else { message };
        Mistake::new(source, message)
            .help("numbers, names, `[…]` and `{…}` are separated by `,`; names and values by `=`")
    })
}

/// A mistake after which reading goes on as if it were not there.
pub(super) fn tell(found: &mut FoundList, source: Source, message: impl Into<String>, help: impl Into<String>) {
    found.push(Found::Told(Mistake::new(source, message).help(help)));
}

/// Blocks and `fn`s that stand in a body.
fn misplaced(body: &[Line]) -> Vec<Item> {
    let names = body.iter().filter_map(|line| match &line.kind {
        Kind::Broken { item: Some(name), .. } => Some(Item::Unreadable { name: name.clone() }),
        _ => None,
    });
    names.collect()
}

/// The name of an item that could not be read.
fn broken(input: ParseStream) -> Option<(Item, Written)> {
    input.call(Attribute::parse_outer).ok()?;
    let vis: syn::Visibility = input.parse().ok()?;
    let own = Written { vis: vis.to_token_stream(), ..Written::default() };
    let word: Ident = input.call(Ident::parse_any).ok()?;
    let name = if input.peek(Ident::peek_any) { Some(input.call(Ident::parse_any).ok()?) } else { None };
    let rest = statement(input).ok()?;
    let body = match rest.last() {
        Some(TokenTree::Group(group)) if group.delimiter() == proc_macro2::Delimiter::Brace => Some(group.stream()),
        _ => None,
    };
    // What has an input is a network, whatever word stands before its name.
    let network =
        |body: TokenStream| body.into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "input"));
    match name {
        Some(name) if word == "block" || word == "fn" => Some((Item::Unreadable { name }, own)),
        Some(name) if body.clone().is_some_and(network) => {
            Some((Item::Broken { vis: vis.to_token_stream(), name }, own))
        }
        Some(name) => body.map(|_| (Item::Unreadable { name }, own)),
        None if word == "block" || word == "fn" || word == "use" => None,
        None => {
            let named =
                body.is_some() || matches!(rest.first(), Some(TokenTree::Punct(p)) if matches!(p.as_char(), '<' | '='));
            named.then(|| (Item::Broken { vis: vis.to_token_stream(), name: word }, own))
        }
    }
}

fn item(input: ParseStream, found: &mut FoundList) -> Result<(Item, Written)> {
    let attributes = input.call(Attribute::parse_outer)?;
    let vis: syn::Visibility = input.parse()?;
    let mut own = Written { vis: vis.to_token_stream(), ..Written::default() };
    if input.peek(Token![use]) {
        let start = input.span();
        let message = "this `use` names no block\nhelp: write `use path::Block;`, `use path::Block as Other;` or `use path::{A, B};`";
        return Err(Error::new(start, message));
    }
    if input.peek(Token![@]) {
        let import = import(input, found)?;
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
        }
        plain(&attributes, "a `use`", found);
        if !own.vis.is_empty() {
            let message = "a `use` in `network!` is for this `network!` alone\nhelp: remove `pub`; an ordinary `pub use` beside the macro hands a block on";
            found.push(Found::Told(diagnostic(Error::new_spanned(&own.vis, message))));
        }
        own.vis = TokenStream::new();
        return Ok((import, own));
    }
    if input.peek(Token![fn]) {
        own.docs = docs(&attributes);
        plain(&attributes, "a `fn`", found);
        return Ok((Item::Function(Function::parse(input)?), own));
    }
    let name: Ident = match input.call(Ident::parse_any) {
        Ok(name) => name,
        Err(e) => return Err(Error::new(e.span(), "")),
    };
    if name == "block" && input.peek(syn::Ident) {
        own.docs = docs(&attributes);
        return Ok((Item::Block(block(attributes, input, found)?), own));
    }
    let constants = constants(input)?;
    let vis = own.vis.clone();
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        let before = found.len();
        let origin = origin(input, found)?;
        let intact = before == found.len();
        let network =
            Network { attributes, vis, name, constants, body: Vec::new(), origin: Some(Box::new(origin)), intact };
        return Ok((Item::Network(network), own));
    }
    if !input.peek(syn::token::Brace) {
        return Err(Error::new(name.span(), ""));
    }
    let before = found.len();
    let body = braced_body(input, found)?;
    let intact = before == found.len();
    Ok((Item::Network(Network { attributes, vis, name, constants, body, origin: None, intact }), own))
}

/// The `#[doc]`s among these.
fn docs(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().filter(|a| a.path().is_ident("doc")).map(ToTokens::to_token_stream).collect()
}

/// Only documentation stands there.
fn plain(attributes: &[Attribute], what: &str, found: &mut FoundList) {
    for attribute in attributes.iter().filter(|a| !a.path().is_ident("doc")) {
        let name = attribute.path().to_token_stream();
        let message = format!("`#[{name}]` cannot stand on {what}\nhelp: remove it");
        found.push(Found::Told(diagnostic(Error::new_spanned(attribute.path(), message))));
    }
}

/// `@import Name { … }`: what `syntax::import` fetched.
fn import(input: ParseStream, found: &mut FoundList) -> Result<Item> {
    input.parse::<Token![@]>()?;
    input.call(Ident::parse_any)?;
    let name: Ident = input.call(Ident::parse_any)?;
    let content;
    syn::braced!(content in input);
    if content.peek(Token![@]) && content.peek2(Ident::peek_any) && !content.peek3(Ident::peek_any) {
        content.parse::<TokenStream>()?;
        declared_with_mistakes(&name, found);
        return Ok(Item::Unreadable { name });
    }
    let mut inner = Vec::new();
    let (items, _) = parse(respanned(content.parse()?, name.span()), &mut inner);
    let sound = inner.is_empty() && matches!(items.last(), Some(Item::Block(_) | Item::Function(_)));
    if !sound {
        declared_with_mistakes(&name, found);
        return Ok(Item::Unreadable { name });
    }
    Ok(Item::Import(Import { name, items }))
}

fn declared_with_mistakes(name: &Ident, found: &mut FoundList) {
    let message = format!("`{name}` has mistakes where it is declared");
    tell(found, Source::at(name.span()), message, "mend it there: its own messages say how");
}

/// What stands behind `pub Name =`.
fn origin(input: ParseStream, found: &mut FoundList) -> Result<Origin> {
    let begin = input.fork();
    let mut import = None;
    let call = if input.peek(Token![@]) {
        let (name, items) = match self::import(input, found)? {
            Item::Import(Import { name, items }) => (name, Some(items)),
            Item::Unreadable { name } => (name, None),
            _ => {
                return Err(input.error(
                    "a network is declared from a `block`\nhelp: write `pub Name = path::Block<CLASSES = 10>;`",
                ));
            }
        };
        let mut last = name.span();
        let arguments = match angle(input)? {
            Some((arguments, close)) => {
                last = close;
                arguments
            }
            None => Vec::new(),
        };
        import = Some(Import { name: name.clone(), items: items.unwrap_or_default() });
        Call { source: Source { first: name.span(), last }, name, qualifier: None, arguments, operands: None }
    } else {
        let call = parse_call(input)?;
        if call.qualifier.is_some() || call.operands.is_some() {
            let message = "a network is declared from a block and its constants\nhelp: write `pub Name = path::Block<CLASSES = 10>;`";
            return Err(spanned(call.source, message.into()));
        }
        call
    };
    semicolon(&begin, input, call.source.last, found)?;
    Ok(Origin { call, import })
}

/// What stands behind `block`.
fn block(attributes: Vec<Attribute>, input: ParseStream, found: &mut FoundList) -> Result<Block> {
    let name: Ident = input.call(Ident::parse_any)?;
    let constants = constants(input)?;
    let operands = if input.peek(syn::token::Paren) {
        let content;
        let parens = syn::parenthesized!(content in input);
        let names: Vec<Ident> = content.parse_terminated(Ident::parse_any, Token![,])?.into_iter().collect();
        if names.is_empty() {
            let source = Source { first: parens.span.open(), last: parens.span.close() };
            tell(
                found,
                source,
                format!("`()` of the block `{name}` names no operand"),
                format!("write `block {name} {{ … }}`"),
            );
        }
        Some(names).filter(|names| !names.is_empty())
    } else {
        None
    };
    let before = found.len();
    let body = braced_body(input, found)?;
    let intact = before == found.len();
    Ok(Block { attributes, name, constants, operands, body, intact })
}

/// `<CLASSES = 10, H in [8, 32]>`, if it is there.
fn constants(input: ParseStream) -> Result<Vec<Constant>> {
    let mut constants = Vec::new();
    if !input.peek(Token![<]) {
        return Ok(constants);
    }
    input.parse::<Token![<]>()?;
    while !input.peek(Token![>]) {
        let name: Ident = input.call(Ident::parse_any)?;
        let given = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Given::Default(Box::new(parse_argument(input)?))
        } else if input.peek(Token![in]) {
            input.parse::<Token![in]>()?;
            let content;
            syn::bracketed!(content in input);
            Given::Family(parse_list(&content)?)
        } else {
            Given::Required
        };
        constants.push(Constant { name, given });
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        } else if !input.peek(Token![>]) {
            return Err(input.error("expected `,` or `>` after a constant"));
        }
    }
    input.parse::<Token![>]>()?;
    Ok(constants)
}

pub(super) fn braced_body(input: ParseStream, found: &mut FoundList) -> Result<Vec<Line>> {
    let content;
    syn::braced!(content in input);
    body(&content, found)
}

fn body(input: ParseStream, found: &mut FoundList) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    while !input.is_empty() {
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            continue;
        }
        let fork = input.fork();
        match line(&fork, found) {
            Ok(line) => {
                lines.push(line);
                input.advance_to(&fork);
            }
            Err(e) => {
                let source = Source::at(input.span());
                let item = match broken(&input.fork()) {
                    Some((Item::Unreadable { name }, _)) => Some(name),
                    _ => None,
                };
                let tokens = recover(input, UnreadPlace::Line, &lines, &e, found)?;
                lines.push(Line::broken(source, item, names(&tokens)));
            }
        }
    }
    Ok(lines)
}

/// An identifier with a single `:` behind it.
fn labelled(input: ParseStream) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Token![:]) && !input.peek2(Token![::])
}

fn line(input: ParseStream, found: &mut FoundList) -> Result<Line> {
    let attributes = input.call(Attribute::parse_outer)?;
    if input.is_empty() {
        return Err(input.error(""));
    }
    let begin = input.fork();
    let mut label = None;
    if labelled(input) {
        let name: Ident = input.call(Ident::parse_any)?;
        let colon: Token![:] = input.parse()?;
        if name == "loss" {
            let terms = terms(input)?;
            let last = terms.last().map_or(colon.span, |term| term.call.source.last);
            semicolon(&begin, input, last, found)?;
            return Ok(Line {
                attributes,
                label,
                kind: Kind::Loss(terms),
                alias: None,
                source: Source::at(name.span()),
            });
        }
        if (name == "Residual" || name == "Concat") && input.peek(syn::token::Brace) {
            return Err(Error::new(colon.span, ""));
        }
        label = Some(name);
    }
    let first = input.span();
    let (kind, closed) = kind(input, label.is_some(), found)?;
    let alias = if input.peek(Token![as]) {
        input.parse::<Token![as]>()?;
        Some(input.call(Ident::parse_any)?)
    } else {
        None
    };
    let source = match &kind {
        Kind::Call(call) => Source { first, last: call.source.last },
        _ => Source::at(first),
    };
    if !closed || alias.is_some() {
        if input.peek(Token![as]) {
            return Err(input.error(""));
        }
        let last = match (&alias, &kind) {
            (Some(alias), _) => alias.span(),
            (None, Kind::Call(call)) => call.source.last,
            (None, _) => between(&begin, input).into_iter().last().map_or(first, |token| Source::of(&token).last),
        };
        semicolon(&begin, input, last, found)?;
    } else if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
    }
    Ok(Line { attributes, label, kind, alias, source })
}

/// A missing `;` is reported and read as if it were there, unless something stands there that is no line.
fn semicolon(begin: ParseStream, input: ParseStream, last: Span, found: &mut FoundList) -> Result<()> {
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        return Ok(());
    }
    let line: Vec<TokenTree> = between(begin, input).into_iter().collect();
    if !input.is_empty() {
        let next: TokenTree = input.fork().parse()?;
        // Words in a row are no line of a layer: `from torch import`, `return x`.
        let bare = line.iter().all(|token| match token {
            TokenTree::Ident(word) => !word.to_string().starts_with(char::is_uppercase),
            TokenTree::Punct(sign) => sign.as_char() == '.',
            _ => false,
        });
        let next_line = line.last().is_some_and(|before| begins_line(before, &next));
        let ahead = input.fork();
        ahead.parse::<TokenTree>()?;
        let another = match &next {
            TokenTree::Ident(word) => {
                word.to_string().starts_with(char::is_uppercase) || ahead.peek(Token![:]) || ahead.peek(Ident::peek_any)
            }
            _ => false,
        };
        let begins = matches!(next, TokenTree::Ident(_)) && (next_line || !bare && another)
            || matches!(&next, TokenTree::Punct(sign) if sign.as_char() == '#');
        if !begins {
            return Err(Error::new(next.span(), format!("`{}` does not belong to this line", short(&next))));
        }
    }
    let text = written_text(&line);
    tell(found, Source::at(last), "the `;` behind this line is missing", format!("write `{text};`"));
    Ok(())
}

/// A statement behind its label; true if it ends with braces and needs no `;`.
fn kind(input: ParseStream, label: bool, found: &mut FoundList) -> Result<(Kind, bool)> {
    if input.peek(syn::token::Brace) {
        let start = input.span();
        let body = braced_body(input, found)?;
        if !label {
            tell(found, Source::at(start), "a group has a name", "write `name: { … }`");
        }
        let operands = if input.peek(syn::token::Paren) { Some(operands(input)?) } else { None };
        let closed = operands.is_none();
        return Ok((Kind::Group { body, operands }, closed));
    }
    if input.peek(Token![if]) {
        return Ok((condition(input, found)?, true));
    }
    if input.peek(Token![fn]) {
        return Err(Error::new(input.span(), "a `fn` stands beside the networks\nhelp: move it before the network"));
    }
    if input.peek(Token![pub]) {
        return Err(Error::new(input.span(), ""));
    }
    if !input.peek(Ident::peek_any) {
        return Err(Error::new(input.span(), ""));
    }
    let fork = input.fork();
    let word: Ident = fork.call(Ident::parse_any)?;
    let named = fork.peek(Ident::peek_any);
    let kind = match word.to_string().as_str() {
        "input" | "target" if named => {
            input.advance_to(&fork);
            let name: Ident = input.call(Ident::parse_any)?;
            if !input.peek(Token![:]) {
                return Err(Error::new(name.span(), ""));
            }
            input.parse::<Token![:]>()?;
            let port = if input.peek(syn::token::Bracket) {
                let content;
                let bracket = syn::bracketed!(content in input);
                PortSyntax::Dense(
                    parse_list(&content)?,
                    Source { first: bracket.span.open(), last: bracket.span.close() },
                )
            } else {
                PortSyntax::Call(parse_call(input)?)
            };
            match word == "input" {
                true => Kind::Input { name, port },
                false => Kind::Target { name, port },
            }
        }
        "from" if named => {
            input.advance_to(&fork);
            Kind::From(parse_path(input)?)
        }
        "output" if named => {
            input.advance_to(&fork);
            let paths =
                syn::punctuated::Punctuated::<Path, Token![,]>::parse_separated_nonempty_with(input, parse_path)?;
            Kind::Output(paths.into_iter().collect())
        }
        "param" if named => {
            input.advance_to(&fork);
            let name: Ident = input.call(Ident::parse_any)?;
            if !input.peek(Token![:]) {
                return Err(Error::new(name.span(), ""));
            }
            input.parse::<Token![:]>()?;
            let content;
            let brackets = syn::bracketed!(content in input);
            let dims = parse_list(&content)?;
            let same_line = input.span().start().line == brackets.span.close().end().line;
            if input.peek(Ident::peek_any) && same_line {
                return Err(input.error(""));
            }
            let init = if input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                Some(parse_argument(input)?)
            } else {
                None
            };
            Kind::Param { name, dims, init }
        }
        "block" if named => return Err(Error::new(word.span(), "")),
        "repeat" if !fork.peek(Token![;]) => {
            input.advance_to(&fork);
            if input.peek(syn::token::Brace) && !input.peek2(syn::token::Brace) {
                return Err(Error::new(word.span(), "`repeat` has no count\nhelp: write `repeat 3 { … }`"));
            }
            let count = if input.peek(syn::token::Paren) {
                repeat_in_parentheses(input, found)?
            } else {
                parse_argument(input)?
            };
            if label {
                let help = format!("write `name: {{ repeat {} {{ … }} }}`", count.value.text());
                tell(found, Source::at(word.span()), "`repeat` has no name of its own", help);
            }
            return Ok((Kind::Repeat { count, body: braced_body(input, found)? }, true));
        }
        "Residual" if fork.peek(syn::token::Brace) => {
            input.advance_to(&fork);
            let body = braced_body(input, found)?;
            return Ok((Kind::Residual { body, shortcut: shortcut(input, found)? }, true));
        }
        "Concat" if fork.peek(syn::token::Brace) => {
            input.advance_to(&fork);
            let mut branches = braced_body(input, found)?;
            while input.peek(syn::token::Brace) {
                let message = "all branches stand in one pair of braces";
                tell(found, Source::at(input.span()), message, "write `Concat { a: { … } b: { … } }`");
                branches.extend(braced_body(input, found)?);
            }
            return Ok((Kind::Concat { branches }, true));
        }
        _ => Kind::Call(parse_call(input)?),
    };
    Ok((kind, false))
}
