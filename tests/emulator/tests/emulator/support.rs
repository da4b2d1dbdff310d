//! Runs one kernel on given arrays.

use kiln::__private::cuda::{Accelerator, Address, Node, Region, Run, TEMPLATES, Unit};
use kiln::__private::plan::Access;
use kiln_emulator::{Emulator, Settings};

pub const SGEMM: &str = include_str!("kernels/sgemm.cu");
pub const TENSOR_GEMM: &str = include_str!("kernels/tensor_gemm.cu");
pub const SOFTMAX: &str = include_str!("kernels/softmax.cu");
pub const LDMATRIX: &str = include_str!("kernels/ldmatrix.cu");
pub const MERGED: &str = include_str!("kernels/merged.cu");
pub const MAP: &str = include_str!("kernels/map.cu");

/// An argument: its values, or so many floats that nobody has written.
pub enum Values {
    Given(Vec<f32>),
    Unwritten(usize),
}

pub struct Arg {
    pub values: Values,
    pub access: Access,
}

pub fn reads(values: &[f32]) -> Arg {
    Arg { values: Values::Given(values.to_vec()), access: Access::Read }
}

pub fn writes(floats: usize) -> Arg {
    Arg { values: Values::Unwritten(floats), access: Access::Write }
}

pub struct Case {
    pub kernel: &'static str,
    pub text: &'static str,
    /// Lines before the text.
    pub defines: String,
    pub shared: usize,
    pub work: usize,
    pub batch: usize,
    pub args: Vec<Arg>,
}

/// False, and a word about it, where there is no compiler.
pub fn can_run() -> bool {
    match Emulator::available() {
        Ok(()) => true,
        Err(problem) => {
            println!("skipped: {problem}");
            false
        }
    }
}

