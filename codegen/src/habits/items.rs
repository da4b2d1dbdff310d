//! Habits of items: what people write where a network, a `block` or a `fn` stands.

use super::Unread;
use super::read::is_layer;
use crate::diagnostics::{Diagnostic, Mistake, Source};
use crate::layers::args::closest;
use crate::syntax::constant::tokens_text;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Words that declare something like a network in other languages.
const NETWORK_WORDS: &[&str] = &[
    "struct", "class", "network", "net", "model", "module", "Module", "type", "enum", "trait", "mod", "object",
    "record",
];

/// Words that declare something like a block or a function.
const BLOCK_WORDS: &[&str] =
    &["layer", "Block", "blk", "component", "template", "macro", "submodule", "piece", "group"];
const FUNCTION_WORDS: &[&str] = &["def", "func", "function", "fun", "lambda", "activation", "fnc"];

/// The tokens of an item without its visibility.
struct Head {
    tokens: Vec<TokenTree>,
    words: Vec<String>,
}

pub fn explain(unread: &Unread) -> Diagnostic {
    let head = Head::new(&unread.tokens);
    let answers: [fn(&Head, &Unread) -> Option<Diagnostic>; 7] =
        [attribute_alone, function, foreign_word, constants, lines_alone, operands, no_braces];
    if let Some(answer) = answers.iter().find_map(|answer| answer(&head, unread)) {
        return answer;
    }
    let message = if unread.message.is_empty() || unread.message.starts_with("expected") {
        "this item cannot be read".to_string()
    } else {
        unread.message.clone()
    };
    Mistake::new(unread.stopped, message)
        .help("in `network!` stand networks, `pub Name { … }`, pieces of them, `block Name { … }`, functions, `fn name(x) { … }`, and `use path::Block;`")
}

impl Head {
    fn new(tokens: &[TokenTree]) -> Head {
        let mut tokens: Vec<TokenTree> = tokens.to_vec();
        // `pub`, `pub(crate)`
        if matches!(tokens.first(), Some(TokenTree::Ident(word)) if *word == "pub") {
            tokens.remove(0);
            if matches!(tokens.first(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis) {
                tokens.remove(0);
            }
        }
        let word = |token: &TokenTree| match token {
            TokenTree::Ident(word) => word.to_string(),
            _ => String::new(),
        };
        Head { words: tokens.iter().map(word).collect(), tokens }
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    fn is(&self, at: usize, sign: char) -> bool {
        matches!(self.tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign)
    }

    fn at(&self, at: usize) -> Source {
        self.tokens.get(at).or(self.tokens.last()).map_or_else(Source::default, Source::of)
    }

    fn mistake(&self, at: usize, message: impl Into<String>) -> Mistake {
        Mistake::new(self.at(at), message)
    }

    /// What stands in the braces at the end.
    fn body(&self) -> Option<Vec<TokenTree>> {
        match self.tokens.last() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                Some(group.stream().into_iter().collect())
            }
            _ => None,
        }
    }

    fn has_input(&self) -> bool {
        self.body()
            .is_some_and(|body| body.iter().any(|token| matches!(token, TokenTree::Ident(word) if *word == "input")))
    }

    fn text(&self, from: usize, to: usize) -> String {
        tokens_text(&TokenStream::from_iter(self.tokens[from.min(to)..to].iter().cloned()))
    }
}

