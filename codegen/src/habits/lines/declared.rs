//! Inputs, targets, parameters and losses that are written otherwise.

use super::Line;
use super::expressions::parts;
use super::statements::declared;
use crate::diagnostics::{Diagnostic, Mistake};
use crate::habits::read::Reader;
use crate::habits::write;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The extents of a shape, however it is written.
pub fn extents(tokens: &[TokenTree]) -> Option<String> {
    let group = tokens.iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => Some(group),
        _ => None,
    });
    let inner: Vec<TokenTree> = match group {
        Some(group) => group.stream().into_iter().collect(),
        None => tokens.to_vec(),
    };
    let mut all = Vec::new();
    for token in &inner {
        match token {
            TokenTree::Literal(number) => {
                let text = number.to_string();
                let parts: Vec<&str> = text.split('x').collect();
                if parts.iter().any(|part| part.is_empty() || !part.chars().all(|c| c.is_ascii_digit() || c == '_')) {
                    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
                    if digits.is_empty() {
                        return None;
                    }
                    all.push(digits);
                } else {
                    all.extend(parts.iter().map(|part| part.to_string()));
                }
            }
            // The batch axis, which is not written.
            TokenTree::Ident(word)
                if matches!(word.to_string().as_str(), "None" | "batch" | "batch_size" | "B" | "N" | "_") => {}
            TokenTree::Ident(word)
                if word.to_string().chars().all(|c| c.is_uppercase() || c == '_' || c.is_numeric()) =>
            {
                all.push(word.to_string())
            }
            TokenTree::Group(group) => return extents(&group.stream().into_iter().collect::<Vec<_>>()),
            _ => {}
        }
    }
    (!all.is_empty() && all.len() <= 4).then(|| format!("[{}]", all.join(", ")))
}

/// The kind of an input or target, however it is written.
pub fn port_text(kind: &str, tokens: &[TokenTree]) -> Option<String> {
    const CLASSES: &[&str] =
        &["class", "classes", "usize", "u8", "int", "long", "i64", "label", "int64", "onehot", "categorical"];
    let class = tokens.iter().any(
        |token| matches!(token, TokenTree::Ident(word) if CLASSES.contains(&word.to_string().to_lowercase().as_str())),
    );
    let lone = matches!(tokens, [TokenTree::Literal(_)] | [TokenTree::Ident(_)]);
    let shape = extents(tokens)?;
    if kind == "target" && (class || lone) {
        let count = shape.trim_matches(['[', ']']).split(", ").last().map(str::to_string)?;
        return Some(format!("class<{count}>"));
    }
    Some(shape)
}

/// `input x = [3]`, `input x [3]`, `input: [3]`, `input x: (3)`, `x: input [3]`, `target y: class(10)`
pub fn port(line: &Line) -> Option<Diagnostic> {
    const INPUTS: &[&str] = &["input", "Input", "inputs", "in", "InputLayer", "placeholder", "feed"];
    const TARGETS: &[&str] = &["target", "Target", "targets", "label", "labels", "truth", "Label"];
    // `x: input …` and `x = Input(shape = …)` say the name first.
    let first = declared(line);
    let behind = (line.is(first + 1, ':') || line.is(first + 1, '=')) && !line.word(first).is_empty();
    let mut at = if behind && !INPUTS.contains(&line.word(first)) && !TARGETS.contains(&line.word(first)) {
        first + 2
    } else {
        0
    };
    while at > 0 && line.is(at + 1, '.') {
        at += 2;
    }
    let word = line.word(at);
    let kind = if INPUTS.contains(&word) {
        "input"
    } else if TARGETS.contains(&word) {
        "target"
    } else {
        return None;
    };
    let given = match at {
        0 => line.word(1),
        _ => line.word(first),
    };
    let name = match (given, kind) {
        ("" | "shape" | "class", "input") => "x",
        ("" | "shape" | "class", _) => "y",
        (given, _) => given,
    };
    let mut rest = at + 1 + usize::from(at == 0 && !given.is_empty() && given == name);
    let mut odd = rest.min(line.tokens.len().saturating_sub(1));
    let message = if word != kind {
        odd = at;
        format!("`{word}` declares nothing here: `{kind}` does")
    } else if at > 0 {
        odd = at;
        format!("`{kind}` stands before the name")
    } else if given.is_empty() {
        odd = 0;
        format!("this `{kind}` has no name")
    } else if line.is(rest, ':') {
        odd = (rest + 1).min(line.tokens.len() - 1);
        format!("what stands behind `{name}:` is no shape")
    } else if line.is(rest, ',') {
        odd = rest;
        format!("each `{kind}` has a line of its own")
    } else {
        format!("`{name}` and its shape stand on both sides of a `:`")
    };
    while line.is(rest, ':') || line.is(rest, '=') || line.is(rest, ',') || line.is(rest, '&') {
        rest += 1;
    }
    let rest = &line.tokens[rest.min(line.tokens.len())..];
    let port = port_text(kind, rest);
    let mistake = line.mistake(odd, message);
    Some(match port {
        Some(port) => mistake.help(format!("write `{kind} {name}: {port};`")),
        None if kind == "input" => {
            mistake.help(format!("write `input {name}: [1, 28, 28];`, with the shape of one sample"))
        }
        None => mistake.help(format!("write `target {name}: class<10>;`, or `target {name}: [3];` for dense values")),
    })
}

