//! The declarations of this repository: of the zoo, examples, tests, goldens and the language reference.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where declarations stand.
const PLACES: [&str; 10] = [
    "README.md",
    "docs",
    "examples",
    "runtime/src",
    "macros/src",
    "codegen/src",
    "codegen/tests",
    "tests",
    "benches/build_times",
    "tests/golden/names",
];

/// Longer ones compile slowly.
const LARGE: usize = 1200;

pub fn is_large(tokens: &TokenStream) -> bool {
    tokens.to_string().len() > LARGE
}

/// Whether it is without mistakes as far as one `network!` can know.
pub fn is_sound(tokens: &TokenStream) -> bool {
    let (declarations, _, errors) = kiln_codegen::lower::frontend(tokens.clone());
    let sound = errors.is_empty() && !declarations.is_empty();
    errors.discard();
    sound
}

/// The texts of all declarations, each once, in an order that does not depend on the machine.
pub fn corpus(root: &Path) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for place in PLACES {
        collect(&root.join(place), &mut files)?;
    }
    files.sort();
    files.dedup();
    let mut texts = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        if file.parent().is_some_and(|folder| folder.ends_with("golden/names")) {
            texts.insert(text);
            continue;
        }
        // Documentation is text in comments.
        let bare: String = text
            .lines()
            .map(|line| line.trim_start().trim_start_matches("//!").trim_start_matches("///").to_string() + "\n")
            .collect();
        for text in [&text, &bare] {
            for (at, _) in text.match_indices("network! {") {
                texts.extend(braced(&text[at + "network! ".len()..]).map(str::to_string));
            }
        }
        if file.extension().is_some_and(|e| e == "rs")
            && let Ok(tokens) = text.parse()
        {
            quoted(tokens, &mut texts);
        }
    }
    // What is no text of tokens, and what is only a word about one, gives no mutants.
    let of_use = |text: &String| text.contains('{') && text.parse::<TokenStream>().is_ok_and(|t| !t.is_empty());
    let texts: Vec<String> = texts.into_iter().filter(of_use).collect();
    if texts.len() < 100 {
        return Err(format!("only {} declarations were found", texts.len()));
    }
    Ok(texts)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if path.is_file() {
        if path.extension().is_some_and(|e| e == "rs" || e == "md") {
            files.push(path.to_path_buf());
        }
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", path.display()))?;
        if entry.file_name() != "target" {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

/// What stands between the brace at the start and its partner.
fn braced(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[1..at]);
        }
    }
    None
}

/// Texts in quotation marks that declare something: tests have theirs so.
fn quoted(tokens: TokenStream, texts: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => quoted(group.stream(), texts),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    let text = text.value();
                    if text.contains("input ") || text.contains("block ") || text.contains("fn ") {
                        texts.insert(text);
                    }
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}
