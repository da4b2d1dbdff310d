//! Whether training stays what it is, for as long as it runs: memory flat, speed steady, numbers finite.
//!
//!     cargo run --release --example steady -- --model lenet5 --steps 1000000
//!     cargo run --release --example steady -- --model mnist_bn_cnn --steps 100000
//!
//! Takes so many warm steps over the embedded digits and prints a line for each tenth of them: time of a step, resident memory, and how
//! many allocations there were. It fails where a step allocated, where the resident memory of the last tenth is more than a page for each
//! thread above that of the first, or where the loss is not finite. What speed is steady is left to who reads: other programs run too.

use clap::{Parser, ValueEnum};
use kiln::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

network! {
    pub LeNet5 = kiln::zoo::LeNet5;
    pub MnistBnCnn = kiln::zoo::MnistBnCnn;
}

/// Take many steps, and watch memory and speed.
#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "lenet5")]
    model: Name,

    #[arg(long, default_value_t = 1_000_000)]
    steps: u64,

    /// Samples per step
    #[arg(long, default_value_t = 16)]
    batch: usize,

    /// Threads of the CPU (without it: KILN_THREADS, else all cores)
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    #[value(name = "lenet5")]
    LeNet5,
    #[value(name = "mnist_bn_cnn")]
    MnistBnCnn,
}

/// The system's allocator, and a count of what it was asked for.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: the system's allocator does the work, with the arguments that it is called with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: our contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: our contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: our contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: our contract is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let options = Options::parse();
    let done = match options.model {
        Name::LeNet5 => run::<LeNet5>(&options),
        Name::MnistBnCnn => run::<MnistBnCnn>(&options),
    };
    if let Err(problem) = done {
        eprintln!("error: {problem}");
        std::process::exit(1);
    }
}

/// What both networks take: digits and their classes.
fn run<N>(options: &Options) -> Result<(), Box<dyn std::error::Error>>
where
    N: Network<Inputs = Images<1, 28, 28>, Targets = Classes<10>>,
{
    let data = kiln::data::mnist::embedded().train;
    if options.batch == 0 || options.batch > data.len() {
        return Err(format!("--batch must be 1 to {}, but it is {}", data.len(), options.batch).into());
    }
    let device = match options.threads {
        None => Device::cpu(),
        Some(threads) => Device::cpu().threads(threads),
    };
    let mut model = N::new(&device, 1)?;
    let mut adam = Adam::default().bind(&model)?;
    // All batches are made beforehand: what is watched is the step.
    let batches: Vec<_> =
        (0..data.len() / options.batch).map(|i| data.skip(i * options.batch).take(options.batch)).collect();
    let mut next = batches.iter().cycle();
    let mut step = |model: &mut Model<N>| model.train_step(next.next().expect("a batch"), &mut adam);
    // Warm: arenas have grown, and the system has given their pages.
    for _ in 0..100.min(options.steps) {
        step(&mut model)?;
    }
    println!("{}, {} steps of {}, {device}", N::NAME, options.steps, options.batch);
    println!("{:>12} {:>12} {:>12} {:>12} {:>12}", "steps", "µs a step", "resident KiB", "allocations", "mean loss");
    let (mut first, mut problems) = (None, Vec::new());
    for tenth in 0..10 {
        let steps = (tenth + 1) * options.steps / 10 - tenth * options.steps / 10;
        let (allocated, start, mut loss) = (ALLOCATIONS.load(Relaxed), Instant::now(), 0.0);
        for _ in 0..steps {
            loss += f64::from(step(&mut model)?.loss);
        }
        let micros = start.elapsed().as_secs_f64() * 1e6 / steps.max(1) as f64;
        let (allocated, loss) = (ALLOCATIONS.load(Relaxed) - allocated, loss / steps.max(1) as f64);
        let resident = resident_kib();
        let shown = resident.map_or("unknown".to_owned(), |kib| kib.to_string());
        println!("{:>12} {micros:>12.2} {shown:>12} {allocated:>12} {loss:>12.6}", (tenth + 1) * options.steps / 10);
        let first = *first.get_or_insert(resident);
        if allocated > 0 {
            problems.push(format!("{allocated} allocations in tenth {}", tenth + 1));
        }
        if !loss.is_finite() {
            problems.push(format!("the loss of tenth {} is {loss}", tenth + 1));
        }
        if let (Some(first), Some(now)) = (first, resident)
            && now > first + 4 * std::thread::available_parallelism().map_or(1, usize::from)
        {
            problems.push(format!("{now} KiB are resident after tenth {}, {first} after the first", tenth + 1));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ").into()) }
}

/// Memory of this process that is in RAM and comes from no file, where the system tells: pages of the program itself come and go with the
/// machine's load.
fn resident_kib() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}
