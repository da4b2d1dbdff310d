//! `cargo xtask fuzz-readers`: every reader of files over millions of broken ones, in this process, in memory.
//!
//! An input is a sound file with a few structural changes (a length, an offset, a shape, a type, a missing or doubled entry), whose
//! checksums mostly fit, or with changed bytes. A reader may accept or refuse it. It may not panic, and may not hold more
//! memory than a multiple of the input's length. Input `i` of seed `s` is always the same.
//!
//! Deliberately absent: feedback from coverage, which takes a nightly compiler. The mutations know the formats instead.

mod mutate;
mod targets;

use crate::memory;
pub use mutate::Random;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::{fs, thread};
use targets::{KINDS, Kind};

/// More failures than these are not written down.
const MOST_FAILURES: usize = 8;

/// What a campaign against one reader saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub executions: u64,
    /// Inputs that the reader took.
    pub accepted: u64,
    /// The most memory that one held beyond what the reader may, or what a panic said.
    pub failures: Vec<String>,
}

/// Runs so many inputs against each reader, or against the one of this name.
pub fn fuzz_readers(executions: u64, seed: u64, only: Option<&str>, threads: usize) -> Result<(), String> {
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| only.is_none_or(|only| only == kind.name())).collect();
    if kinds.is_empty() {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
        return Err(format!("no reader `{}`; there are {}", only.unwrap_or_default(), names.join(", ")));
    }
    println!("seed {seed}");
    let folder = Path::new("target/fuzz-readers");
    let mut failed = 0;
    for kind in kinds {
        let start = Instant::now();
        let seen = campaign(kind, executions, seed, threads, folder);
        println!(
            "{:12} {} executions in {:.0} s, {} accepted, {} failures",
            kind.name(),
            seen.executions,
            start.elapsed().as_secs_f64(),
            seen.accepted,
            seen.failures.len()
        );
        seen.failures.iter().for_each(|failure| println!("  {failure}"));
        failed += seen.failures.len();
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} inputs broke a reader")) }
}

/// Runs inputs `0..executions`; inputs that break the reader go into `folder`.
pub fn campaign(kind: Kind, executions: u64, seed: u64, threads: usize, folder: &Path) -> Seen {
    /// What a panic does belongs to the whole process.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = Mutex::new(Seen::default());
    // Panics are counted, not printed.
    let usual = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let seen = &seen;
            scope.spawn(move || {
                let (mut target, mut input) = (kind.target(), Vec::new());
                let mut own = Seen::default();
                for index in (thread..executions).step_by(threads) {
                    let mut random = Random::new(seed, index);
                    input.clear();
                    target.input(&mut random, &mut input);
                    memory::begin(index);
                    let result = panic::catch_unwind(AssertUnwindSafe(|| target.run(&input)));
                    let (held, limit) = (memory::most(), target.limit(&input));
                    own.executions += 1;
                    let failure = match result {
                        Ok(accepted) if held <= limit => {
                            own.accepted += u64::from(accepted);
                            continue;
                        }
                        Ok(_) => format!("held {held} bytes of memory, may hold {limit}"),
                        Err(payload) => {
                            // Half a change must not be taken for a mistake of the next input.
                            target = kind.target();
                            format!("panicked: {}", message(&*payload))
                        }
                    };
                    if own.failures.len() < MOST_FAILURES {
                        let path = keep(folder, kind, seed, index, &input);
                        own.failures.push(format!("input {index} ({}): {failure}", path.display()));
                    }
                }
                let mut seen = seen.lock().expect("no thread panics");
                seen.executions += own.executions;
                seen.accepted += own.accepted;
                seen.failures.extend(own.failures);
            });
        }
    });
    panic::set_hook(usual);
    seen.into_inner().expect("no thread panics")
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("something else than a text").to_owned()
}

fn keep(folder: &Path, kind: Kind, seed: u64, index: u64, input: &[u8]) -> PathBuf {
    let path = folder.join(format!("{}-{seed}-{index}.bin", kind.name()));
    // The failure is told in any case.
    let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&path, input));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reader_panics_or_holds_too_much() {
        let folder = tempfile::tempdir().unwrap();
        for kind in KINDS {
            let seen = campaign(kind, 2000, 1, 1, folder.path());
            assert_eq!(seen.failures, Vec::<String>::new(), "{}", kind.name());
            assert_eq!(seen.executions, 2000);
            // Inputs that are all refused at the door, or all taken, would test nothing.
            assert!((20..1980).contains(&seen.accepted), "{}: {} accepted", kind.name(), seen.accepted);
        }
    }

    #[test]
    fn what_breaks_a_reader_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, word) in [(Kind::Panicking, "panicked: index"), (Kind::Greedy, "bytes of memory, may hold")] {
            let seen = campaign(kind, 50, 1, 2, folder.path());
            assert_eq!(seen.executions, 50);
            assert!(seen.failures.iter().all(|failure| failure.contains(word)), "{:?}", seen.failures);
            assert!(!seen.failures.is_empty());
        }
        assert!(fs::read_dir(folder.path()).unwrap().count() > 0);
    }
}