/// `struct Net { … }`, `def f(x)`, `const H: usize = 3;`, `import torch`, `blok Act { … }`
fn foreign_word(head: &Head, _: &Unread) -> Option<Diagnostic> {
    let at = usize::from(matches!(head.word(0), "async" | "unsafe" | "export" | "abstract" | "final"));
    let (word, name) = (head.word(at), head.word(at + 1));
    if matches!(word, "const" | "static" | "let" | "var" | "define") || (head.is(at + 1, '=') && head.tokens.len() == 4)
    {
        let (name, from) = if head.is(at + 1, '=') { (word, at + 2) } else { (name, at + 2) };
        let equals = (at..head.tokens.len()).find(|i| head.is(*i, '='));
        let end = head.tokens.len() - usize::from(head.is(head.tokens.len() - 1, ';'));
        let value = head.text(equals.map_or(from, |equals| equals + 1).min(end), end);
        let value = if value.is_empty() || value.contains(['(', '"']) { "64" } else { value.as_str() };
        let message = format!("`{word}` declares nothing here: constants belong to a network");
        return Some(
            head.mistake(at, message)
                .help(format!("declare it behind the network's name: `pub Net<{name} = {value}> {{ … }}`")),
        );
    }
    if matches!(word, "import" | "from" | "include" | "extern" | "using" | "require") {
        let message = format!("`{word}` does not exist here");
        return Some(
            head.mistake(at, message)
                .help("layers are known without it; a block of elsewhere comes by `use path::Block;`"),
        );
    }
    if word == "impl" {
        let help = "remove it: what a network does is its lines, and Rust's `impl` stands beside the macro";
        return Some(head.mistake(at, "`impl` stands in no `network!`").help(help));
    }
    if name.is_empty() {
        return None;
    }
    let mistake = |message: String| head.mistake(at, message);
    if NETWORK_WORDS.contains(&word) {
        let constants = angle_text(head, at + 2);
        let block = head.body().is_some() && !head.has_input() && !matches!(word, "network" | "net" | "model");
        let help = match block {
            true => format!(
                "a network is `pub {name}{constants} {{ input …; … }}`, a piece of one `block {name}{constants} {{ … }}`"
            ),
            false => format!("write `pub {name}{constants} {{ … }}`"),
        };
        return Some(mistake(format!("`{word}` declares no network: its name alone does")).help(help));
    }
    if FUNCTION_WORDS.contains(&word) {
        let parameters = parameters(head).unwrap_or_else(|| "x".into());
        let constants = angle_text(head, at + 2);
        return Some(
            mistake(format!("`{word}` declares no function: `fn` does"))
                .help(format!("write `fn {name}{constants}({parameters}) {{ … }}`")),
        );
    }
    let near = closest(word, ["block", "fn"].into_iter());
    if !matches!(word, "block" | "fn") && (BLOCK_WORDS.contains(&word) || near.is_some()) {
        if near == Some("fn") {
            let parameters = parameters(head).unwrap_or_else(|| "x".into());
            return Some(
                mistake(format!("`{word}` declares no function: `fn` does"))
                    .help(format!("write `fn {name}({parameters}) {{ … }}`")),
            );
        }
        let constants = angle_text(head, at + 2);
        let operands = parameters(head).map_or(String::new(), |names| format!("({names})"));
        return Some(
            mistake(format!("`{word}` declares no block: `block` does"))
                .help(format!("write `block {name}{constants}{operands} {{ … }}`")),
        );
    }
    if head.body().is_some() && word != "block" && word != "fn" {
        let constants = angle_text(head, at + 2);
        let help = match head.has_input() {
            true => format!("write `pub {name}{constants} {{ … }}`"),
            false => format!(
                "a network is `pub {name}{constants} {{ … }}`, a piece of one `block {name}{constants} {{ … }}`"
            ),
        };
        return Some(mistake(format!("`{word}` is no word that an item begins with")).help(help));
    }
    None
}

/// `/// text` or `#[…]` with no item behind it.
fn attribute_alone(_: &Head, unread: &Unread) -> Option<Diagnostic> {
    unread.tokens.is_empty().then(|| {
        let message = "no network, block or `fn` follows for this attribute";
        Mistake::new(unread.stopped, message).help("move it before the item that it is for; a comment is `// text`")
    })
}

/// A `fn` whose head or body is none.
fn function(head: &Head, unread: &Unread) -> Option<Diagnostic> {
    if head.word(0) != "fn" {
        return None;
    }
    let name = match head.word(1) {
        "" => "name",
        name => name,
    };
    let parameters = parameters(head).unwrap_or_else(|| "x".into());
    let group = |delimiter: Delimiter| {
        head.tokens.iter().any(|token| matches!(token, TokenTree::Group(g) if g.delimiter() == delimiter))
    };
    if !group(Delimiter::Brace) || !group(Delimiter::Parenthesis) {
        let message = "a `fn` has operands in `(…)` and a body in `{ … }`";
        return Some(Mistake::new(unread.stopped, message).help(format!("write `fn {name}({parameters}) {{ … }}`")));
    }
    let help = "its body is `let name = …;` lines and one value at the end, of numbers, operands, `+ - * /`, `if … { … } else { … }` \
                and functions such as `exp` and `max`";
    let message = match unread.message.as_str() {
        "" => "this belongs to no `fn`".to_string(),
        message if message.starts_with("expected") => format!("this belongs to no `fn` here: {message}"),
        message => message.to_string(),
    };
    Some(Mistake::new(unread.stopped, message).help(help))
}

