//! Definitions, imports, prints, constants, and what is returned.

use super::Line;
use crate::diagnostics::Diagnostic;
use crate::habits::read::{Reader, Said, is_layer};
use crate::habits::write;
use proc_macro2::{Delimiter, TokenTree};

/// `def forward(self, x) { … }`, `class`, `struct`, …
pub fn definition(line: &Line) -> Option<Diagnostic> {
    let at = usize::from(matches!(line.word(0), "pub" | "async" | "static" | "export" | "unsafe"));
    let word = line.word(at);
    if matches!(line.word(0), "async" | "unsafe" | "with" | "try" | "do" | "static")
        && line.body().is_some()
        && line.word(1) != "fn"
    {
        let message = format!("`{}` does not exist here", line.word(0));
        return Some(line.mistake(0, message).help("write the lines alone; a group of lines is `name: { … }`"));
    }
    match word {
        "def" | "fn" | "func" | "function" | "fun" | "lambda" | "proc" => {
            let name = line.word(at + 1);
            let message = format!("`{word}` stands in no network: its lines are what it computes, in order");
            let whole = ["forward", "call", "__call__", "__init__", "init", "new", "setup", "build", ""];
            let help = if whole.contains(&name) || name.starts_with('_') {
                "write the lines alone: each takes what the one before it gave".to_string()
            } else {
                format!(
                    "an element-wise function stands before the network: `fn {name}(x) {{ … }}`; a piece with layers is `block {name} {{ … }}`"
                )
            };
            Some(line.mistake(at, message).help(help))
        }
        "class" | "struct" | "impl" | "trait" | "enum" | "type" | "mod" | "module" | "interface" | "union"
            if !line.word(at + 1).is_empty() =>
        {
            let name = line.word(at + 1);
            let message = format!("`{word}` stands in no network");
            Some(
                line.mistake(at, message)
                    .help(format!("a piece with layers is a block before the network: `block {name} {{ … }}`")),
            )
        }
        "block" => {
            let name = line.word(at + 1);
            let message = "a `block` stands beside the networks, not in one";
            let help = match name {
                "" => "write `block Name { … }` before the network, and `Name;` here".into(),
                name => format!("move it before the network: `{name};` uses it here; a group is `name: {{ … }}`"),
            };
            Some(line.mistake(at, message).help(help))
        }
        "pass" | "break" | "continue" | "todo" | "global" | "del" | "with" | "try" | "except" | "raise" | "yield"
        | "async" | "unsafe" | "super"
            if !line.is(at + 1, ':') && !line.is(at + 1, '<') =>
        {
            Some(
                line.mistake(at, format!("`{word}` does not exist here"))
                    .help("remove it: a network is lines of layers, in order"),
            )
        }
        _ => None,
    }
}

/// `use a::B;`, `import torch`, `from torch import nn`
pub fn import(line: &Line) -> Option<Diagnostic> {
    let at = usize::from(line.word(0) == "pub");
    let word = line.word(at);
    let python =
        word == "from" && line.tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if *word == "import"));
    if python || matches!(word, "use" | "import" | "include" | "extern" | "require") {
        let own = word == "use";
        let message = if own {
            "a `use` stands beside the networks, not in one".to_string()
        } else {
            format!("`{word}` does not exist here")
        };
        let help = match own {
            true => format!("move `{};` before the network", line.text(at, line.tokens.len())),
            false => "layers are known without it; a block of elsewhere comes by `use path::Block;` before the network"
                .into(),
        };
        return Some(line.mistake(at, message).help(help));
    }
    None
}

/// `println!("{x}")`, `print(x.shape)`, `assert x`
pub fn printed(line: &Line) -> Option<Diagnostic> {
    const WORDS: &[&str] = &[
        "print",
        "println",
        "eprintln",
        "dbg",
        "printf",
        "assert",
        "assert_eq",
        "debug_assert",
        "log",
        "panic",
        "todo",
        "summary",
        "echo",
        "console",
    ];
    let word = line.word(0);
    let called = line.is(1, '!')
        || line.group(1, Delimiter::Parenthesis).is_some()
        || !line.word(1).is_empty()
        || matches!(word, "assert" | "console");
    (WORDS.contains(&word) && called).then(|| {
        let message = format!("`{word}` has nothing to do in a declaration: nothing runs here");
        line.mistake(0, message).help("remove it; `summary()` of the network prints all shapes")
    })
}

/// The words that declare a name in other languages, `let mut` as two.
pub fn declared(line: &Line) -> usize {
    let mut at = 0;
    while matches!(
        line.word(at),
        "let"
            | "var"
            | "val"
            | "const"
            | "static"
            | "mut"
            | "auto"
            | "final"
            | "pub"
            | "self"
            | "double"
            | "float"
            | "int"
    ) || (at > 0 && line.is(at, '.') && line.word(at - 1) == "self")
    {
        at += 1;
    }
    at
}