/// `param w = Zeros<[3]>`, `param w [3]`, `parameter w: [3]`
pub fn param(line: &Line) -> Option<Diagnostic> {
    let word = line.word(0);
    if !matches!(word, "param" | "parameter" | "Parameter" | "weight" | "weights" | "variable")
        || line.word(1).is_empty()
    {
        return None;
    }
    let name = line.word(1);
    let end = (2..line.tokens.len()).find(|at| line.is(*at, '=')).unwrap_or(line.tokens.len());
    let shape = extents(&line.tokens[2..end]);
    // Behind `=`, or without it behind the shape.
    let behind =
        (2..line.tokens.len()).find(|at| matches!(line.tokens[*at], TokenTree::Group(_))).map_or(end, |at| at + 1);
    let start = if end < line.tokens.len() { end + 1 } else { behind };
    let init = line.text(start.min(line.tokens.len()), line.tokens.len());
    let init = match init.parse::<f64>() {
        Ok(0.0) => "Zeros".to_string(),
        Ok(1.0) => "Ones".to_string(),
        Ok(_) => format!("Constant<{init}>"),
        Err(_) if init.chars().next().is_some_and(char::is_uppercase) && !init.contains(['(', '[', '.']) => {
            init.clone()
        }
        Err(_) => "Zeros".to_string(),
    };
    let (at, message) = if word != "param" {
        (0, format!("`{word}` declares nothing here: `param` does"))
    } else if line.is(2, ':') && line.group(3, Delimiter::Bracket).is_some() && line.tokens.len() > 4 {
        (4, format!("the start value of `{name}` stands behind a `=`"))
    } else {
        (
            2.min(line.tokens.len() - 1),
            format!("`param {name}` has its shape behind a `:`, and a start value behind a `=`"),
        )
    };
    let shape = shape.unwrap_or_else(|| "[16, 1, 1]".into());
    Some(line.mistake(at, message).help(format!("write `param {name}: {shape} = {init};`")))
}

/// `loss = …`, `loss CrossEntropy(_, y)`, `loss: …` with something that is no term.
pub fn loss(line: &Line) -> Option<Diagnostic> {
    let first = declared(line);
    let word = line.word(first);
    if !matches!(word, "loss" | "Loss" | "criterion" | "losses" | "cost" | "loss_fn" | "objective") {
        return None;
    }
    let mut at = first + 1;
    let sign = at;
    while line.is(at, ':') || line.is(at, '=') {
        at += 1;
    }
    let rest = &line.tokens[at.min(line.tokens.len())..];
    let mut loss: Vec<TokenTree> = "loss:".parse::<TokenStream>().ok()?.into_iter().collect();
    loss.extend(rest.iter().cloned());
    if let Some(sum) = several_terms(rest) {
        let comma = parts(rest)[0].len() + at;
        return Some(line.mistake(comma, "terms of a loss are added").help(format!("write `loss: {sum};`")));
    }
    let mut reader = Reader::new(loss);
    let said = reader.line();
    let (at, message) = if word != "loss" {
        (first, format!("`{word}` is no statement: `loss:` is"))
    } else if !(line.is(sign, ':') && at == sign + 1) {
        (sign.min(line.tokens.len() - 1), "`loss` is followed by `:`".to_string())
    } else if let Some(odd) = reader.odd.iter().find(|odd| !odd.message.contains("between values")) {
        let help = match write::line(&said, &line.unread.named) {
            Some(written) => format!("write `{}`", written.lines),
            None => FORM.into(),
        };
        return Some(Mistake::new(odd.source, odd.message.clone()).help(help));
    } else {
        let help = match write::line(&said, &line.unread.named) {
            Some(written) => format!("write `{}`", written.lines),
            None => FORM.into(),
        };
        let message = match &line.unread.message {
            message if message.starts_with("expected") || message.is_empty() => "this is no term of a loss".to_string(),
            message => message.clone(),
        };
        return Some(Mistake::new(line.unread.stopped, message).help(help));
    };
    const FORM: &str =
        "a loss is `loss: CrossEntropy(_, y);`, or a sum of such terms with weights: `loss: A(_, y) + 0.3 * B(_, y);`";
    Some(match write::line(&said, &line.unread.named) {
        Some(written) => line.mistake(at, message).help(format!("write `{}`", written.lines)),
        None => line.mistake(at, message).help(FORM),
    })
}

/// `A(_, y), B(_, y)` as a sum.
pub fn several_terms(tokens: &[TokenTree]) -> Option<String> {
    let parts = parts(tokens);
    let terms = parts.iter().map(|part| {
        let mut line: Vec<TokenTree> = "loss:".parse::<TokenStream>().ok()?.into_iter().collect();
        line.extend(part.iter().cloned());
        let written = write::line(&Reader::new(line).line(), &[])?;
        Some(written.lines.trim_start_matches("loss: ").trim_end_matches(';').to_string())
    });
    let terms: Vec<String> = terms.collect::<Option<_>>()?;
    (terms.len() > 1).then(|| terms.join(" + "))
}
