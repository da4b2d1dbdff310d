//! Accepted mutants in a crate of their own, given to rustc: what the compiler accepts, rustc must.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A crate of modules, one for each of the first `count` texts, and what rustc says about them.
pub fn check(root: &Path, texts: impl Iterator<Item = (u64, String)>, count: usize) -> Result<(), String> {
    let folder = root.join("target/fuzz/accepted");
    let manifest = format!(
        "[package]\nname = \"accepted\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\nkiln = {{ path = {root:?} }}\n"
    );
    super::write(&folder.join("Cargo.toml"), &manifest)?;
    for file in ["Cargo.lock", "rust-toolchain.toml"] {
        let text = std::fs::read_to_string(root.join(file)).map_err(|e| format!("{file}: {e}"))?;
        super::write(&folder.join(file), &text)?;
    }
    let mut modules = String::from("#![forbid(unsafe_code)]\n#![allow(warnings)]\n");
    let mut given: BTreeMap<u64, String> = BTreeMap::new();
    for (index, text) in texts.take(count) {
        modules += &format!("mod m{index};\n");
        super::write(&folder.join(format!("src/m{index}.rs")), &format!("kiln::network! {{\n{text}\n}}\n"))?;
        given.insert(index, text);
    }
    super::write(&folder.join("src/lib.rs"), &modules)?;
    println!("\n{} accepted mutants to rustc", given.len());
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&folder).args(["check", "--quiet", "--message-format", "short", "--target-dir", "target"]);
    let output = command.output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        println!("  all accepted");
        return Ok(());
    }
    let mut wrong = 0;
    for (index, text) in &given {
        let place = format!("m{index}.rs:");
        let mut errors = said.lines().filter(|line| line.contains(&place) && line.contains("error")).peekable();
        if errors.peek().is_some() {
            wrong += 1;
            println!("\nmutant {index}:");
            errors.for_each(|line| println!("{line}"));
            println!("{text}");
        }
    }
    if wrong == 0 {
        println!("{said}");
    }
    Err(format!("rustc refuses {wrong} of {} accepted mutants", given.len()))
}
