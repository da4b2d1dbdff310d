//! Tokens of a line in any language → [`Said`]: what was meant, as far as brackets and operators tell, and what is odd in
//! it. Where the parser of the language stops, this reader goes on: it takes `(3, 3)` for a pair, `8 3` for two arguments and
//! `name: value` for a named one, and notes each.

use crate::diagnostics::Source;
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Something that is not of the language, where it stands.
#[derive(Clone, Debug)]
pub struct Oddity {
    pub source: Source,
    pub message: String,
}

/// One line: `label: expression as alias`.
#[derive(Clone, Debug)]
pub struct Said {
    pub label: Option<String>,
    pub value: Expr,
    pub alias: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Expr {
    /// A number, `true`, `false`: as it is written in `<…>`.
    Number(String),
    Text(String),
    /// `x`, `features.low`, `nn.functional`
    Path(Vec<String>),
    Call(Box<Call>),
    /// In order; each takes what the one before it gave.
    Chain(Vec<Expr>),
    /// `[a, b]`, or `(a, b)`.
    List(Vec<Arg>),
    Operation(char, Box<Expr>, Box<Expr>),
    /// `0..10`
    Range(Box<Expr>, Box<Expr>),
    /// `{ … }` with what stands in it.
    Braces(TokenStream),
    /// Nothing that could be read.
    Odd,
}

/// `receiver.name<fixed>(given)(operands) { body }`
#[derive(Clone, Debug)]
pub struct Call {
    pub receiver: Option<Expr>,
    pub name: String,
    pub fixed: Vec<Arg>,
    /// `<…>` was there.
    pub angled: bool,
    /// What stands in each pair of parentheses.
    pub given: Vec<Vec<Arg>>,
    pub body: bool,
}

#[derive(Clone, Debug)]
pub struct Arg {
    pub name: Option<String>,
    pub value: Expr,
}

/// Over the tokens of one pair of brackets.
pub struct Reader {
    tokens: Vec<TokenTree>,
    at: usize,
    pub odd: Vec<Oddity>,
}

impl Reader {
    pub fn new(tokens: impl IntoIterator<Item = TokenTree>) -> Reader {
        Reader { tokens: tokens.into_iter().collect(), at: 0, odd: Vec::new() }
    }

    fn peek(&self, ahead: usize) -> Option<&TokenTree> {
        self.tokens.get(self.at + ahead)
    }

    fn is(&self, ahead: usize, sign: char) -> bool {
        matches!(self.peek(ahead), Some(TokenTree::Punct(p)) if p.as_char() == sign)
    }

    /// Signs that stand together: `->`, `..`, `::`.
    fn signs(&self, signs: &str) -> bool {
        let count = signs.chars().count();
        signs.chars().enumerate().all(|(i, sign)| {
            matches!(self.peek(i), Some(TokenTree::Punct(p))
                if p.as_char() == sign && (i + 1 == count || p.spacing() == Spacing::Joint))
        })
    }

    fn word(&self, ahead: usize) -> Option<String> {
        match self.peek(ahead) {
            Some(TokenTree::Ident(word)) => Some(word.to_string()),
            _ => None,
        }
    }

    fn group(&self, delimiter: Delimiter) -> Option<Group> {
        match self.peek(0) {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group.clone()),
            _ => None,
        }
    }

    fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Where the reader stands: the next token, or the last one.
    fn here(&self) -> Source {
        let token = self.peek(0).or(self.tokens.last());
        token.map_or_else(Source::default, |token| Source::of(&token.clone()))
    }

    fn before(&self) -> Source {
        let token = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        token.map_or_else(Source::default, |token| Source::of(&token.clone()))
    }

    fn note(&mut self, source: Source, message: impl Into<String>) {
        self.odd.push(Oddity { source, message: message.into() });
    }

