//! Doors for the fuzzers of this repository (`cargo xtask fuzz-readers`): every reader of files, over bytes in memory.
//!
//! They lead to the code that reads files, and have none of their own.

use crate::data::idx::{self, Labels, Source};
use crate::data::{Dataset, Dense};
use crate::device::cuda::cache;
use crate::error::Result;
use crate::files::TensorFile;
use crate::network::Network;
use crate::{Load, Loaded, Model};
use std::io::Cursor;
use std::path::Path;

pub use crate::train::fuzzing::Checkpoints;

/// As [`Model::load_with`].
pub fn weights<N: Network>(model: &mut Model<N>, bytes: &[u8], load: Load) -> Result<Loaded> {
    let path = Path::new("fuzzed.safetensors");
    let file = TensorFile::new(path, Cursor::new(bytes), bytes.len() as u64)?;
    model.load_from(path, file, load)
}

/// As [`idx::read`].
pub fn images<I: Dense, T: Labels>(images: &[u8], labels: &[u8]) -> Result<Dataset<I, T>> {
    idx::read_from(Source::bytes(Path::new("images"), images), Source::bytes(Path::new("labels"), labels))
}

/// The payload of an entry of the kernel cache, if it is sound and of the kernel of this text.
pub fn cached(entry: &[u8], text: &str) -> Option<Vec<u8>> {
    cache::payload(entry, entry.len() as u64, &cache::Key::of([text]))
}

/// An entry as it is stored.
pub fn cache_entry(text: &str, payload: &[u8]) -> Vec<u8> {
    [&cache::head(&cache::Key::of([text]), payload), payload].concat()
}