/// The names in the parentheses of a block or function, without types and `self`.
fn parameters(head: &Head) -> Option<String> {
    let group = head.tokens.iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => Some(group),
        _ => None,
    })?;
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let names = tokens.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')).filter_map(|part| {
        part.iter().find_map(|token| match token {
            TokenTree::Ident(word) if !matches!(word.to_string().as_str(), "self" | "mut" | "ref") => {
                Some(word.to_string())
            }
            _ => None,
        })
    });
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The constants behind the name at `at - 1` as they should be written.
fn angle_text(head: &Head, at: usize) -> String {
    if !head.is(at, '<') {
        return String::new();
    }
    let end = (at..head.tokens.len()).rfind(|i| head.is(*i, '>')).unwrap_or(head.tokens.len());
    constants_text(&head.tokens[at + 1..end]).map_or(String::new(), |(text, _)| text)
}

/// `<H: usize = 64>`, `<const H: usize>`, `<H in 8..32>`, `<H = [8, 32]>` as they should be written, and what is odd in them.
fn constants_text(tokens: &[TokenTree]) -> Option<(String, Option<(Source, String)>)> {
    let mut odd = None;
    let mut note = |token: &TokenTree, message: String| {
        if odd.is_none() {
            odd = Some((Source::of(token), message));
        }
    };
    let mut texts = Vec::new();
    let sign = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    for separator in tokens.iter().filter(|token| sign(token, ';')) {
        note(separator, "constants are separated by `,`".into());
    }
    for part in tokens.split(|token| sign(token, ',') || sign(token, ';')).filter(|part| !part.is_empty()) {
        let mut part = part.to_vec();
        if let TokenTree::Ident(word) = &part[0]
            && matches!(word.to_string().as_str(), "const" | "let" | "static" | "usize" | "int")
        {
            note(&part[0], format!("a constant is its name, without `{word}`"));
            part.remove(0);
        }
        let TokenTree::Ident(name) = part.first()? else { return None };
        let name = name.to_string();
        // A type, or a value behind the wrong sign.
        if part.len() > 2 && sign(&part[1], ':') {
            let typed = matches!(&part[2], TokenTree::Ident(word) if matches!(word.to_string().as_str(), "usize" | "u32" | "i32" | "u64" | "i64" | "bool" | "f32" | "f64" | "int" | "float"));
            note(
                &part[1],
                if typed {
                    "a constant has no type".into()
                } else {
                    format!("the value of `{name}` stands behind a `=`")
                },
            );
            if typed {
                part.drain(1..3);
            } else {
                part[1] = TokenTree::Punct(proc_macro2::Punct::new('=', proc_macro2::Spacing::Alone));
            }
        }
        let text = |tokens: &[TokenTree]| tokens_text(&TokenStream::from_iter(tokens.iter().cloned()));
        texts.push(match part.get(1) {
            None => name,
            Some(token) if sign(token, '=') => {
                let value = &part[2..];
                let list = matches!(value, [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket);
                if list {
                    note(token, "a list of values is a family, which `in` declares".into());
                    format!("{name} in {}", text(value))
                } else {
                    format!(
                        "{name} = {}",
                        if value.len() > 1 && !sign(&value[0], '-') {
                            format!("{{{}}}", text(value))
                        } else {
                            text(value)
                        }
                    )
                }
            }
            Some(TokenTree::Ident(word)) if *word == "in" || *word == "of" => {
                let members = &part[2..];
                let inner = match members {
                    [TokenTree::Group(group)] => {
                        if group.delimiter() != Delimiter::Bracket {
                            note(&members[0], "the members of a family stand in `[…]`".into());
                        }
                        tokens_text(&group.stream())
                    }
                    other => {
                        note(other.first()?, "the members of a family are listed one by one in `[…]`".into());
                        let numbers: Vec<String> = other
                            .iter()
                            .filter_map(|token| match token {
                                TokenTree::Literal(number) => Some(number.to_string()),
                                _ => None,
                            })
                            .collect();
                        numbers.join(", ")
                    }
                };
                format!("{name} in [{inner}]")
            }
            Some(other) => {
                note(other, format!("the value of `{name}` stands behind a `=`"));
                format!("{name} = {}", text(&part[1..]))
            }
        });
    }
    Some((format!("<{}>", texts.join(", ")), odd))
}

/// Mistakes in the constants behind the name.
fn constants(head: &Head, _: &Unread) -> Option<Diagnostic> {
    let block = head.word(0) == "block";
    let at = usize::from(block);
    let name = head.word(at);
    let word = if block { "block" } else { "pub" };
    if name.is_empty() {
        return None;
    }
    let bracketed = match head.tokens.get(at + 1) {
        Some(TokenTree::Group(group))
            if group.delimiter() == Delimiter::Bracket || (group.delimiter() == Delimiter::Parenthesis && !block) =>
        {
            Some(group.stream().into_iter().collect::<Vec<_>>())
        }
        _ => None,
    };
    if let Some(tokens) = bracketed.filter(|_| head.body().is_some()) {
        let (text, _) = constants_text(&tokens).filter(|(text, _)| text != "<>").unwrap_or_default();
        let message = format!("constants of `{name}` stand in `<…>`");
        return Some(head.mistake(at + 1, message).help(format!("write `{word} {name}{text} {{ … }}`")));
    }
    if !head.is(at + 1, '<') {
        return None;
    }
    let close = (at + 1..head.tokens.len()).rfind(|i| head.is(*i, '>'));
    let end = close.unwrap_or_else(|| head.tokens.len() - usize::from(head.body().is_some()));
    let (text, odd) = constants_text(&head.tokens[at + 2..end])?;
    let operands =
        if block { parameters(head).map_or(String::new(), |names| format!("({names})")) } else { String::new() };
    let help = format!("write `{word} {name}{text}{operands} {{ … }}`");
    if let Some((source, message)) = odd {
        return Some(Mistake::new(source, message).help(help));
    }
    if close.is_none() {
        return Some(head.mistake(at + 1, "this `<` is not closed").help(help));
    }
    None
}

/// `input x: [3];` or `Linear<3>;` beside the networks.
fn lines_alone(head: &Head, _: &Unread) -> Option<Diagnostic> {
    let word = head.word(0);
    let statement =
        matches!(word, "input" | "target" | "param" | "output" | "loss" | "repeat" | "from" | "if" | "return" | "for");
    let layer = is_layer(word) && super::names_layer(word);
    let ended = head.is(head.tokens.len().checked_sub(1)?, ';');
    (statement || layer || (head.is(1, ':') && !head.is(2, ':')) && ended).then(|| {
        let message = "this line stands in no network";
        head.mistake(0, message)
            .help("lines stand in the braces of a network, `pub Name { … }`, or of a `block Name { … }`")
    })
}

/// `block Up(x: Tensor) -> y { … }`
fn operands(head: &Head, _: &Unread) -> Option<Diagnostic> {
    if head.word(0) != "block" || head.word(1).is_empty() {
        return None;
    }
    let name = head.word(1);
    let constants = angle_text(head, 2);
    let parens = head
        .tokens
        .iter()
        .position(|token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis));
    let names = parameters(head).map_or(String::new(), |names| format!("({names})"));
    let help = format!("write `block {name}{constants}{names} {{ … }}`");
    if let Some(at) = parens {
        let inner: Vec<TokenTree> = match &head.tokens[at] {
            TokenTree::Group(group) => group.stream().into_iter().collect(),
            _ => Vec::new(),
        };
        if let Some(token) = inner.iter().find(|token| {
            !matches!(token, TokenTree::Ident(_)) && !matches!(token, TokenTree::Punct(p) if p.as_char() == ',')
        }) {
            return Some(
                Mistake::new(Source::of(token), format!("operands of the block `{name}` are names alone")).help(help),
            );
        }
        if !matches!(head.tokens.get(at + 1), Some(TokenTree::Group(_))) && head.tokens.len() > at + 1 {
            return Some(
                head.mistake(at + 1, format!("the braces of the block `{name}` follow its operands")).help(help),
            );
        }
    }
    let at = head.tokens.len() - 1;
    Some(head.mistake(at, format!("the block `{name}` has its lines in `{{ … }}`")).help(help))
}

/// `pub Net;`, `pub Net = { … }`, `pub Net: { … }`, `pub Net => { … }`
fn no_braces(head: &Head, _: &Unread) -> Option<Diagnostic> {
    let name = head.word(0);
    if name.is_empty() || name == "block" || name == "fn" {
        return None;
    }
    if head.is(1, '!') {
        let help = "remove it: networks stand in one `network!`, each as `pub Name { … }`";
        return Some(head.mistake(0, format!("`{name}!` is called in a `network!`")).help(help));
    }
    let help = format!("write `pub {name} {{ … }}`, with its lines in the braces");
    if head.body().is_some() && head.tokens.len() > 1 {
        return Some(
            head.mistake(1, format!("the braces of the network follow its name `{name}`"))
                .help(format!("write `pub {name} {{ … }}`")),
        );
    }
    Some(head.mistake(0, format!("the network `{name}` has no lines")).help(help))
}
