//! Compile-time numbers: what `<…>` and `if` can say about the constants of a network or block.

use super::{Argument, ArgumentValue};
use crate::diagnostics::{Diagnostic, Mistake, Source, closest};
use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{BinOp, Expr, Lit, UnOp};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Number {
    pub fn float(self) -> Option<f64> {
        match self {
            Number::Int(i) => Some(i as f64),
            Number::Float(x) => Some(x),
            Number::Bool(_) => None,
        }
    }

    pub fn text(self) -> String {
        match self {
            Number::Int(i) => i.to_string(),
            Number::Float(x) => format!("{x:?}"),
            Number::Bool(b) => b.to_string(),
        }
    }
}

/// What to say about numbers that no `f32` holds.
pub const LARGEST_NUMBER: &str = "networks compute in `f32`, whose numbers end at 3.4e38";

/// Whether a kernel can hold the number: neither NaN nor infinite, as written and as an `f32`.
pub fn is_finite(x: f64) -> bool {
    (x as f32).is_finite()
}

/// Words of other languages that look like constants, and what to do.
const NO_CONSTANTS: &[(&[&str], &str)] = &[
    (
        &["training", "train", "is_training", "eval", "inference", "TRAINING"],
        "layers such as `Dropout` know by themselves whether the network trains: write their lines without `if`",
    ),
    (&["True", "TRUE"], "write `true`"),
    (&["False", "FALSE"], "write `false`"),
    (&["None", "none", "null", "nil", "nullptr"], "leave the argument out"),
    (&["NaN", "nan", "NAN", "inf", "INF", "INFINITY", "infinity"], "write a finite number"),
    (&["pi", "PI"], "write `3.14159265`"),
    (&["auto", "AUTO"], "leave it out: what can be inferred is"),
];

/// What an expression may hold.
const OPERATORS: &str = "an expression knows `+ - * / %`, `min(a, b)` and `max(a, b)`";

/// The constants in force at a place.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    /// `LeNet5` or `Basic`: whose constants these are.
    pub owner: String,
    pub values: Vec<(String, Number)>,
}

impl Constants {
    pub fn get(&self, name: &Ident) -> Option<Number> {
        self.values.iter().rev().find(|(own, _)| name == own).map(|(_, value)| *value)
    }

    /// A macro sees tokens, so a constant of the surrounding program is out of reach.
    fn unknown(&self, name: &Ident) -> Diagnostic {
        let message = if self.values.is_empty() {
            format!("`{name}` is no constant of `{}`, and a macro cannot see Rust constants", self.owner)
        } else {
            let known: Vec<String> = self.values.iter().map(|(n, _)| format!("`{n}`")).collect();
            let known = known.join(", ");
            format!("`{name}` is no constant of `{}` ({known}), and a macro cannot see Rust constants", self.owner)
        };
        let word = name.to_string();
        let mistake = Mistake::new(Source::at(name.span()), message);
        if let Some((_, help)) = NO_CONSTANTS.iter().find(|(words, _)| words.contains(&word.as_str())) {
            return mistake.help(*help);
        }
        match closest(&word, self.values.iter().map(|(own, _)| own.as_str())) {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake.help(format!("declare it with the network: `{}<{name} = 64>`", self.owner)),
        }
    }

    /// The number that an argument stands for.
    pub fn argument(&self, argument: &Argument) -> Result<Number, Diagnostic> {
        match &argument.value {
            ArgumentValue::Expr(expr) => self.expr(expr),
            ArgumentValue::Word(name, arguments) if arguments.is_empty() => {
                if name == "true" || name == "false" {
                    return Ok(Number::Bool(name == "true"));
                }
                self.get(name).ok_or_else(|| self.unknown(name))
            }
            other => Err(Mistake::new(argument.source, format!("a number stands here, found `{}`", other.text()))
                .help("write a number, a constant of the network, or `{…}` with `+ - * / %`, `min`, `max`")),
        }
    }

    /// The number that an expression gives. One that is not finite is a mistake, told where it first appears.
    pub fn expr(&self, expr: &Expr) -> Result<Number, Diagnostic> {
        let number = self.evaluate(expr)?;
        let text = tokens_text(expr);
        match number {
            Number::Float(x) if x.is_nan() => {
                let message = format!("`{text}` has no value");
                Err(Mistake::new(Source::of(expr), message).help("write a finite number"))
            }
            Number::Float(x) if x.is_infinite() => {
                let message = format!("`{text}` is infinite");
                Err(Mistake::new(Source::of(expr), message).help(LARGEST_NUMBER))
            }
            number => Ok(number),
        }
    }

