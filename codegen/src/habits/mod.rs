//! What people write who come from other languages, and the line as it should be written.
//!
//! The parser knows one language. Where it stops, it leaves the tokens as [`Unread`], and this stage asks what they mean
//! elsewhere: [`lines`] and [`items`] are tables of habits, each recognised by its first words and answered; anything else
//! that is an expression in some language is taken apart by [`read`] and put together again by [`write`]. Every answer has
//! a help, and one that offers a line is built from what stands there.
//!
//! Deliberately absent: names in scope and shapes. `lower` knows them, and asks [`call`] how a call would be written here.

mod arguments;
mod items;
mod lines;
mod read;
mod write;

use crate::diagnostics::{Diagnostic, Source};
use crate::layers;
use crate::syntax::{Call, Operand, Unread, UnreadPlace};
use proc_macro2::TokenStream;
use read::Reader;

/// What is wrong with what could not be read, and what to write instead.
pub fn explain(unread: &Unread) -> Diagnostic {
    match unread.place {
        UnreadPlace::Item => items::explain(unread),
        UnreadPlace::Line => lines::explain(unread),
    }
}

/// A call as lines of the language, each with its `;`: `relu(x)` is `Relu(x);`.
fn call(call: &Call, named: &[String]) -> Option<String> {
    rewritten(&call_text(call), named)
}

/// As [`call`], without the last `;`, for what stands within a line; a container of layers as a group. `named` are names
/// that lines before it have.
pub fn within(call: &Call, named: &[String]) -> Option<String> {
    let text = self::call(call, named)?;
    let container = matches!(call.name.to_string().to_lowercase().as_str(), "sequential" | "modulelist");
    Some(if container { format!("{{ {text} }}") } else { text.trim_end_matches(';').to_string() })
}

/// What a call that stands alone means elsewhere, if it is no layer: `pass`, `print(x)`.
pub fn statement(call: &Call, source: Source) -> Option<Diagnostic> {
    let tokens: TokenStream = call_text(call).parse().ok()?;
    let unread = Unread {
        place: UnreadPlace::Line,
        tokens: tokens.into_iter().collect(),
        stopped: source,
        message: String::new(),
        documented: false,
        named: Vec::new(),
    };
    lines::word(&unread).map(|diagnostic| Diagnostic { source, ..diagnostic })
}

/// An operand that is no value, as a line.
pub fn operand(operand: &Operand) -> Option<String> {
    rewritten(&operand_text(operand), &[])
}

/// A port whose kind is none of this language: `Tensor<[784]>`, `class(10)`.
pub fn port(word: &str, name: &proc_macro2::Ident, call: &Call) -> Option<String> {
    let tokens: TokenStream = call_text(call).parse().ok()?;
    let port = lines::port_text(word, &tokens.into_iter().collect::<Vec<_>>())?;
    Some(format!("write `{word} {name}: {port};`"))
}

/// A term of a loss as it should be written.
pub fn loss(call: &Call) -> Option<String> {
    let text = rewritten(&format!("loss: {}", call_text(call)), &[])?;
    Some(text.trim_start_matches("loss: ").trim_end_matches(';').to_string())
}

fn rewritten(text: &str, named: &[String]) -> Option<String> {
    let tokens: TokenStream = text.parse().ok()?;
    let mut reader = Reader::new(tokens);
    let said = reader.line();
    write::line(&said, named).filter(|written| written.function.is_none()).map(|written| written.lines)
}

/// As it stands there, its operands too.
fn call_text(call: &Call) -> String {
    let qualifier = call.qualifier.as_ref().map_or("", |(_, text)| text.as_str());
    let mut text = format!("{qualifier}{}", call.text());
    if let Some(operands) = &call.operands {
        let operands: Vec<String> = operands.iter().map(operand_text).collect();
        text += &format!("({})", operands.join(", "));
    }
    text
}

/// An operand as it stands there.
pub fn operand_text(operand: &Operand) -> String {
    match operand {
        Operand::Current(_) => "_".into(),
        Operand::Path(path) => path.text(),
        Operand::Call(call) => call_text(call),
        Operand::Other(tokens) => crate::syntax::constant::tokens_text(tokens),
    }
}

/// What is odd in an operand that is none: `&h` has a `&`.
pub fn odd_operand(tokens: &TokenStream) -> Option<(Source, String)> {
    let mut reader = Reader::new(tokens.clone());
    reader.values();
    reader.odd.into_iter().next().map(|odd| (odd.source, odd.message))
}

/// `Mul(_, 0.5)` as a `fn`: `("fn scaled(x) { x * 0.5 }", "scaled;")`.
pub fn arithmetic(call: &Call) -> Option<(String, String)> {
    let sign = match call.name.to_string().as_str() {
        "Add" => '+',
        "Mul" => '*',
        _ => return None,
    };
    let operands: Vec<String> = call.operands.as_ref()?.iter().map(operand_text).collect();
    let text = operands.join(&format!(" {sign} "));
    let tokens: TokenStream = text.parse().ok()?;
    let written = write::line(&Reader::new(tokens).line(), &[])?;
    Some((written.function?, written.lines))
}

/// Whether something that stands alone looks like a layer: `Linear`, `Conv2D`.
fn names_layer(name: &str) -> bool {
    layers::find(name).is_some() || layers::foreign::ours(name).is_some()
}
