//! `use path::Block;` and `pub Net = path::Block<…>;`: how the text of a `pub block` travels from one `network!` to another.
//!
//! A macro sees only its own tokens, so the compiler must be asked to fetch those of another. A `pub block` is emitted as a
//! `macro_rules!` of its name that holds the block's text and all that this text needs; a `network!` with a `use` expands
//! to a call of that macro, which calls `network!` back with the text in the place of the path:
//!
//! ```text
//! network! { A use p::B; C }  →  p::B! { [::kiln::network] [A @import B] C }  →  ::kiln::network! { A @import B { … } C }
//! ```
//!
//! One round fetches one block. What is fetched needs nothing from where it came, for names of another crate's modules
//! mean nothing here. Its tokens get the span of the path that named it: a mistake in it stands there, and not in a file
//! that is not the user's.

use super::Item;
use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use std::collections::BTreeSet;
use syn::parse::Parser;

/// What a `pub block` or `pub fn` gives to other `network!`s.
#[derive(Clone, Debug)]
pub struct Export {
    pub name: Ident,
    pub vis: TokenStream,
    pub docs: TokenStream,
    /// `block Up<C, S = 1>(x, skip)`
    pub signature: String,
    /// It and what it needs, as items in order; `None` after a mistake, which is reported where it was made.
    pub text: Option<TokenStream>,
}

/// An item's tokens, and how far it is visible.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub tokens: TokenStream,
    pub vis: TokenStream,
    pub docs: TokenStream,
}

/// The call that fetches the first block of elsewhere, if there is one.
pub fn next(input: &TokenStream) -> Option<TokenStream> {
    let tokens: Vec<TokenTree> = input.clone().into_iter().collect();
    let mut angles = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        let place = match token {
            TokenTree::Ident(word) if angles == 0 && *word == "use" => used(&tokens, at),
            TokenTree::Punct(p) if angles == 0 && p.as_char() == '=' => declared_from(&tokens, at),
            TokenTree::Punct(p) => {
                match p.as_char() {
                    '<' => angles += 1,
                    '>' => angles = angles.saturating_sub(1),
                    ';' => angles = 0,
                    _ => {}
                }
                None
            }
            // A body ends an item, whatever stood before it.
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                angles = if closes_braces_in_angles(&tokens, at) { angles } else { 0 };
                None
            }
            TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Literal(_) => None,
        };
        if let Some(Place { path, before, after }) = place {
            let name = path.iter().rev().find(|t| matches!(t, TokenTree::Ident(_)))?;
            let span = name.span();
            let path = TokenStream::from_iter(path.iter().cloned());
            // `use a::use;` is left to the parser's complaint too: no macro can be called so.
            if syn::Path::parse_mod_style.parse2(path.clone()).is_err() {
                continue;
            }
            return Some(quote_spanned!(span=> #path! { [::kiln::network] [#before] #after }));
        }
    }
    None
}

/// `{4 * H}` within `<…>`.
fn closes_braces_in_angles(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at + 1), Some(TokenTree::Punct(p)) if matches!(p.as_char(), '>' | ','))
}

/// A path to fetch from, and what stands around it in the next round.
struct Place {
    path: Vec<TokenTree>,
    before: TokenStream,
    after: TokenStream,
}

