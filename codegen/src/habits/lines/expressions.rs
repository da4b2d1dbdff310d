//! Groups and lists of lines, and whatever else is an expression in some language.

use super::Line;
use super::statements::declared;
use crate::diagnostics::{Diagnostic, Mistake, Source};
use crate::habits::read::{Reader, is_layer};
use crate::habits::{names_layer, write};
use proc_macro2::{Delimiter, TokenTree};

/// `Residual: { … }`, `Shortcut { … }`, `residual { … }`, `Residual(…) { … }`
pub fn residual(line: &Line) -> Option<Diagnostic> {
    let word = line.word(0);
    if matches!(word, "Residual" | "Concat") && line.group(1, Delimiter::Bracket).is_some() {
        return Some(
            line.mistake(1, format!("`{word}` is followed by its lines in braces")).help(format!("`{word} {{ … }}`")),
        );
    }
    if line.body().is_none() && line.group(1, Delimiter::Parenthesis).is_none() {
        return None;
    }
    match word {
        "shortcut" | "Shortcut" | "downsample" | "identity" if line.body().is_some() && !line.is(1, ':') => {
            let message = format!("this `{word}` stands behind no `Residual {{ … }}`");
            Some(line.mistake(0, message).help("write `Residual { … } shortcut { … }`, without a `;` between them"))
        }
        "Residual" | "Concat" if line.body().is_some() => {
            let message = format!("`{word}` is followed by its `{{ … }}`");
            Some(line.mistake(1, message).help(format!("write `{word} {{ … }}`")))
        }
        "residual" | "ResidualBlock" | "skip" | "Skip" | "SkipConnection" | "resnet" if line.body().is_some() => {
            Some(line.mistake(0, format!("there is no `{word}`")).help("write `Residual { … }`"))
        }
        "concat" | "Concatenate" | "parallel" | "Parallel" | "branches" | "cat" | "Inception"
            if line.body().is_some() =>
        {
            Some(line.mistake(0, format!("there is no `{word}`")).help("write `Concat { … }`"))
        }
        _ => None,
    }
}

/// `group features { … }`, `features { … }`, `features = { … }`, `features: [ … ]`
pub fn group(line: &Line) -> Option<Diagnostic> {
    if let Some(body) = line.body() {
        let head = line.tokens.len() - 1;
        let words: Vec<&str> = (0..head).map(|at| line.word(at)).filter(|word| !word.is_empty()).collect();
        let name = words
            .iter()
            .rev()
            .find(|word| !matches!(**word, "mut" | "let" | "self" | "Sequential" | "nn"))?
            .to_string();
        // `Linear { 3 }` holds arguments, not lines.
        let lines = body.stream().into_iter().any(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
            || body.stream().is_empty();
        if names_layer(&name) || is_layer(&name) && words.len() == 1 {
            if !lines {
                return None;
            }
            let message = format!("`{name}` takes no lines in `{{ … }}`");
            let help = "a group is `name: { … }`; a way around lines is `Residual { … }`";
            return Some(line.mistake(head, message).help(help));
        }
        let at = match words.len() {
            1 => 1.min(head),
            _ => 0,
        };
        let message = match words.len() {
            1 => format!("the name `{name}` of a group is followed by `:`"),
            _ => format!("`{}` does not begin a group: its name and `:` do", words[0]),
        };
        let name = name.to_lowercase();
        return Some(line.mistake(at, message).help(format!("write `{name}: {{ … }}`")));
    }
    // `features: [Linear<3>, Relu]`, `features = nn.Sequential(…)`
    let at = declared(line);
    let named = (line.is(at + 1, ':') || line.is(at + 1, '=')) && !line.word(at).is_empty();
    let list = line.tokens.last().is_some_and(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => true,
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
            line.tokens.len() > 1 && {
                let word = line.word(line.tokens.len() - 2);
                matches!(word, "Sequential" | "sequential" | "ModuleList" | "Chain" | "serial")
            }
        }
        _ => false,
    });
    if !list {
        return None;
    }
    let label = if named { Some(line.word(at).to_string()) } else { None };
    let group = match line.tokens.last() {
        Some(TokenTree::Group(group)) => group,
        _ => return None,
    };
    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
    let lines = lines_of(&inner, &line.unread.named)?;
    let message = "lines of a group stand in `{ … }`, each with its `;`";
    let help = match label {
        Some(label) => format!("write `{label}: {{ {lines} }}`"),
        None => format!("write `{lines}`"),
    };
    Some(Mistake::new(Source { first: group.span_open(), last: group.span_close() }, message).help(help))
}

/// Lines that are separated by commas or by line ends.
pub fn lines_of(tokens: &[TokenTree], named: &[String]) -> Option<String> {
    let parts = parts(tokens);
    let lines: Vec<String> = parts
        .iter()
        .map(|part| {
            let written = write::line(&Reader::new(part.iter().cloned()).line(), named)?;
            written.function.is_none().then_some(written.lines)
        })
        .collect::<Option<_>>()?;
    Some(lines.join(" "))
}

