//! One process at a time in a folder.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;

/// Keeps others out of a folder until it is dropped. The operating system gives the lock back when its process ends, however
/// that ends; the file stays, since removing it would let two others lock two files of the same name.
#[derive(Debug)]
pub(crate) struct FolderLock(#[allow(dead_code, reason = "it is held, not used")] File);

impl FolderLock {
    /// Locks the folder, which must be there.
    ///
    /// # Errors
    /// Where it is locked already, by another process or by this one; where the lock's file cannot be made.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("training.lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|source| Error::io(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::FolderInUse { path: folder.to_path_buf(), process: holder(&mut file) });
            }
            // A file system without locks must not keep a training from its checkpoints.
            Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(source)) => return Err(Error::io(&path, source)),
        }
        // For the message that another process will give; the lock is what counts.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(FolderLock(file))
    }
}

/// The number of the process that holds the lock, as far as it can be read.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        let text = FolderLock::take(folder.path()).unwrap_err().to_string();
        let expected = format!("{}: another training (process {})", folder.path().display(), std::process::id());
        assert!(text.starts_with(&expected), "{text}");
        drop(lock);
        FolderLock::take(folder.path()).unwrap();
        assert!(FolderLock::take(&folder.path().join("not there")).is_err());
    }
}