pub fn unit(case: &Case) -> Unit {
    Unit {
        name: case.kernel.into(),
        templates: TEMPLATES,
        optimizer: String::new(),
        text: format!("{}\n#line 1 \"{}.cu\"\n{}", case.defines, case.kernel, case.text),
        threads: 256,
        shared: case.shared,
    }
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// An array on the device.
pub fn place(emulator: &Emulator, values: &Values) -> (Address, usize) {
    let floats = match values {
        Values::Given(values) => values.len(),
        Values::Unwritten(floats) => *floats,
    };
    let at = emulator.allocate(floats * 4).unwrap();
    if let Values::Given(values) = values {
        // SAFETY: allocated above with as many bytes.
        unsafe { emulator.upload(at, &bytes(values)) }.unwrap();
    }
    (at, floats * 4)
}

pub fn fetch(emulator: &Emulator, at: Address, floats: usize) -> Vec<f32> {
    let mut bytes = vec![0; floats * 4];
    // SAFETY: the caller allocated it.
    unsafe { emulator.download(at, &mut bytes) }.unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// A `KilnRun` on the device.
pub fn run_values(emulator: &Emulator) -> Address {
    let at = emulator.allocate(size_of::<Run>()).unwrap();
    // SAFETY: allocated above; all its words are written.
    unsafe { emulator.fill(at, size_of::<Run>() / 4, 0) }.unwrap();
    at
}

/// Loads, launches once, and returns all arguments as they are then.
pub fn run(emulator: &Emulator, case: &Case) -> Result<Vec<Vec<f32>>, String> {
    let kernel = emulator.load(&[unit(case)]).map_err(|e| e.to_string())?[0];
    let placed: Vec<_> = case.args.iter().map(|arg| place(emulator, &arg.values)).collect();
    let region = |(i, (arg, &(at, bytes))): (usize, (&Arg, &(Address, usize)))| Region {
        name: format!("arg{i}"),
        at,
        bytes,
        access: arg.access,
    };
    let node = Node {
        kernel,
        name: case.kernel.into(),
        parts: vec![case.work],
        args: placed.iter().map(|(at, _)| *at).collect(),
        run: run_values(emulator),
        batch: case.batch,
        regions: case.args.iter().zip(&placed).enumerate().map(region).collect(),
        after: vec![],
    };
    let graph = emulator.record(&[node]).map_err(|e| e.to_string())?;
    // SAFETY: nothing was freed.
    unsafe { emulator.launch(graph) }.map_err(|e| e.to_string())?;
    Ok(placed.iter().map(|&(at, bytes)| fetch(emulator, at, bytes / 4)).collect())
}

/// Runs under schedules 0 to 4, with 1, 3 and 5 blocks, checked and not, and gives what came out to `right`.
pub fn everywhere(case: &Case, right: impl Fn(&[Vec<f32>])) {
    if !can_run() {
        return;
    }
    for checked in [false, true] {
        let emulator = Emulator::new(Settings { checked, ..Settings::default() });
        for schedule in 0..5 {
            for blocks in [1, 3, 5] {
                emulator.set_schedule(schedule);
                emulator.set_blocks(Some(blocks));
                let results = run(&emulator, case);
                let results = results.unwrap_or_else(|e| panic!("schedule {schedule}, {blocks} blocks: {e}"));
                right(&results);
            }
        }
    }
}

/// Demands that the checked mode finds a mistake under every schedule, in words that contain each of `words`.
pub fn found(case: &Case, words: &[&str]) {
    if !can_run() {
        return;
    }
    let emulator = Emulator::new(Settings { checked: true, ..Settings::default() });
    for schedule in 0..5 {
        emulator.set_schedule(schedule);
        let error = run(&emulator, case).map(|_| ()).expect_err(&format!("schedule {schedule}: nothing was found"));
        for word in words {
            assert!(error.contains(word), "schedule {schedule}: no `{word}` in: {error}");
        }
    }
}

/// Small whole numbers, which add and multiply exactly.
pub fn whole(count: usize, step: usize, modulus: usize) -> Vec<f32> {
    (0..count).map(|i| (i * step % modulus) as f32 - (modulus / 2) as f32).collect()
}

pub fn product(a: &[f32], b: &[f32], m: usize, n: usize, k: usize) -> Vec<f32> {
    let at = |i: usize| (0..k).map(|p| f64::from(a[i / n * k + p]) * f64::from(b[p * n + i % n])).sum::<f64>() as f32;
    (0..m * n).map(at).collect()
}

pub fn sgemm(defines: &str) -> Case {
    let (m, n, k) = (128, 128, 48);
    Case {
        kernel: "sgemm",
        text: SGEMM,
        defines: format!("#define M {m}u\n#define N {n}u\n#define K {k}u\n{defines}"),
        shared: 4 * (16 * 68 + 16 * 64),
        work: 4,
        batch: 1,
        args: vec![reads(&whole(m * k, 7, 11)), reads(&whole(k * n, 5, 13)), writes(m * n)],
    }
}

pub fn tensor_gemm(defines: &str, a: &[f32], b: &[f32], (m, n, k): (usize, usize, usize)) -> Case {
    Case {
        kernel: "tensor_gemm",
        text: TENSOR_GEMM,
        defines: format!("#define M {m}u\n#define N {n}u\n#define K {k}u\n{defines}"),
        shared: 4 * (2 * 128 * 20 + 2 * 16 * 136),
        work: m / 128 * (n / 128),
        batch: 1,
        args: vec![reads(a), reads(b), writes(m * n)],
    }
}

pub fn softmax(defines: &str) -> Case {
    let (rows, width) = (7, 300);
    let x: Vec<f32> = whole(rows * width, 37, 101).iter().map(|x| x / 16.0).collect();
    Case {
        kernel: "softmax",
        text: SOFTMAX,
        defines: format!("#define WIDTH {width}u\n{defines}"),
        shared: 32,
        work: rows,
        batch: rows,
        args: vec![reads(&x), writes(rows * width)],
    }
}

pub fn ldmatrix(defines: &str) -> Case {
    let words: Vec<f32> = (0..8 * 128).map(|i| f32::from_bits(2 * i + ((2 * i + 1) << 16))).collect();
    Case {
        kernel: "ldmatrix",
        text: LDMATRIX,
        defines: defines.into(),
        shared: 8 * 256 * 2,
        work: 1,
        batch: 1,
        args: vec![reads(&words), writes(8 * 32 * 4)],
    }
}

pub fn map(defines: &str) -> Case {
    let (batch, width) = (13, 101);
    Case {
        kernel: "map",
        text: MAP,
        defines: format!("#define WIDTH {width}u\n{defines}"),
        shared: 64,
        work: 6,
        batch,
        args: vec![reads(&whole(batch * width, 3, 17)), writes(batch * width)],
    }
}
