//! MNIST's file format: a header with the extents, then one unsigned byte a value; plain or gzip, told by content.
//!
//! ```text
//! 0  0  type  axes | extent (u32, big endian) × axes | bytes, row-major
//! ```
//!
//! Files are not trusted: everything the header says is checked before it is used, memory grows with the bytes that
//! really come, and what is wrong is an error that names the file. Types other than unsigned bytes (0x08) are not read.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::dense::Dense;
use super::{Classes, Dataset};
use crate::error::Error;

#[cfg(test)]
mod tests;

const UNSIGNED_BYTE: u8 = 0x08;

/// No byte of a gzip stream stands for more bytes than these.
const DEFLATE: u64 = 1032;

/// What [`open`] found in a folder.
#[derive(Clone, Debug)]
pub struct Folder<I, T> {
    /// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`
    pub train: Dataset<I, T>,
    /// `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, where they are there.
    pub test: Option<Dataset<I, T>>,
}

/// Opens a folder with MNIST's file names, each plain or with `.gz`. Pixels become `byte / 255`.
///
/// ```no_run
/// use kiln::data::{Classes, Images, idx};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let data = idx::open::<Images<1, 28, 28>, Classes<10>>("data/mnist")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Where the training files are missing, one of the two test files is, or a file is not what its name says.
pub fn open<I: Dense, T: Labels>(folder: impl AsRef<Path>) -> Result<Folder<I, T>, Error> {
    let folder = folder.as_ref();
    let Some(train) = open_part(folder, "train")? else {
        return Err(missing(folder, "train-images-idx3-ubyte"));
    };
    Ok(Folder { train, test: open_part(folder, "t10k")? })
}

/// Opens `PART-images-idx3-ubyte` and `PART-labels-idx1-ubyte`; `None` where neither is there.
///
/// # Errors
/// As [`open`].
pub fn open_part<I: Dense, T: Labels>(folder: impl AsRef<Path>, part: &str) -> Result<Option<Dataset<I, T>>, Error> {
    let folder = folder.as_ref();
    // A wrong folder shall not look like one without test files.
    std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
    let names = [format!("{part}-images-idx3-ubyte"), format!("{part}-labels-idx1-ubyte")];
    match names.each_ref().map(|name| find(folder, name)) {
        [None, None] => Ok(None),
        [Some(images), Some(labels)] => read(&images, &labels).map(Some),
        [Some(_), None] => Err(missing(folder, &names[1])),
        [None, Some(_)] => Err(missing(folder, &names[0])),
    }
}

/// Reads one file of images and one of labels.
///
/// # Errors
/// Where a file is not what it should be, or they have different numbers of samples.
pub fn read<I: Dense, T: Labels>(images: &Path, labels: &Path) -> Result<Dataset<I, T>, Error> {
    read_from(Source::open(images)?, Source::open(labels)?)
}

/// A file as it is read: the path serves messages only.
pub(crate) struct Source<'a, R> {
    pub path: &'a Path,
    pub reader: R,
    /// Where it is known: a pipe has none.
    pub length: Option<u64>,
}

impl<'a> Source<'a, File> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let reader = File::open(path).map_err(|source| Error::io(path, source))?;
        let metadata = reader.metadata().map_err(|source| Error::io(path, source))?;
        Ok(Source { path, reader, length: metadata.is_file().then_some(metadata.len()) })
    }
}

impl<'a> Source<'a, &'a [u8]> {
    pub(crate) fn bytes(path: &'a Path, bytes: &'a [u8]) -> Self {
        Source { path, reader: bytes, length: Some(bytes.len() as u64) }
    }
}

/// As [`read`], from anything.
pub(crate) fn read_from<I: Dense, T: Labels>(
    images: Source<'_, impl Read>,
    labels: Source<'_, impl Read>,
) -> Result<Dataset<I, T>, Error> {
    let (images_path, labels_path) = (images.path, labels.path);
    let pixels = parse(images, |shape| {
        I::fits(&shape[1..]).then_some(()).ok_or_else(|| format!("{} for {}", shape_text(I::SHAPE), I::type_name()))
    })?;
    let classes = parse(labels, |shape| (shape.len() == 1).then_some(()).ok_or_else(|| "[_]".into()))?;
    if pixels.shape[0] != classes.shape[0] {
        let (expected, found) = (pixels.shape[0], classes.shape[0]);
        return Err(wrong(
            labels_path,
            "number of labels",
            format!("{expected}, as many as images in {}", images_path.display()),
            found,
        ));
    }
    let bound = T::CLASSES;
    if let Some(sample) = classes.bytes.iter().position(|&label| usize::from(label) >= bound) {
        let what = format!("label of sample {sample}");
        return Err(wrong(labels_path, &what, format!("a class in 0..{bound}"), classes.bytes[sample]));
    }
    let values = pixels.bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Dataset::new(I::from_values(values)?, T::from_bytes(&classes.bytes)?)
}

/// Writes one file, compressed where its name ends in `.gz`.
///
/// # Errors
/// Where the extents do not make `bytes.len()`, or the file cannot be written.
pub fn write(path: impl AsRef<Path>, shape: &[usize], bytes: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    let size = shape.iter().try_fold(1usize, |size, &extent| size.checked_mul(extent));
    if size != Some(bytes.len()) || shape.len() > 255 {
        return Err(wrong(path, "number of bytes", format!("those of shape {shape:?}"), bytes.len()));
    }
    let mut file = vec![0, 0, UNSIGNED_BYTE, shape.len() as u8];
    for &extent in shape {
        let extent = u32::try_from(extent).map_err(|_| wrong(path, "extent", "one below 2³²", extent))?;
        file.extend(extent.to_be_bytes());
    }
    file.extend(bytes);
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(&file).and_then(|()| encoder.finish());
        file = packed.map_err(|source| Error::io(path, source))?;
    }
    crate::files::save_into(path, &file)
}

