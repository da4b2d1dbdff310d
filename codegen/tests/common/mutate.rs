//! Mutants of declarations: tokens, lines and groups deleted, doubled, moved, nested, and replaced by others and by the
//! numbers and names at which rules end.
//!
//! A mutant is a function of the dice alone, so that a number is enough to make it again.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    /// Dice of their own for each pair of numbers.
    pub fn new(seed: u64, index: u64) -> Dice {
        let mut dice = Dice(seed);
        let start = dice.next() ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Dice(start)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 if there is nothing to choose from.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Numbers at which rules end.
const NUMBERS: [&str; 40] = [
    "0",
    "1",
    "2",
    "3",
    "5",
    "7",
    "8",
    "15",
    "16",
    "17",
    "31",
    "33",
    "64",
    "65",
    "100",
    "255",
    "256",
    "4096",
    "4097",
    "65536",
    "16777216",
    "16777217",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "-1",
    "-0",
    "0.0",
    "-0.0",
    "0.5",
    "1.0",
    "1e-400",
    "1e400",
    "-1e400",
    "3.4e38",
    "1e39",
    "1usize",
    "2f32",
];

/// Words and pieces of the language, of Rust, and of other languages.
const WORDS: [&str; 66] = [
    "input",
    "target",
    "loss",
    "output",
    "from",
    "repeat",
    "if",
    "else",
    "Residual",
    "shortcut",
    "reshaped",
    "Concat",
    "param",
    "fn",
    "block",
    "as",
    "in",
    "pub",
    "use",
    "let",
    "true",
    "false",
    "_",
    "class",
    "ids",
    "one_hot",
    "Relu",
    "Linear",
    "Conv2d",
    "Flatten",
    "BatchNorm",
    "Add",
    "Mul",
    "Mean",
    "Self",
    "self",
    "crate",
    "type",
    "usize",
    "f32",
    "kiln",
    "r#loop",
    "impl",
    "struct",
    "ünï",
    "none",
    "NaN",
    "inf",
    "x",
    "H",
    "::",
    ";",
    ",",
    "=",
    "==",
    "-",
    "->",
    "<",
    ">",
    ".",
    "..",
    "#",
    "\"same\"",
    "'a'",
    "b\"x\"",
    "'life",
];

/// Lines that a declaration may have anywhere.
const LINES: [&str; 26] = [
    "Relu;",
    "Flatten;",
    "BatchNorm;",
    "Dropout<0.5>;",
    "Linear<3>;",
    "Conv2d<4, 3, padding = 1>;",
    "MaxPool2d<2>;",
    "GlobalAvgPool;",
    "Softmax;",
    "LayerNorm;",
    "Permute<[1, 0]>;",
    "Slice<start = 0, end = 1>;",
    "Residual { Relu; }",
    "Residual { Conv2d<4, 1>; } shortcut s if reshaped { Conv2d<4, 1>; }",
    "Concat { a: Relu; b: Tanh; }",
    "again: { Tanh; } twice: again(_);",
    "param extra: [1] = Zeros; Add(_, extra);",
    "input other: [3];",
    "target other: [3];",
    "if true { Relu; } else { Nothing; }",
    "if K > 1 { Tanh; } else if K == 1 { Relu; }",
    "#[frozen] frozen: Linear<4>;",
    "#[probe] probed: Tanh;",
    "#[init(weight = Constant<0.5>)] begun: Linear<4>;",
    "output x;",
    "loss: Mse(_, y) + 0.5 * Mean(_);",
];

/// What is put around lines.
const AROUND: [[&str; 2]; 9] = [
    ["Residual {", "}"],
    ["g: {", "}"],
    ["Concat { a: {", "} }"],
    ["repeat 2 {", "}"],
    ["repeat 33 {", "}"],
    ["repeat 4096 {", "}"],
    ["if true {", "}"],
    ["if false { Relu; } else {", "}"],
    ["Residual { Relu; } shortcut s {", "}"],
];

/// What other declarations have.
#[derive(Default)]
pub struct Pieces {
    /// Lines, as `Conv2d<6, 5>;` or `name: { … }`.
    lines: Vec<Vec<TokenTree>>,
    /// Tokens that are no groups.
    words: Vec<TokenTree>,
    groups: Vec<Group>,
}

impl Pieces {
    pub fn of(declarations: &[TokenStream]) -> Pieces {
        let mut pieces = Pieces::default();
        for tokens in declarations {
            pieces.collect(tokens.clone());
        }
        pieces
    }

    fn collect(&mut self, tokens: TokenStream) {
        let list: Vec<TokenTree> = tokens.into_iter().collect();
        self.lines.extend(lines(&list).into_iter().map(|(from, to)| list[from..to].to_vec()));
        for token in list {
            match token {
                TokenTree::Group(group) => {
                    self.collect(group.stream());
                    self.groups.push(group);
                }
                word => self.words.push(word),
            }
        }
    }
}

/// Where each line begins and ends: behind `;` or braces.
fn lines(list: &[TokenTree]) -> Vec<(usize, usize)> {
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, token) in list.iter().enumerate() {
        let ends = match token {
            TokenTree::Punct(p) => p.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        if ends {
            found.push((from, at + 1));
            from = at + 1;
        }
    }
    found
}

fn tokens(text: &str) -> Vec<TokenTree> {
    let tokens: TokenStream = text.parse().expect("pieces of mutants are tokens");
    tokens.into_iter().collect()
}

/// `declaration` with some changes, mostly one.
pub fn mutant(declaration: TokenStream, pieces: &Pieces, dice: &mut Dice) -> TokenStream {
    let changes = match dice.below(10) {
        0..6 => 1,
        6..8 => 2,
        8 => 3,
        _ => 1 + dice.below(8),
    };
    (0..changes).fold(declaration, |tokens, _| change(tokens, pieces, dice))
}

/// One change somewhere in the tokens, at any depth.
fn change(stream: TokenStream, pieces: &Pieces, dice: &mut Dice) -> TokenStream {
    let mut list: Vec<TokenTree> = stream.into_iter().collect();
    let full = |token: &TokenTree| matches!(token, TokenTree::Group(g) if !g.stream().is_empty());
    let groups: Vec<usize> = (0..list.len()).filter(|i| full(&list[*i])).collect();
    if !groups.is_empty() && dice.chance(80) {
        let at = dice.pick(&groups);
        if let TokenTree::Group(group) = &list[at] {
            list[at] = Group::new(group.delimiter(), change(group.stream(), pieces, dice)).into();
        }
        return list.into_iter().collect();
    }
    if list.is_empty() {
        return tokens(dice.pick(&LINES)).into_iter().collect();
    }
    let lines = lines(&list);
    match dice.below(if lines.is_empty() { 12 } else { 19 }) {
        0..8 => change_token(&mut list, pieces, dice),
        8..10 => change_kind(&mut list, dice),
        10 => {
            // A group of another declaration, in the place of one of this.
            let groups: Vec<usize> = (0..list.len()).filter(|i| matches!(list[*i], TokenTree::Group(_))).collect();
            if !groups.is_empty() && !pieces.groups.is_empty() {
                list[dice.pick(&groups)] = pieces.groups[dice.below(pieces.groups.len())].clone().into();
            }
        }
        11 => nest_operands(&mut list, dice),
        _ => change_line(&mut list, &lines, pieces, dice),
    }
    list.into_iter().collect()
}

fn change_token(list: &mut Vec<TokenTree>, pieces: &Pieces, dice: &mut Dice) {
    let (at, other) = (dice.below(list.len()), dice.below(list.len()));
    match dice.below(9) {
        0 => drop(list.remove(at)),
        1 => list.insert(other, list[at].clone()),
        2 => list.swap(at, other),
        3 => list.truncate(at),
        4 | 5 => {
            // A number for a number where there is one.
            let numbers: Vec<usize> = (0..list.len()).filter(|i| matches!(list[*i], TokenTree::Literal(_))).collect();
            let at = if numbers.is_empty() { at } else { dice.pick(&numbers) };
            list.splice(at..=at, tokens(dice.pick(&NUMBERS)));
        }
        6 => drop(list.splice(at..=at, tokens(dice.pick(&WORDS)))),
        7 => drop(list.splice(at..at, tokens(dice.pick(&WORDS)))),
        _ if !pieces.words.is_empty() => list[at] = pieces.words[dice.below(pieces.words.len())].clone(),
        _ => {}
    }
}

/// A group with other brackets, one more or one less; a name in other letters.
fn change_kind(list: &mut Vec<TokenTree>, dice: &mut Dice) {
    const DELIMITERS: [Delimiter; 3] = [Delimiter::Brace, Delimiter::Bracket, Delimiter::Parenthesis];
    let (at, other) = (dice.below(list.len()), dice.below(list.len()));
    match &list[at] {
        TokenTree::Group(group) if dice.chance(50) => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            list.splice(at..=at, inner);
        }
        TokenTree::Group(group) => list[at] = Group::new(dice.pick(&DELIMITERS), group.stream()).into(),
        TokenTree::Ident(name) if dice.chance(70) => {
            let text = name.to_string();
            let plain = text.trim_start_matches("r#");
            let text = match dice.below(3) {
                0 => plain.to_lowercase(),
                1 => plain.to_uppercase(),
                _ => format!("{plain}{plain}"),
            };
            list.splice(at..=at, tokens(&text));
        }
        _ => {
            let (from, to) = (at.min(other), at.max(other));
            let inner: TokenStream = list.drain(from..to).collect();
            list.insert(from, Group::new(dice.pick(&DELIMITERS), inner).into());
        }
    }
}

