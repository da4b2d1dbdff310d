//! Runs one kernel of a test on the emulator.

use kiln::__private::cuda::{Accelerator, KernelId, Node, Region, Run, TEMPLATES, Unit};
use kiln::__private::plan::Access;
use kiln_emulator::{Emulator, Settings};

/// Whether there is an emulator here; says so where there is none.
pub fn skipped() -> bool {
    match Emulator::available() {
        Ok(()) => false,
        Err(why) => {
            eprintln!("skipped: {why}");
            true
        }
    }
}

/// A kernel of one part. `phase` is the text of its phase, `before` what stands before it in its namespace.
pub fn unit(name: &str, args: usize, shared: usize, before: &str, phase: &str) -> Unit {
    let text = format!(
        "namespace {name} {{\n{before}\nKILN_DEV void phase(const KilnLaunch<{args}, 1>& launch, u32 cta, u32 ctas, \
         KilnShared shared) {{\n{phase}\n}}\n}}\nKILN_KERNEL({name}, {args}, 1)\n"
    );
    Unit { name: name.into(), templates: TEMPLATES, optimizer: String::new(), text, threads: 256, shared }
}

/// A device and the kernels of one test on it.
pub struct Bench {
    device: Emulator,
    kernels: Vec<KernelId>,
}

impl Bench {
    pub fn new(checked: bool, units: &[Unit]) -> Self {
        let device = Emulator::new(Settings { checked, schedule: 0, blocks: None });
        let kernels = device.load(units).unwrap_or_else(|e| panic!("{e}"));
        Bench { device, kernels }
    }

    /// What kernel number `kernel` writes to its last argument, `floats` floats that were NaN before; it reads the others.
    pub fn run(&self, kernel: usize, inputs: &[&[u32]], floats: usize, batch: usize, order: Order) -> Vec<f32> {
        self.device.set_schedule(order.schedule);
        self.device.set_blocks(Some(order.blocks));
        let region = |name: String, words: usize, access| {
            let at = self.device.allocate(words * 4).expect("memory");
            Region { name, at, bytes: words * 4, access }
        };
        let mut regions: Vec<Region> =
            inputs.iter().enumerate().map(|(i, x)| region(format!("input {i}"), x.len(), Access::Read)).collect();
        for (region, words) in regions.iter().zip(inputs) {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            // SAFETY: that many bytes were allocated.
            unsafe { self.device.upload(region.at, &bytes) }.expect("an upload");
        }
        regions.push(region("output".into(), floats, Access::Write));
        let run = region("run".into(), size_of::<Run>() / 4, Access::Read);
        let node = Node {
            kernel: self.kernels[kernel],
            name: format!("kernel {kernel}"),
            parts: vec![order.blocks],
            args: regions.iter().map(|region| region.at).collect(),
            run: run.at,
            batch,
            regions: regions.clone(),
            after: vec![],
        };
        let graph = self.device.record(&[node]).unwrap_or_else(|e| panic!("{e}"));
        let mut bytes = vec![0; floats * 4];
        // SAFETY: all memory of the graph is allocated, and freed when nothing needs it any more.
        unsafe {
            self.device.launch(graph).unwrap_or_else(|e| panic!("{e}"));
            self.device.download(regions[inputs.len()].at, &mut bytes).expect("a download");
            self.device.forget(graph);
            for region in regions.iter().chain([&run]) {
                self.device.free(region.at, region.bytes);
            }
        }
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect()
    }
}

/// How a launch is spread and scheduled.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub blocks: usize,
    pub schedule: u64,
}

/// Block counts 1, 3 and 5 and schedules 0 to 3, in turn.
pub fn orders() -> impl Iterator<Item = Order> {
    (0u64..).map(|i| Order { blocks: [1, 3, 5][(i % 3) as usize], schedule: i % 4 })
}

/// Reproducible numbers in [-1, 1), without structure.
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as i32 as f32 / 2_147_483_648.0
        })
        .collect()
}

pub fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

/// How contractions multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    Tf32,
    Bf16,
}

impl Precision {
    pub const ALL: [Precision; 3] = [Precision::F32, Precision::Tf32, Precision::Bf16];

    /// The template's name.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "KilnF32",
            Precision::Tf32 => "KilnTf32",
            Precision::Bf16 => "KilnBf16",
        }
    }

    /// An operand as the arithmetic sees it.
    pub fn round(self, x: f32) -> f32 {
        let bits = x.to_bits();
        match self {
            Precision::F32 => x,
            Precision::Tf32 => f32::from_bits((bits + 0x1000) & 0xFFFF_E000),
            Precision::Bf16 => f32::from_bits((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000),
        }
    }
}

/// A contraction's tile: CTA tile, k per stage, warps along rows, columns and k, stages.
#[derive(Clone, Copy, Debug)]
pub struct Tile {
    pub bm: usize,
    pub bn: usize,
    pub bk: usize,
    pub warps: [usize; 3],
    pub stages: usize,
}

impl Tile {
    pub const fn new(bm: usize, bn: usize, bk: usize, warps: [usize; 3], stages: usize) -> Self {
        Tile { bm, bn, bk, warps, stages }
    }

    pub fn name(&self) -> String {
        let [wm, wn, wk] = self.warps;
        format!("KilnTile<{}, {}, {}, {wm}, {wn}, {wk}, {}>", self.bm, self.bn, self.bk, self.stages)
    }

    /// Bytes of shared memory, by the formula that plans use.
    pub fn shared(&self, a_along_k: bool, b_along_k: bool, whole: bool) -> usize {
        let part = |extent: usize, along_k: bool| if along_k { extent * (self.bk + 4) } else { self.bk * (extent + 8) };
        let stages = self.stages * (part(self.bm, a_along_k) + part(self.bn, b_along_k));
        let slices = if self.warps[2] > 1 { self.warps[2] * self.bm * self.bn } else { 0 };
        let tile = if whole { self.bm * (self.bn + 1) } else { 0 };
        4 * stages.max(slices).max(tile).next_multiple_of(4)
    }
}
