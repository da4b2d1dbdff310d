//! Arguments in `<…>`, operands in `(…)` and calls.

use super::constant::tokens_text;
use super::{Argument, ArgumentValue, Call, Operand, Path};
use crate::diagnostics::Source;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser, Result};
use syn::{Error, Expr, Token};

/// `name<…>(…)`, with a foreign `nn.` before it if it is there.
pub fn parse_call(input: ParseStream) -> Result<Call> {
    let mut name: Ident = input.call(Ident::parse_any)?;
    let first = name.span();
    let mut qualifier: Option<(Ident, String)> = None;
    while input.peek(Token![.]) || input.peek(Token![::]) {
        let dot = if input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            "."
        } else {
            input.parse::<Token![::]>()?;
            "::"
        };
        if input.peek(Token![<]) {
            break; // `Linear::<3>`
        }
        qualifier = Some(match qualifier {
            Some((ident, text)) => (ident, format!("{text}{name}{dot}")),
            None => (name.clone(), format!("{name}{dot}")),
        });
        name = input.call(Ident::parse_any)?;
    }
    let mut last = name.span();
    let arguments = match angle(input)? {
        Some((arguments, close)) => {
            last = close;
            arguments
        }
        None => Vec::new(),
    };
    let operands = if input.peek(syn::token::Paren) {
        let content;
        let paren = syn::parenthesized!(content in input);
        last = paren.span.close();
        Some(parse_operands(&content)?)
    } else {
        None
    };
    Ok(Call { name, qualifier, arguments, operands, source: Source { first, last } })
}

/// `<…>` if it is next, with the place of `>`.
pub fn angle(input: ParseStream) -> Result<Option<(Vec<Argument>, Span)>> {
    if !input.peek(Token![<]) {
        return Ok(None);
    }
    let open: Token![<] = input.parse()?;
    let mut arguments = Vec::new();
    loop {
        if input.is_empty() {
            return Err(Error::new(open.span, "this `<` is not closed"));
        }
        if input.peek(Token![>]) {
            let close: Token![>] = input.parse()?;
            return Ok(Some((arguments, close.span)));
        }
        arguments.push(parse_argument(input)?);
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        } else if !input.peek(Token![>]) {
            return Err(expression_without_braces(input, &arguments[arguments.len() - 1]));
        }
    }
}

/// `Linear<4 * H>`: collect what stands up to `,` or `>` for the help. Without an operator it is something else.
fn expression_without_braces(input: ParseStream, argument: &Argument) -> Error {
    let next = input.span();
    let mut rest = TokenStream::new();
    let operator = ['+', '-', '*', '/', '%'].into_iter().any(|sign| starts_with(input, sign));
    while !input.is_empty() && !input.peek(Token![,]) && !input.peek(Token![>]) && !input.peek(Token![;]) {
        match input.parse::<TokenTree>() {
            Ok(token) => rest.extend([token]),
            Err(e) => return e,
        }
    }
    if !operator || rest.clone().into_iter().nth(1).is_none() {
        return Error::new(next, "");
    }
    let text = format!("{} {}", argument.value.text(), tokens_text(&rest));
    spanned(argument.source, format!("an expression in `<…>` stands in braces\nhelp: write `{{{text}}}`"))
}

fn starts_with(input: ParseStream, sign: char) -> bool {
    matches!(input.fork().parse::<TokenTree>(), Ok(TokenTree::Punct(p)) if p.as_char() == sign)
}

