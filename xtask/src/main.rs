//! `cargo xtask COMMAND`: what is done with this repository and is more than one call of cargo.
//!
//!     cargo xtask gpu-bundle --out DIR

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
}

fn main() {
    let done = match Task::parse() {
        Task::GpuBundle { out } => bundle::gpu_bundle(&out),
    };
    if let Err(problem) = done {
        eprintln!("error: {problem}");
        std::process::exit(1);
    }
}
