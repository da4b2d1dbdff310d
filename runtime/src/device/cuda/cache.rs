//! Compiled kernels on disk, so that a program compiles its kernels once per machine and not once per start.
//!
//! Entries are named by a hash of all that decides them and never change. They are replaced in one step, so that concurrent
//! processes see whole entries or none. Entries are not trusted: lengths are checked before anything is read, and the payload has
//! a hash. A cache that cannot be read or written is no error: the kernel is compiled again.

use crate::error::Result;
use crate::files;
use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Begins every entry; the number changes with the format.
const MAGIC: [u8; 8] = *b"kilnbin1";

/// Magic, key, hash of the payload, length of the payload (little endian).
const HEAD: usize = 8 + 32 + 32 + 8;

/// The longest payload that is kept, far more than any network's kernels take.
const MOST: u64 = 256 << 20;

/// Names an entry: BLAKE3 of all that decides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// Of texts in order; `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Key {
        let mut hash = blake3::Hasher::new();
        for text in texts {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        Key(*hash.finalize().as_bytes())
    }

    fn file_name(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ".cubin"
    }
}

/// A folder of entries, or none.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// `KILN_CACHE`, else `$XDG_CACHE_HOME/kiln`, else `~/.cache/kiln`. An empty `KILN_CACHE` means none.
    pub fn of_this_machine() -> Cache {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = match env::var_os("KILN_CACHE") {
            Some(folder) => Some(PathBuf::from(folder)).filter(|folder| !folder.as_os_str().is_empty()),
            None => variable("XDG_CACHE_HOME")
                .or_else(|| variable("HOME").map(|home| home.join(".cache")))
                .map(|folder| folder.join("kiln")),
        };
        Cache { folder }
    }

    pub fn at(folder: impl Into<PathBuf>) -> Cache {
        Cache { folder: Some(folder.into()) }
    }

    pub fn none() -> Cache {
        Cache { folder: None }
    }

    /// The entry of this name, or what `make` makes, which is then stored if that is possible.
    pub fn get_or_make(&self, key: &Key, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let Some(folder) = &self.folder else { return make() };
        let path = folder.join(key.file_name());
        let kept = files::open_regular(&path).ok().and_then(|(file, length)| payload(file, length, key));
        if let Some(payload) = kept {
            return Ok(payload);
        }
        let payload = make()?;
        // A full or read-only disk costs time at the next start and nothing else.
        let _ = store(folder, &path, key, &payload);
        Ok(payload)
    }
}

/// What an entry of so many bytes holds, if it is whole and this key's.
pub(crate) fn payload(mut entry: impl Read, length: u64, key: &Key) -> Option<Vec<u8>> {
    let mut head = [0; HEAD];
    entry.read_exact(&mut head).ok()?;
    let long = length.checked_sub(HEAD as u64).filter(|long| *long <= MOST)?;
    if head[..8] != MAGIC || head[8..40] != key.0 || head[72..] != long.to_le_bytes() {
        return None;
    }
    let mut payload = vec![0; long as usize];
    entry.read_exact(&mut payload).ok()?;
    (head[40..72] == *blake3::hash(&payload).as_bytes()).then_some(payload)
}

/// What stands before a payload.
pub(crate) fn head(key: &Key, payload: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..40].copy_from_slice(&key.0);
    head[40..72].copy_from_slice(blake3::hash(payload).as_bytes());
    head[72..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    head
}

