//! Reading safetensors files that nobody vouches for.
//!
//! ```text
//! 0  length of the header (u64, little endian) | header (JSON) | values of all tensors, without holes
//!
//! {"__metadata__": {"key": "text"}, "fc.weight": {"dtype": "F32", "shape": [10, 84], "data_offsets": [0, 3360]}, ..}
//! ```
//!
//! Every length is checked against the length of the file, and every offset against the others, before memory is asked for.
//! Values stay in the file until they are wanted, so that what is read takes as much memory as it has values, whatever else the
//! file holds. Types of numbers that are not read do no harm as long as nobody wants them.

use crate::error::{Error, Result};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// As the format says.
const LONGEST_HEADER: u64 = 100_000_000;

/// Bytes of values that are taken from the file at once; a multiple of every number's size.
const PIECE: usize = 1 << 16;

/// A safetensors file whose header has been read and checked.
pub(crate) struct TensorFile<R = File> {
    /// For messages.
    path: PathBuf,
    source: R,
    /// Where values begin.
    start: u64,
    header: Header,
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Entry>,
}

/// What the header says about a tensor.
#[derive(Deserialize)]
pub(crate) struct Entry {
    /// `F32`, `BF16`, ..
    pub dtype: String,
    pub shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl TensorFile {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be read, or is no sound safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, length) = super::open(path)?;
        TensorFile::new(path, file, length)
    }
}

impl<R: Read + Seek> TensorFile<R> {
    /// As [`TensorFile::open`], from so many bytes; the path serves messages only.
    pub fn new(path: &Path, mut source: R, length: u64) -> Result<Self> {
        let wrong =
            |what: &dyn fmt::Display| Error::file(path, format!("this is no complete safetensors file ({what})"));
        let io = |source| Error::io(path, source);
        if length < 8 {
            return Err(wrong(&format_args!("{length} bytes, which is less than the header's length takes")));
        }
        let mut word = [0; 8];
        source.read_exact(&mut word).map_err(io)?;
        let long = u64::from_le_bytes(word);
        if long > LONGEST_HEADER.min(length - 8) {
            return Err(wrong(&format_args!("a header of {long} bytes in a file of {length}")));
        }
        // No longer than what is there.
        let mut text = vec![0; long as usize];
        source.read_exact(&mut text).map_err(io)?;
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let read = reader.deserialize_map(HeaderVisitor).and_then(|header| reader.end().map(|()| header));
        let header = read.map_err(|error| wrong(&format_args!("header: {error}")))?;
        let start = 8 + long;
        header.check(length - start).map_err(|problem| wrong(&problem))?;
        Ok(TensorFile { path: path.to_path_buf(), source, start, header })
    }

    /// The texts that came with the tensors.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// Names of all tensors, and what the header says about them.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.header.tensors.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.header.tensors.get(name)
    }

    /// The values of a tensor as f32, in row-major order. Asks for memory for all of them: the caller has looked at the shape.
    ///
    /// # Errors
    /// Where there is no such tensor, where its numbers are of a type that [`is_read`] does not know, or a number of an F64 is finite
    /// and too large.
    pub fn values(&mut self, name: &str) -> Result<Vec<f32>> {
        let Some(Entry { dtype, data_offsets: (begin, end), .. }) = self.header.tensors.get(name) else {
            return Err(Error::file(&self.path, format!("it has no tensor `{name}`")));
        };
        let bytes = end - begin;
        self.source.seek(SeekFrom::Start(self.start + begin)).map_err(|source| Error::io(&self.path, source))?;
        let from = Values { path: &self.path, name, source: &mut self.source, bytes };
        match dtype.as_str() {
            "F32" => from.each(|_, bytes| Ok(f32::from_le_bytes(bytes))),
            "F16" => from.each(|_, bytes| Ok(from_f16(u16::from_le_bytes(bytes)))),
            "BF16" => from.each(|_, bytes| Ok(from_bf16(u16::from_le_bytes(bytes)))),
            "I64" => from.each(|_, bytes| Ok(i64::from_le_bytes(bytes) as f32)),
            "F64" => from.each(|place, bytes| {
                let wide = f64::from_le_bytes(bytes);
                let value = wide as f32;
                if value.is_infinite() && wide.is_finite() {
                    return Err(format!("value {place} is {wide:e} in F64, which is too large for f32"));
                }
                Ok(value)
            }),
            other => Err(Error::file(&self.path, format!("`{name}`: numbers of type {other} are not read"))),
        }
    }
}

