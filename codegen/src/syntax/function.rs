//! Element-wise functions: `fn leaky<A>(x) { if x > 0 { x } else { A * x } }`.
//!
//! A body is `let`s and one value. It is parsed once, and written into an expression [`Pool`] at every use, so that it is
//! differentiated and fused like a built-in. The bodies of optimizer updates (`update!`) are the same language with
//! assignments added.
//!
//! Deliberately absent: loops, methods, types, tensors. A function sees one element of each operand.

use crate::diagnostics::{Errors, Mistake, Source};
use crate::graph::expr::{Binary, Id, Pool, Unary};
use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Result, Token, parenthesized};
use write::{Scope, Size, Writer, count};

mod parse;
pub(crate) mod write;

/// A declared function.
#[derive(Clone, Debug)]
pub struct Function {
    pub name: Ident,
    /// `A` of `fn leaky<A>(x)`.
    pub constants: Vec<Ident>,
    pub params: Vec<Ident>,
    body: Block,
    /// The functions that it may call, if it comes from another `network!`; else those before it.
    pub own: Option<Vec<Function>>,
}

/// Statements, and the value at the end (update bodies have none).
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub statements: Vec<Statement>,
    pub value: Option<Box<Ast>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Let(Ident, Ast),
    /// Only in update bodies.
    Assign(Ident, Ast),
}

#[derive(Clone, Debug)]
pub(crate) struct Ast {
    source: Source,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Number(f64),
    Name(Ident),
    Neg(Box<Ast>),
    Not(Box<Ast>),
    Binary(Binary, Box<Ast>, Box<Ast>),
    If(Box<Ast>, Block, Block),
    Call { name: Ident, constants: Vec<Ast>, args: Vec<Ast> },
}

const UNARY: [(&str, Unary); 12] = [
    ("exp", Unary::Exp),
    ("expm1", Unary::Expm1),
    ("ln", Unary::Ln),
    ("log1p", Unary::Log1p),
    ("sqrt", Unary::Sqrt),
    ("abs", Unary::Abs),
    ("sin", Unary::Sin),
    ("cos", Unary::Cos),
    ("tanh", Unary::Tanh),
    ("sigmoid", Unary::Sigmoid),
    ("erf", Unary::Erf),
    ("erfc", Unary::Erfc),
];

const BINARY: [(&str, Binary); 3] = [("pow", Binary::Pow), ("min", Binary::Min), ("max", Binary::Max)];

/// Names from elsewhere, and what to write here.
const FOREIGN: [(&str, &str); 14] = [
    ("log", "`ln(x)`"),
    ("ln_1p", "`log1p(x)`"),
    ("exp_m1", "`expm1(x)`"),
    ("relu", "`max(x, 0)`"),
    ("powi", "`pow(x, n)`"),
    ("powf", "`pow(x, n)`"),
    ("square", "`x * x`"),
    ("sqr", "`x * x`"),
    ("maximum", "`max(a, b)`"),
    ("minimum", "`min(a, b)`"),
    ("clamp", "`min(max(x, low), high)`"),
    ("tan", "`sin(x) / cos(x)`"),
    ("rsqrt", "`1 / sqrt(x)`"),
    ("fabs", "`abs(x)`"),
];

impl Function {
    /// `fn leaky<A>(x)`
    pub fn signature(&self) -> String {
        let list = |names: &[Ident]| names.iter().map(Ident::to_string).collect::<Vec<_>>().join(", ");
        let constants = if self.constants.is_empty() { String::new() } else { format!("<{}>", list(&self.constants)) };
        format!("fn {}{constants}({})", self.name, list(&self.params))
    }