/// What stands between commas outside of `<…>`, or on lines of its own.
pub fn parts(tokens: &[TokenTree]) -> Vec<Vec<TokenTree>> {
    let mut all: Vec<Vec<TokenTree>> = vec![Vec::new()];
    let mut angles = 0i32;
    for (at, token) in tokens.iter().enumerate() {
        let sign = match token {
            TokenTree::Punct(p) => p.as_char(),
            _ => ' ',
        };
        let arrow = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(p) if matches!(p.as_char(), '-' | '='));
        match sign {
            '<' => angles += 1,
            '>' if !arrow => angles -= 1,
            _ => {}
        }
        let begins = at > 0 && angles <= 0 && crate::syntax::begins_line(&tokens[at - 1], token);
        if begins && !all.last().is_some_and(Vec::is_empty) {
            all.push(Vec::new());
        }
        if matches!(sign, ',' | ';') && angles <= 0 {
            all.push(Vec::new());
        } else if let Some(last) = all.last_mut() {
            last.push(token.clone());
        }
    }
    all.retain(|part| !part.is_empty());
    all
}

/// `a: Linear<3>, b: Relu`, and lines without `;`.
pub fn several_lines(line: &Line) -> Option<Diagnostic> {
    let all = parts(line.tokens);
    if all.len() < 2 {
        return None;
    }
    // `Add a, b` has values, not lines.
    let value =
        |part: &Vec<TokenTree>| matches!(part.as_slice(), [TokenTree::Ident(word)] if !is_layer(&word.to_string()));
    if all.iter().skip(1).any(value) {
        return None;
    }
    let lines = lines_of(line.tokens, &line.unread.named)?;
    let at = all[0].len();
    let comma = line.is(at, ',');
    let (at, message) = if comma {
        (at, "lines are separated by `;`, not by `,`")
    } else {
        (at - 1, "the `;` behind this line is missing")
    };
    Some(line.mistake(at, message).help(format!("write `{lines}`")))
}

/// Anything that is an expression in some language.
pub fn expression(line: &Line) -> Option<Diagnostic> {
    let from = declared(line);
    let mut reader = Reader::new(line.tokens[from..].iter().cloned());
    let mut said = reader.line();
    let mut missing = None;
    if said.label.is_none() && line.tokens.len() > from + 1 && !line.word(from).is_empty() && !is_layer(line.word(from))
    {
        // `logits Linear<3>`
        let next = line.word(from + 1);
        if !next.is_empty() && (is_layer(next) || names_layer(next)) {
            let mut behind = Reader::new(line.tokens[from + 1..].iter().cloned());
            said = behind.line();
            reader.odd = behind.odd;
            said.label = Some(line.word(from).to_string());
            missing =
                Some(line.mistake(from + 1, format!("the name `{}` of a line is followed by `:`", line.word(from))));
        }
    }
    let mistake = match (missing, reader.odd.first()) {
        (Some(missing), _) => missing,
        (None, _) if from > 0 => {
            let word = line.word(0);
            line.mistake(0, format!("`{word}` does not exist here: a line is named `name: Layer;`"))
        }
        (None, Some(odd)) => Mistake::new(odd.source, odd.message.clone()),
        (None, None) => {
            let message = &line.unread.message;
            let own = message.is_empty() || message.starts_with("expected");
            let message = if own { "this line cannot be read".into() } else { message.clone() };
            Mistake::new(line.unread.stopped, message)
        }
    };
    let written = write::line(&said, &line.unread.named);
    Some(match written {
        Some(write::Written { lines, function: None }) => mistake.help(format!("write `{lines}`")),
        Some(write::Written { lines, function: Some(function) }) => {
            mistake.help(format!("declare `{function}` before the network, and write `{lines}`"))
        }
        None => return explain_odd(line, mistake, &reader),
    })
}

/// The mistake is known, but no line says what was meant.
pub fn explain_odd(line: &Line, mistake: Mistake, reader: &Reader) -> Option<Diagnostic> {
    let has = |signs: &str| {
        line.tokens.iter().any(|token| matches!(token, TokenTree::Punct(p) if signs.contains(p.as_char())))
    };
    if has("@") {
        return Some(
            mistake.help("a product with weights that are learned is `Linear<16>;`, one of two values `Dot(a, b);`"),
        );
    }
    if line.word(0).is_empty() && matches!(line.tokens.first(), Some(TokenTree::Literal(_))) {
        return Some(
            line.mistake(0, "a line begins with a layer or a name")
                .help("a line is `Layer<arguments>;` or `name: Layer<arguments>;`"),
        );
    }
    if line.words.iter().any(|word| word == "self") {
        let help =
            "a layer is declared where it is applied, `name: Layer<arguments>;`, and applied again as `name(value);`";
        return Some(
            line.mistake(line.words.iter().position(|word| word == "self")?, "`self` is not written here").help(help),
        );
    }
    let index =
        line.tokens.iter().any(|token| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Bracket));
    if index && !reader.odd.is_empty() {
        return Some(mistake.help("a part of a value is `Slice<axis = 0, start = 0, end = 3>(value);`"));
    }
    None
}
