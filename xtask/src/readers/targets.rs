//! The readers that are fuzzed, each with its sound files and the memory that it may hold.

use super::mutate::{self, Parts, Random};
use kiln::data::{Classes, Images, Rows};
use kiln::fuzzing::{self, Checkpoints};
use kiln::prelude::*;
use std::io::Write;

kiln::network! {
    pub Small {
        input x: [3];
        target y: class<2>;
        norm: BatchNorm<momentum = none>; fc: Linear<2>;
        loss: CrossEntropy(_, y);
    }
}

/// Which reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// safetensors into a model
    Weights,
    /// IDX, images and labels, as they are
    Idx,
    /// IDX in a gzip stream
    IdxGzip,
    Checkpoint,
    /// Entries of the kernel cache
    Cache,
    /// These two break, to see that it is seen.
    #[cfg(test)]
    Panicking,
    #[cfg(test)]
    Greedy,
}

/// Those of the campaign.
pub const KINDS: [Kind; 5] = [Kind::Weights, Kind::Idx, Kind::IdxGzip, Kind::Checkpoint, Kind::Cache];

/// A reader with all that it needs.
pub trait Target {
    /// A broken file, or a sound one.
    fn input(&mut self, random: &mut Random, out: &mut Vec<u8>);

    /// Whether the reader takes it.
    fn run(&mut self, input: &[u8]) -> bool;

    /// How many bytes of memory it may hold at once.
    fn limit(&self, input: &[u8]) -> usize {
        16 * input.len() + (64 << 10)
    }
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Weights => "weights",
            Kind::Idx => "idx",
            Kind::IdxGzip => "idx-gzip",
            Kind::Checkpoint => "checkpoint",
            Kind::Cache => "cache",
            #[cfg(test)]
            Kind::Panicking => "panicking",
            #[cfg(test)]
            Kind::Greedy => "greedy",
        }
    }

    pub fn target(self) -> Box<dyn Target> {
        match self {
            Kind::Weights => Box::new(Weights::new()),
            Kind::Idx => Box::new(Idx),
            Kind::IdxGzip => Box::new(IdxGzip::new()),
            Kind::Checkpoint => Box::new(Checkpoint::new()),
            Kind::Cache => Box::new(Cache),
            #[cfg(test)]
            Kind::Panicking => Box::new(planted::Panicking),
            #[cfg(test)]
            Kind::Greedy => Box::new(planted::Greedy),
        }
    }
}

fn model() -> Model<Small> {
    Small::new(&Device::cpu().threads(1), 1).expect("a CPU")
}

fn batch() -> Dataset<Rows<3>, Classes<2>> {
    let rows = Rows::from_vec(vec![0.1, -0.2, 0.3, 0.4, 0.5, -0.6]).expect("two samples");
    Dataset::new(rows, Classes::from_vec(vec![0, 1]).expect("two labels")).expect("as many")
}

struct Weights {
    model: Model<Small>,
    sound: Parts,
}

impl Weights {
    fn new() -> Self {
        let model = model();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sound.safetensors");
        model.save(&path).expect("a saved model");
        Weights { model, sound: Parts::of(&std::fs::read(&path).expect("the saved model")) }
    }
}

impl Target for Weights {
    fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
        let mut parts = self.sound.clone();
        for _ in 0..random.below(4) {
            parts.change(random);
        }
        parts.write(random, out);
        if random.percent(25) {
            mutate::bytes(random, out);
        }
    }

    fn run(&mut self, input: &[u8]) -> bool {
        // Strictly, and as a file of another network is read.
        let strict = fuzzing::weights(&mut self.model, input, Load::strict());
        let loose = Load::strict().except("fc.*").except("huge*").strip_prefix("module.");
        let loose = fuzzing::weights(&mut self.model, input, loose);
        strict.is_ok() || loose.is_ok()
    }
}

struct Checkpoint {
    training: Checkpoints<Small, AdamW>,
    sound: Vec<u8>,
    parts: Parts,
    batch: Dataset<Rows<3>, Classes<2>>,
}

impl Checkpoint {
    fn new() -> Self {
        let batch = batch();
        let adam = AdamW { amsgrad: true, ..AdamW::default() };
        let plateau = ReduceOnPlateau { patience: 1, cooldown: 1, ..ReduceOnPlateau::default() };
        let mut training =
            Checkpoints::new(model(), adam, plateau.then(4, schedule::Exponential { gamma: 0.9 }), &batch)
                .expect("a training");
        let sound = training.bytes().expect("a checkpoint");
        let parts = Parts::of(&sound);
        Checkpoint { training, sound, parts, batch }
    }
}

impl Target for Checkpoint {
    fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
        if random.percent(10) {
            out.extend(&self.sound);
            mutate::bytes(random, out);
            return;
        }
        let mut parts = self.parts.clone();
        for _ in 0..random.below(4) {
            parts.change(random);
        }
        parts.write(random, out);
        if random.percent(10) {
            mutate::bytes(random, out);
        }
        // Whoever forges a checkpoint also forges its checksum.
        if let Some(end) = out.len().checked_sub(32).filter(|_| random.percent(97)) {
            let hash = blake3::hash(&out[..end]);
            out[end..].copy_from_slice(hash.as_bytes());
        }
    }

    fn run(&mut self, input: &[u8]) -> bool {
        let taken = self.training.read(input).is_ok();
        if taken {
            // An error is fine, here of a learning rate that is none.
            let _ = self.training.go_on(&self.batch);
            self.training.read(&self.sound).expect("the sound checkpoint");
        }
        taken
    }

    fn limit(&self, input: &[u8]) -> usize {
        // Beside the input the training itself, several times: parameters lie in memory in blocks of 16.
        16 * input.len() + (256 << 10)
    }
}