/// A list without brackets, up to the end of the input: what stands in an attribute.
pub fn parse_arguments(tokens: TokenStream) -> Result<Vec<Argument>> {
    let parser = |input: ParseStream| {
        let mut arguments = Vec::new();
        while !input.is_empty() {
            arguments.push(parse_argument(input)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    };
    read(parser, tokens)
}

/// What stands in an attribute, where names may have dots: `layer1.0.conv1`, `fc.bias = Zeros`. A name without a value
/// has the name as its text.
pub fn parse_dotted(tokens: TokenStream) -> Result<Vec<(String, Option<Argument>, Source)>> {
    let parser = |input: ParseStream| {
        let mut entries = Vec::new();
        while !input.is_empty() {
            let (mut name, mut source) = (String::new(), Source::at(input.span()));
            while !input.is_empty() && !input.peek(Token![,]) && !input.peek(Token![=]) {
                if input.peek(Token![:]) {
                    let message = format!("a value stands behind `=`, not behind `:`\nhelp: write `{name} = …`");
                    return Err(input.error(message));
                }
                if !(input.peek(Ident::peek_any) || input.peek(Token![.]) || input.peek(syn::Lit)) {
                    return Err(
                        input.error("names of lines stand here\nhelp: separate them by `,`: `layer1.conv1, fc`")
                    );
                }
                let token: TokenTree = input.parse()?;
                source.last = token.span();
                name += &token.to_string();
            }
            if name.is_empty() {
                return Err(input.error("names of lines stand here\nhelp: separate them by `,`: `layer1.conv1, fc`"));
            }
            let value = if input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                Some(parse_argument(input)?)
            } else {
                None
            };
            entries.push((name, value, source));
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(entries)
    };
    read(parser, tokens)
}

/// All of these tokens. What is missing behind the last one is missed there, and not at the whole `network!`.
fn read<T>(parser: impl FnOnce(ParseStream) -> Result<T>, tokens: TokenStream) -> Result<T> {
    let last = tokens.clone().into_iter().last().map(|token| token.span());
    parser.parse2(tokens).map_err(|e| placed(e, last))
}

/// The error, on `last` if it has no place of its own.
pub fn placed(e: Error, last: Option<Span>) -> Error {
    match last {
        Some(last) if Source::of(&e.to_compile_error()).begins_at(Span::call_site()) => Error::new(last, e.to_string()),
        _ => e,
    }
}

pub fn parse_argument(input: ParseStream) -> Result<Argument> {
    let name = if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
        let name = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        Some(name)
    } else {
        None
    };
    let (value, source) = parse_value(input)?;
    Ok(Argument { name, value, source })
}

fn parse_value(input: ParseStream) -> Result<(ArgumentValue, Source)> {
    if input.peek(Token![_]) {
        let token: Token![_] = input.parse()?;
        return Ok((ArgumentValue::Channels, Source::at(token.span)));
    }
    if input.peek(syn::token::Bracket) {
        let content;
        let bracket = syn::bracketed!(content in input);
        let items = parse_list(&content)?;
        let source = Source { first: bracket.span.open(), last: bracket.span.close() };
        return Ok((ArgumentValue::List(items), source));
    }
    if input.peek(syn::token::Brace) {
        let content;
        let brace = syn::braced!(content in input);
        let source = Source { first: brace.span.open(), last: brace.span.close() };
        let expr: Expr = content.parse()?;
        if !content.is_empty() {
            return Err(content.error("one expression stands in `{…}`"));
        }
        return Ok((ArgumentValue::Expr(expr), source));
    }
    if input.peek(syn::LitStr) {
        let text: syn::LitStr = input.parse()?;
        return Ok((ArgumentValue::Text(text.value()), Source::at(text.span())));
    }
    if input.peek(Token![-]) {
        let minus: Token![-] = input.parse()?;
        let lit: syn::Lit = input.parse()?;
        let source = Source { first: minus.span, last: lit.span() };
        let expr = Expr::Unary(syn::ExprUnary {
            attrs: Vec::new(),
            op: syn::UnOp::Neg(minus),
            expr: Box::new(Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit })),
        });
        return Ok((ArgumentValue::Expr(expr), source));
    }
    if input.peek(syn::Lit) {
        let lit: syn::Lit = input.parse()?;
        let source = Source::at(lit.span());
        return Ok((ArgumentValue::Expr(Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit })), source));
    }
    if input.peek(Ident::peek_any) {
        let name = input.call(Ident::parse_any)?;
        let mut source = Source::at(name.span());
        let mut arguments = Vec::new();
        // A path such as `crate::H` is a Rust constant: keep its last name, lowering says what is wrong.
        let mut last = name;
        while input.peek(Token![::]) {
            input.parse::<Token![::]>()?;
            last = input.call(Ident::parse_any)?;
            source.last = last.span();
        }
        if let Some((own, close)) = angle(input)? {
            arguments = own;
            source.last = close;
        }
        return Ok((ArgumentValue::Word(last, arguments), source));
    }
    Err(input.error(""))
}

/// `1, 28, 28` up to the end of the input.
pub fn parse_list(input: ParseStream) -> Result<Vec<Argument>> {
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push(parse_argument(input)?);
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        } else if !input.is_empty() {
            let mut rest = TokenStream::new();
            let last = &items[items.len() - 1];
            if !['+', '-', '*', '/', '%'].into_iter().any(|sign| starts_with(input, sign)) {
                return Err(input.error(""));
            }
            while !input.is_empty() && !input.peek(Token![,]) {
                rest.extend([input.parse::<TokenTree>()?]);
            }
            let text = format!("{} {}", last.value.text(), tokens_text(&rest));
            return Err(spanned(last.source, format!("an expression stands in braces here\nhelp: write `{{{text}}}`")));
        }
    }
    Ok(items)
}

fn parse_operands(input: ParseStream) -> Result<Vec<Operand>> {
    let mut operands = Vec::new();
    while !input.is_empty() {
        if input.peek(Token![,]) {
            return Err(input.error("a value is missing before this `,`\nhelp: `_` is the current value"));
        }
        operands.push(parse_operand(input)?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(operands)
}

fn parse_operand(input: ParseStream) -> Result<Operand> {
    let ends = |input: ParseStream| input.is_empty() || input.peek(Token![,]);
    let fork = input.fork();
    if fork.peek(Token![_]) {
        let token: Token![_] = fork.parse()?;
        if ends(&fork) {
            input.parse::<Token![_]>()?;
            return Ok(Operand::Current(token.span));
        }
    } else if fork.peek(Ident::peek_any) {
        if let Ok(path) = parse_path(&fork)
            && ends(&fork)
        {
            input.advance_to(&fork);
            return Ok(Operand::Path(path));
        }
        let fork = input.fork();
        if let Ok(call) = parse_call(&fork)
            && ends(&fork)
        {
            input.advance_to(&fork);
            return Ok(Operand::Call(call));
        }
    }
    let mut tokens = TokenStream::new();
    while !ends(input) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(Operand::Other(tokens))
}

/// `features.low`; a number may follow a dot only as a name's own, so `features.0` is read too.
pub fn parse_path(input: ParseStream) -> Result<Path> {
    let mut segments = vec![input.call(Ident::parse_any)?];
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        segments.push(input.call(Ident::parse_any)?);
    }
    Ok(Path { segments })
}

/// An error from the first to the last token.
pub fn spanned(source: Source, message: String) -> Error {
    let mut first = TokenTree::Ident(Ident::new("first", source.first));
    let mut last = first.clone();
    first.set_span(source.first);
    last.set_span(source.last);
    Error::new_spanned(TokenStream::from_iter([first, last]), message)
}
