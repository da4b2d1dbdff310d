//! What only other builds of the program can see: races, overruns, and behaviour that Rust does not define.
//!
//! None of it belongs to the tests of every change: it takes a nightly toolchain, minutes to hours, and much disk space. Each part says what
//! is missing instead of skipping in silence.

use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The only host for which the sanitizers below are asked for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// ThreadSanitizer over the pool of threads
    Threads,
    /// Miri over the pool: the same tests under many schedules, races and all
    PoolMiri,
    /// Miri over the runtime's own tests that need no device: data, plans, layouts, the engine with hand-written kernels, templates
    Miri,
    /// AddressSanitizer over the runtime's own tests: every template at every level this processor has
    Address,
    /// AddressSanitizer over emitted kernels: the integration tests that `--tests` names
    Kernels,
}

/// What of the runtime's tests Miri can run in minutes. The rest needs files, other processes, or hours.
const FOR_MIRI: [&str; 8] = [
    "params::",
    "data::dense",
    "data::classes",
    "data::ids",
    "engine::",
    "device::cpu::tests::moments",
    "device::cpu::tests::windows",
    "tests::optim",
];

pub fn sanitize(parts: &[Part], tests: &[String], filter: &[String]) -> Result<(), String> {
    let all = [Part::Threads, Part::PoolMiri, Part::Miri, Part::Address, Part::Kernels];
    let parts = if parts.is_empty() { &all[..] } else { parts };
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err(format!("the sanitizers of rustc are asked for {TARGET} only"));
    }
    let mut failed = Vec::new();
    for &part in parts {
        println!("== {part:?}");
        if let Err(problem) = run(part, tests, filter) {
            println!("{part:?}: {problem}");
            failed.push(format!("{part:?}: {problem}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n       ")) }
}

fn run(part: Part, tests: &[String], filter: &[String]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_path_buf();
    let target = root.join("target/sanitize");
    match part {
        Part::Threads => {
            // A standard library without it has locks that the sanitizer does not understand.
            component("rust-src", "library/std/src/lib.rs")?;
            let mut command = nightly(&pool(&root, &target)?);
            command.args(["test", "-Zbuild-std", "--target", TARGET]).env("RUSTFLAGS", "-Zsanitizer=thread");
            done(&mut command)
        }
        Part::PoolMiri => {
            miri()?;
            let mut command = nightly(&pool(&root, &target)?);
            command.args(["miri", "test", "--"]).args(filter);
            done(command.env("MIRIFLAGS", "-Zmiri-many-seeds=0..8"))
        }
        Part::Miri => {
            miri()?;
            let mut command = nightly(&root);
            command.args(["miri", "test", "--package", "kiln", "--lib", "--"]);
            if filter.is_empty() {
                command.args(FOR_MIRI)
            } else {
                command.args(filter)
            };
            // Kernels written by hand for tests have addresses as numbers, as those of a device are.
            command.env("MIRIFLAGS", "-Zmiri-permissive-provenance -Zmiri-disable-isolation");
            done(command.env("CARGO_TARGET_DIR", target.join("miri")))
        }
        Part::Address => {
            let mut command = address(&root, &target);
            done(command.args(["--package", "kiln", "--lib", "--"]).args(filter))
        }
        Part::Kernels => {
            let mut command = address(&root, &target);
            let some = ["declared", "chains", "updates", "groups", "sound"].map(str::to_owned);
            for test in if tests.is_empty() { &some[..] } else { tests } {
                command.args(["--test", test]);
            }
            done(command.arg("--").args(filter))
        }
    }
}

/// The pool as a package of its own: it needs nothing but the standard library, which is built with it.
fn pool(root: &Path, target: &Path) -> Result<PathBuf, String> {
    let folder = target.join("pool");
    let source = root.join("runtime/src/device/cpu/pool.rs");
    let manifest = format!(
        "[package]\nname = \"pool\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = {source:?}\ndoctest = false\n\n[workspace]\n"
    );
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("Cargo.toml"), manifest));
    written.map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// The pinned compiler has AddressSanitizer, but not the permission to use it.
fn address(root: &Path, target: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["test", "--target", TARGET]);
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    // Tests share plans and devices that live as long as the process.
    command.env("ASAN_OPTIONS", "detect_leaks=0").env("CARGO_TARGET_DIR", target.join("address"));
    command
}

fn nightly(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    // The pinned toolchain's own variables would win over `+nightly`.
    command.current_dir(folder).arg("+nightly").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    command
}

fn done(command: &mut Command) -> Result<(), String> {
    println!("{command:?}");
    let status = command.status().map_err(|e| format!("cargo does not start: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{status}; what was found stands above")) }
}

fn miri() -> Result<(), String> {
    let found = nightly(Path::new(".")).args(["miri", "--version"]).output();
    if found.is_ok_and(|found| found.status.success()) {
        return Ok(());
    }
    Err("there is no Miri; help: `rustup toolchain install nightly`, `rustup component add miri --toolchain nightly`"
        .into())
}

/// Whether the nightly toolchain has a component, by a file of its.
fn component(name: &str, file: &str) -> Result<(), String> {
    let help = format!("`rustup toolchain install nightly`, `rustup component add {name} --toolchain nightly`");
    let found = Command::new("rustc").args(["+nightly", "--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN").output();
    let Some(found) = found.ok().filter(|found| found.status.success()) else {
        return Err(format!("there is no nightly toolchain; help: {help}"));
    };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    if sysroot.join("lib/rustlib/src/rust").join(file).is_file() {
        return Ok(());
    }
    Err(format!("the nightly toolchain has no {name}; help: {help}"))
}
