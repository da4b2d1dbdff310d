//! Files that are replaced in one step.
//!
//! The new content is written to a neighbour of the file, which is then renamed. The neighbour's name is shared by no other
//! thread or process, and its writer holds the operating system's lock on it: a neighbour that nobody holds was left by a process
//! that is dead, and the next save in this folder removes it.

use super::regular;
use crate::error::{Error, Result};
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// As many symbolic links as Linux follows.
const LINKS: usize = 40;

/// How a neighbour's name begins and ends. Short, so that it fits where the file's own name does.
const BEGIN: &str = ".kiln-";
const END: &str = ".part";

/// Replaces a file in one step, so that a crash leaves the old or the new one, never half of it; folders on the way are created.
/// Symbolic links are followed. The file's permissions stay.
///
/// # Errors
/// Where there is something that is no regular file, or one that is read-only; where it cannot be written. Then nothing has
/// changed.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = folder_of(path) {
        fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    }
    save_into(path, bytes)
}

/// As [`save`], into a folder that must be there.
pub(crate) fn save_into(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, &[bytes], true).map_err(|source| Error::io(path, source))
}

/// As [`save_into`], from parts. With `lasting` it returns when the new file would survive a loss of power; without, such
/// a loss may leave an empty or damaged file.
pub(crate) fn replace(path: &Path, parts: &[&[u8]], lasting: bool) -> io::Result<()> {
    let permissions = match fs::metadata(path) {
        Ok(metadata) => {
            regular(metadata.file_type())?;
            if metadata.permissions().readonly() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "this file is read-only"));
            }
            Some(metadata.permissions())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let path = followed(path)?;
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file name"));
    }
    let folder = folder_of(&path).unwrap_or(Path::new("."));
    remove_abandoned(folder);
    let (part, mut file) = neighbour(folder)?;
    let written = (|| {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        parts.iter().try_for_each(|bytes| file.write_all(bytes))?;
        if lasting {
            file.sync_all()?;
        }
        if cfg!(windows) {
            // There a lock keeps others from reading, also under the new name.
            file.unlock()?;
        }
        fs::rename(&part, &path)
    })();
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    written?;
    if lasting { sync_folder(folder) } else { Ok(()) }
}

/// The folder that a path names a file in, unless that is the current one.
fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

/// Where a path leads when its last part is a symbolic link; there need not be anything.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            // A relative link counts from the folder that it lies in.
            Ok(target) => path = folder_of(&path).map_or(target.clone(), |folder| folder.join(&target)),
            // No link, or nothing at all.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// A new file with a name that nobody else has, locked by this process.
fn neighbour(folder: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        // Process numbers are unique on one machine and in one container only, hence the random number.
        let (process, count) = (process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let random = RandomState::new().build_hasher().finish();
        let path = folder.join(format!("{BEGIN}{process}-{count}-{random:016x}{END}"));
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        // Where a file system has no locks, no process can take this file for an abandoned one either.
        let _ = file.lock();
        // Between its making and its lock another process may have removed it; from here on none can.
        if fs::symlink_metadata(&path).is_ok() {
            return Ok((path, file));
        }
    }
}

/// Removes what saves of dead processes left in a folder.
fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(BEGIN) && name.ends_with(END));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = OpenOptions::new().read(true).write(true).open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            // Still locked: its writer, if it has only just made it, waits and then makes another.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a renaming last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some file systems have nothing to do here and say so.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn threads_that_save_to_one_path_all_succeed_and_every_read_sees_a_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        save(&path, &[0; 20_000]).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let savers: Vec<_> = (1..=2)
                .map(|content: u8| {
                    let path = &path;
                    scope.spawn(move || (0..150).for_each(|_| save(path, &[content; 20_000]).unwrap()))
                })
                .collect();
            let reader = scope.spawn(|| {
                let mut reads = 0;
                while !done.load(Ordering::Relaxed) || reads == 0 {
                    let bytes = fs::read(&path).unwrap();
                    assert!(bytes.len() == 20_000 && bytes.iter().all(|byte| *byte == bytes[0]), "{}", bytes.len());
                    reads += 1;
                }
            });
            savers.into_iter().for_each(|saver| saver.join().unwrap());
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn what_dead_processes_left_is_removed_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{BEGIN}4000000-0-0123456789abcdef{END}"));
        fs::write(&left, "half of").unwrap();
        let (held, _file) = neighbour(folder.path()).unwrap();
        let foreign = folder.path().join(".kiln-notes.txt");
        fs::write(&foreign, "").unwrap();
        save(&folder.path().join("weights"), b"whole").unwrap();
        assert!(!left.exists());
        assert!(held.exists() && foreign.exists());
    }

    #[test]
    fn a_file_name_may_be_as_long_as_the_system_allows() {
        let folder = tempfile::tempdir().unwrap();
        let name = "w".repeat(255);
        save(&folder.path().join(&name), b"whole").unwrap();
        assert_eq!(names(folder.path()), [name]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (runs, link) = (folder.path().join("runs"), folder.path().join("best"));
        fs::create_dir(&runs).unwrap();
        symlink("runs/first", folder.path().join("newest")).unwrap();
        symlink("newest", &link).unwrap();
        // At first the links lead nowhere.
        save(&link, b"one").unwrap();
        fs::set_permissions(runs.join("first"), fs::Permissions::from_mode(0o640)).unwrap();
        save(&link, b"two").unwrap();
        assert_eq!(fs::read(runs.join("first")).unwrap(), b"two");
        assert_eq!(fs::metadata(runs.join("first")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(folder.path()), ["best", "newest", "runs"]);
        assert_eq!(names(&runs), ["first"]);
        symlink("round", folder.path().join("about")).unwrap();
        symlink("about", folder.path().join("round")).unwrap();
        assert!(save(&folder.path().join("round"), b"never").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let text = |path: &Path| save(path, b"weights").unwrap_err().to_string();
        let full = Path::new("/dev/full");
        if full.exists() {
            assert_eq!(text(full), "/dev/full: expected a regular file, found a device");
            let link = folder.path().join("link");
            symlink(full, &link).unwrap();
            assert_eq!(text(&link), format!("{}: expected a regular file, found a device", link.display()));
        }
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        assert_eq!(text(&below), format!("{}: expected a regular file, found a folder", below.display()));
        let pipe = folder.path().join("pipe");
        if process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            assert_eq!(text(&pipe), format!("{}: expected a regular file, found a pipe", pipe.display()));
            let error = super::super::open(&pipe).unwrap_err().to_string();
            assert_eq!(error, format!("{}: expected a regular file, found a pipe", pipe.display()));
        }
        let kept = folder.path().join("kept");
        fs::write(&kept, "kept").unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(text(&kept), format!("{}: this file is read-only", kept.display()));
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
        assert_eq!(text(Path::new("/")), "/: expected a regular file, found a folder");
        let vanished = folder.path().join("vanished/weights");
        let error = save_into(&vanished, b"weights").unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: No such file", vanished.display())), "{error}");
    }
}
