//! The folder of a training's checkpoints: `checkpoint-000001.safetensors` and so on, the last few of them.
//!
//! A newer checkpoint has a larger number, also after `.fresh()`. It is whole before an older one is removed, so that a crash at
//! any moment leaves one that can be read. No two trainings write to one folder.

use super::checkpoint::{Checkpoint, Parts, Resumed, Setting};
use crate::error::{Error, Result};
use crate::files::FolderLock;
use crate::network::Network;
use crate::optim::Optimizer;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a training keeps its checkpoints.
pub(super) struct Folder {
    path: PathBuf,
    checkpoint: Checkpoint,
    keep: usize,
    /// Numbers of checkpoints to keep, as long as there are no newer ones.
    kept: VecDeque<u64>,
    /// Those that go as soon as there is a newer one: damaged, or another training's.
    doomed: Vec<u64>,
    next: u64,
    _lock: FolderLock,
}

/// What was found in a folder.
pub(super) struct Found {
    pub resumed: Resumed,
    pub path: PathBuf,
    /// A line for each newer checkpoint that is damaged.
    pub damaged: Vec<String>,
}

impl Folder {
    /// Makes the folder where there is none, and locks it. With `fresh` what lies there is not looked at, and removed
    /// after the first checkpoint has been written.
    pub fn open(path: &Path, checkpoint: Checkpoint, keep: usize, fresh: bool) -> Result<Self> {
        fs::create_dir_all(path).map_err(|source| Error::io(path, source))?;
        let lock = FolderLock::take(path)?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(path).map_err(|source| Error::io(path, source))? {
            let entry = entry.map_err(|source| Error::io(path, source))?;
            numbers.extend(entry.file_name().to_str().and_then(number));
        }
        numbers.sort_unstable();
        let next = numbers.last().map_or(1, |last| last + 1);
        let (kept, doomed) = if fresh { (Vec::new(), numbers) } else { (numbers, Vec::new()) };
        Ok(Folder { path: path.to_path_buf(), checkpoint, keep, kept: kept.into(), doomed, next, _lock: lock })
    }

    /// Brings back the newest checkpoint that is sound. `None` where there is none at all.
    ///
    /// # Errors
    /// Where all are damaged, or the newest sound one is another training's. Then nothing has changed.
    pub fn read<N: Network, O: Optimizer>(&mut self, parts: &mut Parts<'_, N, O>) -> Result<Option<Found>> {
        let mut damaged = Vec::new();
        while let Some(number) = self.kept.back().copied() {
            let path = self.path.join(name(number));
            match self.checkpoint.read(&path, parts) {
                Ok(resumed) => return Ok(Some(Found { resumed, path, damaged })),
                Err(error) if is_damage(&error) => damaged.push(error.to_string()),
                Err(error) => return Err(error),
            }
            self.kept.pop_back();
            self.doomed.push(number);
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        let problem = format!("no checkpoint is sound; help: `.fresh()` begins anew\n  {}", damaged.join("\n  "));
        Err(Error::file(&self.path, problem))
    }

    /// Writes the next checkpoint, then removes what is no longer needed.
    pub fn write<N: Network, O: Optimizer>(
        &mut self,
        parts: &mut Parts<'_, N, O>,
        setting: &Setting<'_>,
    ) -> Result<PathBuf> {
        let path = self.path.join(name(self.next));
        self.checkpoint.write(&path, parts, setting)?;
        self.kept.push_back(self.next);
        self.next += 1;
        while self.kept.len() > self.keep {
            self.doomed.extend(self.kept.pop_front());
        }
        for number in self.doomed.drain(..) {
            let old = self.path.join(name(number));
            match fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io(old, error)),
                _ => {}
            }
        }
        Ok(path)
    }
}

fn name(number: u64) -> String {
    format!("checkpoint-{number:06}.safetensors")
}

/// The number in a checkpoint's name.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?;
    // With fewer than 19 digits there is always a next one.
    let number = digits.parse().ok().filter(|_| digits.len() < 19)?;
    (name(number) == text).then_some(number)
}

/// Whether the file is to blame, and an older one may do.
fn is_damage(error: &Error) -> bool {
    match error {
        Error::File { .. } => true,
        Error::Io { source, .. } => source.kind() != io::ErrorKind::PermissionDenied,
        _ => false,
    }
}
