//! Broken files: sound ones with changes that know the format.

/// Numbers that follow from seed and index alone (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, index: u64) -> Self {
        let mut random = Random(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub fn one<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }

    /// A number that breaks things: small, at an edge, near a given one, or any.
    pub fn number(&mut self, near: u64) -> u64 {
        match self.below(8) {
            0 => self.below(5) as u64,
            1 => near.wrapping_add(1),
            2 => near.wrapping_sub(1),
            3 => near.wrapping_mul(2),
            4 => (1u64 << self.below(64)).wrapping_sub(self.below(3) as u64),
            5 => u64::MAX - self.below(16) as u64,
            6 => near ^ 1 << self.below(64),
            _ => self.next(),
        }
    }
}

/// Changes a few bytes, cuts, doubles or lengthens.
pub fn bytes(random: &mut Random, input: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let long = input.len().max(1);
        let at = random.below(long).min(input.len());
        match random.below(8) {
            0..=3 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = if random.percent(50) { *byte ^ 1 << random.below(8) } else { random.next() as u8 };
                }
            }
            4 => input.truncate(at),
            5 => {
                let word = random.next().to_le_bytes();
                input.extend(&word[..=random.below(7)]);
            }
            6 => {
                let end = (at + random.below(9)).min(input.len());
                input.drain(at..end);
            }
            _ => {
                let end = (at + random.below(9)).min(input.len());
                let piece: Vec<u8> = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
        }
    }
}

/// A safetensors file taken apart.
#[derive(Clone)]
pub struct Parts {
    pub metadata: Vec<(String, String)>,
    pub tensors: Vec<Tensor>,
    pub data: Vec<u8>,
}

#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    pub offsets: [u64; 2],
}

const DTYPES: [&str; 12] = ["F32", "F16", "BF16", "F64", "I64", "U8", "BOOL", "F4", "F8_E4M3", "C64", "", "F33"];

impl Parts {
    pub fn of(file: &[u8]) -> Parts {
        let long = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
        let header: serde_json::Value = serde_json::from_slice(&file[8..8 + long]).expect("a sound file");
        let (mut metadata, mut tensors) = (Vec::new(), Vec::new());
        for (name, value) in header.as_object().expect("an object") {
            if name == "__metadata__" {
                let texts = value.as_object().expect("texts").iter();
                metadata.extend(texts.map(|(key, text)| (key.clone(), text.as_str().expect("a text").to_owned())));
                continue;
            }
            let numbers = |key: &str| -> Vec<u64> {
                value[key].as_array().expect("numbers").iter().map(|n| n.as_u64().expect("a number")).collect()
            };
            let offsets = numbers("data_offsets");
            tensors.push(Tensor {
                name: name.clone(),
                dtype: value["dtype"].as_str().expect("a text").to_owned(),
                shape: numbers("shape"),
                offsets: [offsets[0], offsets[1]],
            });
        }
        tensors.sort_by_key(|tensor| tensor.offsets);
        Parts { metadata, tensors, data: file[8 + long..].to_vec() }
    }