    /// The whole line; what is left over makes it unreadable.
    pub fn line(&mut self) -> Said {
        let label = self.label();
        let mut value = self.expression(true);
        let mut alias = None;
        if let Some(sign) =
            ["->", "=>", "="].into_iter().find(|sign| self.signs(sign) && self.names_at_the_end(sign.len()))
        {
            self.note(self.here(), format!("`{sign}` names nothing here: `as` does"));
            alias = self.word(sign.len());
            self.at += sign.len() + 1;
        }
        while self.word(0).is_some_and(|word| word == "as") && self.word(1).is_some() {
            if alias.is_some() {
                self.note(self.here(), "this line has two names behind `as`");
            }
            alias = alias.or(self.word(1));
            self.at += 2;
        }
        while self.is(0, ',') || self.is(0, ';') || self.is(0, '\\') {
            if !self.is(0, ';') {
                self.note(self.here(), "a line ends with `;`");
            }
            self.at += 1;
        }
        if !self.done() {
            let next = self.peek(0).map(crate::syntax::short).unwrap_or_default();
            self.note(self.here(), format!("`{next}` does not belong to this line"));
            value = Expr::Odd;
        }
        Said { label, value, alias }
    }

    /// `name:` and what other languages write in its place.
    fn label(&mut self) -> Option<String> {
        let name = match self.peek(0)? {
            TokenTree::Ident(word) => word.to_string(),
            TokenTree::Literal(text) if text.to_string().starts_with('"') => text.to_string().trim_matches('"').into(),
            _ => return None,
        };
        let own = matches!(self.peek(0), Some(TokenTree::Ident(_)));
        let start = self.here();
        self.at += 1;
        let sign = [":=", "->", "=>", "<-", "=", ":"].into_iter().find(|sign| self.signs(sign));
        let between = |sign: &&str| is_layer(&name) && *sign != ":";
        let Some(sign) = sign.filter(|sign| !self.signs("::") && !self.signs("==") && !between(sign)) else {
            self.at -= 1;
            return None;
        };
        if sign != ":" {
            self.note(self.here(), format!("`{sign}` names nothing here"));
        } else if !own {
            self.note(start, "a name is written without quotes");
        }
        self.at += sign.len();
        // `x: Tensor = …`, `x: torch.Tensor = …`
        let typed = (0..self.tokens.len() - self.at).find(|i| self.is(*i, '=')).filter(|end| {
            *end > 0
                && (0..*end).all(|i| self.word(i).is_some() || self.is(i, '.') || self.is(i, ':') || self.is(i, '&'))
        });
        if let (":", Some(end)) = (sign, typed) {
            self.note(self.here(), "a value has no type that is written");
            self.at += end + 1;
        }
        Some(name)
    }

    /// `chained`: `|`, `->` and their like may stand between layers.
    pub fn expression(&mut self, chained: bool) -> Expr {
        let first = self.sum();
        let mut all = vec![first];
        while chained && !self.done() {
            let Some(sign) = ["|>", "->", "=>", ">>", "|"].into_iter().find(|sign| self.signs(sign)) else { break };
            if self.names_at_the_end(sign.len()) {
                break;
            }
            self.note(self.here(), format!("`{sign}` does not stand between layers: `;` does"));
            self.at += sign.chars().count();
            let next = self.sum();
            all.push(next);
        }
        if all.len() == 1 { all.swap_remove(0) } else { Expr::Chain(all) }
    }

    /// A lone name follows, and nothing else: `Relu -> a`.
    fn names_at_the_end(&self, ahead: usize) -> bool {
        self.word(ahead).is_some_and(|word| !is_layer(&word)) && self.peek(ahead + 1).is_none()
    }

    fn sum(&mut self) -> Expr {
        let mut left = self.product();
        while let Some(sign) = ['+', '-'].into_iter().find(|sign| self.is(0, *sign) && !self.signs("->")) {
            left = self.operation(sign, left, Self::product);
        }
        left
    }

    fn product(&mut self) -> Expr {
        let mut left = self.prefixed();
        if matches!(left, Expr::Number(_)) && self.word(0).is_some_and(|word| is_layer(&word)) {
            self.note(self.here(), "between a weight and its loss stands `*`");
            return Expr::Operation('*', Box::new(left), Box::new(self.prefixed()));
        }
        while let Some(sign) = ['*', '/', '%', '@', '^'].into_iter().find(|sign| self.is(0, *sign)) {
            let percent = sign == '%' && (self.peek(1).is_none() || self.is(1, ',') || self.is(1, '>'));
            if let (true, Expr::Number(number)) = (percent, &left) {
                self.note(self.before(), "a share is a number from 0 to 1");
                left = Expr::Number(number.parse().map_or(number.clone(), |x: f64| (x / 100.0).to_string()));
                self.at += 1;
                continue;
            }
            left = self.operation(sign, left, Self::prefixed);
        }
        left
    }

