//! Checkpoints as files: in the middle of an epoch, several of them, damaged, in folders that do not behave.

use super::fake::Fake;
use super::mini::{Mini, data, model};
use super::trainer::{bits, history};
use crate::error::{Error, Result};
use crate::optim::schedule::{Every, Moment, Rate, Schedule};
use crate::optim::{NAdam, Sgd};
use crate::train::{Flow, Report, Trainer};
use crate::{Device, Model, Network};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The numbers of the checkpoints in a folder.
pub(super) fn numbers(folder: &Path) -> Vec<u64> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let number = |name: &str| name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse().ok();
    let mut numbers: Vec<u64> = names.filter_map(|name| number(&name)).collect();
    numbers.sort_unstable();
    numbers
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("checkpoint-{number:06}.safetensors"))
}

/// A rate that falls with each step, until it breaks training off.
struct Breaking {
    after: usize,
}

impl fmt::Debug for Breaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where it breaks is no part of the set-up.
        f.write_str("Breaking")
    }
}

impl Schedule for Breaking {
    fn every(&self) -> Every {
        Every::Step
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn look(&mut self, moment: &Moment) -> Result<()> {
        if moment.period == self.after { Err(Error::option("Breaking", "whole", "broken")) } else { Ok(()) }
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        rate.base * 0.98f64.powi(moment.period as i32)
    }
}

/// A training with a checkpoint after each step of the optimizer, which breaks off in step `after`.
fn run(model: &mut Model<Mini>, folder: &Path, after: usize) -> Result<Report> {
    let trainer = Trainer::new(model, NAdam { lr: 0.05, ..NAdam::default() });
    let trainer = trainer.epochs(3).batch_size(8).accumulate(2).early_stopping(3).clip_norm(0.5).quiet();
    let trainer = trainer.schedule(Breaking { after }).checkpoints(folder).checkpoint_every(1);
    trainer.fit(&data(75), &data(31))
}

#[test]
fn a_training_resumes_in_the_middle_of_an_epoch_bit_for_bit() {
    let at_once = tempfile::tempdir().unwrap();
    let mut whole = model(1);
    let expected = run(&mut whole, at_once.path(), usize::MAX).unwrap();
    // Ten batches an epoch, the last with three samples, make five steps.
    assert_eq!(numbers(at_once.path()), [14, 15]);
    let cpu = Device::cpu().threads(3);
    for (device, breaks) in [(cpu, (2..=15).collect()), (Device::Other(Fake::leak()), vec![4, 8])] {
        for after in breaks {
            let folder = tempfile::tempdir().unwrap();
            assert!(run(&mut Mini::new(&device, 1).unwrap(), folder.path(), after).is_err());
            assert_eq!(numbers(folder.path()).last(), Some(&(after as u64 - 1)));
            let mut resumed = Mini::new(&device, 1).unwrap();
            let report = run(&mut resumed, folder.path(), usize::MAX).unwrap();
            assert_eq!(report.epochs.len(), 3);
            if device == cpu {
                assert_eq!(history(&report), history(&expected), "after step {after}");
                assert_eq!(bits(&resumed), bits(&whole), "after step {after}");
            }
        }
    }
}

/// A plain training of so many epochs.
fn plain(folder: &Path, epochs: usize, keep: usize) -> Result<(Report, Vec<u32>)> {
    let mut model = model(1);
    let trainer = Trainer::new(&mut model, Sgd { lr: 0.1, momentum: 0.9, ..Sgd::default() }).epochs(epochs).quiet();
    let report = trainer.batch_size(8).checkpoints(folder).keep_checkpoints(keep).fit(&data(40), &data(20))?;
    Ok((report, bits(&model)))
}

#[test]
fn the_last_few_are_kept_and_the_one_before_a_damaged_one_is_used() {
    let (at_once, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (expected, weights) = plain(at_once.path(), 6, 1).unwrap();
    assert_eq!(numbers(at_once.path()), [6]);
    plain(folder.path(), 5, 3).unwrap();
    assert_eq!(numbers(folder.path()), [3, 4, 5]);
    let newest = path(folder.path(), 5);
    let sound = fs::read(&newest).unwrap();
    let length = sound.len();
    let damages: Vec<(String, Vec<u8>)> = (0..length)
        .step_by(97)
        .chain(length - 40..length)
        .flat_map(|place| {
            let mut flipped = sound.clone();
            flipped[place] ^= 1 << (place % 8);
            [(format!("cut to {place}"), sound[..place].to_vec()), (format!("byte {place} changed"), flipped)]
        })
        .chain([("longer".to_owned(), [&sound[..], &[0]].concat()), ("another file".to_owned(), b"not this".to_vec())])
        .collect();
    for (what, bytes) in damages {
        let copy = tempfile::tempdir().unwrap();
        for number in [3, 4] {
            fs::copy(path(folder.path(), number), path(copy.path(), number)).unwrap();
        }
        fs::write(path(copy.path(), 5), bytes).unwrap();
        let (report, found) = plain(copy.path(), 6, 3).unwrap();
        let note = format!(
            "{}: this is no sound checkpoint: its checksum is not that of its content; {} is used instead",
            path(copy.path(), 5).display(),
            path(copy.path(), 4).display()
        );
        assert_eq!(report.notes, [note], "{what}");
        assert_eq!((history(&report), &found), (history(&expected), &weights), "{what}");
        // The damaged one has gone; its number is not used again.
        assert_eq!(numbers(copy.path()), [4, 6, 7], "{what}");
    }
    for number in [3, 4, 5] {
        fs::write(path(folder.path(), number), "").unwrap();
    }
    let text = plain(folder.path(), 6, 3).unwrap_err().to_string();
    let start = format!("{}: no checkpoint is sound; help: `.fresh()` begins anew\n  ", folder.path().display());
    assert!(text.starts_with(&start) && text.lines().count() == 4, "{text}");
    assert_eq!(numbers(folder.path()), [3, 4, 5], "nothing is removed before there is a new one");
}

#[test]
fn a_second_training_in_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(1);
    let trainer = Trainer::new(&mut model, Sgd::default()).epochs(2).quiet().checkpoints(folder.path());
    let mut refused = 0;
    let second = |_: &crate::train::EpochRecord, _: &Model<Mini>| {
        let text = plain(folder.path(), 1, 2).unwrap_err().to_string();
        let expected = format!(
            "{}: another training (process {}) keeps its checkpoints here; help: another folder, or wait until it has ended",
            folder.path().display(),
            std::process::id()
        );
        assert_eq!(text, expected);
        refused += 1;
        Flow::Continue
    };
    trainer.on_epoch(second).fit(&data(20), &data(20)).unwrap();
    assert_eq!(refused, 2);
}

#[test]
fn a_folder_that_vanishes_is_an_error_and_is_not_made_again() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("run");
    let mut model = model(1);
    let trainer = Trainer::new(&mut model, Sgd::default()).epochs(3).quiet().checkpoints(&folder);
    let mut epochs = 0;
    let text = trainer
        .on_epoch(|_, _| {
            epochs += 1;
            fs::remove_dir_all(&folder).unwrap();
            Flow::Continue
        })
        .fit(&data(20), &data(20))
        .unwrap_err()
        .to_string();
    assert!(text.starts_with(&format!("{}: No such file", path(&folder, 2).display())), "{text}");
    assert_eq!((epochs, folder.exists()), (1, false));
}

#[test]
fn options_of_checkpoints_are_checked() {
    let text = |set: fn(Trainer<'_, Mini, Sgd>) -> Trainer<'_, Mini, Sgd>| {
        let mut model = model(1);
        set(Trainer::new(&mut model, Sgd::default())).fit(&data(8), &data(8)).unwrap_err().to_string()
    };
    assert_eq!(
        text(|t| t.checkpoints("never made").keep_checkpoints(0)),
        "Trainer::keep_checkpoints must be at least 1, but it is 0"
    );
    assert_eq!(
        text(|t| t.checkpoints("never made").checkpoint_every(0)),
        "Trainer::checkpoint_every must be at least 1, but it is 0"
    );
    assert_eq!(
        text(|t| t.checkpoint_every(3)),
        "Trainer::checkpoint_every must be used with `checkpoints`, but it is not"
    );
    assert!(!Path::new("never made").exists());
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let found = plain(folder.path(), 1, 2);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Nothing is read-only for root.
    if let Err(error) = found {
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("{}: Permission denied", folder.path().join("training.lock").display())),
            "{text}"
        );
    }
}
