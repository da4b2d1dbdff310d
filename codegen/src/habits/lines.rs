//! Habits of lines: loops, branches, definitions, declarations of inputs, groups, and whatever else is an expression.

use super::read::{Reader, Said, is_layer};
use super::{Unread, names_layer, write};
use crate::diagnostics::{Diagnostic, Mistake, Source};
use crate::syntax::constant::tokens_text;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The tokens of a line, up to its `;` or braces.
struct Line<'t> {
    tokens: &'t [TokenTree],
    /// The identifiers among the tokens, and nothing for the others.
    words: Vec<String>,
    unread: &'t Unread,
}

/// What each habit is recognised by and answered with, in this order; the first that knows the line answers.
const HABITS: &[fn(&Line) -> Option<Diagnostic>] = &[
    comment,
    attribute_alone,
    decorator,
    unfinished,
    loop_,
    repeat,
    branch,
    definition,
    import,
    printed,
    constant,
    returned,
    output,
    port,
    param,
    loss,
    residual,
    group,
    several_lines,
    expression,
];

pub fn explain(unread: &Unread) -> Diagnostic {
    let end = unread.tokens.iter().rposition(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ';'));
    let line = Line::new(&unread.tokens[..end.map_or(0, |end| end + 1)], unread);
    if let Some(answer) = HABITS.iter().find_map(|habit| habit(&line)) {
        return answer;
    }
    let message = match &unread.message {
        // The parser's own words speak of tokens.
        message if message.is_empty() || message.starts_with("expected") => "this line cannot be read".to_string(),
        message => message.clone(),
    };
    Mistake::new(unread.stopped, message).help(
        "a line is `Layer<arguments>;`, `name: Layer<arguments>;` or `Layer<arguments>(value);`; what is fixed stands in \
         `<…>`, values in `(…)`, layers in `{…}`",
    )
}

/// The habits that a word alone is recognised by.
const WORDS: &[fn(&Line) -> Option<Diagnostic>] = &[unfinished, loop_, branch, definition, import, printed, returned];

/// What a line means that could be read, but calls what is no layer.
pub fn word(unread: &Unread) -> Option<Diagnostic> {
    let line = Line::new(&unread.tokens, unread);
    WORDS.iter().find_map(|habit| habit(&line))
}

impl<'t> Line<'t> {
    fn new(tokens: &'t [TokenTree], unread: &'t Unread) -> Line<'t> {
        let word = |token: &TokenTree| match token {
            TokenTree::Ident(word) => word.to_string(),
            _ => String::new(),
        };
        Line { tokens, words: tokens.iter().map(word).collect(), unread }
    }

    /// The identifier there, or nothing.
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    fn is(&self, at: usize, sign: char) -> bool {
        matches!(self.tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign)
    }

    fn at(&self, at: usize) -> Source {
        self.tokens.get(at).map_or(self.unread.stopped, Source::of)
    }

    fn group(&self, at: usize, delimiter: Delimiter) -> Option<&Group> {
        match self.tokens.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
            _ => None,
        }
    }

    /// The `{ … }` at the end.
    fn body(&self) -> Option<&Group> {
        self.group(self.tokens.len().checked_sub(1)?, Delimiter::Brace)
    }

    fn text(&self, from: usize, to: usize) -> String {
        tokens_text(&TokenStream::from_iter(self.tokens[from.min(to)..to].iter().cloned()))
    }

    fn mistake(&self, at: usize, message: impl Into<String>) -> Mistake {
        Mistake::new(self.at(at), message)
    }
}

/// `# text`
fn comment(line: &Line) -> Option<Diagnostic> {
    (line.is(0, '#') && line.group(1, Delimiter::Bracket).is_none())
        .then(|| line.mistake(0, "`#` begins no comment").help("a comment is `// text`"))
}

/// `@frozen`
fn decorator(line: &Line) -> Option<Diagnostic> {
    let name = line.word(1);
    (line.is(0, '@') && !name.is_empty() && !is_layer(name))
        .then(|| line.mistake(0, "`@` begins no attribute").help(format!("write `#[{name}]`, before a layer or group")))
}

/// `Relu as`, `from`, `output`: a word with nothing behind it.
fn unfinished(line: &Line) -> Option<Diagnostic> {
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
fn attribute_alone(line: &Line) -> Option<Diagnostic> {
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
fn count(tokens: &[TokenTree]) -> Option<String> {
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
fn difference(from: &str, to: &str, more: i64) -> String {
    match (from.parse::<i64>(), to.parse::<i64>()) {
        (Ok(from), Ok(to)) => (to - from + more).max(0).to_string(),
        (Ok(0), Err(_)) if more == 0 && to.chars().all(|c| c.is_alphanumeric() || c == '_') => to.to_string(),
        (Ok(from), Err(_)) if from == more => format!("{{{to}}}"),
        _ if more == 0 => format!("{{{to} - {from}}}"),
        _ => format!("{{{to} - {from} + {more}}}"),
    }
}

/// `for i in 0..3 { … }`, `while …`, `loop { … }`
fn loop_(line: &Line) -> Option<Diagnostic> {
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
fn repeat(line: &Line) -> Option<Diagnostic> {
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
fn branch(line: &Line) -> Option<Diagnostic> {
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

/// `def forward(self, x) { … }`, `class`, `struct`, …
fn definition(line: &Line) -> Option<Diagnostic> {
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
fn import(line: &Line) -> Option<Diagnostic> {
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
fn printed(line: &Line) -> Option<Diagnostic> {
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
fn declared(line: &Line) -> usize {
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
fn constant(line: &Line) -> Option<Diagnostic> {
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
fn returned(line: &Line) -> Option<Diagnostic> {
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
fn running(tokens: &[TokenTree], line: &Line) -> Said {
    let label = line.unread.named.first().cloned();
    Said { label, ..Reader::new(tokens.iter().cloned()).line() }
}

/// `a, b`, `(a, b)`, `[a, b]`, `a b`: names of values.
fn names(tokens: &[TokenTree]) -> Option<Vec<String>> {
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
fn output(line: &Line) -> Option<Diagnostic> {
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

/// The extents of a shape, however it is written.
fn extents(tokens: &[TokenTree]) -> Option<String> {
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
fn port(line: &Line) -> Option<Diagnostic> {
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
fn param(line: &Line) -> Option<Diagnostic> {
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
        Ok(number) if number == 0.0 => "Zeros".to_string(),
        Ok(number) if number == 1.0 => "Ones".to_string(),
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
fn loss(line: &Line) -> Option<Diagnostic> {
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
fn several_terms(tokens: &[TokenTree]) -> Option<String> {
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

/// `Residual: { … }`, `Shortcut { … }`, `residual { … }`, `Residual(…) { … }`
fn residual(line: &Line) -> Option<Diagnostic> {
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
fn group(line: &Line) -> Option<Diagnostic> {
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
            let help = format!("a group is `name: {{ … }}`; a way around lines is `Residual {{ … }}`");
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
fn lines_of(tokens: &[TokenTree], named: &[String]) -> Option<String> {
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
fn parts(tokens: &[TokenTree]) -> Vec<Vec<TokenTree>> {
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
fn several_lines(line: &Line) -> Option<Diagnostic> {
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
fn expression(line: &Line) -> Option<Diagnostic> {
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
fn explain_odd(line: &Line, mistake: Mistake, reader: &Reader) -> Option<Diagnostic> {
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
