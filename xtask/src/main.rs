//! `cargo xtask COMMAND`: what is done with this repository and is more than one call of cargo.
//!
//!     cargo xtask gpu-bundle --out DIR
//!     cargo xtask build-times
//!     cargo xtask fuzz --executions N --seed S
//!     cargo xtask fuzz-readers --executions N --seed S
//!     cargo xtask kills --count N
//!     cargo xtask sanitize [threads|pool-miri|miri|address|kernels]
//!     cargo xtask soak --minutes N --seed S

mod build_times;
mod bundle;
mod fuzz;
mod kills;
mod memory;
mod readers;
mod sanitize;
mod soak;

use clap::Parser;
use std::path::PathBuf;

/// Kiln's own commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Put all that runs on a GPU into one folder, for a machine without Rust: tests, benches, examples, `run.sh`
    GpuBundle {
        /// The folder, from the repository's root; what an earlier bundle left there is replaced
        #[arg(long, default_value = "target/gpu-bundle")]
        out: PathBuf,
    },
    /// Measure expansions and builds of LeNet-5, ResNet-50 and VGG-19, and print the table of docs/build-times.md
    BuildTimes {
        /// Where the crate that is built lies, from the repository's root; its dependencies stay built there
        #[arg(long, default_value = "target/build-times")]
        out: PathBuf,
    },
    /// Run tests under ThreadSanitizer, Miri and AddressSanitizer; needs a nightly toolchain and time
    Sanitize {
        /// All of them without
        parts: Vec<sanitize::Part>,
        /// For `kernels`: integration tests instead of a few
        #[arg(long, num_args = 1..)]
        tests: Vec<String>,
        /// Only tests whose names contain one of these
        #[arg(long, num_args = 1..)]
        filter: Vec<String>,
    },
    /// Expand the `network!` of a file in this process and print the seconds it took (build-times calls it)
    Expansion { file: PathBuf },
    /// Read millions of broken files: weights, IDX, checkpoints, entries of the kernel cache
    FuzzReaders {
        /// Against each reader
        #[arg(long, default_value_t = 100_000)]
        executions: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only this one: weights, idx, idx-gzip, checkpoint or cache
        #[arg(long)]
        reader: Option<String>,
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// Kill a training that saves all the time, at random moments, and compare what becomes of it
    Kills {
        #[arg(long, default_value_t = 200)]
        count: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Train with checkpoints: what `kills` kills
    Training {
        #[arg(long)]
        folder: PathBuf,
        /// Where the weights go at the end
        #[arg(long)]
        out: PathBuf,
        #[arg(long, default_value_t = 3)]
        epochs: usize,
        /// Begin anew
        #[arg(long)]
        fresh: bool,
        /// Stay a minute when all is done
        #[arg(long)]
        linger: bool,
    },
    /// Give mutated declarations to the compiler: no panic, no network lost, no error without a place, nothing slow
    Fuzz(fuzz::Fuzz),
    /// Judge mutants in a process of their own (fuzz calls it)
    #[command(hide = true)]
    FuzzWorker(fuzz::Worker),
    /// Compare random networks in every way in which Kiln computes them; `--help` lists its options
    #[command(disable_help_flag = true)]
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() {
    let done = match Task::parse() {
        Task::GpuBundle { out } => bundle::gpu_bundle(&out),
        Task::BuildTimes { out } => build_times::build_times(&out),
        Task::Sanitize { parts, tests, filter } => sanitize::sanitize(&parts, &tests, &filter),
        Task::Expansion { file } => build_times::expansion(&file),
        Task::FuzzReaders { executions, seed, reader, threads } => {
            readers::fuzz_readers(executions, seed, reader.as_deref(), threads.max(1))
        }
        Task::Kills { count, seed } => kills::kills(count, seed),
        Task::Training { folder, out, epochs, fresh, linger } => {
            let done = kills::training(&folder, &out, epochs, fresh).map_err(|error| error.to_string());
            if linger {
                std::thread::sleep(std::time::Duration::from_secs(60));
            }
            done
        }
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::FuzzWorker(options) => fuzz::worker(&options),
        Task::Soak { arguments } => soak::soak(&arguments),
    };
    if let Err(problem) = done {
        eprintln!("error: {problem}");
        std::process::exit(1);
    }
}
