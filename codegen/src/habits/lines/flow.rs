//! Loops, branches, and words with nothing behind them.

use super::Line;
use crate::diagnostics::{Diagnostic, Mistake};
use crate::habits::read::{Reader, is_layer};
use crate::habits::write;
use crate::syntax::constant::tokens_text;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// `# text`
pub fn comment(line: &Line) -> Option<Diagnostic> {
    (line.is(0, '#') && line.group(1, Delimiter::Bracket).is_none())
        .then(|| line.mistake(0, "`#` begins no comment").help("a comment is `// text`"))
}

/// `@frozen`
pub fn decorator(line: &Line) -> Option<Diagnostic> {
    let name = line.word(1);
    (line.is(0, '@') && !name.is_empty() && !is_layer(name))
        .then(|| line.mistake(0, "`@` begins no attribute").help(format!("write `#[{name}]`, before a layer or group")))
}

/// `Relu as`, `from`, `output`: a word with nothing behind it.
pub fn unfinished(line: &Line) -> Option<Diagnostic> {
    const FORMS: &[(&str, &str)] = &[
        ("from", "`from name;` makes the value of a line the current one"),
        ("output", "`output name;` names what the network returns"),
        ("input", "`input x: [1, 28, 28];` declares what the network is fed"),
        ("target", "`target y: class<10>;` declares what a loss compares with"),
        ("param", "`param scale: [16, 1, 1] = Constant<0.25>;` declares a trainable value"),
        ("loss", "`loss: CrossEntropy(_, y);` says what is minimised"),
        ("repeat", "`repeat 3 { … }` writes lines several times"),
    ];
    if line.tokens.len() == 1 {
        let (word, form) = FORMS.iter().find(|(word, _)| *word == line.word(0))?;
        return Some(line.mistake(0, format!("`{word}` is not finished")).help(*form));
    }
    let last = line.tokens.len().checked_sub(1)?;
    (line.word(last) == "as")
        .then(|| line.mistake(last, "the name behind `as` is missing").help("`Layer as name;` names its value"))
}

/// `/// text` or `#[frozen]` with no line behind it.
pub fn attribute_alone(line: &Line) -> Option<Diagnostic> {
    if !line.tokens.is_empty() {
        return None;
    }
    let doc = line.unread.documented;
    let (message, help) = if doc {
        ("no line follows that this `///` could document", "a comment that documents nothing is `// text`")
    } else {
        ("no line follows for this attribute", "move it before the line that it is for, or remove it")
    };
    Some(Mistake::new(line.unread.stopped, message).help(help))
}

/// How often a loop runs, as far as it says so: `0..3`, `range(3)`, `3`.
pub fn count(tokens: &[TokenTree]) -> Option<String> {
    let text = |tokens: &[TokenTree]| tokens_text(&TokenStream::from_iter(tokens.iter().cloned()));
    let sign = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    if let Some(dots) = (1..tokens.len()).find(|at| sign(*at, '.') && sign(at + 1, '.')) {
        let closed = sign(dots + 2, '=');
        let from = match &tokens[dots - 1] {
            TokenTree::Group(group) => text(&group.stream().into_iter().collect::<Vec<_>>()),
            other => other.to_string(),
        };
        let to = text(tokens.get(dots + 2 + usize::from(closed)..)?);
        return Some(difference(&from, &to, i64::from(closed)));
    }
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts: Vec<&[TokenTree]> =
                    inner.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')).collect();
                return match parts.as_slice() {
                    [only] => count(only).or(Some(text(only))),
                    [from, to, ..] => Some(difference(&text(from), &text(to), 0)),
                    [] => None,
                };
            }
            TokenTree::Literal(number) => {
                let digits: String = number.to_string().chars().take_while(char::is_ascii_digit).collect();
                return (!digits.is_empty()).then_some(digits);
            }
            TokenTree::Ident(word) if word.to_string().chars().all(|c| c.is_uppercase() || c == '_') && word != "_" => {
                return Some(word.to_string());
            }
            _ => {}
        }
    }
    None
}

/// `to - from`, as `repeat` takes it.
pub fn difference(from: &str, to: &str, more: i64) -> String {
    match (from.parse::<i64>(), to.parse::<i64>()) {
        (Ok(from), Ok(to)) => (to - from + more).max(0).to_string(),
        (Ok(0), Err(_)) if more == 0 && to.chars().all(|c| c.is_alphanumeric() || c == '_') => to.to_string(),
        (Ok(from), Err(_)) if from == more => format!("{{{to}}}"),
        _ if more == 0 => format!("{{{to} - {from}}}"),
        _ => format!("{{{to} - {from} + {more}}}"),
    }
}

/// `for i in 0..3 { … }`, `while …`, `loop { … }`
pub fn loop_(line: &Line) -> Option<Diagnostic> {
    let word = line.word(0);
    if !matches!(word, "for" | "while" | "loop" | "do" | "foreach" | "until" | "times") {
        return None;
    }
    let end = line.tokens.len() - usize::from(line.body().is_some());
    let names = line.tokens.iter().position(|token| matches!(token, TokenTree::Ident(word) if *word == "in"));
    let count = match names {
        Some(at) if word != "while" => count(&line.tokens[at + 1..end]),
        _ => None,
    };
    let mistake = line.mistake(0, format!("`{word}` does not exist here: `repeat` writes lines several times"));
    Some(match count {
        Some(count) => mistake.help(format!("write `repeat {count} {{ … }}`")),
        None => mistake.help("write `repeat 3 { … }`, with the number of times: it is known while compiling"),
    })
}

