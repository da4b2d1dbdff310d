//! `cargo xtask COMMAND`: what is done with this repository and is more than one call of cargo.
//!
//!     cargo xtask gpu-bundle --out DIR
//!     cargo xtask build-times

mod build_times;
mod bundle;

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
    /// Expand the `network!` of a file in this process and print the seconds it took (build-times calls it)
    Expansion { file: PathBuf },
}

fn main() {
    let done = match Task::parse() {
        Task::GpuBundle { out } => bundle::gpu_bundle(&out),
        Task::BuildTimes { out } => build_times::build_times(&out),
        Task::Expansion { file } => build_times::expansion(&file),
    };
    if let Err(problem) = done {
        eprintln!("error: {problem}");
        std::process::exit(1);
    }
}
