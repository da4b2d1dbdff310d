//! Tokens of a body → [`Block`] and [`Ast`]. What other languages have and this one has not is an error with a help.

use super::{Ast, Block, Kind, Statement, error};
use crate::diagnostics::Source;
use crate::graph::expr::Binary;
use crate::syntax::constant::{LARGEST_NUMBER, is_finite};
use proc_macro2::Ident;
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::parse::discouraged::Speculative;
use syn::{Result, Token, braced, parenthesized, token};

impl Block {
    pub(crate) fn parse_braced(input: ParseStream, assignments: bool) -> Result<Block> {
        let content;
        let braces = braced!(content in input);
        let mut statements = Vec::new();
        while !content.is_empty() {
            if content.peek(Token![let]) {
                content.parse::<Token![let]>()?;
                if content.peek(Token![mut]) {
                    return Err(
                        content.error("values do not change\nhelp: remove `mut`; a later `let` may reuse the name")
                    );
                }
                let name: Ident = content.parse()?;
                if content.peek(Token![:]) {
                    return Err(content.error("a `let` has no type here\nhelp: remove it; every value is a number"));
                }
                content.parse::<Token![=]>()?;
                let value = Ast::parse(&content)?;
                content.parse::<Token![;]>()?;
                statements.push(Statement::Let(name, value));
            } else if content.peek(syn::Ident) && content.peek2(Token![=]) && !content.peek2(Token![==]) {
                let name: Ident = content.parse()?;
                if !assignments {
                    return Err(error(&name, format!("`{name}` cannot be assigned"), &format!("`let {name} = …;`")));
                }
                content.parse::<Token![=]>()?;
                let value = Ast::parse(&content)?;
                content.parse::<Token![;]>()?;
                statements.push(Statement::Assign(name, value));
            } else if content.peek(Token![return]) {
                return Err(content.error("`return` does not exist here\nhelp: the last line is the value"));
            } else {
                let value = Ast::parse(&content)?;
                if content.peek(Token![;]) {
                    return Err(content.error("this value is not used\nhelp: remove the `;` if it is the result"));
                }
                if !content.is_empty() {
                    return Err(content.error("this does not belong to the expression\nhelp: an operator is missing before it, or `let name = …;` around what stands before"));
                }
                return Ok(Block { statements, value: Some(Box::new(value)) });
            }
        }
        if !assignments {
            return Err(syn::Error::new(
                braces.span.close(),
                "the block has no value\nhelp: end it with an expression, without `;`",
            ));
        }
        Ok(Block { statements, value: None })
    }
}

/// Binding strength of binary operators; comparisons do not chain.
const COMPARISON: u8 = 3;

impl Ast {
    pub(crate) fn parse(input: ParseStream) -> Result<Ast> {
        Ast::parse_above(input, 0)
    }

