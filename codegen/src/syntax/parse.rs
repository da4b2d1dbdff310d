//! Items and statements, with recovery: after a mistake reading goes on behind the next `;` or `{…}`.

use super::function::Function;
use super::import::{Written, respanned};
use super::value::{angle, parse_argument, parse_call, parse_list, parse_path, placed, spanned};
use super::*;
use crate::diagnostics::{Diagnostic, Errors};
use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser, Result};
use syn::{Attribute, Error, Token};

/// The whole of `network! { … }`, and how each item is written.
pub fn parse(input: TokenStream, errors: &mut Errors) -> (Vec<Item>, Vec<Written>) {
    let mut items = Vec::new();
    let mut written = Vec::new();
    let mut found = Vec::new();
    let beyond = limits::mistake(&input);
    let input = if beyond.is_some() { limits::outermost(input) } else { input };
    let last = input.clone().into_iter().last().map(|token| token.span());
    let parser = |input: ParseStream| {
        while !input.is_empty() {
            if beyond.is_some() {
                // Only names, so that uses of what is declared stay quiet.
                if let Some((item, own)) = broken(&input.fork()) {
                    items.push(item);
                    written.push(own);
                }
                skip(input)?;
                continue;
            }
            let fork = input.fork();
            let mut mistakes = Vec::new();
            match item(&fork, &mut mistakes) {
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
                    found.push(e);
                    if let Some((item, own)) = broken(&input.fork()) {
                        items.push(item);
                        written.push(own);
                    }
                    skip(input)?;
                }
            }
            found.extend(mistakes);
        }
        Ok(())
    };
    if let Err(e) = parser.parse2(input) {
        found.push(e);
    }
    for e in found.into_iter().flatten() {
        errors.push(diagnostic(placed(e, last)));
    }
    if let Some(mistake) = beyond {
        errors.push(mistake);
    }
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
    let text = e.to_string();
    let source = Source::of(&e.to_compile_error());
    match text.split_once("\nhelp: ") {
        Some((message, help)) => Diagnostic::new(source, message).help(help),
        None => Diagnostic::new(source, text),
    }
}

/// Blocks and `fn`s that stand in a body.
fn misplaced(body: &[Line]) -> Vec<Item> {
    let names = body.iter().filter_map(|line| match &line.kind {
        Kind::Broken { item: Some(name) } => Some(Item::Unreadable { name: name.clone() }),
        _ => None,
    });
    names.collect()
}

/// The name of an item that could not be read.
fn broken(input: ParseStream) -> Option<(Item, Written)> {
    input.call(Attribute::parse_outer).ok()?;
    let vis: syn::Visibility = input.parse().ok()?;
    let own = Written { vis: vis.to_token_stream(), ..Written::default() };
    let name: Ident = input.call(Ident::parse_any).ok()?;
    if (name == "block" || name == "fn") && input.peek(Ident::peek_any) {
        return Some((Item::Unreadable { name: input.call(Ident::parse_any).ok()? }, own));
    }
    let named = input.peek(syn::token::Brace) || input.peek(Token![<]) || input.peek(Token![=]);
    (name != "block" && named).then(|| (Item::Broken { vis: vis.to_token_stream(), name }, own))
}

/// Over the next `;` or braces, at least one token.
fn skip(input: ParseStream) -> Result<()> {
    while !input.is_empty() {
        match input.parse::<TokenTree>()? {
            TokenTree::Punct(p) if p.as_char() == ';' => break,
            TokenTree::Group(g) if g.delimiter() == proc_macro2::Delimiter::Brace => break,
            _ => {}
        }
    }
    Ok(())
}

