//! What compiling networks costs: expansions in this process, and builds of a crate that depends on Kiln as a user's does.

use proc_macro2::{TokenStream, TokenTree};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Networks whose expansion is timed, and the limits in seconds: of a macro that is built as a release, and as cargo's default
/// profiles build it, without optimisation.
const EXPANDED: [(&str, f64, f64); 5] = [
    ("resnet50", 0.2, 1.0),
    ("vgg19", 0.2, 1.0),
    ("resnet152", 0.6, 3.0),
    ("vit_tiny", 0.5, 2.5),
    ("lines2000", 2.0, 8.0),
];

/// What is built, the layer that is edited, and the limits in seconds: of a fresh build, and after the edit.
const BUILT: [(&str, [&str; 2], Option<f64>, f64); 2] = [
    ("lenet5", ["Conv2d<16, 5>;", "Conv2d<20, 5>;"], None, 5.0),
    (
        "resnet50",
        ["Conv2d<64, 7, stride = 2, padding = 3,", "Conv2d<64, 5, stride = 2, padding = 2,"],
        Some(60.0),
        15.0,
    ),
];

/// Expansions of which the fastest counts.
const EXPANSIONS: usize = 5;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_path_buf()
}

fn source(network: &str) -> PathBuf {
    root().join(format!("benches/build_times/{network}.rs"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Prints the fastest of some expansions of the `network!` in this file, in seconds.
pub fn expansion(file: &Path) -> Result<(), String> {
    println!("{}", fastest(file, EXPANSIONS)?);
    Ok(())
}

/// Of so many expansions.
fn fastest(file: &Path, expansions: usize) -> Result<f64, String> {
    let text: TokenStream = read(file)?.parse().map_err(|e| format!("{}: {e}", file.display()))?;
    let mut last: Vec<TokenTree> = Vec::new();
    let body = text.into_iter().find_map(|tree| match tree {
        TokenTree::Group(group) if last.len() > 1 && last[last.len() - 2].to_string() == "network" => {
            Some(group.stream())
        }
        other => {
            last.push(other);
            None
        }
    });
    let body = body.ok_or_else(|| format!("{}: no `network!` in it", file.display()))?;
    let mut fastest = f64::INFINITY;
    for _ in 0..expansions {
        let start = Instant::now();
        let tokens = kiln_codegen::compile(body.clone());
        fastest = fastest.min(start.elapsed().as_secs_f64());
        if tokens.to_string().contains("compile_error") {
            return Err(format!("{}: does not compile", file.display()));
        }
    }
    Ok(fastest)
}

/// Seconds on the clock, and of processor time where the system tells it.
struct Time {
    wall: f64,
    cpu: Option<f64>,
}

/// Processor time of all children so far that have ended, from `/proc`.
fn children() -> Option<f64> {
    /// Of the kernel's interface, whatever its own clock does.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name in brackets, which may hold blanks: state is field 3, cutime and cstime are 16 and 17.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(16)? + ticks(17)?) / TICKS_PER_SECOND)
}

fn run(command: &mut Command) -> Result<(String, Time), String> {
    let (before, start) = (children(), Instant::now());
    let shown = format!("{command:?}");
    let output = command.output().map_err(|e| format!("{shown}: {e}"))?;
    let wall = start.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let cpu = children().zip(before).map(|(after, before)| after - before);
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), Time { wall, cpu }))
}

fn cargo(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).args(args);
    command
}

/// A crate with one example, beside nothing else; its dependencies are built before anything is timed.
fn user_crate(folder: &Path) -> Result<(), String> {
    for inner in ["src", "examples"] {
        fs::create_dir_all(folder.join(inner)).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\nkiln = {{ path = {:?} }}\n",
        root()
    );
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("src/lib.rs"), "")?;
    // The versions of this repository.
    write(&folder.join("Cargo.lock"), &read(&root().join("Cargo.lock"))?)?;
    write(&folder.join("rust-toolchain.toml"), &read(&root().join("rust-toolchain.toml"))?)?;
    run(&mut cargo(folder, &["build", "--release", "--lib", "--target-dir", "target"])).map(|_| ())
}

/// Measures all and prints a table, which is what `docs/build-times.md` holds.
pub fn build_times(out: &Path) -> Result<(), String> {
    let mut table = String::from("| what | limit | seconds | of processor time |\n|---|---|---|---|\n");
    let mut row = |what: String, limit: f64, time: &Time| {
        let cpu = time.cpu.map_or("–".to_owned(), |cpu| format!("{cpu:.1} s"));
        let _ = writeln!(table, "| {what} | {limit} s | {:.2} s | {cpu} |", time.wall);
    };
    for release in [true, false] {
        for (network, fast, slow) in EXPANDED {
            let (built, limit) = if release { ("release", fast) } else { ("dev", slow) };
            let file = source(network);
            let file = file.to_str().ok_or("the repository's path is not text")?;
            let mut args = vec!["run", "--quiet", "--package", "xtask"];
            args.extend(release.then_some("--release"));
            args.extend(["--", "expansion", file]);
            let mut command = cargo(&root(), &args);
            // This repository's own profile optimises a little; a user's does not.
            command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
            let (text, _) = run(&mut command)?;
            let wall = text.trim().parse().map_err(|e| format!("expansion printed {text:?}: {e}"))?;
            row(format!("one expansion of `{network}`, {built} build"), limit, &Time { wall, cpu: None });
        }
    }
    let folder = root().join(out);
    user_crate(&folder)?;
    for (network, [old, new], fresh, edited) in BUILT {
        let text = read(&source(network))?;
        if !text.contains(old) {
            return Err(format!("{}: has no `{old}` to edit", source(network).display()));
        }
        let example = folder.join(format!("examples/{network}.rs"));
        let args = ["build", "--release", "--example", network, "--target-dir", "target"];
        // Cargo goes by the time of writing, so that both are built whatever an earlier run left.
        write(&example, &text)?;
        let (_, time) = run(&mut cargo(&folder, &args))?;
        if let Some(limit) = fresh {
            row(format!("`{network}`, release build from built dependencies"), limit, &time);
        }
        write(&example, &text.replace(old, new))?;
        let (_, time) = run(&mut cargo(&folder, &args))?;
        row(format!("`{network}`, an edited layer, release build"), edited, &time);
    }
    let args = ["check", "--example", "resnet50", "--target-dir", "target"];
    run(&mut cargo(&folder, &args))?;
    let text = read(&source("resnet50"))?;
    // As an editor does after a key: dependencies are checked, and macros are built without optimisation.
    write(&folder.join("examples/resnet50.rs"), &format!("{text}\n"))?;
    let (_, time) = run(&mut cargo(&folder, &args))?;
    row("`resnet50`, `cargo check` after an edit".to_owned(), 1.0, &time);
    print!("{table}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_of_layers_that_are_there() {
        for (network, [old, new], ..) in BUILT {
            let text = read(&source(network)).unwrap();
            assert_eq!(text.matches(old).count(), 1, "{network}: {old}");
            assert!(!text.contains(new), "{network}: {new}");
        }
    }

    #[test]
    fn networks_expand() {
        for (network, ..) in EXPANDED {
            fastest(&source(network), 1).unwrap();
        }
    }
}