    fn evaluate(&self, expr: &Expr) -> Result<Number, Diagnostic> {
        let wrong = |message: String| Mistake::new(Source::of(expr), message);
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(int) if matches!(int.suffix(), "" | "usize" | "i64" | "u64" | "i32" | "u32") => {
                    int.base10_parse::<i64>().map(Number::Int).map_err(|_| {
                        wrong(format!("`{}` is too large", int.base10_digits())).help("the largest number is 2^63 - 1")
                    })
                }
                Lit::Int(int) if matches!(int.suffix(), "f32" | "f64") => {
                    Ok(Number::Float(int.base10_digits().parse().unwrap_or(0.0)))
                }
                Lit::Float(float) => float
                    .base10_parse::<f64>()
                    .map(Number::Float)
                    .map_err(|e| wrong(format!("`{float}`: {e}")).help(LARGEST_NUMBER)),
                Lit::Bool(b) => Ok(Number::Bool(b.value)),
                other => {
                    Err(wrong(format!("a number stands here, found `{}`", tokens_text(other))).help(match other {
                        Lit::Int(int) => format!("write `{}`", int.base10_digits()),
                        _ => "write a number or a constant of the network".to_string(),
                    }))
                }
            },
            Expr::Paren(e) => self.expr(&e.expr),
            Expr::Group(e) => self.expr(&e.expr),
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) => self.get(name).ok_or_else(|| self.unknown(name)),
                None => match path.path.segments.last() {
                    Some(last) => Err(self.unknown(&last.ident)),
                    None => Err(wrong("a number stands here".into()).help(OPERATORS)),
                },
            },
            Expr::Unary(e) => match (&e.op, self.expr(&e.expr)?) {
                (UnOp::Neg(_), Number::Int(i)) => i
                    .checked_neg()
                    .map(Number::Int)
                    .ok_or_else(|| wrong(format!("`-{i}` is too small")).help("the smallest number is -2^63")),
                (UnOp::Neg(_), Number::Float(x)) => Ok(Number::Float(-x)),
                (UnOp::Not(_), Number::Bool(b)) => Ok(Number::Bool(!b)),
                (UnOp::Deref(_), _) => {
                    let text = tokens_text(&e.expr);
                    Err(wrong("`**` does not exist here".into())
                        .help(format!("a power is a product, `N * N` for `N ** {text}`")))
                }
                (UnOp::Not(_), value) => Err(wrong(format!("`!` does not take {}", value.text()))
                    .help(format!("write `{} == 0`", tokens_text(&e.expr)))),
                (_, value) => {
                    Err(wrong(format!("`-` does not take {}", value.text())).help("write a number behind it"))
                }
            },
            Expr::Binary(e) => {
                let (a, b) = (self.expr(&e.left)?, self.expr(&e.right)?);
                binary(&e.op, a, b).map_err(|message| wrong(message).help(OPERATORS))
            }
            Expr::Assign(e) => {
                let text = format!("write `{} == {}`", tokens_text(&e.left), tokens_text(&e.right));
                Err(Mistake::new(Source::of(&e.eq_token), "`=` does not compare: `==` does").help(text))
            }
            Expr::Call(call) => {
                let name = tokens_text(&call.func);
                let values = call.args.iter().map(|a| self.expr(a)).collect::<Result<Vec<_>, _>>()?;
                match (name.as_str(), values.as_slice()) {
                    ("min", [a, b]) => binary(&BinOp::Lt(Default::default()), *a, *b)
                        .map(|less| if less == Number::Bool(true) { *a } else { *b })
                        .map_err(|message| wrong(message).help(OPERATORS)),
                    ("max", [a, b]) => binary(&BinOp::Gt(Default::default()), *a, *b)
                        .map(|more| if more == Number::Bool(true) { *a } else { *b })
                        .map_err(|message| wrong(message).help(OPERATORS)),
                    ("min" | "max", _) => Err(wrong(format!("`{name}` takes 2 numbers, got {}", values.len()))
                        .help(format!("write `{name}(a, b)`"))),
                    _ => Err(wrong(format!("`{name}` is not known here")).help(OPERATORS)),
                }
            }
            _ => Err(wrong(format!("`{}` is no compile-time number", tokens_text(expr))).help(OPERATORS)),
        }
    }

    /// `if` takes a truth value.
    pub fn truth(&self, expr: &Expr) -> Result<bool, Diagnostic> {
        match self.expr(expr)? {
            Number::Bool(b) => Ok(b),
            other => {
                let text = tokens_text(expr);
                let message = format!("`if` takes `true`, `false` or a comparison, but this is {}", other.text());
                Err(Mistake::new(Source::of(expr), message).help(format!("write `{text} > 0`, or another comparison")))
            }
        }
    }
}