/// Whether parameters may have this type: they become f32, exactly but for F64.
pub(crate) fn is_read(dtype: &str) -> bool {
    matches!(dtype, "F32" | "F16" | "BF16" | "F64")
}

/// The bytes of one tensor.
struct Values<'a, R> {
    path: &'a Path,
    name: &'a str,
    source: &'a mut R,
    bytes: u64,
}

impl<R: Read> Values<'_, R> {
    /// Number after number, which are `N` bytes each, with its place.
    fn each<const N: usize>(self, number: impl Fn(usize, [u8; N]) -> Result<f32, String>) -> Result<Vec<f32>> {
        let Values { path, name, source, bytes } = self;
        let wrong = |problem: &dyn fmt::Display| Error::file(path, format!("`{name}`: {problem}"));
        let mut values = Vec::with_capacity((bytes / N as u64) as usize);
        let mut piece = vec![0; (PIECE as u64).min(bytes) as usize];
        let mut left = bytes;
        while left > 0 {
            let piece = &mut piece[..(PIECE as u64).min(left) as usize];
            // The file may have become shorter since its length was asked for.
            source.read_exact(piece).map_err(|error| wrong(&error))?;
            for bytes in piece.as_chunks::<N>().0 {
                values.push(number(values.len(), *bytes).map_err(|problem| wrong(&problem))?);
            }
            left -= piece.len() as u64;
        }
        Ok(values)
    }
}

impl Header {
    /// Whether tensors lie one after the other in exactly so many bytes, each as long as its shape says.
    fn check(&self, length: u64) -> Result<(), String> {
        let mut order: Vec<(&String, &Entry)> = self.tensors.iter().collect();
        order.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut at = 0;
        for (name, Entry { dtype, shape, data_offsets: (begin, end) }) in order {
            if *begin != at || end < begin {
                return Err(format!("`{name}` lies at bytes {begin} to {end}, expected from {at} on"));
            }
            at = *end;
            if at > length {
                return Err(format!("`{name}` ends at byte {at} of {length}"));
            }
            let numbers = shape.iter().try_fold(1u64, |size, extent| size.checked_mul(*extent as u64));
            let Some(bits) = bits(dtype) else {
                // A type of a later version of the format: nothing is known about its length.
                continue;
            };
            let size = numbers.and_then(|numbers| numbers.checked_mul(bits)).filter(|size| size % 8 == 0);
            if size.map(|bits| bits / 8) != Some(end - begin) {
                return Err(format!("`{name}` of type {dtype} and shape {shape:?} has {} bytes", end - begin));
            }
        }
        if at == length { Ok(()) } else { Err(format!("{at} bytes of tensors in {length}")) }
    }
}

/// Bits of one number.
fn bits(dtype: &str) -> Option<u64> {
    match dtype {
        "F4" => Some(4),
        "F6_E2M3" | "F6_E3M2" => Some(6),
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => Some(8),
        "U16" | "I16" | "F16" | "BF16" => Some(16),
        "U32" | "I32" | "F32" => Some(32),
        "U64" | "I64" | "F64" | "C64" => Some(64),
        _ => None,
    }
}

/// Reads a header entry by entry, so that it takes no more memory than what is kept.
struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                header.metadata = map.next_value::<Option<_>>()?.unwrap_or_default();
                continue;
            }
            let entry = map.next_value()?;
            if header.tensors.contains_key(&name) {
                return Err(de::Error::custom(format_args!("two tensors `{name}`")));
            }
            header.tensors.insert(name, entry);
        }
        Ok(header)
    }
}