    fn operation(&mut self, sign: char, left: Expr, right: fn(&mut Self) -> Expr) -> Expr {
        self.note(self.here(), format!("`{sign}` does not stand between values: layers do"));
        self.at += 1;
        if self.is(0, '=') {
            self.at += 1;
        }
        Expr::Operation(sign, Box::new(left), Box::new(right(self)))
    }

    fn prefixed(&mut self) -> Expr {
        if self.is(0, '&') || self.is(0, '*') {
            let sign = if self.is(0, '&') { '&' } else { '*' };
            self.note(self.here(), format!("`{sign}` has no meaning before a value"));
            self.at += 1;
            if self.word(0).is_some_and(|word| word == "mut") {
                self.at += 1;
            }
            return self.prefixed();
        }
        if self.is(0, '-') {
            self.at += 1;
            return match self.prefixed() {
                Expr::Number(number) => Expr::Number(format!("-{number}")),
                other => Expr::Operation('-', Box::new(Expr::Number("0".into())), Box::new(other)),
            };
        }
        if self.is(0, '+') {
            self.note(self.here(), "a number has no `+`");
            self.at += 1;
            return self.prefixed();
        }
        let first = self.primary();
        self.postfixed(first)
    }

    fn primary(&mut self) -> Expr {
        let here = self.here();
        let Some(token) = self.peek(0).cloned() else { return Expr::Odd };
        match token {
            TokenTree::Literal(literal) => {
                self.at += 1;
                self.literal(&literal.to_string(), here)
            }
            TokenTree::Ident(word) => {
                self.at += 1;
                match word.to_string().as_str() {
                    "True" | "False" => {
                        self.note(here, format!("a truth value is `true` or `false`, found `{word}`"));
                        Expr::Number(word.to_string().to_lowercase())
                    }
                    "true" | "false" => Expr::Number(word.to_string()),
                    "new" | "await" if self.word(0).is_some() => self.primary(),
                    name => Expr::Path(vec![name.to_string()]),
                }
            }
            TokenTree::Group(group) => {
                self.at += 1;
                match group.delimiter() {
                    Delimiter::Brace => Expr::Braces(group.stream()),
                    delimiter => {
                        let mut items = self.within(&group);
                        let one = delimiter == Delimiter::Parenthesis && items.len() == 1 && items[0].name.is_none();
                        if one {
                            return items.swap_remove(0).value;
                        }
                        if delimiter == Delimiter::Parenthesis {
                            self.note(here, "a list stands in `[…]`");
                        }
                        Expr::List(items)
                    }
                }
            }
            TokenTree::Punct(_) => Expr::Odd,
        }
    }