/// `const H: usize = 3;`, `H = 3`
pub fn constant(line: &Line) -> Option<Diagnostic> {
    let at = declared(line);
    let name = line.word(at);
    if name.is_empty() || name == "loss" {
        return None;
    }
    let equals = (at + 1..line.tokens.len()).find(|i| line.is(*i, '='))?;
    let typed = line.is(at + 1, ':');
    let value = &line.tokens[equals + 1..];
    let number = value.iter().all(|token| match token {
        TokenTree::Literal(literal) => !literal.to_string().starts_with(['"', '\'']),
        TokenTree::Punct(p) => "+-*/".contains(p.as_char()),
        TokenTree::Ident(word) => matches!(word.to_string().as_str(), "true" | "false" | "True" | "False"),
        TokenTree::Group(_) => false,
    });
    if value.is_empty() || !number || (equals != at + 1 && !typed) {
        return None;
    }
    let text = match value {
        [TokenTree::Ident(word)] => word.to_string().to_lowercase(),
        [_] => line.text(equals + 1, line.tokens.len()),
        [TokenTree::Punct(_), _] => line.text(equals + 1, line.tokens.len()),
        _ => format!("{{{}}}", line.text(equals + 1, line.tokens.len())),
    };
    let at = if at > 0 { 0 } else { equals };
    let message = format!("`{name}` is a number, and numbers with a name are constants of the network");
    Some(
        line.mistake(at, message)
            .help(format!("declare it behind the network's name: `pub Net<{name} = {text}> {{ … }}`")),
    )
}

/// `return x`
pub fn returned(line: &Line) -> Option<Diagnostic> {
    if line.word(0) != "return" {
        return None;
    }
    let mistake =
        line.mistake(0, "`return` does not exist here: a network returns its prediction, or what `output` names");
    let rest = &line.tokens[1..];
    Some(match names(rest) {
        Some(names) if !names.is_empty() => mistake.help(format!("write `output {};`", names.join(", "))),
        _ => match write::line(&running(rest, line), &line.unread.named) {
            Some(written) => mistake.help(format!("write `{}`", written.lines)),
            None => mistake.help("`output name;` names the line whose value is returned"),
        },
    })
}

/// An expression over `x` where other languages call the running value as the input.
pub fn running(tokens: &[TokenTree], line: &Line) -> Said {
    let label = line.unread.named.first().cloned();
    Said { label, ..Reader::new(tokens.iter().cloned()).line() }
}

/// `a, b`, `(a, b)`, `[a, b]`, `a b`: names of values.
pub fn names(tokens: &[TokenTree]) -> Option<Vec<String>> {
    if let [TokenTree::Group(group)] = tokens {
        return names(&group.stream().into_iter().collect::<Vec<_>>());
    }
    let mut all: Vec<String> = Vec::new();
    let mut dotted = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) if *word == "self" || *word == "and" => {}
            TokenTree::Ident(word) if is_layer(&word.to_string()) => return None,
            TokenTree::Ident(word) if dotted && !all.is_empty() => {
                let last = all.last_mut()?;
                *last += &format!(".{word}");
                dotted = false;
            }
            TokenTree::Ident(word) => all.push(word.to_string()),
            TokenTree::Punct(p) if p.as_char() == '.' => dotted = true,
            TokenTree::Punct(p) if ",:=&".contains(p.as_char()) => dotted = false,
            _ => return None,
        }
    }
    Some(all)
}

/// `output: x`, `output = x`, `output [a, b]`, `outputs a`
pub fn output(line: &Line) -> Option<Diagnostic> {
    let word = line.word(0);
    if !matches!(word, "output" | "outputs" | "out" | "Output" | "result") {
        return None;
    }
    let rest = &line.tokens[1..];
    if let Some(names) = names(rest).filter(|names| !names.is_empty()) {
        let at = if word == "output" { 1 } else { 0 };
        let message = "`output` is followed by the names of values";
        return Some(line.mistake(at, message).help(format!("write `output {};`", names.join(", "))));
    }
    if word != "output" || rest.is_empty() {
        return None;
    }
    let skip =
        rest.iter().take_while(|token| matches!(token, TokenTree::Punct(p) if ":=".contains(p.as_char()))).count();
    let written = write::line(&Reader::new(rest[skip..].iter().cloned()).line(), &line.unread.named)?;
    let message = "`output` names values, and computes none";
    let (before, last) = match written.lines.trim_end_matches(';').rsplit_once("; ") {
        Some((before, last)) => (format!("{before}; "), last.to_string()),
        None => (String::new(), written.lines.trim_end_matches(';').to_string()),
    };
    Some(line.mistake(1 + skip, message).help(format!("write `{before}out: {last}; output out;`")))
}