/// `use a::b::Block;`, `use a::Block as Other;`, `use a::{B, C};`. Anything else is left to the parser's complaint.
fn used(tokens: &[TokenTree], at: usize) -> Option<Place> {
    let end = at + tokens[at..].iter().position(|t| is(t, ';'))?;
    let before = TokenStream::from_iter(tokens[..at].iter().cloned());
    let after = TokenStream::from_iter(tokens[end + 1..].iter().cloned());
    let list = &tokens[at + 1..end];
    let length = path_length(list);
    let (path, rest) = list.split_at(length);
    match rest {
        [] => {
            let name = path.last()?;
            Some(Place { path: path.to_vec(), before: quote!(#before @import #name), after })
        }
        [TokenTree::Ident(word), name @ TokenTree::Ident(_)] if *word == "as" => {
            Some(Place { path: path.to_vec(), before: quote!(#before @import #name), after })
        }
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace && is(path.last()?, ':') => {
            // One line each, the first of which is next.
            let prefix = TokenStream::from_iter(path.iter().cloned());
            let members: Vec<TokenTree> = group.stream().into_iter().collect();
            let lines: TokenStream = members
                .split(|t| is(t, ','))
                .filter(|member| !member.is_empty())
                .map(|member| {
                    let member = TokenStream::from_iter(member.iter().cloned());
                    quote!(use #prefix #member;)
                })
                .collect();
            let lines: Vec<TokenTree> = quote!(#lines #after).into_iter().collect();
            let mut place = used(&lines, 0)?;
            let inner = place.before;
            place.before = quote!(#before #inner);
            Some(place)
        }
        _ => None,
    }
}

/// `= a::b::Block<…>;` behind the name of a network.
fn declared_from(tokens: &[TokenTree], at: usize) -> Option<Place> {
    let rest = &tokens[at + 1..];
    let length = path_length(rest);
    let path = &rest[..length];
    let TokenTree::Ident(name) = path.last()? else { return None };
    if !rest.get(length).is_some_and(|t| is(t, '<') || is(t, ';')) {
        return None;
    }
    if length == 1 && known_here(&tokens[..at], name) {
        return None;
    }
    let before = TokenStream::from_iter(tokens[..=at].iter().cloned());
    let after = TokenStream::from_iter(rest[length..].iter().cloned());
    Some(Place { path: path.to_vec(), before: quote!(#before @import #name), after })
}

/// A block of this name stands before.
fn known_here(before: &[TokenTree], name: &Ident) -> bool {
    before.windows(2).any(|pair| match pair {
        [TokenTree::Ident(word), TokenTree::Ident(own)] => (*word == "block" || *word == "import") && own == name,
        _ => false,
    })
}

/// How many tokens at the start are `a::b::`, `::a::B` or `B`.
fn path_length(tokens: &[TokenTree]) -> usize {
    let mut length = 0;
    let mut name_next = true;
    while let Some(token) = tokens.get(length) {
        match token {
            TokenTree::Ident(word) if name_next && *word != "as" => {
                length += 1;
                name_next = false;
            }
            TokenTree::Punct(p) if p.as_char() == ':' && p.spacing() == Spacing::Joint => {
                if !(tokens.get(length + 1).is_some_and(|t| is(t, ':')) && (!name_next || length == 0)) {
                    break;
                }
                length += 2;
                name_next = true;
            }
            _ => break,
        }
    }
    length
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == sign)
}

/// Every token with this span.
pub fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    let one = |token| match token {
        TokenTree::Group(group) => {
            let mut own = Group::new(group.delimiter(), respanned(group.stream(), span));
            own.set_span(span);
            TokenTree::Group(own)
        }
        mut other => {
            other.set_span(span);
            other
        }
    };
    tokens.into_iter().map(one).collect()
}

/// What this `network!` gives to others. `written` is parallel to `items`.
pub fn exports(items: &[Item], written: &[Written]) -> Vec<Export> {
    let mut exports = Vec::new();
    for (i, (item, own)) in items.iter().zip(written).enumerate() {
        if own.vis.is_empty() {
            continue;
        }
        let (name, signature, sound) = match item {
            Item::Block(block) => (&block.name, block.signature(), block.intact),
            Item::Function(function) => (&function.name, function.signature(), true),
            Item::Unreadable { name } => (name, format!("block {name}"), false),
            Item::Network(_) | Item::Broken { .. } | Item::Import(_) => continue,
        };
        exports.push(Export {
            name: name.clone(),
            vis: own.vis.clone(),
            docs: own.docs.clone(),
            signature,
            text: sound.then(|| closure(&items[..=i], &written[..=i])),
        });
    }
    exports
}

/// The last item, a network, with all that it uses: what `network!` would make the same network of, without anything else.
///
/// What a `macro_rules!` of the user has put in one piece stays one where the text is read again.
pub fn source(items: &[Item], written: &[Written]) -> TokenStream {
    let used = match items.split_last() {
        Some((Item::Network(_), _)) => closure(items, written),
        _ => TokenStream::new(),
    };
    bracketed(used)
}

/// Groups without brackets get some, unless they hold one token.
fn bracketed(tokens: TokenStream) -> TokenStream {
    let one = |token| match token {
        TokenTree::Group(group) => {
            let inner = bracketed(group.stream());
            let single = inner.clone().into_iter().nth(1).is_none();
            match group.delimiter() {
                Delimiter::None if single => inner,
                Delimiter::None => TokenTree::Group(Group::new(Delimiter::Parenthesis, inner)).into(),
                other => TokenTree::Group(Group::new(other, inner)).into(),
            }
        }
        other => other.into(),
    };
    tokens.into_iter().map(one).collect()
}

/// The last item with all items before it that its words, or theirs, may mean.
fn closure(items: &[Item], written: &[Written]) -> TokenStream {
    let mut words = BTreeSet::new();
    let mut needed = Vec::new();
    for (i, (item, own)) in items.iter().zip(written).enumerate().rev() {
        let name = match item {
            Item::Block(block) => &block.name,
            Item::Function(function) => &function.name,
            Item::Import(import) => &import.name,
            Item::Unreadable { name } => name,
            Item::Network(network) if i + 1 == items.len() => &network.name,
            Item::Network(_) | Item::Broken { .. } => continue,
        };
        if i + 1 == items.len() || words.contains(&name.to_string()) {
            collect_words(own.tokens.clone(), &mut words);
            let sound = match item {
                Item::Block(block) => block.intact,
                Item::Function(_) | Item::Import(_) | Item::Network(_) => true,
                Item::Unreadable { .. } | Item::Broken { .. } => false,
            };
            needed.push(if sound { own.tokens.clone() } else { quote!(@import #name { @broken }) });
        }
    }
    needed.into_iter().rev().collect()
}

fn collect_words(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                words.insert(word.to_string());
            }
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