    /// From the word `fn` to the closing brace.
    pub fn parse(input: ParseStream) -> Result<Function> {
        input.parse::<Token![fn]>()?;
        let name: Ident = input.parse()?;
        if is_builtin(&name.to_string()) {
            return Err(error(&name, format!("`{name}` is built in"), "give the function another name"));
        }
        let mut constants = Vec::new();
        if input.peek(Token![<]) {
            input.parse::<Token![<]>()?;
            while !input.peek(Token![>]) {
                constants.push(fresh(input, &constants)?);
                if input.peek(Token![:]) || input.peek(Token![=]) {
                    return Err(input.error("a constant of a `fn` is a bare name\nhelp: write `fn leaky<A>(x)`, and `leaky<0.1>` where it is used"));
                }
                if !input.peek(Token![>]) {
                    input.parse::<Token![,]>()?;
                }
            }
            input.parse::<Token![>]>()?;
        }
        let content;
        let parens = parenthesized!(content in input);
        let mut params: Vec<Ident> = Vec::new();
        while !content.is_empty() {
            let taken: Vec<Ident> = constants.iter().chain(&params).cloned().collect();
            params.push(fresh(&content, &taken)?);
            if content.peek(Token![:]) {
                return Err(content.error(
                    "an operand of a `fn` has no type\nhelp: remove it: every operand is a number, and named alone",
                ));
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        if params.is_empty() {
            return Err(syn::Error::new(
                parens.span.join(),
                format!("`{name}` takes no operand\nhelp: name at least one, as in `fn {name}(x) {{ … }}`"),
            ));
        }
        if input.peek(Token![->]) {
            return Err(input.error("a `fn` has no result type\nhelp: its value is always a number: remove it"));
        }
        let body = Block::parse_braced(input, false)?;
        Ok(Function { name, constants, params, body, own: None })
    }

    /// Write the function into `pool`. `constants` are all numbers with a name that the body may use, `others` the other
    /// functions it may call, `args` one value for each of [`Function::params`].
    pub fn instantiate(
        &self,
        constants: &[(String, f64)],
        others: &[Function],
        pool: &mut Pool,
        args: &[Id],
        errors: &mut Errors,
    ) -> Option<Id> {
        if args.len() != self.params.len() {
            let message = format!("`{}` takes {}, got {}", self.name, count(self.params.len(), "operand"), args.len());
            let help = format!("write `{}`", self.signature().trim_start_matches("fn "));
            errors.push(Mistake::new(Source::at(self.name.span()), message).help(help));
            return None;
        }
        let others = self.own.as_deref().unwrap_or(others);
        let mut writer = Writer { others, pool, errors, calls: vec![self.name.to_string()], size: Size::default() };
        let mut scope = Scope::new(constants);
        for (param, arg) in self.params.iter().zip(args) {
            scope.names.push((param.to_string(), *arg));
        }
        writer.number_of_block(&self.body, &mut scope)
    }
}

fn fresh(input: ParseStream, taken: &[Ident]) -> Result<Ident> {
    let name: Ident = input.parse()?;
    if taken.contains(&name) {
        return Err(error(&name, format!("`{name}` is named twice"), "give one of them another name"));
    }
    Ok(name)
}

fn is_builtin(name: &str) -> bool {
    UNARY.iter().any(|(n, _)| *n == name) || BINARY.iter().any(|(n, _)| *n == name)
}

fn error(place: &impl quote::ToTokens, message: String, help: &str) -> syn::Error {
    syn::Error::new_spanned(place, format!("{message}\nhelp: {help}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse::Parser;

    fn function(text: &str) -> Result<Function> {
        Function::parse.parse_str(text)
    }

    /// The last function of `texts`, at `args`.
    fn eval(texts: &[&str], constants: &[(&str, f64)], args: &[f64]) -> std::result::Result<f64, String> {
        let mut functions: Vec<Function> =
            texts.iter().map(|t| function(t)).collect::<Result<_>>().map_err(|e| e.to_string())?;
        let last = functions.pop().unwrap();
        let constants: Vec<(String, f64)> = constants.iter().map(|(n, x)| (n.to_string(), *x)).collect();
        let (mut pool, mut errors) = (Pool::default(), Errors::default());
        let ids: Vec<Id> = args.iter().map(|x| pool.constant(*x)).collect();
        let id = last.instantiate(&constants, &functions, &mut pool, &ids, &mut errors);
        let texts: Vec<String> = errors.iter().map(|diagnostic| diagnostic.text()).collect();
        match id {
            Some(id) if texts.is_empty() => Ok(pool.value(id).expect("constants fold")),
            _ => Err(texts.join("\n")),
        }
    }

    #[test]
    fn values() {
        let leaky = "fn leaky<A>(x) { if x > 0 { x } else { A * x } }";
        assert_eq!(eval(&[leaky], &[("A", 0.5)], &[-4.0]), Ok(-2.0));
        assert_eq!(eval(&[leaky], &[("A", 0.5)], &[4.0]), Ok(4.0));
        assert_eq!(eval(&["fn f(a, b) { let c = a - b - 1; let d = -c * 2 + 1e1 / 4; d }"], &[], &[1.0, 2.0]), Ok(6.5));
        assert_eq!(
            eval(&["fn f(x) { if x < 0 || x > 2 && !(x == 3) { 1 } else if x == 3 { 2 } else { 3 } }"], &[], &[3.0]),
            Ok(2.0)
        );
        assert_eq!(eval(&["fn f(x) { pow(max(x, 2), min(3, 4)) }"], &[], &[1.0]), Ok(8.0));
        assert_eq!(eval(&[leaky, "fn g(x) { leaky<0.25>(x) + leaky<-1>(x) }"], &[], &[-4.0]), Ok(3.0));
        assert_eq!(eval(&["fn f(x) { if x < 1 { 5 } else { 6 } }"], &[], &[0.0]), Ok(5.0));
    }

    #[test]
    fn mistakes() {
        let check = |texts: &[&str], expected: &str| {
            let text = eval(texts, &[], &[1.0]).expect_err("a mistake");
            assert!(text.starts_with(expected), "{text}");
        };
        check(&["fn f(x) { x.exp() }"], "`exp` is no method: there are none here\nhelp: write `exp(x)`");
        check(&["fn f(x) { y }"], "`y` is not defined\nhelp: did you mean `x`?");
        check(&["fn f(value) { valu }"], "`valu` is not defined\nhelp: did you mean `value`?");
        check(&["fn f(x) { tann(x) }"], "`tann` is no function\nhelp: did you mean `tanh`?");
        check(&["fn f(x) { log(x) }"], "`log` is no function\nhelp: write `ln(x)`");
        check(&["fn f(x) { max(x) }"], "`max` takes 2 arguments, got 1\nhelp: `max(a, b)`");
        check(&["fn f(x) { f(x) }"], "`f` calls itself: `f` → `f`");
        check(&["fn f(x) { x > 0 }"], "expected a number, found a truth value");
        check(
            &["fn f(x) { if x { 1 } else { 2 } }"],
            "expected a truth value, found a number\nhelp: compare it, as in `x > 0`",
        );
        check(&["fn f(x) { if x > 0 { 1 } }"], "this `if` has no `else`");
        check(&["fn f(x) { x; }"], "this value is not used");
        check(&["fn f(x) { 0 < x < 1 }"], "comparisons do not chain");
        check(&["fn f(x) { let mut y = x; y }"], "values do not change");
        check(&["fn f(x: f32) { x }"], "an operand of a `fn` has no type");
        check(&["fn f(x) { 1f32 * x }"], "the suffix `f32` means nothing here");
        check(&["fn f(x) { x ^ 2 }"], "`^` does not exist here");
        check(&["fn f() { 1 }"], "`f` takes no operand");
        check(&["fn f(x, x) { 1 }"], "`x` is named twice");
        check(&["fn exp(x) { 1 }"], "`exp` is built in");
        check(&["fn g<A>(x) { A * x }", "fn f(x) { g(x) }"], "`g` takes 1 constant in `<…>`, got 0\nhelp: `g<A>(x)`");
        check(&["fn f(x) { let a = zz; let b = a; ww }"], "`zz` is not defined\nhelp: known here: `x`");
    }
}
