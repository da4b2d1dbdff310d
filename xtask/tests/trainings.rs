//! Trainings that end before their time: killed, asked to stop, on a disk that is full.
#![cfg(unix)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn xtask() -> Command {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
}

fn training(folder: &Path, more: &[&str]) -> Command {
    let mut command = xtask();
    command.args(["training", "--folder"]).arg(folder.join("run")).arg("--out").arg(folder.join("weights"));
    command.args(more).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until a condition holds, for a minute.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_killed_training_ends_as_one_that_was_not() {
    let output = xtask().args(["kills", "--count", "6", "--seed", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_signal_saves_and_says_how_to_go_on() {
    let whole = tempfile::tempdir().unwrap();
    assert!(training(whole.path(), &[]).status().unwrap().success());
    for (signal, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
        let folder = tempfile::tempdir().unwrap();
        let child = training(folder.path(), &[]).spawn().unwrap();
        until("the training saves", || folder.path().join("run/checkpoint-000002.safetensors").exists());
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let text = said(&output);
        let (begin, end) =
            (format!("error: {name} stopped training in epoch "), "; help: the same program goes on from there");
        assert!(text.starts_with(&begin) && text.trim_end().ends_with(end), "{text}");
        let path = text.split("it is saved in ").nth(1).unwrap().split(';').next().unwrap();
        assert!(Path::new(path).is_file(), "{path}");
        assert!(!folder.path().join("weights").exists());
        let output = training(folder.path(), &[]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let weights = |folder: &Path| fs::read(folder.join("weights")).unwrap();
        assert_eq!(weights(folder.path()), weights(whole.path()), "{name}");
    }
}

#[test]
fn after_a_training_signals_do_what_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let child = training(folder.path(), &["--epochs", "1", "--linger"]).spawn().unwrap();
    until("the training ends", || folder.path().join("weights").exists());
    send(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(15), "{}", said(&output));
}

#[test]
fn a_second_process_is_refused_and_a_killed_one_leaves_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = training(folder.path(), &["--epochs", "100000"]).spawn().unwrap();
    until("the training saves", || folder.path().join("run/checkpoint-000001.safetensors").exists());
    let second = training(folder.path(), &["--epochs", "100000"]).output().unwrap();
    let expected = format!(
        "error: {}: another training (process {}) keeps its checkpoints here",
        folder.path().join("run").display(),
        first.id()
    );
    assert!(said(&second).starts_with(&expected), "{}", said(&second));
    assert_eq!(second.status.code(), Some(1));
    first.kill().unwrap();
    first.wait().unwrap();
    let third = training(folder.path(), &["--epochs", "1", "--fresh"]).output().unwrap();
    assert!(third.status.success(), "{}", said(&third));
}

#[test]
fn a_disk_that_fills_up_is_an_error_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    assert!(training(folder.path(), &["--epochs", "1"]).status().unwrap().success());
    let before = names(folder.path());
    // No file may grow beyond two blocks: writes fail in their middle, as they do on a full disk.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_xtask"), "training"]);
    limited.arg("--folder").arg(folder.path().join("run")).arg("--out").arg(folder.path().join("weights"));
    let output = limited.args(["--epochs", "1", "--fresh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("run/checkpoint-") && text.contains(".safetensors: File too large"), "{text}");
    assert_eq!(names(folder.path()), before);
    let output = training(folder.path(), &["--epochs", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn names(folder: &Path) -> Vec<String> {
    let list = |folder: &Path| -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    };
    let mut names = list(folder);
    names.extend(list(&folder.join("run")));
    names.sort();
    names
}