fn item(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<(Item, Written)> {
    let attributes = input.call(Attribute::parse_outer)?;
    let vis: syn::Visibility = input.parse()?;
    let mut own = Written { vis: vis.to_token_stream(), ..Written::default() };
    if input.peek(Token![use]) {
        let start = input.span();
        let message = "this `use` names no block\nhelp: write `use path::Block;`, `use path::Block as Other;` or `use path::{A, B};`";
        return Err(Error::new(start, message));
    }
    if input.peek(Token![@]) {
        let import = import(input, mistakes)?;
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
        }
        plain(&attributes, "a `use`", mistakes);
        if !own.vis.is_empty() {
            let message = "a `use` in `network!` is for this `network!` alone\nhelp: remove `pub`; an ordinary `pub use` beside the macro hands a block on";
            mistakes.push(Error::new_spanned(&own.vis, message));
        }
        own.vis = TokenStream::new();
        return Ok((import, own));
    }
    if input.peek(Token![fn]) {
        own.docs = docs(&attributes);
        plain(&attributes, "a `fn`", mistakes);
        return Ok((Item::Function(Function::parse(input)?), own));
    }
    let name: Ident = match input.call(Ident::parse_any) {
        Ok(name) => name,
        Err(e) => return Err(Error::new(e.span(), "expected a network, `pub Name { … }`, a `block` or a `fn`")),
    };
    if name == "block" && input.peek(syn::Ident) {
        own.docs = docs(&attributes);
        return Ok((Item::Block(block(attributes, input, mistakes)?), own));
    }
    let constants = constants(input)?;
    let vis = own.vis.clone();
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        let before = mistakes.len();
        let origin = origin(input, mistakes)?;
        let intact = before == mistakes.len();
        let network =
            Network { attributes, vis, name, constants, body: Vec::new(), origin: Some(Box::new(origin)), intact };
        return Ok((Item::Network(network), own));
    }
    if !input.peek(syn::token::Brace) {
        let message =
            format!("expected `{{ … }}` after `{name}`\nhelp: a network is `pub {name} {{ input x: [4]; … }}`");
        return Err(Error::new(name.span(), message));
    }
    let before = mistakes.len();
    let body = braced_body(input, mistakes)?;
    let intact = before == mistakes.len();
    Ok((Item::Network(Network { attributes, vis, name, constants, body, origin: None, intact }), own))
}

/// The `#[doc]`s among these.
fn docs(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().filter(|a| a.path().is_ident("doc")).map(ToTokens::to_token_stream).collect()
}

/// Only documentation stands there.
fn plain(attributes: &[Attribute], what: &str, mistakes: &mut Vec<Error>) {
    for attribute in attributes.iter().filter(|a| !a.path().is_ident("doc")) {
        let name = attribute.path().to_token_stream();
        let message = format!("`#[{name}]` cannot stand on {what}\nhelp: remove it");
        mistakes.push(Error::new_spanned(attribute.path(), message));
    }
}

