//! The folder that a machine with a GPU and without Rust needs.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const EXAMPLES: [&str; 2] = ["mnist", "step_time"];
const BENCHES: [&str; 1] = ["cuda"];

/// Tests that can run on a GPU: parity, and those of CUDA's own.
fn is_gpu_test(name: &str) -> bool {
    name == "parity" || name.starts_with("cuda")
}

/// What lies beside the programs, from the repository's root.
const FILES: [(&str, &str); 3] = [
    ("xtask/gpu/run.sh", "run.sh"),
    ("benches/peers/torch_gpu.py", "torch_gpu.py"),
    ("xtask/gpu/merge.py", "merge.py"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_path_buf()
}

pub fn gpu_bundle(out: &Path) -> Result<(), String> {
    let root = root();
    let out = root.join(out);
    let tests = tests(&root.join("tests"))?;
    let mut programs = Vec::new();
    let named = |option: &'static str, names: &[String]| -> Vec<String> {
        names.iter().flat_map(|name| [option.to_owned(), name.clone()]).collect()
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    programs.extend(built(
        &root,
        "test",
        &[vec!["--no-run".to_owned(), "--release".to_owned()], named("--test", &tests)],
    )?);
    programs.extend(built(&root, "bench", &[vec!["--no-run".to_owned()], named("--bench", &owned(&BENCHES))])?);
    programs.extend(built(&root, "build", &[vec!["--release".to_owned()], named("--example", &owned(&EXAMPLES))])?);

    let folder = out.join("bin");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for (kind, name, file) in &programs {
        // A test and a bench may have one name.
        copy(file, &folder.join(if kind == "bench" { format!("bench_{name}") } else { name.clone() }))?;
    }
    for (from, to) in FILES {
        copy(&root.join(from), &out.join(to))?;
    }
    let list: String = tests.iter().map(|test| format!("{test}\n")).collect();
    write(&out.join("tests.txt"), &list)?;
    write(&out.join("commit.txt"), &commit(&root))?;
    println!("{}: {} programs; on the GPU machine: ./run.sh", out.display(), programs.len());
    Ok(())
}

/// Names of test targets in a folder: files and folders that can run on a GPU.
fn tests(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "rs") || entry.path().join("main.rs").is_file())
        .filter_map(|entry| entry.path().file_stem().map(|name| name.to_string_lossy().into_owned()))
        .filter(|name| is_gpu_test(name))
        .collect();
    names.sort();
    if names.is_empty() { Err(format!("{}: no test for a GPU", folder.display())) } else { Ok(names) }
}

/// Calls cargo and gives what it built: kind, name, file.
fn built(root: &Path, command: &str, arguments: &[Vec<String>]) -> Result<Vec<(String, String, PathBuf)>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut call = Command::new(cargo);
    call.arg(command).args(arguments.iter().flatten()).args(["--package", "kiln", "--message-format=json"]);
    let output = call.current_dir(root).stderr(Stdio::inherit()).output().map_err(|e| format!("cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo {command} failed: {}", output.status));
    }
    executables(&String::from_utf8_lossy(&output.stdout))
}

/// The executables in cargo's messages.
fn executables(messages: &str) -> Result<Vec<(String, String, PathBuf)>, String> {
    let mut found = Vec::new();
    for line in messages.lines() {
        // Build scripts may print lines of their own.
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(file) = text(&message["executable"]) {
            let (kind, name) = (text(&message["target"]["kind"][0]), text(&message["target"]["name"]));
            let (Some(kind), Some(name)) = (kind, name) else {
                return Err(format!("a message of cargo names {file}, but not its target: {line}"));
            };
            found.push((kind, name, file.into()));
        }
    }
    if found.is_empty() { Err("cargo built nothing".to_owned()) } else { Ok(found) }
}

/// Copies with permissions.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The commit that is checked out, and whether files differ from it.
fn commit(root: &Path) -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => "unknown\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_of_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"kind":["lib"],"name":"kiln"},"executable":null}
            warning: not a message
            {"reason":"compiler-artifact","target":{"kind":["test"],"name":"parity"},"executable":"/t/parity-1f"}
            {"reason":"compiler-artifact","target":{"kind":["example"],"name":"mnist"},"executable":"/t/examples/mnist"}
            {"reason":"build-finished","success":true}"#;
        let found = executables(messages).unwrap();
        let expected = [("test", "parity", "/t/parity-1f"), ("example", "mnist", "/t/examples/mnist")];
        assert_eq!(found, expected.map(|(kind, name, file)| (kind.to_owned(), name.to_owned(), file.into())));
        assert_eq!(executables("").unwrap_err(), "cargo built nothing");
    }

    #[test]
    fn tests_for_a_gpu() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["cuda.rs", "cuda_training/main.rs", "parity/main.rs", "ui.rs", "cuda_notes/notes.md", "common/cuda.rs"]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(tests(folder.path()).unwrap(), ["cuda", "cuda_training", "parity"]);
        assert!(tests(&folder.path().join("common/none")).is_err());
        assert!(tests(&folder.path().join("cuda_notes")).unwrap_err().contains("no test for a GPU"));
        assert!(tests(&root().join("tests")).unwrap().contains(&"parity".to_owned()));
    }

    #[test]
    fn bundled_files_exist() {
        for (file, _) in FILES {
            assert!(root().join(file).is_file(), "{file}");
        }
    }
}