    /// One change that an attacker or a disk might make.
    pub fn change(&mut self, random: &mut Random) {
        let count = self.tensors.len();
        if count == 0 {
            return;
        }
        let at = random.below(count);
        match random.below(14) {
            0 | 1 => {
                let which = random.below(2);
                self.tensors[at].offsets[which] = random.number(self.tensors[at].offsets[which]);
            }
            2 | 3 => {
                let shape = &mut self.tensors[at].shape;
                if let Some(axis) = (!shape.is_empty()).then(|| random.below(shape.len())) {
                    shape[axis] = random.number(shape[axis]);
                }
            }
            4 => {
                let extent = random.number(1);
                self.tensors[at].shape.push(extent);
            }
            5 => drop(self.tensors[at].shape.pop()),
            // The same values in another type: the lengths of all tensors follow.
            6 => {
                let dtype = *random.one(&["F16", "BF16", "F64"]);
                self.retype(at, dtype);
            }
            7 => self.tensors[at].dtype = (*random.one(&DTYPES)).to_owned(),
            8 => drop(self.tensors.remove(at)),
            9 => {
                let other = self.tensors[random.below(count)].name.clone();
                self.tensors[at].name =
                    if random.percent(50) { other } else { format!("module.{}", self.tensors[at].name) };
            }
            10 => {
                let copy = self.tensors[at].clone();
                self.tensors.push(copy);
            }
            11 => {
                if let Some(place) = (!self.metadata.is_empty()).then(|| random.below(self.metadata.len())) {
                    text(random, &mut self.metadata[place].1);
                }
            }
            12 => {
                if let Some(place) = (!self.metadata.is_empty()).then(|| random.below(self.metadata.len())) {
                    self.metadata.swap_remove(place);
                }
            }
            // Many tensors of enormous size, whose lengths add up to a small number when they wrap around.
            _ => {
                let (mut begin, pieces) = (self.data.len() as u64, 7 + random.below(3) as u64);
                for piece in 0..pieces {
                    let size = if piece + 1 == pieces { 0u64.wrapping_sub(begin) } else { 1 << 61 };
                    let end = begin.wrapping_add(size);
                    let name = format!("huge{piece}");
                    self.tensors.push(Tensor {
                        name,
                        dtype: "U8".to_owned(),
                        shape: vec![size],
                        offsets: [begin, end],
                    });
                    begin = end;
                }
            }
        }
    }

    fn retype(&mut self, at: usize, dtype: &str) {
        let width = if dtype == "F64" { 8 } else { 2 };
        let numbers: u64 = self.tensors[at].shape.iter().fold(1, |size, extent| size.wrapping_mul(*extent));
        let Some(long) = numbers.checked_mul(width).filter(|long| *long < 1 << 16) else { return };
        let [begin, end] = self.tensors[at].offsets;
        if begin > end || end > self.data.len() as u64 {
            return;
        }
        let filling = (0..long).map(|byte| (byte * 37 + 63) as u8);
        self.data.splice(begin as usize..end as usize, filling);
        self.tensors[at].dtype = dtype.to_owned();
        self.tensors[at].offsets[1] = begin + long;
        for tensor in &mut self.tensors {
            if tensor.offsets[0] >= end && tensor.offsets[0] > begin {
                tensor.offsets = tensor.offsets.map(|offset| offset.wrapping_sub(end).wrapping_add(begin + long));
            }
        }
    }

    /// The file again, as it stands.
    pub fn write(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend([0; 8]);
        out.extend(b"{\"__metadata__\":{");
        for (place, (key, value)) in self.metadata.iter().enumerate() {
            out.extend(if place > 0 { ",".as_bytes() } else { b"" });
            quoted(key, out);
            out.push(b':');
            quoted(value, out);
        }
        out.push(b'}');
        for Tensor { name, dtype, shape, offsets } in &self.tensors {
            out.push(b',');
            quoted(name, out);
            out.extend(b":{\"dtype\":");
            quoted(dtype, out);
            out.extend(format!(",\"shape\":{shape:?},\"data_offsets\":{offsets:?}}}").as_bytes());
        }
        out.push(b'}');
        let long = (out.len() - 8) as u64;
        let told = if random.percent(3) { random.number(long) } else { long };
        out[..8].copy_from_slice(&told.to_le_bytes());
        out.extend(&self.data);
    }
}

/// Changes a text that holds numbers, names or hexadecimal words.
fn text(random: &mut Random, text: &mut String) {
    match random.below(6) {
        0 => text.clear(),
        1 => *text = random.number(1).to_string(),
        2 => {
            // The bits of a number: NaN, infinities, negative, tiny, enormous.
            let bits = random.number(1.0f64.to_bits());
            *text = format!("{bits:016x}");
        }
        3 => text.push_str(&format!(" {:016x}", random.next())),
        4 => {
            let mut bytes = std::mem::take(text).into_bytes();
            if !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] = b"0f -1\n9.m"[random.below(9)];
            }
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => {
            let copy = text.clone();
            text.push('\n');
            text.push_str(&copy);
        }
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