    fn parse_above(input: ParseStream, least: u8) -> Result<Ast> {
        let mut left = Ast::parse_prefix(input)?;
        while let Some((op, strength)) = peek_operator(input)? {
            if strength <= least {
                break;
            }
            if strength == COMPARISON
                && let Kind::Binary(inner, ..) = &left.kind
                && inner.is_truth()
                && !matches!(inner, Binary::And | Binary::Or)
            {
                return Err(input.error("comparisons do not chain\nhelp: join two with `&&`"));
            }
            skip_operator(input, op)?;
            let right = Ast::parse_above(input, strength)?;
            let source = left.source.to(right.source);
            left = Ast { source, kind: Kind::Binary(op, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn parse_prefix(input: ParseStream) -> Result<Ast> {
        let start = Source::at(input.span());
        if input.peek(Token![-]) {
            input.parse::<Token![-]>()?;
            let inner = Ast::parse_prefix(input)?;
            return Ok(Ast { source: start.to(inner.source), kind: Kind::Neg(Box::new(inner)) });
        }
        if input.peek(Token![!]) {
            input.parse::<Token![!]>()?;
            let inner = Ast::parse_prefix(input)?;
            return Ok(Ast { source: start.to(inner.source), kind: Kind::Not(Box::new(inner)) });
        }
        let begin = input.fork();
        let atom = Ast::parse_atom(input)?;
        if input.peek(Token![.]) {
            let receiver = tokens_between(&begin, input);
            input.parse::<Token![.]>()?;
            return Err(match input.parse::<Ident>() {
                Ok(method) => no_method(&method, &receiver, input),
                Err(_) => input
                    .error("a value here is one number and has no fields\nhelp: remove the `.` and what follows it"),
            });
        }
        if input.peek(Token![as]) {
            return Err(input.error("there is only one type of number\nhelp: remove `as …`"));
        }
        if input.peek(token::Bracket) {
            return Err(input.error("a function sees one element of each operand, so nothing can be indexed\nhelp: remove `[…]`; `Slice` takes a part of a value"));
        }
        Ok(atom)
    }

    fn parse_atom(input: ParseStream) -> Result<Ast> {
        let source = Source::at(input.span());
        if input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            let inner = Ast::parse(&content)?;
            if !content.is_empty() {
                return Err(content.error(
                    "this does not belong to the expression\nhelp: an operator is missing before it, or a `)`",
                ));
            }
            return Ok(inner);
        }
        if input.peek(Token![if]) {
            return Ast::parse_if(input);
        }
        if input.peek(syn::Lit) {
            return Ok(Ast { source, kind: Kind::Number(parse_number(input)?) });
        }
        if !input.peek(syn::Ident) {
            return Err(input.error("a value is missing here\nhelp: a number, a name, a call, `if` or `(…)`"));
        }
        let name: Ident = input.parse()?;
        let constants = constant_list(input).unwrap_or_default();
        if !input.peek(token::Paren) {
            return Ok(Ast { source, kind: Kind::Name(name) });
        }
        let content;
        let parens = parenthesized!(content in input);
        let mut args = Vec::new();
        while !content.is_empty() {
            args.push(Ast::parse(&content)?);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        let source = source.to(Source::at(parens.span.close()));
        Ok(Ast { source, kind: Kind::Call { name, constants, args } })
    }

    fn parse_if(input: ParseStream) -> Result<Ast> {
        let start = input.parse::<Token![if]>()?;
        if input.peek(Token![let]) {
            return Err(input.error("`if let` does not exist here\nhelp: compare numbers: `if x > 0 { … } else { … }`"));
        }
        let condition = Ast::parse(input)?;
        let yes = Block::parse_braced(input, false)?;
        if !input.peek(Token![else]) {
            return Err(error(
                &start,
                "this `if` has no `else`".into(),
                "both cases need a value: `if … { … } else { … }`",
            ));
        }
        input.parse::<Token![else]>()?;
        let no = if input.peek(Token![if]) {
            Block { statements: Vec::new(), value: Some(Box::new(Ast::parse_if(input)?)) }
        } else {
            Block::parse_braced(input, false)?
        };
        let last = no.value.as_ref().map_or(condition.source, |v| v.source);
        let source = Source::at(start.span).to(last);
        Ok(Ast { source, kind: Kind::If(Box::new(condition), yes, no) })
    }
}

fn tokens_between(begin: ParseStream, end: ParseStream) -> String {
    let (mut at, end) = (begin.cursor(), end.cursor());
    let mut tokens = proc_macro2::TokenStream::new();
    while at != end {
        let Some((token, next)) = at.token_tree() else { break };
        tokens.extend([token]);
        at = next;
    }
    crate::syntax::constant::tokens_text(&tokens)
}

/// `x.powi(2)`: as the function that it is here.
fn no_method(method: &Ident, receiver: &str, input: ParseStream) -> syn::Error {
    let mut arguments = vec![receiver.to_string()];
    if let Ok(proc_macro2::TokenTree::Group(group)) = input.fork().parse() {
        let text = crate::syntax::constant::tokens_text(&group.stream());
        arguments.extend((!text.is_empty()).then_some(text));
    }
    let name = method.to_string();
    let all = arguments.join(", ");
    let call = match (name.as_str(), arguments.as_slice()) {
        ("powi" | "powf" | "pow", _) => format!("pow({all})"),
        ("log" | "ln", _) => format!("ln({receiver})"),
        ("relu", _) => format!("max({receiver}, 0)"),
        ("clamp" | "clip", [_, bounds]) => {
            let (low, high) = bounds.split_once(", ").unwrap_or((bounds, "1"));
            format!("min(max({receiver}, {low}), {high})")
        }
        ("square", _) => format!("{receiver} * {receiver}"),
        ("recip", _) => format!("1 / {receiver}"),
        ("neg", _) => format!("-{receiver}"),
        ("add" | "sub" | "mul" | "div", [_, other]) => {
            let sign = match name.as_str() {
                "add" => '+',
                "sub" => '-',
                "mul" => '*',
                _ => '/',
            };
            format!("{receiver} {sign} {other}")
        }
        ("maximum", _) => format!("max({all})"),
        ("minimum", _) => format!("min({all})"),
        _ => format!("{name}({all})"),
    };
    error(method, format!("`{method}` is no method: there are none here"), &format!("write `{call}`"))
}

/// The operator ahead and its strength. Operators that other languages have are errors with a help.
fn peek_operator(input: ParseStream) -> Result<Option<(Binary, u8)>> {
    if input.peek(Token![%]) {
        return Err(
            input.error("`%` does not exist here\nhelp: operators are `+ - * /`, comparisons, `&&`, `||` and `!`")
        );
    }
    if input.peek(Token![^]) {
        return Err(input.error("`^` does not exist here\nhelp: a power is `pow(x, 2)`"));
    }
    if input.peek(Token![+=]) || input.peek(Token![-=]) || input.peek(Token![*=]) || input.peek(Token![/=]) {
        return Err(input.error("values do not change\nhelp: write `let name = …;`"));
    }
    if input.peek(Token![*]) && input.peek2(Token![*]) {
        return Err(input.error("`**` does not exist here\nhelp: a power is `pow(x, 2)`"));
    }
    Ok(Some(if input.peek(Token![||]) {
        (Binary::Or, 1)
    } else if input.peek(Token![&&]) {
        (Binary::And, 2)
    } else if input.peek(Token![==]) {
        (Binary::Eq, COMPARISON)
    } else if input.peek(Token![!=]) {
        (Binary::Ne, COMPARISON)
    } else if input.peek(Token![<=]) {
        (Binary::Le, COMPARISON)
    } else if input.peek(Token![>=]) {
        (Binary::Ge, COMPARISON)
    } else if input.peek(Token![<]) {
        (Binary::Lt, COMPARISON)
    } else if input.peek(Token![>]) {
        (Binary::Gt, COMPARISON)
    } else if input.peek(Token![+]) {
        (Binary::Add, 4)
    } else if input.peek(Token![-]) {
        (Binary::Sub, 4)
    } else if input.peek(Token![*]) {
        (Binary::Mul, 5)
    } else if input.peek(Token![/]) {
        (Binary::Div, 5)
    } else {
        return Ok(None);
    }))
}

fn skip_operator(input: ParseStream, op: Binary) -> Result<()> {
    match op {
        Binary::Or => drop(input.parse::<Token![||]>()?),
        Binary::And => drop(input.parse::<Token![&&]>()?),
        Binary::Eq => drop(input.parse::<Token![==]>()?),
        Binary::Ne => drop(input.parse::<Token![!=]>()?),
        Binary::Le => drop(input.parse::<Token![<=]>()?),
        Binary::Ge => drop(input.parse::<Token![>=]>()?),
        Binary::Lt => drop(input.parse::<Token![<]>()?),
        Binary::Gt => drop(input.parse::<Token![>]>()?),
        Binary::Add => drop(input.parse::<Token![+]>()?),
        Binary::Sub => drop(input.parse::<Token![-]>()?),
        Binary::Mul => drop(input.parse::<Token![*]>()?),
        Binary::Div => drop(input.parse::<Token![/]>()?),
        Binary::Pow | Binary::Min | Binary::Max => {}
    }
    Ok(())
}

/// `1`, `0.5`, `1e-8`.
fn parse_number(input: ParseStream) -> Result<f64> {
    let literal: syn::Lit = input.parse()?;
    let suffixed = |suffix: &str| {
        let help = "a number is written like `1`, `0.5` or `1e-8`";
        if suffix.is_empty() {
            Ok(())
        } else {
            Err(error(&literal, format!("the suffix `{suffix}` means nothing here"), help))
        }
    };
    let number: f64 = match &literal {
        syn::Lit::Int(n) => {
            suffixed(n.suffix())?;
            n.base10_parse::<u64>().map(|n| n as f64)
        }
        syn::Lit::Float(x) => {
            suffixed(x.suffix())?;
            x.base10_parse()
        }
        other => Err(error(other, "expected a number".into(), "a number is written like `1`, `0.5` or `1e-8`")),
    }?;
    if is_finite(number) {
        return Ok(number);
    }
    Err(error(&literal, format!("`{}` is infinite", literal.to_token_stream()), LARGEST_NUMBER))
}

/// What follows, if it is `<0.1>(`: a comparison cannot look like that, because comparisons do not chain. It is read once,
/// for what stands in it may have such lists in turn.
fn constant_list(input: ParseStream) -> Option<Vec<Ast>> {
    let ahead = input.fork();
    let list = ahead.peek(Token![<]).then(|| parse_constants(&ahead))?.ok()?;
    if !ahead.peek(token::Paren) {
        return None;
    }
    input.advance_to(&ahead);
    Some(list)
}

fn parse_constants(input: ParseStream) -> Result<Vec<Ast>> {
    input.parse::<Token![<]>()?;
    let mut list = Vec::new();
    while !input.peek(Token![>]) {
        list.push(if input.peek(token::Brace) {
            let content;
            braced!(content in input);
            Ast::parse(&content)?
        } else {
            let source = Source::at(input.span());
            let negative = input.peek(Token![-]);
            if negative {
                input.parse::<Token![-]>()?;
            }
            if input.peek(syn::Ident) {
                Ast { source, kind: Kind::Name(input.parse()?) }
            } else {
                let number = parse_number(input)?;
                Ast { source, kind: Kind::Number(if negative { -number } else { number }) }
            }
        });
        if !input.peek(Token![>]) {
            input.parse::<Token![,]>()?;
        }
    }
    input.parse::<Token![>]>()?;
    Ok(list)
}
