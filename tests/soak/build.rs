//! A module for each file in `found`, for the test of that name.

use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("found");
    println!("cargo::rerun-if-changed=found");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    files.sort();
    let mut text = String::new();
    for path in files {
        let name = path.file_stem().expect("a file").to_string_lossy();
        text += &format!("#[path = {path:?}]\nmod {name};\n");
    }
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("found.rs");
    fs::write(&out, text).unwrap_or_else(|why| panic!("{}: {why}", out.display()));
}
