//! Rules of the source tree that no compiler checks: which way stages import, that layers are entered everywhere, that
//! files stay readable, that documents keep up with the code.

use kiln_codegen::layers::{ALL, LOSSES};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Beyond this many lines a file is split, or says in its head why it is `Long because …`.
const LONG: usize = 700;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every `.rs` file below a folder, by its path from the root.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let path = path.strip_prefix(root()).expect("below the root");
                found.push(path.to_str().expect("a plain name").replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The lines that are code, numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The identifiers behind each `prefix` in a line.
fn words_behind<'l>(line: &'l str, prefix: &'l str) -> impl Iterator<Item = &'l str> {
    line.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|own| own == word)
}

/// All that stands in these folders' and files' sources.
fn text_of(places: &[&str]) -> String {
    let files =
        places.iter().flat_map(|place| if place.ends_with(".rs") { vec![place.to_string()] } else { sources(place) });
    files.map(read).collect()
}

#[track_caller]
fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// The stages in the order that the head of codegen/src/lib.rs gives.
fn stages() -> Vec<String> {
    let head = read("codegen/src/lib.rs");
    let (_, order) = head.split_once("Order of imports:").expect("the head gives the order of imports");
    let (order, _) = order.split_once("\n\n").expect("the head ends");
    order.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

#[test]
fn a_stage_imports_only_from_its_left() {
    let stages = stages();
    let place = |stage: &str| stages.iter().position(|own| own == stage);
    let mut wrong = Vec::new();
    for file in sources("codegen/src") {
        let own = file["codegen/src/".len()..].split('/').next().expect("a name").trim_end_matches(".rs");
        // What joins all stages, and tests, which may start at the front.
        if own == "lib" || file.ends_with("/tests.rs") {
            continue;
        }
        let here = place(own).unwrap_or_else(|| panic!("{file} is of no stage that codegen/src/lib.rs lists"));
        for (number, line) in code(&read(&file)) {
            for stage in words_behind(line, "crate::") {
                if place(stage).is_some_and(|there| there > here) {
                    wrong.push(format!("{file}:{number}: `{own}` imports from `{stage}`, which stands behind it"));
                }
            }
        }
    }
    assert_none("imports against the order of stages", wrong);
}

#[test]
fn compiler_and_runtime_meet_only_in_emitted_tokens() {
    let mut wrong = Vec::new();
    for file in sources("codegen/src") {
        for (number, line) in code(&read(&file)) {
            // `::kiln::…` is a path of emitted tokens; an import has no colons before it.
            let emitted = line.matches("::kiln::").count();
            if line.matches("kiln::").count() > emitted || line.contains("extern crate kiln") {
                wrong.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    // Behind the feature `verify` a step is compared with the interpreter.
    for file in sources("runtime/src").into_iter().filter(|file| !file.ends_with("model/debug.rs")) {
        for (number, line) in code(&read(&file)) {
            if line.contains("kiln_codegen") {
                wrong.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    // Tests may use the compiler; the crate may not.
    for (manifest, foreign) in
        [("Cargo.toml", "kiln-codegen"), ("codegen/Cargo.toml", "kiln"), ("macros/Cargo.toml", "kiln")]
    {
        let text = read(manifest);
        let section = text.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
        let depends =
            |line: &str| line.split([' ', '=', '.']).next() == Some(foreign) && !line.contains("optional = true");
        if section.lines().any(depends) {
            wrong.push(format!("{manifest}: depends on {foreign}"));
        }
    }
    assert_none("the compiler names the runtime, or the runtime the compiler", wrong);
}

#[test]
fn every_layer_is_entered_documented_and_tested() {
    let register = read("codegen/src/layers/mod.rs");
    let gradients = text_of(&["codegen/tests/network_gradients.rs"]);
    let mistakes = text_of(&["tests/ui"]);
    let parity = |file: &String| !file.starts_with("tests/random") && read(file).contains("parity! {");
    let compiled: String = sources("tests").iter().filter(|file| parity(file)).map(read).collect();
    let cases = sources("tests").into_iter().filter(|file| file.starts_with("tests/pytorch"));
    let fixtures: String = cases.map(read).collect::<String>() + &read("codegen/tests/pytorch.txt");
    let reference = read("macros/src/lib.rs");
    let mut wrong = Vec::new();
    let mut entered = BTreeSet::new();
    for file in sources("codegen/src/layers") {
        let stem = file["codegen/src/layers/".len()..].trim_end_matches(".rs");
        let text = read(&file);
        for record in ["LAYER", "LOSS"] {
            if !text.contains(&format!("pub const {record}:")) {
                continue;
            }
            entered.insert(stem.to_string());
            if !register.contains(&format!("{stem}::{record}")) {
                wrong.push(format!("{file}: `{stem}::{record}` is not in `ALL` or `LOSSES`"));
            }
        }
    }
    let records = ALL.iter().map(|l| (l.name, l.doc, l.usage)).chain(LOSSES.iter().map(|l| (l.name, l.doc, l.usage)));
    for (name, doc, usage) in records {
        let snake: String = name
            .chars()
            .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        let mut check = |sound: bool, what: &str| {
            if !sound {
                wrong.push(format!("{name}: {what}"));
            }
        };
        check(entered.contains(snake.trim_start_matches('_')), "has no file of its name in codegen/src/layers");
        check(doc.ends_with('.') && doc.len() > 10, "its `doc` is no sentence");
        check(usage.starts_with(name), "its `usage` does not begin with its name");
        check(has_word(&gradients, name), "is in no gradient test (codegen/tests/network_gradients.rs)");
        check(has_word(&compiled, name), "is in no `parity!` (tests/parity, tests/catalogue)");
        check(
            has_word(&fixtures, name),
            "is in no comparison with PyTorch (tests/fixtures, scripts/layer_fixtures.py)",
        );
        check(has_word(&mistakes, name), "is in no test of messages (tests/ui)");
        check(has_word(&reference, name), "is not in the language reference (macros/src/lib.rs)");
    }
    assert_eq!(entered.len(), ALL.len() + LOSSES.len(), "files and records");
    assert_none("layers that are not complete", wrong);
}

#[test]
fn files_stay_readable() {
    let mut wrong = Vec::new();
    for folder in ["codegen", "macros/src", "runtime/src", "examples", "tests", "benches"] {
        // What the compiler printed, kept to be compared, is not written to be read as a source.
        for file in sources(folder).into_iter().filter(|file| !file.contains("golden/")) {
            let text = read(&file);
            let lines = text.lines().count();
            let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            if lines > LONG && !head.contains("Long because") {
                wrong.push(format!("{file}: {lines} lines, and its head does not say why (`Long because …`)"));
            }
            // Tests speak for themselves.
            if !file.contains("tests") && head.is_empty() {
                wrong.push(format!("{file}: no head (`//! …`)"));
            }
        }
    }
    assert_none("files that are hard to read", wrong);
}

#[test]
fn the_walk_through_shows_the_real_layer() {
    let page = read("docs/adding-a-layer.md");
    let layer = read("codegen/src/layers/leaky_relu.rs");
    assert!(page.contains(layer.trim_end()), "docs/adding-a-layer.md shows another codegen/src/layers/leaky_relu.rs");
    let paths =
        page.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && !word.contains([' ', '<', '\n']));
    let missing = paths.filter(|path| !root().join(path).exists()).map(str::to_string).collect();
    assert_none("paths in docs/adding-a-layer.md that are not there", missing);
}