/// `@import Name { … }`: what `syntax::import` fetched.
fn import(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Item> {
    input.parse::<Token![@]>()?;
    input.call(Ident::parse_any)?;
    let name: Ident = input.call(Ident::parse_any)?;
    let content;
    syn::braced!(content in input);
    if content.peek(Token![@]) && content.peek2(Ident::peek_any) && !content.peek3(Ident::peek_any) {
        content.parse::<TokenStream>()?;
        let message = format!("`{name}` has mistakes where it is declared");
        mistakes.push(Error::new(name.span(), message));
        return Ok(Item::Unreadable { name });
    }
    let mut errors = Errors::default();
    let (items, _) = parse(respanned(content.parse()?, name.span()), &mut errors);
    let sound = errors.is_empty() && matches!(items.last(), Some(Item::Block(_) | Item::Function(_)));
    errors.discard();
    if !sound {
        mistakes.push(Error::new(name.span(), format!("`{name}` has mistakes where it is declared")));
        return Ok(Item::Unreadable { name });
    }
    Ok(Item::Import(Import { name, items }))
}

/// What stands behind `pub Name =`.
fn origin(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Origin> {
    let mut import = None;
    let call = if input.peek(Token![@]) {
        let (name, items) = match self::import(input, mistakes)? {
            Item::Import(Import { name, items }) => (name, Some(items)),
            Item::Unreadable { name } => (name, None),
            _ => return Err(input.error("expected a block")),
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
    semicolon(input, &format!("`{}`", call.text()), call.source.last, mistakes)?;
    Ok(Origin { call, import })
}

/// What stands behind `block`.
fn block(attributes: Vec<Attribute>, input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Block> {
    let name: Ident = input.call(Ident::parse_any)?;
    let constants = constants(input)?;
    let operands = if input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        let names = content.parse_terminated(Ident::parse_any, Token![,])?;
        Some(names.into_iter().collect())
    } else {
        None
    };
    let before = mistakes.len();
    let body = braced_body(input, mistakes)?;
    let intact = before == mistakes.len();
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

fn braced_body(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Vec<Line>> {
    let content;
    syn::braced!(content in input);
    body(&content, mistakes)
}

fn body(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    while !input.is_empty() {
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            continue;
        }
        let fork = input.fork();
        match line(&fork, mistakes) {
            Ok(line) => {
                lines.push(line);
                input.advance_to(&fork);
            }
            Err(e) => {
                let source = Source::at(input.span());
                mistakes.push(e);
                let item = match broken(&input.fork()) {
                    Some((Item::Unreadable { name }, _)) => Some(name),
                    _ => None,
                };
                skip(input)?;
                lines.push(Line::broken(source, item));
            }
        }
    }
    Ok(lines)
}

/// An identifier with a single `:` behind it.
fn labelled(input: ParseStream) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Token![:]) && !input.peek2(Token![::])
}

fn line(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Line> {
    let attributes = input.call(Attribute::parse_outer)?;
    let mut label = None;
    if labelled(input) {
        let name: Ident = input.call(Ident::parse_any)?;
        let colon: Token![:] = input.parse()?;
        if name == "loss" {
            let terms = terms(input)?;
            semicolon(input, "the loss", colon.span, mistakes)?;
            return Ok(Line {
                attributes,
                label,
                kind: Kind::Loss(terms),
                alias: None,
                source: Source::at(name.span()),
            });
        }
        label = Some(name);
    }
    let first = input.span();
    let (kind, closed) = kind(input, label.is_some(), mistakes)?;
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
        let what = match &kind {
            Kind::Call(call) => format!("`{}`", call.text()),
            _ => "this line".to_string(),
        };
        semicolon(input, &what, source.last, mistakes)?;
    } else if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
    }
    Ok(Line { attributes, label, kind, alias, source })
}

/// A missing `;` is reported and read as if it were there.
fn semicolon(input: ParseStream, what: &str, last: Span, mistakes: &mut Vec<Error>) -> Result<()> {
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        return Ok(());
    }
    if input.is_empty() {
        mistakes.push(Error::new(last, format!("missing `;` after {what}")));
        return Ok(());
    }
    let next: TokenTree = input.fork().parse()?;
    let error = Error::new(next.span(), format!("expected `;` after {what}, found `{}`", short(&next)));
    match next {
        TokenTree::Ident(_) => {
            mistakes.push(error);
            Ok(())
        }
        _ => Err(error),
    }
}

fn short(token: &TokenTree) -> String {
    match token {
        TokenTree::Group(g) => match g.delimiter() {
            proc_macro2::Delimiter::Brace => "{ … }".into(),
            proc_macro2::Delimiter::Bracket => "[…]".into(),
            _ => "(…)".into(),
        },
        other => other.to_string(),
    }
}

/// A statement behind its label; true if it ends with braces and needs no `;`.
fn kind(input: ParseStream, label: bool, mistakes: &mut Vec<Error>) -> Result<(Kind, bool)> {
    if input.peek(syn::token::Brace) {
        let start = input.span();
        let body = braced_body(input, mistakes)?;
        if !label {
            mistakes.push(Error::new(start, "a group has a name\nhelp: write `name: { … }`"));
        }
        let operands = if input.peek(syn::token::Paren) { Some(operands(input)?) } else { None };
        let closed = operands.is_none();
        return Ok((Kind::Group { body, operands }, closed));
    }
    if input.peek(Token![if]) {
        return Ok((condition(input, mistakes)?, true));
    }
    if input.peek(Token![fn]) {
        return Err(Error::new(input.span(), "a `fn` stands beside the networks\nhelp: move it before the network"));
    }
    if input.peek(Token![pub]) {
        return Err(Error::new(input.span(), "networks and blocks stand side by side, not inside one another"));
    }
    if !input.peek(Ident::peek_any) {
        let next: TokenTree = input.fork().parse()?;
        return Err(Error::new(next.span(), format!("expected a layer or a statement, found `{}`", short(&next))));
    }
    let fork = input.fork();
    let word: Ident = fork.call(Ident::parse_any)?;
    let named = fork.peek(Ident::peek_any);
    let kind = match word.to_string().as_str() {
        "input" | "target" if named => {
            input.advance_to(&fork);
            let name: Ident = input.call(Ident::parse_any)?;
            if !input.peek(Token![:]) {
                return Err(Error::new(name.span(), format!("`{name}` has no shape\nhelp: `{word} {name}: […];`")));
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
                let message = format!("`param {name}` has no shape\nhelp: `param {name}: [16, 1, 1] = Zeros;`");
                return Err(Error::new(name.span(), message));
            }
            input.parse::<Token![:]>()?;
            let content;
            syn::bracketed!(content in input);
            let dims = parse_list(&content)?;
            let init = if input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                Some(parse_argument(input)?)
            } else {
                None
            };
            Kind::Param { name, dims, init }
        }
        "block" if named => {
            let message = "a `block` stands beside the networks\nhelp: move it before the network";
            return Err(Error::new(word.span(), message));
        }
        "repeat" if !fork.peek(Token![;]) => {
            input.advance_to(&fork);
            if input.peek(syn::token::Brace) && !input.peek2(syn::token::Brace) {
                return Err(Error::new(word.span(), "`repeat` has no count\nhelp: write `repeat 3 { … }`"));
            }
            let count =
                if input.peek(syn::token::Paren) { repeat_in_parentheses(input)? } else { parse_argument(input)? };
            if label {
                let message = "`repeat` has no name of its own\nhelp: write `name: { repeat 3 { … } }`";
                mistakes.push(Error::new(word.span(), message));
            }
            return Ok((Kind::Repeat { count, body: braced_body(input, mistakes)? }, true));
        }
        "Residual" if fork.peek(syn::token::Brace) => {
            input.advance_to(&fork);
            let body = braced_body(input, mistakes)?;
            return Ok((Kind::Residual { body, shortcut: shortcut(input, mistakes)? }, true));
        }
        "Concat" if fork.peek(syn::token::Brace) => {
            input.advance_to(&fork);
            return Ok((Kind::Concat { branches: braced_body(input, mistakes)? }, true));
        }
        _ => Kind::Call(parse_call(input)?),
    };
    Ok((kind, false))
}