/// `repeat: 3 { … }`, `repeat 3 times { … }`, `repeat i in 0..3 { … }`, `3 * { … }`
pub fn repeat(line: &Line) -> Option<Diagnostic> {
    if line.word(0) == "repeat" {
        let end = line.tokens.len() - usize::from(line.body().is_some());
        let count = count(&line.tokens[1.min(end)..end]).unwrap_or_else(|| "3".into());
        let at = if end > 1 { 1 } else { 0 };
        if line.body().is_none() && end > 2 {
            let rest = &line.tokens[2..];
            let mut reader = Reader::new(rest.iter().cloned());
            let said = reader.line();
            let lines = write::line(&said, &line.unread.named).map_or("…".into(), |written| written.lines);
            let message = "what `repeat` writes several times stands in `{ … }`";
            return Some(line.mistake(2, message).help(format!("write `repeat {count} {{ {lines} }}`")));
        }
        let message = "`repeat` is followed by the number of times and `{ … }`";
        return Some(line.mistake(at, message).help(format!("write `repeat {count} {{ … }}`")));
    }
    let number =
        matches!(line.tokens.first(), Some(TokenTree::Literal(number)) if number.to_string().parse::<u32>().is_ok());
    if number && line.body().is_some() {
        let message = "a number writes no lines several times: `repeat` does";
        return Some(line.mistake(0, message).help(format!("write `repeat {} {{ … }}`", line.text(0, 1))));
    }
    None
}

/// `if` without condition or braces, `else` without `if`, `match`.
pub fn branch(line: &Line) -> Option<Diagnostic> {
    let word = line.word(0);
    match word {
        "else" => {
            let help = "it stands right behind the `}` of its `if`: `if BN { … } else { … }`";
            Some(line.mistake(0, "this `else` belongs to no `if`").help(help))
        }
        "elif" | "elsif" | "elseif" => {
            let help = "`else if` stands right behind the `}` of an `if`: `if BN { … } else if N == 2 { … }`";
            Some(line.mistake(0, format!("this `{word}` belongs to no `if`")).help(help))
        }
        "match" | "switch" | "case" | "when" | "unless" => {
            let message = format!("`{word}` does not exist here");
            Some(line.mistake(0, message).help("constants of the network choose: `if N == 1 { … } else { … }`"))
        }
        "if" if line.tokens.len() == 1 || line.group(1, Delimiter::Brace).is_some() => {
            let help = "write `if BN { … }`, where `BN` is a constant of the network: `pub Net<BN = true>`";
            Some(line.mistake(0, "this `if` has no condition").help(help))
        }
        "if" if line.word(1) == "let" => {
            let help = "write `if BN { … }`, with constants of the network and comparisons of them";
            Some(line.mistake(1, "`if let` does not exist here").help(help))
        }
        "if" if line.words.iter().any(|word| matches!(word.as_str(), "training" | "is_training" | "train")) => {
            let help = "layers such as `Dropout` know by themselves whether the network trains: write their lines without `if`";
            Some(line.mistake(1, "a network is not told whether it trains").help(help))
        }
        "if" if line.words.iter().skip(1).any(|word| word == "else") => {
            let at = line.words.iter().position(|word| word == "else")?;
            let body = line
                .tokens
                .iter()
                .position(|token| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace))?;
            let help = format!("write `if {} {{ … }} else {{ … }}`", line.text(1, body));
            Some(
                line.mistake(
                    (at + 1).min(line.tokens.len() - 1),
                    "the lines of an `else` stand in `{ … }`, right behind it",
                )
                .help(help),
            )
        }
        "if" => {
            const WORDS: &[(&str, &str)] =
                &[("and", "&&"), ("or", "||"), ("not", "!"), ("is", "=="), ("then", ""), ("None", "0")];
            let end = line
                .tokens
                .iter()
                .position(|token| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace));
            let end = end.unwrap_or_else(|| {
                let colon =
                    line.tokens.iter().position(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ':'));
                colon.unwrap_or(line.tokens.len())
            });
            let mut odd = None;
            let mut parts: Vec<String> = Vec::new();
            for at in 1..end {
                let word = line.word(at);
                match WORDS.iter().find(|(own, _)| *own == word) {
                    Some((own, ours)) => {
                        odd = odd.or(Some((at, format!("`{own}` is no operator here"))));
                        parts.push(ours.to_string());
                    }
                    None if line.is(at, ':') => {}
                    None => parts.push(line.tokens[at].to_string()),
                }
            }
            let tokens: TokenStream = parts.join(" ").parse().ok()?;
            let condition = tokens_text(&tokens);
            if odd.is_none() && condition.split(' ').any(|part| part.is_empty()) {
                return None;
            }
            let (at, message) =
                odd.unwrap_or((end.min(line.tokens.len() - 1), "the lines of an `if` stand in `{ … }`".into()));
            Some(line.mistake(at, message).help(format!("write `if {condition} {{ … }}`")))
        }
        _ => None,
    }
}
