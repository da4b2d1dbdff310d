//! Each way to break a file, and that none of them panics.

use std::io::Write;

use super::super::{Images, Rows, Sequences};
use super::*;

type Tiny = Images<1, 2, 3>;

fn file(kind: u8, shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, shape.len() as u8];
    shape.iter().for_each(|extent| file.extend(extent.to_be_bytes()));
    file.extend(bytes);
    file
}

fn images() -> Vec<u8> {
    file(8, &[2, 2, 3], &[0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6])
}

fn labels() -> Vec<u8> {
    file(8, &[2], &[4, 0])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn load(images: &[u8], labels: &[u8]) -> Result<Dataset<Tiny, Classes<5>>, Error> {
    read_from(Source::bytes(Path::new("images"), images), Source::bytes(Path::new("labels"), labels))
}

/// The message of a broken images file.
fn broken(images: &[u8]) -> String {
    load(images, &labels()).unwrap_err().to_string()
}

#[test]
fn plain_and_gzip_give_the_same() {
    let plain = load(&images(), &labels()).unwrap();
    assert_eq!(plain.inputs().row(0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    assert_eq!((plain.targets().row(0), plain.targets().row(1)), (4, 0));
    assert_eq!(load(&gzip(&images()), &gzip(&labels())).unwrap(), plain);
}

#[test]
fn shapes_that_mean_the_same() {
    let read = |bytes: &[u8]| parse(Source::bytes(Path::new("x"), bytes), |_| Ok(())).unwrap();
    assert_eq!(read(&images()).shape, [2, 2, 3]);
    assert!(Rows::<6>::fits(&[2, 3]) && Rows::<6>::fits(&[1, 2, 3]) && !Rows::<6>::fits(&[5]));
    assert!(Images::<3, 2, 2>::fits(&[3, 2, 2]) && !Images::<3, 2, 2>::fits(&[2, 2]));
    assert!(Sequences::<1, 4>::fits(&[4]) && Sequences::<2, 4>::fits(&[2, 4]));
    assert!(!Rows::<6>::fits(&[usize::MAX, usize::MAX]));
}

#[test]
fn headers() {
    assert_eq!(
        broken(b"PK\x03\x04 and so on"),
        "images: magic number: expected two zero bytes (IDX) or a gzip stream, found 50 4b"
    );
    assert_eq!(broken(&file(0x0d, &[2, 2, 3], &[0; 48])), "images: type code: expected 08 (unsigned bytes), found 0d");
    assert_eq!(broken(&file(8, &[], &[0])), "images: number of axes: expected at least 1, found 0");
    assert_eq!(broken(b""), "images: first bytes: expected 2 bytes, found 0 (truncated)");
    assert_eq!(broken(&images()[..3]), "images: magic number: expected 4 bytes, found 3 (truncated)");
    assert_eq!(broken(&images()[..9]), "images: extents: expected 12 bytes, found 5 (truncated)");
}

#[test]
fn sizes() {
    let shape = "images: shape: expected [_, 1, 2, 3] for Images<1, 2, 3>, found";
    assert_eq!(broken(&file(8, &[2, 3, 3], &[0; 18])), format!("{shape} [2, 3, 3]"));
    assert_eq!(broken(&file(8, &[12], &[0; 12])), format!("{shape} [12]"));
    assert_eq!(
        broken(&file(8, &[3, 2, 3], &[0; 12])),
        "images: values: expected 18 bytes for shape [3, 2, 3], found 12 (truncated)"
    );
    assert_eq!(
        broken(&file(8, &[1, 2, 3], &[0; 12])),
        "images: values: expected 6 bytes for shape [1, 2, 3], found more (trailing bytes)"
    );
    // 24 GB according to the header: no memory is asked for before the bytes come.
    assert_eq!(
        broken(&file(8, &[u32::MAX, 2, 3], &[0; 12])),
        "images: values: expected 25769803770 bytes for shape [4294967295, 2, 3], found 12 (truncated)"
    );
    let huge = parse(Source::bytes(Path::new("x"), &file(8, &[u32::MAX; 3], &[])), |_| Ok(())).unwrap_err();
    assert_eq!(
        huge.to_string(),
        "x: shape: expected one that fits into memory, found [4294967295, 4294967295, 4294967295]"
    );
}

#[test]
fn labels_against_images() {
    let text = |labels: &[u8]| load(&images(), labels).unwrap_err().to_string();
    assert_eq!(
        text(&file(8, &[3], &[0, 1, 2])),
        "labels: number of labels: expected 2, as many as images in images, found 3"
    );
    assert_eq!(text(&file(8, &[2], &[4, 5])), "labels: label of sample 1: expected a class in 0..5, found 5");
    assert_eq!(text(&images()), "labels: shape: expected [_], found [2, 2, 3]");
}

#[test]
fn broken_gzip() {
    let good = gzip(&images());
    assert!(broken(&good[..good.len() / 2]).starts_with("images: gzip stream: expected"), "truncated");
    let mut flipped = good.clone();
    let crc = flipped.len() - 8;
    flipped[crc] ^= 1;
    assert!(broken(&flipped).starts_with("images: gzip stream: expected a sound one"), "{}", broken(&flipped));
    assert!(broken(&gzip(&[images(), vec![7]].concat())).ends_with("found more (trailing bytes)"));
}

/// Every prefix and every flipped byte is an error or data, never a panic.
#[test]
fn no_corruption_panics() {
    for bytes in [images(), gzip(&images())] {
        for end in 0..bytes.len() {
            assert!(load(&bytes[..end], &labels()).is_err(), "prefix of {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let _ = load(&flipped, &labels());
            }
        }
    }
}

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let open = || open::<Tiny, Classes<5>>(folder.path());
    assert!(
        open()
            .unwrap_err()
            .to_string()
            .ends_with("expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found an empty folder")
    );
    write(at("train-images-idx3-ubyte.gz"), &[2, 2, 3], &[9; 12]).unwrap();
    assert!(open().unwrap_err().to_string().contains("expected train-labels-idx1-ubyte or"));
    write(at("train-labels-idx1-ubyte"), &[2], &[1, 2]).unwrap();
    let found = open().unwrap();
    assert_eq!((found.train.len(), found.test.is_none()), (2, true));
    write(at("t10k-images-idx3-ubyte"), &[1, 2, 3], &[0; 6]).unwrap();
    assert!(open().unwrap_err().to_string().contains("expected t10k-labels-idx1-ubyte or"));
    write(at("t10k-labels-idx1-ubyte.gz"), &[1], &[4]).unwrap();
    assert_eq!(open().unwrap().test.unwrap().targets().row(0), 4);
    assert!(super::open::<Tiny, Classes<5>>(at("nowhere")).is_err());
    assert!(
        write(at("x"), &[2, 2], &[0; 3]).unwrap_err().to_string().contains("expected those of shape [2, 2], found 3")
    );
}
