//! Networks of `kiln::zoo`, read from their source and planned while a test runs: rustc compiles nothing of them.

use kiln_codegen::graph::Module;
use kiln_codegen::lower::frontend;
use proc_macro2::{TokenStream, TokenTree};
use std::path::{Path, PathBuf};

/// Every file with blocks, by name, in order.
pub fn files() -> Vec<String> {
    let name = |path: PathBuf| path.file_stem().expect("a file's name").to_str().expect("a plain name").to_owned();
    let entries = std::fs::read_dir(folder()).expect("the zoo's folder");
    let mut files: Vec<String> = entries.map(|entry| name(entry.expect("an entry").path())).collect();
    files.retain(|file| file != "mod");
    files.sort();
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime/src/zoo")
}

/// What stands in the `network!` of a file.
pub fn body(file: &str) -> TokenStream {
    let path = folder().join(format!("{file}.rs"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let tokens: Vec<TokenTree> = text.parse::<TokenStream>().expect("Rust").into_iter().collect();
    let bodies = tokens.windows(3).filter_map(|window| match window {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(group)] if name == "network" => {
            Some(group.stream())
        }
        _ => None,
    });
    let bodies: Vec<TokenStream> = bodies.collect();
    assert_eq!(bodies.len(), 1, "{}: one `network!`", path.display());
    bodies.into_iter().collect()
}

/// The names of its `pub block`s.
#[allow(dead_code, reason = "not every test crate uses it")]
pub fn networks(file: &str) -> Vec<String> {
    let words: Vec<String> = body(file).into_iter().map(|token| token.to_string()).collect();
    words.windows(3).filter(|w| w[0] == "pub" && w[1] == "block").map(|w| w[2].clone()).collect()
}

/// The network that `declaration` declares from a file's blocks.
pub fn module(file: &str, declaration: &str) -> Module {
    let mut tokens = body(file);
    tokens.extend(declaration.parse::<TokenStream>().unwrap_or_else(|why| panic!("{why}\n{declaration}")));
    let (mut declarations, _, errors) = frontend(tokens);
    let texts: Vec<String> = errors.iter().map(|mistake| mistake.text()).collect();
    assert!(texts.is_empty(), "{}\n{declaration}", texts.join("\n\n"));
    declarations.remove(0).members.remove(0).module
}