/// IEEE's half precision: every value is one of f32.
fn from_f16(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        // Without a leading one: multiples of 2⁻²⁴.
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        31 => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// The upper half of an f32.
fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(header: &str, data: &[u8]) -> Result<TensorFile<Cursor<Vec<u8>>>> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        let length = bytes.len() as u64;
        TensorFile::new(Path::new("w.safetensors"), Cursor::new(bytes), length)
    }

    fn problem(header: &str, data: &[u8]) -> String {
        let text = read(header, data).err().expect("an error").to_string();
        let text = text.strip_prefix("w.safetensors: this is no complete safetensors file (").expect("the same words");
        text.strip_suffix(')').unwrap().to_owned()
    }

    #[test]
    fn half_precision_is_exact() {
        for bits in 0..=u16::MAX {
            let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let magnitude = match exponent {
                0 => fraction * 2f64.powi(-24),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
            };
            let found = from_f16(bits);
            assert_eq!(found.is_sign_negative(), sign == 1, "{bits:04x}");
            assert!(f64::from(found.abs()) == magnitude || found.is_nan() && magnitude.is_nan(), "{bits:04x}: {found}");
        }
        assert_eq!([0x3f80, 0xc000, 0x0001].map(from_bf16), [1.0, -2.0, f32::from_bits(0x0001_0000)]);
    }

    #[test]
    fn lengths_and_offsets_are_checked() {
        let entry = |dtype: &str, shape: &str, from: u64, to: u64| {
            format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        };
        let one = |entry: String| format!(r#"{{"a":{entry}}}"#);
        assert!(read(&one(entry("F32", "[2]", 0, 8)), &[0; 8]).is_ok());
        assert!(read("{}", &[]).is_ok());
        assert_eq!(problem(&one(entry("F32", "[2]", 0, 8)), &[0; 9]), "8 bytes of tensors in 9");
        assert_eq!(problem(&one(entry("F32", "[2]", 0, 8)), &[0; 7]), "`a` ends at byte 8 of 7");
        assert_eq!(
            problem(&one(entry("F32", "[2]", 4, 12)), &[0; 12]),
            "`a` lies at bytes 4 to 12, expected from 0 on"
        );
        let text = problem(&one(entry("F32", "[2]", u64::MAX, 0)), &[0; 8]);
        assert_eq!(text, format!("`a` lies at bytes {} to 0, expected from 0 on", u64::MAX));
        assert_eq!(problem(&one(entry("F32", "[3]", 0, 8)), &[0; 8]), "`a` of type F32 and shape [3] has 8 bytes");
        let wide = format!("[{}, {0}]", 1u64 << 32);
        let text = problem(&one(entry("F32", &wide, 0, 0)), &[]);
        assert_eq!(text, "`a` of type F32 and shape [4294967296, 4294967296] has 0 bytes");
        // Eight tensors whose lengths add up to 2⁶⁴: with sums that wrap around, the file is as long as it should be.
        let eighth = 1u64 << 61;
        let entries: Vec<String> = (0..8)
            .map(|i: u64| {
                let size = if i == 7 { eighth - 1 } else { eighth };
                format!(r#""t{i}":{}"#, entry("U8", &format!("[{size}]"), i * eighth, i.wrapping_mul(eighth) + size))
            })
            .collect();
        let text = problem(&format!("{{{}}}", entries.join(",")), &[]);
        assert!(text.starts_with("`t0` ends at byte 2305843009213693952 of 0"), "{text}");
        let two = format!(r#"{{"a":{0},"a":{0}}}"#, entry("F32", "[]", 0, 4));
        assert!(problem(&two, &[0; 4]).starts_with("header: two tensors `a`"), "{}", problem(&two, &[0; 4]));
        assert!(problem("[]", &[]).starts_with("header: invalid type"), "{}", problem("[]", &[]));
        assert!(problem("{} {}", &[]).starts_with("header: trailing characters"), "{}", problem("{} {}", &[]));
        let path = Path::new("w.safetensors");
        let text = TensorFile::new(path, Cursor::new([0xff; 16]), 16).err().unwrap().to_string();
        assert!(text.contains("(a header of 18446744073709551615 bytes in a file of 16)"), "{text}");
    }

    #[test]
    fn types_that_are_not_known_are_left_alone() {
        let header = r#"{"__metadata__":null,"a":{"dtype":"F3","shape":[5],"data_offsets":[0,2],"later":{"x":[1]}},
            "b":{"dtype":"F16","shape":[],"data_offsets":[2,4]}}"#;
        let mut file = read(header, &[1, 2, 0, 0x3c]).unwrap();
        assert_eq!(file.values("b").unwrap(), [1.0]);
        let text = file.values("a").unwrap_err().to_string();
        assert_eq!(text, "w.safetensors: `a`: numbers of type F3 are not read");
        assert!(file.values("c").is_err());
    }

    #[test]
    fn doubles_that_do_not_fit_are_errors() {
        let header = r#"{"a":{"dtype":"F64","shape":[4],"data_offsets":[0,32]}}"#;
        let data = |numbers: [f64; 4]| numbers.map(f64::to_le_bytes).concat();
        let numbers = [0.1, f64::INFINITY, f64::from(f32::MAX), -1e-300];
        let values = read(header, &data(numbers)).unwrap().values("a").unwrap();
        assert_eq!(values, [0.1, f32::INFINITY, f32::MAX, 0.0]);
        let text = read(header, &data([1.0, 2.0, -1e39, 1e300])).unwrap().values("a").unwrap_err().to_string();
        assert_eq!(text, "w.safetensors: `a`: value 2 is -1e39 in F64, which is too large for f32");
    }
}
