//! `cargo xtask kills`: a training that saves after every step, killed again and again at random moments.
//!
//! After each kill every checkpoint must be whole, the next start must go on without a warning, and the weights at the end must be
//! those of a training that was never killed, bit for bit.

use crate::readers::Random;
use kiln::data::{Classes, Dataset, Rows};
use kiln::optim::AdamW;
use kiln::optim::schedule::OneCycle;
use kiln::train::Trainer;
use kiln::{Device, Error};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

kiln::network! {
    pub Victim {
        input x: [16];
        target y: class<4>;
        hidden: Linear<32>; norm: BatchNorm; Relu; Dropout<0.2>; fc: Linear<4>;
        loss: CrossEntropy(_, y);
    }
}

/// Trains with checkpoints in `folder`, or goes on there, and saves the weights at `out`: what is killed.
pub fn training(folder: &Path, out: &Path, epochs: usize, fresh: bool) -> Result<(), Error> {
    let mut random = Random::new(7, 0);
    let values = (0..16 * 200).map(|_| random.below(1000) as f32 / 500.0 - 1.0).collect();
    let labels: Vec<usize> = (0..200).map(|_| random.below(4)).collect();
    let data = Dataset::new(Rows::<16>::from_vec(values)?, Classes::<4>::from_vec(labels)?)?;
    let mut model = Victim::new(&Device::cpu().threads(1), 3)?;
    let trainer = Trainer::new(&mut model, AdamW::default()).epochs(epochs).batch_size(8).accumulate(2);
    let trainer = trainer.schedule(OneCycle { max_lr: 0.05, ..OneCycle::default() }).early_stopping(epochs);
    let trainer = if fresh { trainer.fresh() } else { trainer };
    trainer.checkpoints(folder).checkpoint_every(1).keep_checkpoints(2).quiet().fit(&data, &data)?;
    model.save(out)
}

/// Kills trainings so many times, and compares each that gets to its end with one that was left alone.
pub fn kills(count: usize, seed: u64) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut random = Random::new(seed, 0);
    let whole = scratch.path().join("whole");
    let begun = Instant::now();
    let undisturbed = start(&whole)?.wait_with_output().map_err(|error| error.to_string())?;
    if !undisturbed.status.success() {
        return Err(String::from_utf8_lossy(&undisturbed.stderr).into_owned());
    }
    let expected = weights(&whole)?;
    // A training is killed about ten times before it gets to its end, by whatever speed this machine has just now.
    let latest = begun.elapsed().as_micros() as usize / 4;
    let (mut killed, mut finished, mut saved) = (0, 0, 0);
    while killed < count {
        let folder = scratch.path().join(format!("run-{finished}"));
        loop {
            let mut child = start(&folder)?;
            // More kills than are asked for would only take time.
            if killed < count {
                thread::sleep(Duration::from_micros(random.below(latest) as u64));
                // A training that has just ended cannot be killed any more.
                let _ = child.kill();
            }
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&output.stderr);
            if !said.is_empty() {
                return Err(format!("seed {seed}, after {killed} kills: {said}"));
            }
            saved += check(&folder, output.status.success())?;
            if output.status.success() {
                break;
            }
            killed += 1;
        }
        if weights(&folder)? != expected {
            return Err(format!("seed {seed}: a training that was killed has other weights than one that was not"));
        }
        finished += 1;
    }
    println!(
        "seed {seed}: {killed} kills, {finished} trainings to their end, all with the same bits; {saved} checkpoints read"
    );
    Ok(())
}

/// Starts this program again as a training.
fn start(folder: &Path) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["training", "--folder"]).arg(folder).arg("--out").arg(out(folder));
    command.stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())
}

fn out(folder: &Path) -> PathBuf {
    folder.with_extension("safetensors")
}

fn weights(folder: &Path) -> Result<Vec<u8>, String> {
    fs::read(out(folder)).map_err(|error| format!("{}: {error}", out(folder).display()))
}

/// Reads all checkpoints of a folder; how many there are. At most one file may be half-written, under another name, and none once a
/// training has finished. There may be more checkpoints than are kept, one for each kill between a new one and the removal
/// of the oldest: the next that is written removes them.
fn check(folder: &Path, finished: bool) -> Result<usize, String> {
    let (mut whole, mut parts) = (0, 0);
    let Ok(entries) = fs::read_dir(folder) else { return Ok(0) };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with("checkpoint-") {
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let end = bytes.len().checked_sub(32).ok_or_else(|| format!("{} is cut short", path.display()))?;
            if bytes[end..] != *blake3::hash(&bytes[..end]).as_bytes() {
                return Err(format!("{} is damaged", path.display()));
            }
            whole += 1;
        } else if name.ends_with(".part") {
            parts += 1;
        }
    }
    if parts > 1 || finished && (parts > 0 || whole < 2) {
        return Err(format!("{}: {parts} half-written files, {whole} checkpoints", folder.display()));
    }
    Ok(whole)
}