fn binary(op: &BinOp, a: Number, b: Number) -> Result<Number, String> {
    use Number::*;
    let sign = tokens_text(op);
    if let (Int(a), Int(b)) = (a, b) {
        let arithmetic = |value: Option<i64>| value.map(Int).ok_or_else(|| format!("`{a} {sign} {b}` has no value"));
        return match op {
            BinOp::Add(_) => arithmetic(a.checked_add(b)),
            BinOp::Sub(_) => arithmetic(a.checked_sub(b)),
            BinOp::Mul(_) => arithmetic(a.checked_mul(b)),
            BinOp::Div(_) => arithmetic(a.checked_div(b)),
            BinOp::Rem(_) => arithmetic(a.checked_rem(b)),
            _ => compare(op, a as f64, b as f64, &sign),
        };
    }
    if let (Bool(a), Bool(b)) = (a, b) {
        return match op {
            BinOp::And(_) => Ok(Bool(a && b)),
            BinOp::Or(_) => Ok(Bool(a || b)),
            BinOp::Eq(_) => Ok(Bool(a == b)),
            BinOp::Ne(_) => Ok(Bool(a != b)),
            _ => Err(format!("`{a} {sign} {b}` has no value")),
        };
    }
    let (Some(x), Some(y)) = (a.float(), b.float()) else {
        return Err(format!("`{} {sign} {}` has no value", a.text(), b.text()));
    };
    match op {
        BinOp::Add(_) => Ok(Float(x + y)),
        BinOp::Sub(_) => Ok(Float(x - y)),
        BinOp::Mul(_) => Ok(Float(x * y)),
        BinOp::Div(_) => Ok(Float(x / y)),
        BinOp::Rem(_) => Ok(Float(x % y)),
        _ => compare(op, x, y, &sign),
    }
}

fn compare(op: &BinOp, x: f64, y: f64, sign: &str) -> Result<Number, String> {
    Ok(Number::Bool(match op {
        BinOp::Eq(_) => x == y,
        BinOp::Ne(_) => x != y,
        BinOp::Lt(_) => x < y,
        BinOp::Le(_) => x <= y,
        BinOp::Gt(_) => x > y,
        BinOp::Ge(_) => x >= y,
        _ => return Err(format!("`{sign}` is not known here")),
    }))
}

/// Tokens as a person would type them: `4 * H`, `min(a, 3)`.
pub fn tokens_text(tokens: &impl ToTokens) -> String {
    fn write(out: &mut String, tokens: TokenStream) {
        // Whether the next token follows without a blank.
        let mut tight = true;
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::None => ("", ""),
                    };
                    let call = group.delimiter() == Delimiter::Parenthesis && out.ends_with(char::is_alphanumeric);
                    if !tight && !call {
                        out.push(' ');
                    }
                    out.push_str(open);
                    write(out, group.stream());
                    out.push_str(close);
                    tight = false;
                }
                TokenTree::Punct(punct) => {
                    let c = punct.as_char();
                    let alone = punct.spacing() == Spacing::Alone;
                    match c {
                        ',' | ';' => {
                            out.push(c);
                            tight = false;
                        }
                        '.' | ':' => {
                            out.push(c);
                            tight = true;
                        }
                        '-' | '!' if tight => {
                            out.push(c);
                            tight = true;
                        }
                        _ => {
                            if !tight {
                                out.push(' ');
                            }
                            out.push(c);
                            tight = !alone;
                        }
                    }
                }
                other => {
                    if !tight {
                        out.push(' ');
                    }
                    out.push_str(&other.to_string());
                    tight = false;
                }
            }
        }
    }
    let mut out = String::new();
    write(&mut out, tokens.to_token_stream());
    out
}