    fn literal(&mut self, text: &str, source: Source) -> Expr {
        if text.starts_with(['"', '\'']) {
            return Expr::Text(text.trim_matches(['"', '\'']).to_string());
        }
        let digits = text.find(|c: char| c.is_alphabetic() && !matches!(c, 'e' | 'E')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        if let Some(other) = suffix.strip_prefix('x').filter(|other| other.chars().all(|c| c.is_ascii_digit()))
            && !other.is_empty()
            && number != "0"
        {
            self.note(source, "two numbers are a list `[…]`");
            let item = |text: &str| Arg { name: None, value: Expr::Number(text.into()) };
            return Expr::List(vec![item(number), item(other)]);
        }
        if !suffix.is_empty() {
            self.note(source, format!("the suffix `{suffix}` has no meaning here"));
        }
        let mut number = number.trim_end_matches('.').replace('_', "");
        if number.starts_with('.') {
            number.insert(0, '0');
        }
        Expr::Number(number)
    }

    /// What stands in a pair of brackets, separated by commas.
    fn within(&mut self, group: &Group) -> Vec<Arg> {
        let mut inner = Reader::new(group.stream());
        let items = inner.arguments(false);
        self.odd.append(&mut inner.odd);
        items
    }

    /// All that is left, separated by commas.
    pub fn values(&mut self) -> Vec<Arg> {
        self.arguments(false)
    }

    /// Up to `>` if `angled`, else to the end.
    fn arguments(&mut self, angled: bool) -> Vec<Arg> {
        let mut items = Vec::new();
        loop {
            if self.done() || (angled && self.is(0, '>')) {
                return items;
            }
            if self.is(0, ',') {
                self.note(self.here(), "something is missing before this `,`");
                self.at += 1;
                continue;
            }
            let from = self.at;
            let item = self.argument();
            items.push(item);
            if self.is(0, ',') {
                self.at += 1;
            } else if self.is(0, ';') {
                self.note(self.here(), "arguments are separated by `,`, not by `;`");
                self.at += 1;
            } else if !(self.done() || (angled && self.is(0, '>'))) {
                if self.at == from {
                    // Nothing could be made of this token.
                    let next = self.peek(0).map(crate::syntax::short).unwrap_or_default();
                    self.note(self.here(), format!("`{next}` is no argument"));
                    self.at += 1;
                } else {
                    let next = self.peek(0).map(crate::syntax::short).unwrap_or_default();
                    self.note(self.here(), format!("a `,` is missing before `{next}`"));
                }
            }
        }
    }

    fn argument(&mut self) -> Arg {
        let mut name = None;
        if let Some(word) = self.word(0) {
            let sign = ["==", ":=", "=>", "->", "=", ":"].into_iter().find(|sign| {
                let ahead = Reader::new(self.tokens[self.at + 1..].iter().cloned());
                !ahead.signs("::") && ahead.signs(sign)
            });
            if let Some(sign) = sign {
                self.at += 1;
                if sign != "=" {
                    self.note(self.here(), format!("a named argument is `{word} = …`, not `{word}{sign} …`"));
                }
                self.at += sign.len();
                name = Some(word);
            } else if matches!(self.peek(1), Some(TokenTree::Literal(_))) && word.starts_with(char::is_lowercase) {
                self.at += 1;
                self.note(self.here(), format!("a `=` is missing between `{word}` and its value"));
                name = Some(word);
            }
        }
        let value = self.expression(false);
        if self.is(0, '.') && self.is(1, '.') {
            self.note(self.here(), "a range is given by its ends");
            self.at += 2;
            if self.is(0, '=') {
                self.at += 1;
            }
            let end = self.expression(false);
            return Arg { name, value: Expr::Range(Box::new(value), Box::new(end)) };
        }
        Arg { name, value }
    }

    /// What follows a value: `.method(…)`, `::name`, `<…>`, `(…)`, `[…]`, `{…}`.
    fn postfixed(&mut self, mut value: Expr) -> Expr {
        loop {
            if self.signs("::") {
                self.at += 2;
                if !self.is(0, '<') {
                    value = self.member(value);
                }
            } else if self.is(0, '.') && !self.is(1, '.') {
                self.at += 1;
                if self.word(0).is_none() && !matches!(self.peek(0), Some(TokenTree::Literal(_))) {
                    return value;
                }
                value = self.member(value);
            } else if self.is(0, '<') && !self.signs("<-") && matches!(value, Expr::Path(_) | Expr::Call(_)) {
                value = self.angle(value);
            } else if let Some(group) =
                self.group(Delimiter::Parenthesis).filter(|_| matches!(value, Expr::Path(_) | Expr::Call(_)))
            {
                self.at += 1;
                let items = self.within(&group);
                let mut call = self.called(value);
                call.given.push(items);
                value = Expr::Call(Box::new(call));
            } else if let Some(group) = self.group(Delimiter::Bracket).filter(|_| is_named_layer(&value)) {
                self.note(self.here(), "what is fixed at compile time stands in `<…>`, not in `[…]`");
                self.at += 1;
                let items = self.within(&group);
                let mut call = self.called(value);
                call.fixed.extend(items);
                call.angled = true;
                value = Expr::Call(Box::new(call));
            } else if self.group(Delimiter::Bracket).is_some() && matches!(value, Expr::Path(_) | Expr::Call(_)) {
                self.note(self.here(), "a value has no parts that could be taken by `[…]`");
                self.at += 1;
                value = Expr::Call(Box::new(Call { name: "[]".into(), ..self.called(value) }));
            } else if let Some(group) =
                self.group(Delimiter::Brace).filter(|_| matches!(value, Expr::Path(_) | Expr::Call(_)))
            {
                let arguments = is_named_layer(&value) && is_argument_list(&group);
                let start = self.here();
                self.at += 1;
                let mut call = self.called(value);
                if arguments {
                    self.note(start, "what is fixed at compile time stands in `<…>`, not in `{…}`");
                    let items = self.within(&group);
                    call.fixed.extend(items);
                    call.angled = true;
                } else {
                    call.body = true;
                }
                value = Expr::Call(Box::new(call));
            } else if self.is(0, '?') || (self.is(0, '!') && matches!(self.peek(1), Some(TokenTree::Group(_)))) {
                self.note(self.here(), "this sign has no meaning here");
                self.at += 1;
            } else if is_named_layer(&value) && self.word(0).is_some_and(|word| word != "as" && !is_layer(&word)) {
                // `Add a, b`
                self.note(self.here(), "values stand in `(…)`");
                let items = self.values();
                let mut call = self.called(value);
                call.given.push(items);
                value = Expr::Call(Box::new(call));
            } else if is_named_layer(&value) && matches!(self.peek(0), Some(TokenTree::Literal(_))) {
                // `Conv2d 8, 3>`
                self.note(self.here(), "the `<` before the first argument is missing");
                value = self.unopened(value);
            } else {
                return value;
            }
        }
    }

    fn member(&mut self, value: Expr) -> Expr {
        let name = match self.peek(0) {
            Some(TokenTree::Ident(word)) => word.to_string(),
            Some(other) => other.to_string(),
            None => return value,
        };
        self.at += 1;
        match value {
            Expr::Path(mut path) => {
                path.push(name);
                Expr::Path(path)
            }
            receiver => Expr::Call(Box::new(Call {
                receiver: Some(receiver),
                name,
                fixed: Vec::new(),
                angled: false,
                given: Vec::new(),
                body: false,
            })),
        }
    }

    /// A path that turns out to be called.
    fn called(&mut self, value: Expr) -> Call {
        match value {
            Expr::Call(call) => *call,
            Expr::Path(mut path) => {
                let name = path.pop().unwrap_or_default();
                let receiver = (!path.is_empty()).then_some(Expr::Path(path));
                Call { receiver, name, fixed: Vec::new(), angled: false, given: Vec::new(), body: false }
            }
            other => Call {
                receiver: Some(other),
                name: String::new(),
                fixed: Vec::new(),
                angled: false,
                given: Vec::new(),
                body: false,
            },
        }
    }

    fn angle(&mut self, value: Expr) -> Expr {
        let open = self.here();
        self.at += 1;
        let mut call = self.called(value);
        if let (Some(group), true) = (self.group(Delimiter::Parenthesis), self.is(1, '>')) {
            // `Conv2d<(8, 3)>`
            self.note(self.here(), "arguments stand in `<…>` without parentheses");
            self.at += 1;
            call.fixed.extend(self.within(&group));
        }
        call.fixed.extend(self.arguments(true));
        call.angled = true;
        if self.is(0, '>') {
            self.at += 1;
            while self.is(0, '>') {
                self.note(self.here(), "this `>` closes nothing");
                self.at += 1;
            }
        } else {
            self.note(open, "this `<` is not closed");
        }
        Expr::Call(Box::new(call))
    }

    fn unopened(&mut self, value: Expr) -> Expr {
        let mut call = self.called(value);
        call.fixed.extend(self.arguments(true));
        call.angled = true;
        if self.is(0, '>') {
            self.at += 1;
        }
        Expr::Call(Box::new(call))
    }
}

/// Layers and losses begin with a capital, constants have nothing else.
pub fn is_layer(name: &str) -> bool {
    let last = name.rsplit(['.', ':']).next().unwrap_or(name);
    last.starts_with(char::is_uppercase) && last.chars().any(char::is_lowercase)
}

fn is_named_layer(value: &Expr) -> bool {
    match value {
        Expr::Path(path) => path.last().is_some_and(|name| is_layer(name)),
        Expr::Call(call) => is_layer(&call.name) && !call.angled && call.given.is_empty(),
        _ => false,
    }
}

/// `{16}` and `{size = 16}` hold arguments, `{ Relu; }` lines.
fn is_argument_list(group: &Group) -> bool {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let lines = tokens.iter().any(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ';'));
    !lines && matches!(tokens.first(), Some(TokenTree::Literal(_))) || {
        let named = matches!((tokens.first(), tokens.get(1)), (Some(TokenTree::Ident(_)), Some(TokenTree::Punct(p)))
            if p.as_char() == '=' || p.as_char() == ':');
        let number = matches!(tokens.get(2), Some(TokenTree::Literal(_)));
        !lines && named && number
    }
}
