//! How deep and how long what is written may be. Whatever reads tokens calls itself for what is within them, here and in
//! the compiler, and a stack is finite: a declaration beyond these limits gets an error instead of a crash.

use crate::diagnostics::{Diagnostic, Mistake, Source};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Brackets in one another. A debug build of this crate reads some 300 with the 8 MB that a compiler has, and analysers
/// have less.
pub const MOST_DEEP: usize = 64;
/// Tokens of one statement or argument, those in brackets not counted: operators, `<` and `else if` nest without brackets.
pub const MOST_TOKENS: usize = 512;
/// Levels of lines in one another when blocks, and lines applied again, are written out.
pub const MOST_LEVELS: usize = 100;
/// Operations of a `fn` with all that it calls.
pub const MOST_OPERATIONS: usize = 10_000;
/// Levels of operations in one another when `fn`s are written out.
pub const MOST_NESTED: usize = 400;

/// The first place beyond a limit.
pub fn mistake(input: &TokenStream) -> Option<Diagnostic> {
    within(input, 0)
}

fn within(input: &TokenStream, depth: usize) -> Option<Diagnostic> {
    let list: Vec<TokenTree> = input.clone().into_iter().collect();
    let mut length = 0;
    for (at, token) in list.iter().enumerate() {
        length = if starts(&list, at) { 1 } else { length + 1 };
        if length > MOST_TOKENS {
            let message = format!("more than {MOST_TOKENS} tokens stand here without a `;` or `,` between them");
            return Some(
                Mistake::new(Source::at(token.span()), message).help("name a part of it on a line of its own"),
            );
        }
        let TokenTree::Group(group) = token else { continue };
        if depth == MOST_DEEP {
            let message = format!("more than {MOST_DEEP} brackets stand in one another here");
            let help = "name a part of it: a line with a label, or a `block`";
            return Some(Mistake::new(Source::at(group.span_open()), message).help(help));
        }
        if let Some(mistake) = within(&group.stream(), depth + 1) {
            return Some(mistake);
        }
    }
    None
}

/// The tokens with nothing in their brackets: enough to find names, whatever was in them.
pub fn outermost(input: TokenStream) -> TokenStream {
    let one = |token| match token {
        TokenTree::Group(group) => TokenTree::Group(Group::new(group.delimiter(), TokenStream::new())),
        other => other,
    };
    input.into_iter().map(one).collect()
}

/// Whether a statement, an argument or an attribute begins with this token.
fn starts(list: &[TokenTree], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &list[before]) else { return true };
    match before {
        TokenTree::Punct(p) => matches!(p.as_char(), ';' | ','),
        TokenTree::Group(group) => match group.delimiter() {
            Delimiter::Brace => !matches!(&list[at], TokenTree::Ident(word) if *word == "else"),
            Delimiter::Bracket => at > 1 && matches!(&list[at - 2], TokenTree::Punct(p) if p.as_char() == '#'),
            Delimiter::Parenthesis | Delimiter::None => false,
        },
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> Option<String> {
        super::mistake(&text.parse().unwrap()).map(|mistake| mistake.message)
    }

    #[test]
    fn as_deep_as_may_be_and_one_deeper() {
        let nested = |n: usize| format!("{}x{}", "{".repeat(n), "}".repeat(n));
        assert_eq!(mistake(&nested(MOST_DEEP)), None);
        assert_eq!(mistake(&nested(MOST_DEEP + 1)), Some("more than 64 brackets stand in one another here".into()));
    }

    #[test]
    fn as_long_as_may_be_and_one_longer() {
        let sum = |n: usize| format!("fn f(x) {{ x{} }}", " + x".repeat(n));
        assert_eq!(mistake(&sum(255)), None);
        assert!(mistake(&sum(256)).is_some_and(|text| text.starts_with("more than 512 tokens")));
        let chain = |n: usize| "if A == 1 { Relu; }".to_string() + &" else if A == 2 { Relu; }".repeat(n);
        assert_eq!(mistake(&chain(70)), None);
        assert!(mistake(&chain(90)).is_some());
        // Lines, entries of lists and lines of documentation are as many as one likes.
        for text in ["Relu; ", "g: { Relu; } ", "#[doc = \"text\"] ", "if A { Relu; } ", "1, "] {
            assert_eq!(mistake(&text.repeat(2000)), None, "{text}");
        }
    }
}