/// Two files: the length of the first, then both.
struct Idx;

/// A sound or broken file of so many axes.
fn idx(random: &mut Random, shape: &[u32], most: u8) -> Vec<u8> {
    let (mut shape, mut kind) = (shape.to_vec(), 8);
    let mut values: usize = shape.iter().map(|extent| *extent as usize).product();
    match random.below(10) {
        0 => {
            let axis = random.below(shape.len());
            shape[axis] = random.number(u64::from(shape[axis])) as u32;
        }
        1 => {
            let extent = random.number(1) as u32;
            shape.push(extent);
        }
        2 => drop(shape.pop()),
        3 => values = random.below(values + 40),
        4 => kind = random.next() as u8,
        5 => shape.iter_mut().for_each(|extent| *extent = random.number(u64::from(*extent)) as u32),
        _ => {}
    }
    let axes = if random.percent(3) { random.next() as u8 } else { shape.len() as u8 };
    let mut file = vec![0, 0, kind, axes];
    shape.iter().for_each(|extent| file.extend(extent.to_be_bytes()));
    file.extend((0..values).map(|value| (value % usize::from(most)) as u8));
    if random.percent(15) {
        mutate::bytes(random, &mut file);
    }
    file
}

fn pair(images: &[u8], labels: &[u8], out: &mut Vec<u8>) {
    out.extend((images.len() as u32).to_le_bytes());
    out.extend(images);
    out.extend(labels);
}

fn read_pair(input: &[u8]) -> bool {
    let (long, rest) = input.split_at(4);
    let long = u32::from_le_bytes(long.try_into().expect("four bytes")) as usize;
    let (images, labels) = rest.split_at(long);
    fuzzing::images::<Images<1, 2, 3>, Classes<5>>(images, labels).is_ok()
}

impl Target for Idx {
    fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
        let samples = random.below(6) as u32;
        let (images, labels) = (idx(random, &[samples, 2, 3], 255), idx(random, &[samples], 5));
        pair(&images, &labels, out);
    }

    fn run(&mut self, input: &[u8]) -> bool {
        read_pair(input)
    }
}

struct IdxGzip {
    /// Whole streams, made once: sound ones, and one that grows a thousandfold, honest and not.
    streams: Vec<(Vec<u8>, Vec<u8>)>,
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
}

/// A gzip stream whose one block is not compressed, so that it is quickly made.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let long = bytes.len() as u16;
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    stream.extend([long.to_le_bytes(), (!long).to_le_bytes()].concat());
    stream.extend(bytes);
    stream.extend(crc.sum().to_le_bytes());
    stream.extend(u32::from(long).to_le_bytes());
    stream
}

impl IdxGzip {
    fn new() -> Self {
        let file = |shape: &[u32], values: usize| {
            let mut file = vec![0, 0, 8, shape.len() as u8];
            shape.iter().for_each(|extent| file.extend(extent.to_be_bytes()));
            file.resize(file.len() + values, 0);
            deflated(&file)
        };
        let whole = (file(&[20, 2, 3], 120), file(&[20], 20));
        let grown = (file(&[5000, 2, 3], 30_000), file(&[5000], 5000));
        let liar = (file(&[u32::MAX, 2, 3], 30_000), file(&[u32::MAX], 5000));
        let endless = (file(&[4, 2, 3], 30_000), file(&[4], 5000));
        IdxGzip { streams: vec![whole, grown, liar, endless] }
    }
}

impl Target for IdxGzip {
    fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
        let (mut images, mut labels) = if random.percent(70) {
            let samples = random.below(6) as u32;
            let (images, labels) = (idx(random, &[samples, 2, 3], 255), idx(random, &[samples], 5));
            (stored(&images), if random.percent(50) { stored(&labels) } else { labels })
        } else {
            random.one(&self.streams).clone()
        };
        if random.percent(60) {
            let which = if random.percent(70) { &mut images } else { &mut labels };
            mutate::bytes(random, which);
        }
        if random.percent(5) {
            // A stream may have several members.
            let again = images.clone();
            images.extend(again);
        }
        pair(&images, &labels, out);
    }

    fn run(&mut self, input: &[u8]) -> bool {
        read_pair(input)
    }

    fn limit(&self, input: &[u8]) -> usize {
        // A byte of a stream stands for at most 1032 bytes, each of which becomes an f32; vectors grow by doubling.
        let grown = 1032 * input.len();
        8 * grown + (256 << 10)
    }
}

struct Cache;

impl Target for Cache {
    fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
        let payload: Vec<u8> = (0..random.below(200)).map(|byte| byte as u8).collect();
        let text = if random.percent(90) { "kernel" } else { "another" };
        out.extend(fuzzing::cache_entry(text, &payload));
        if random.percent(30) {
            let long = random.number(payload.len() as u64);
            out[72..80].copy_from_slice(&long.to_le_bytes());
        }
        if random.percent(60) {
            mutate::bytes(random, out);
        }
    }

    fn run(&mut self, input: &[u8]) -> bool {
        fuzzing::cached(input, "kernel").is_some()
    }
}

#[cfg(test)]
mod planted {
    use super::{Random, Target};

    pub struct Panicking;

    impl Target for Panicking {
        fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
            out.push(random.next() as u8);
        }

        fn run(&mut self, input: &[u8]) -> bool {
            [true; 128][usize::from(input[0])]
        }
    }

    pub struct Greedy;

    impl Target for Greedy {
        fn input(&mut self, random: &mut Random, out: &mut Vec<u8>) {
            out.push(random.next() as u8);
        }

        fn run(&mut self, input: &[u8]) -> bool {
            // What the input says is believed.
            let believed = vec![input[0]; usize::from(input[0]) << 12];
            std::hint::black_box(&believed).len() > 5
        }
    }
}