/// Class indices that can be read from a file of bytes.
pub trait Labels: super::Feed {
    #[doc(hidden)]
    const CLASSES: usize;

    #[doc(hidden)]
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error>;
}

impl<const N: usize> Labels for Classes<N> {
    const CLASSES: usize = N;

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Classes::from_vec(bytes.to_vec())
    }
}

/// A file's content.
#[derive(Debug)]
struct Idx {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Reads a file whose shape `accept` agrees to; otherwise `accept` says what it wants.
fn parse(
    Source { path, reader, length }: Source<'_, impl Read>,
    accept: impl FnOnce(&[usize]) -> Result<(), String>,
) -> Result<Idx, Error> {
    let mut reader = BufReader::new(reader);
    let start = take(path, &mut reader, 2, "first bytes")?;
    let whole = start.as_slice().chain(reader);
    if start == [0x1f, 0x8b] {
        let most = length.map(|length| length.saturating_mul(DEFLATE));
        parse_plain(Source { path, reader: MultiGzDecoder::new(whole), length: most }, accept)
    } else {
        parse_plain(Source { path, reader: whole, length }, accept)
    }
}

/// Here `length` is the most bytes that can come.
fn parse_plain(
    Source { path, mut reader, length }: Source<'_, impl Read>,
    accept: impl FnOnce(&[usize]) -> Result<(), String>,
) -> Result<Idx, Error> {
    let magic = take(path, &mut reader, 4, "magic number")?;
    if magic[..2] != [0, 0] {
        return Err(wrong(path, "magic number", "two zero bytes (IDX) or a gzip stream", hex(&magic[..2])));
    }
    if magic[2] != UNSIGNED_BYTE {
        return Err(wrong(path, "type code", "08 (unsigned bytes)", hex(&magic[2..3])));
    }
    let axes = usize::from(magic[3]);
    if axes == 0 {
        return Err(wrong(path, "number of axes", "at least 1", 0));
    }
    let extents = take(path, &mut reader, 4 * axes, "extents")?;
    let extent = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes) as usize;
    let shape: Vec<usize> = extents.as_chunks::<4>().0.iter().map(extent).collect();
    accept(&shape).map_err(|expected| wrong(path, "shape", expected, format!("{shape:?}")))?;
    let size = shape.iter().try_fold(1u64, |size, &extent| size.checked_mul(extent as u64));
    let size = size.filter(|&size| usize::try_from(size).is_ok_and(|size| size < isize::MAX as usize));
    let Some(size) = size else {
        return Err(wrong(path, "shape", "one that fits into memory", format!("{shape:?}")));
    };
    // A header that promises more than can come does not get to see how far the rest goes.
    if let Some(most) = length.map(|length| length.saturating_sub(4 + 4 * axes as u64)).filter(|most| *most < size) {
        return Err(wrong(path, "values", format!("{size} bytes for shape {shape:?}"), format!("{most} (truncated)")));
    }
    // One byte more than there should be, to see whether the file goes on.
    let mut bytes = Vec::new();
    reader.take(size + 1).read_to_end(&mut bytes).map_err(|source| unreadable(path, source))?;
    let found = bytes.len() as u64;
    if found < size {
        return Err(wrong(path, "values", format!("{size} bytes for shape {shape:?}"), format!("{found} (truncated)")));
    }
    if found > size {
        return Err(wrong(path, "values", format!("{size} bytes for shape {shape:?}"), "more (trailing bytes)"));
    }
    Ok(Idx { shape, bytes })
}

/// Exactly `count` bytes. Only for the header, whose parts are small.
fn take(path: &Path, reader: &mut impl Read, count: usize, what: &'static str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(count);
    reader.take(count as u64).read_to_end(&mut bytes).map_err(|source| unreadable(path, source))?;
    if bytes.len() < count {
        return Err(wrong(path, what, format!("{count} bytes"), format!("{} (truncated)", bytes.len())));
    }
    Ok(bytes)
}

/// The file, plain or compressed.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

/// A shape with its batch axis: `[_, 1, 28, 28]`.
pub(super) fn shape_text(sample: &[usize]) -> String {
    let extents: Vec<String> = sample.iter().map(usize::to_string).collect();
    format!("[_, {}]", extents.join(", "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cold]
fn missing(folder: &Path, name: &str) -> Error {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    names.truncate(8);
    let found = if names.is_empty() { "an empty folder".into() } else { names.join(", ") };
    wrong(folder, "files", format!("{name} or {name}.gz"), found)
}

#[cold]
fn wrong(path: &Path, what: &str, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Error {
    Error::file(path, format!("{what}: expected {expected}, found {found}"))
}

/// A read error of a gzip stream is wrong content, anything else the system's.
#[cold]
fn unreadable(path: &Path, source: std::io::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match source.kind() {
        UnexpectedEof => wrong(path, "gzip stream", "a whole one", "its end too early (truncated)"),
        InvalidData | InvalidInput => wrong(path, "gzip stream", "a sound one", source),
        _ => Error::io(path, source),
    }
}
