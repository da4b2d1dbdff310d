//! What this crate asks of a file system.
//!
//! Saves go through [`save`] and its kin: a file is whole or it is the one that was there before, at any moment and after a
//! crash. Reads of files with a length in them go through [`open`], which refuses what has none, and
//! [`TensorFile`], which checks every length and offset against the file before it asks for memory.

mod lock;
mod replace;
mod tensors;

pub(crate) use lock::FolderLock;
pub(crate) use replace::{replace, save, save_into};
pub(crate) use tensors::{TensorFile, is_read};

use crate::error::{Error, Result};
use std::fs::{self, File, FileType};
use std::io;
use std::path::Path;

/// Opens a regular file for reading, and tells its length.
///
/// # Errors
/// Also where it is no regular file: a pipe would block, and a device has no end.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    open_regular(path).map_err(|source| Error::io(path, source))
}

pub(crate) fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    // Before it is opened, which would block at a pipe, and again as it was opened.
    regular(fs::metadata(path)?.file_type())?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    regular(metadata.file_type())?;
    Ok((file, metadata.len()))
}

fn regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a regular file, found {}", name(kind))))
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    if kind.is_dir() { "a folder" } else { "something else" }
}