/// `f(x)` as `f(f(f(x)))`, and `[x]` as `[[[x]]]`.
fn nest_operands(list: &mut [TokenTree], dice: &mut Dice) {
    let at = dice.below(list.len());
    let depth = [1, 2, 5, 20, 80, 700][dice.below(6)];
    match (at.checked_sub(1).map(|before| list[before].clone()), &list[at]) {
        (Some(name @ TokenTree::Ident(_)), TokenTree::Group(group)) => {
            let mut inner = group.clone();
            for _ in 0..depth {
                let call = TokenStream::from_iter([name.clone(), inner.into()]);
                inner = Group::new(group.delimiter(), call);
            }
            list[at] = inner.into();
        }
        (_, token) => {
            let delimiter = dice.pick(&[Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace]);
            let mut inner = token.clone();
            for _ in 0..depth {
                inner = Group::new(delimiter, inner.into()).into();
            }
            list[at] = inner;
        }
    }
}

fn change_line(list: &mut Vec<TokenTree>, lines: &[(usize, usize)], pieces: &Pieces, dice: &mut Dice) {
    let ((from, to), (other, _)) = (lines[dice.below(lines.len())], lines[dice.below(lines.len())]);
    let line: Vec<TokenTree> = list[from..to].to_vec();
    match dice.below(9) {
        0 => drop(list.drain(from..to)),
        1 => drop(list.splice(other..other, line)),
        2 => {
            list.drain(from..to);
            let other = if other > from { other - (to - from) } else { other };
            list.splice(other..other, line);
        }
        3 | 4 if !pieces.lines.is_empty() => {
            let theirs = pieces.lines[dice.below(pieces.lines.len())].clone();
            let to = if dice.chance(50) { from } else { to };
            list.splice(from..to, theirs);
        }
        5 => drop(list.splice(from..from, tokens(dice.pick(&LINES)))),
        6 => {
            let [open, close] = dice.pick(&AROUND);
            let depth = [1, 1, 1, 2, 3, 20, 70, 400][dice.below(8)];
            let depth = if open.starts_with("repeat") { depth.min(3) } else { depth };
            let mut inner: TokenStream = line.into_iter().collect();
            for _ in 0..depth {
                inner = format!("{open} {inner} {close}").parse().expect("lines in braces are tokens");
            }
            list.splice(from..to, inner);
        }
        7 => {
            let times = [2, 3, 8, 40][dice.below(4)];
            let many: Vec<TokenTree> = (0..times).flat_map(|_| line.clone()).collect();
            list.splice(from..to, many);
        }
        _ => {
            let attribute = dice.pick(&[
                "#[frozen]",
                "#[probe]",
                "#[no_decay]",
                "#[name = \"a.b\"]",
                "#[init(weight = Zeros)]",
                "#[init(Normal<0, 1e400>)]",
                "#[fusion(off)]",
                "#[fusion(both)]",
                "#[cuda(precision = bf16)]",
                "#[cfg(test)]",
                "#[frozen(a.b)]",
            ]);
            list.splice(from..from, tokens(attribute));
        }
    }
}