fn store(folder: &Path, path: &Path, key: &Key, payload: &[u8]) -> std::io::Result<()> {
    if payload.len() as u64 > MOST {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    // It need not outlast a loss of power: a damaged entry is made again.
    files::replace(path, &[&head(key, payload), payload], false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::cell::Cell;

    const PAYLOAD: [u8; 5] = [1, 2, 3, 4, 5];

    /// Asks for an entry; also tells whether it was made.
    fn ask(cache: &Cache, key: &Key) -> (Vec<u8>, bool) {
        let made = Cell::new(false);
        let payload = cache.get_or_make(key, || {
            made.set(true);
            Ok(PAYLOAD.to_vec())
        });
        (payload.unwrap(), made.get())
    }

    #[test]
    fn keys_tell_texts_apart() {
        assert_eq!(Key::of(["ab", "c"]), Key::of(["ab", "c"]));
        assert_ne!(Key::of(["ab", "c"]), Key::of(["a", "bc"]));
        assert_ne!(Key::of(["ab"]), Key::of(["ab", ""]));
        // What every BLAKE3 says of "abc" ends in these bytes; entries of other programs are named alike.
        let digest = blake3::hash(b"abc");
        assert_eq!(digest.as_bytes()[28..], [0xd5, 0xbd, 0x9d, 0x85]);
        assert_eq!(Key::of([]).file_name().len(), 64 + ".cubin".len());
    }

    #[test]
    fn an_entry_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        // Deeper than what exists: folders are made as needed.
        let cache = Cache::at(folder.path().join("a/b"));
        let key = Key::of(["kernel"]);
        assert_eq!(ask(&cache, &key), (PAYLOAD.to_vec(), true));
        assert_eq!(ask(&cache, &key), (PAYLOAD.to_vec(), false));
        assert!(ask(&cache, &Key::of(["other kernel"])).1);
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 2, "no temporary files stay");
    }

    #[test]
    fn a_damaged_entry_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let key = Key::of(["kernel"]);
        ask(&cache, &key);
        let path = folder.path().join(key.file_name());
        let sound = fs::read(&path).unwrap();
        assert_eq!(sound.len(), HEAD + PAYLOAD.len());
        for length in 0..sound.len() {
            fs::write(&path, &sound[..length]).unwrap();
            assert_eq!(ask(&cache, &key), (PAYLOAD.to_vec(), true), "cut to {length} bytes");
            assert_eq!(fs::read(&path).unwrap(), sound, "cut to {length} bytes");
        }
        for place in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[place] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(ask(&cache, &key), (PAYLOAD.to_vec(), true), "byte {place} flipped");
            assert!(!ask(&cache, &key).1, "byte {place} flipped, then repaired");
        }
        let longer: Vec<u8> = sound.iter().chain(&[0]).copied().collect();
        fs::write(&path, longer).unwrap();
        assert!(ask(&cache, &key).1, "a byte too many");
    }

    #[cfg(unix)]
    #[test]
    fn an_entry_without_an_end_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let key = Key::of(["kernel"]);
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(key.file_name())).unwrap();
        assert_eq!(ask(&cache, &key), (PAYLOAD.to_vec(), true));
        // A file of holes that is longer than any payload may be.
        let long = Key::of(["long"]);
        fs::File::create(folder.path().join(long.file_name())).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(ask(&cache, &long), (PAYLOAD.to_vec(), true));
        assert_eq!(ask(&cache, &long), (PAYLOAD.to_vec(), false));
    }

    #[test]
    fn an_entry_under_another_name_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let (one, other) = (Key::of(["one"]), Key::of(["other"]));
        ask(&cache, &one);
        fs::copy(folder.path().join(one.file_name()), folder.path().join(other.file_name())).unwrap();
        assert!(ask(&cache, &other).1);
    }

    #[test]
    fn where_nothing_can_be_stored_everything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        // A file where the folder should be: no user, not even root, can write an entry below it.
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        for cache in [Cache::at(&blocked), Cache::at(blocked.join("deeper")), Cache::none()] {
            for _ in 0..2 {
                assert_eq!(ask(&cache, &Key::of(["kernel"])), (PAYLOAD.to_vec(), true), "{cache:?}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_read_only_folder_is_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let (stored, new) = (Key::of(["stored"]), Key::of(["new"]));
        ask(&cache, &stored);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(ask(&cache, &stored), (PAYLOAD.to_vec(), false));
        assert_eq!(ask(&cache, &new), (PAYLOAD.to_vec(), true));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn an_error_is_handed_on_and_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let key = Key::of(["kernel"]);
        let error = cache.get_or_make(&key, || Err(Error::empty("the kernel"))).unwrap_err();
        assert_eq!(error.to_string(), "the kernel is empty");
        assert!(ask(&cache, &key).1);
    }

    #[test]
    fn threads_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let keys: Vec<Key> = (0..20).map(|i| Key::of([i.to_string().as_str()])).collect();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| keys.iter().for_each(|key| assert_eq!(ask(&cache, key).0, PAYLOAD)));
            }
        });
        assert!(keys.iter().all(|key| !ask(&cache, key).1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), keys.len());
    }
}