fn repeat_in_parentheses(input: ParseStream) -> Result<Argument> {
    let group: TokenTree = input.parse()?;
    let inside = match &group {
        TokenTree::Group(g) => constant::tokens_text(&g.stream()),
        other => other.to_string(),
    };
    Err(Error::new(
        group.span(),
        format!("`repeat` takes its count without parentheses\nhelp: `repeat {inside} {{ … }}`"),
    ))
}

fn operands(input: ParseStream) -> Result<Vec<Operand>> {
    // Read `(…)` as those of a call without a name.
    let tokens: TokenTree = input.parse()?;
    let parser = |stream: ParseStream| parse_call(stream);
    let mut call = proc_macro2::TokenStream::from(TokenTree::Ident(Ident::new("group", tokens.span())));
    call.extend([tokens]);
    Ok(parser.parse2(call)?.operands.unwrap_or_default())
}

fn condition(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Kind> {
    input.parse::<Token![if]>()?;
    let condition = input.call(syn::Expr::parse_without_eager_brace)?;
    let then = braced_body(input, mistakes)?;
    let mut otherwise = Vec::new();
    if input.peek(Token![else]) {
        input.parse::<Token![else]>()?;
        if input.peek(Token![if]) {
            let source = Source::at(input.span());
            let kind = self::condition(input, mistakes)?;
            otherwise.push(Line { attributes: Vec::new(), label: None, kind, alias: None, source });
        } else {
            otherwise = braced_body(input, mistakes)?;
        }
    }
    Ok(Kind::If { condition, then, otherwise })
}

fn shortcut(input: ParseStream, mistakes: &mut Vec<Error>) -> Result<Option<Shortcut>> {
    let fork = input.fork();
    let word: Ident = match fork.call(Ident::parse_any) {
        Ok(word) if word == "shortcut" && !labelled(input) => word,
        _ => return Ok(None),
    };
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
            mistakes.push(Error::new(condition.span(), message));
        }
        true
    } else {
        false
    };
    if !input.peek(syn::token::Brace) {
        let message = "a shortcut is `shortcut NAME { … }`\nhelp: put its layers in `{ … }`";
        mistakes.push(Error::new(word.span(), message));
        let body = vec![Line::broken(Source::at(word.span()), None)];
        skip(input)?;
        return Ok(Some(Shortcut { name, reshaped, body, source: Source::at(word.span()) }));
    }
    let body = braced_body(input, mistakes)?;
    Ok(Some(Shortcut { name, reshaped, body, source: Source::at(word.span()) }))
}

/// `CrossEntropy(fc, label) + 0.3 * CrossEntropy(aux, label)`
fn terms(input: ParseStream) -> Result<Vec<Term>> {
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
            let message = "a loss term is `Loss(prediction, truth)` or `weight * Loss(prediction, truth)`";
            return Err(spanned(weight.source, message.into()));
        }
        input.parse::<Token![*]>()?;
        Some(weight)
    } else {
        None
    };
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected a loss, such as `CrossEntropy(_, digit)`"));
    }
    let call = parse_call(input)?;
    if input.peek(Token![*]) {
        let message = format!("the weight stands before the loss\nhelp: `0.3 * {}(…)`", call.text());
        return Err(Error::new(input.span(), message));
    }
    Ok(Term { negative, weight, call })
}
