//! Checkpoints: all that a training needs to go on as if it had never been interrupted, after an epoch or in the middle of one,
//! in one safetensors file, in canonical order, so that any device can go on with it.
//!
//! Numbers that decide bits (learning rates, losses) are stored as the bits of their `f64`. The last 32 bytes are the BLAKE3 hash
//! of all that stand before them. Nothing in the file is trusted for that: whoever can write one can also write a hash.

use super::EpochRecord;
use super::trainer::Best;
use crate::engine::Tally;
use crate::error::{Error, Result};
use crate::files::{self, TensorFile};
use crate::model::Model;
use crate::network::Network;
use crate::optim::schedule::Scheduled;
use crate::optim::{Bound, BoundState, Optimizer};
use crate::params;
use crate::plan::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Changes with what is in the file.
const FORMAT: &str = "kiln checkpoint 2";

/// The tensor that holds the hash. Of all types in the file its own has the smallest numbers, which the format puts last.
const CHECKSUM: &str = "checksum";
const HASH: usize = 32;

/// No training counts further; a larger number is no number of a checkpoint.
const MOST: u64 = 1 << 53;

/// What must be the same for a training to go on, a line each: its name and value.
pub(super) type SetUp = Vec<(&'static str, String)>;

/// How checkpoints of one training are written and read.
pub(super) struct Checkpoint {
    set_up: SetUp,
    /// Batches of an epoch.
    steps: usize,
    /// Batches that make a step of the optimizer.
    accumulate: usize,
}

/// What a checkpoint is taken from, and what it goes back to.
pub(super) struct Parts<'a, N: Network, O> {
    pub model: &'a mut Model<N>,
    pub optimizer: &'a mut Bound<O>,
    pub schedule: Option<&'a mut Scheduled>,
    pub best: &'a mut Best,
}

/// Where a training stands.
pub(super) struct Setting<'a> {
    /// Those that are over.
    pub epochs: &'a [EpochRecord],
    pub within: &'a Within,
    /// Batches that were skipped.
    pub skipped: usize,
    /// Of the whole training.
    pub seconds: f64,
}

/// What a training knows in the middle of an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Within {
    /// Batches that are done; 0 between epochs.
    pub batches: usize,
    /// Of the samples seen.
    pub loss: Tally,
    pub correct: usize,
    pub seen: usize,
    /// Of the last step.
    pub lr: f64,
    /// Of this epoch.
    pub seconds: f64,
}

/// How far a training had come.
pub(super) struct Resumed {
    pub epochs: Vec<EpochRecord>,
    pub within: Within,
    /// Batches that were skipped.
    pub skipped: usize,
    pub seconds: f64,
}

impl Checkpoint {
    pub fn new(set_up: SetUp, steps: usize, accumulate: usize) -> Self {
        Checkpoint { set_up, steps, accumulate }
    }

    /// Writes the state between two steps of the optimizer, in one step.
    pub fn write<N: Network, O: Optimizer>(
        &self,
        path: &Path,
        parts: &mut Parts<'_, N, O>,
        setting: &Setting<'_>,
    ) -> Result<()> {
        files::save_into(path, &self.bytes(path, parts, setting)?)
    }

    /// The content of the file.
    pub fn bytes<N: Network, O: Optimizer>(
        &self,
        path: &Path,
        Parts { model, optimizer, schedule, best }: &mut Parts<'_, N, O>,
        setting: &Setting<'_>,
    ) -> Result<Vec<u8>> {
        let weights = model.engine.weights();
        let mut tensors: Vec<(String, &[usize], Vec<f32>)> = Vec::new();
        for (list, arena, state) in [(weights.params, &best.params, false), (weights.states, &best.states, true)] {
            for tensor in list {
                tensors.push((format!("model.{}", tensor.name), tensor.dims, model.engine.read(tensor, state)?));
                if best.epoch > 0 {
                    tensors.push((format!("best.{}", tensor.name), tensor.dims, canonical(tensor, arena)));
                }
            }
        }
        let BoundState { steps, number, names, values } = optimizer.state()?;
        tensors.extend(values.into_iter().map(|(name, dims, values)| (format!("optimizer.{name}"), dims, values)));
        let mut rates = Vec::new();
        optimizer.each_lr(|lr| rates.push(*lr));
        let Within { batches, loss, correct, seen, lr, seconds } = setting.within;
        let sums: Vec<f64> = loss.sums().iter().flat_map(|(sum, weight)| [*sum, *weight]).collect();
        let mut metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("step".to_owned(), model.engine.step().to_string()),
            ("optimizer.steps".to_owned(), steps.to_string()),
            ("optimizer.names".to_owned(), names.join(" ")),
            ("optimizer.number".to_owned(), bits(&[number])),
            ("optimizer.rates".to_owned(), bits(&rates)),
            ("optimizer.momentum".to_owned(), bits(optimizer.config.momentum().as_slice())),
            ("best.epoch".to_owned(), best.epoch.to_string()),
            ("best.loss".to_owned(), bits(&[best.loss])),
            ("within.batches".to_owned(), batches.to_string()),
            ("within.correct".to_owned(), correct.to_string()),
            ("within.seen".to_owned(), seen.to_string()),
            ("within.loss".to_owned(), bits(&sums)),
            ("within.numbers".to_owned(), bits(&[*lr, *seconds])),
            ("skipped".to_owned(), setting.skipped.to_string()),
            ("seconds".to_owned(), bits(&[setting.seconds])),
        ]);
        if let Some(schedule) = schedule {
            let (period, bases, state) = schedule.state();
            metadata.insert("schedule.period".to_owned(), period.to_string());
            metadata.insert("schedule.bases".to_owned(), bits(&bases));
            metadata.insert("schedule.state".to_owned(), bits(&state));
        }
        let epochs: Vec<String> = setting.epochs.iter().map(epoch_bits).collect();
        metadata.insert("epochs".to_owned(), epochs.join("\n"));
        metadata.extend(self.set_up.iter().map(|(name, value)| (format!("set-up.{name}"), value.clone())));

        let bytes: Vec<Vec<u8>> =
            tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
        let file = |e: safetensors::SafeTensorError| Error::file(path, e.to_string());
        let mut views = Vec::with_capacity(tensors.len() + 1);
        for ((name, dims, _), bytes) in tensors.iter().zip(&bytes) {
            views.push((name.as_str(), TensorView::new(Dtype::F32, dims.to_vec(), bytes).map_err(file)?));
        }
        views.push((CHECKSUM, TensorView::new(Dtype::U8, vec![HASH], &[0; HASH]).map_err(file)?));
        let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(file)?;
        let end = bytes.len() - HASH;
        let hash = blake3::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(hash.as_bytes());
        Ok(bytes)
    }

    /// Brings back what `write` wrote.
    ///
    /// # Errors
    /// Where it is damaged, or another set-up wrote it: then nothing has changed.
    pub fn read<N: Network, O: Optimizer>(&self, path: &Path, parts: &mut Parts<'_, N, O>) -> Result<Resumed> {
        let (file, length) = files::open(path)?;
        self.read_from(path, file, length, parts)
    }

    /// As [`Checkpoint::read`], from so many bytes; the path serves messages only.
    pub fn read_from<N: Network, O: Optimizer>(
        &self,
        path: &Path,
        mut source: impl Read + Seek,
        length: u64,
        Parts { model, optimizer, schedule, best }: &mut Parts<'_, N, O>,
    ) -> Result<Resumed> {
        let broken = |what: &str| Error::file(path, format!("this is no sound checkpoint: {what}"));
        let io = |source| Error::io(path, source);
        if !is_whole(&mut source, length).map_err(io)? {
            return Err(broken("its checksum is not that of its content"));
        }
        source.rewind().map_err(io)?;
        let mut file = TensorFile::new(path, source, length)?;
        let metadata = file.metadata().clone();
        let text = |key: &str| metadata.get(key).map(String::as_str).ok_or_else(|| broken(&format!("no `{key}`")));
        self.compare(path, &metadata)?;
        let count = |key: &str| {
            let count = text(key)?.parse::<u64>().ok().filter(|count| *count < MOST);
            count.ok_or_else(|| broken(&format!("`{key}` is no number")))
        };
        let place = |key: &str| count(key).map(|count| count as usize);
        let numbers = |key: &str| from_bits(text(key)?).ok_or_else(|| broken(&format!("`{key}` holds no numbers")));
        let number =
            |key: &str| numbers(key)?.first().copied().ok_or_else(|| broken(&format!("`{key}` holds no number")));
        let epochs: Option<Vec<EpochRecord>> = text("epochs")?.lines().map(epoch_from_bits).collect();
        let in_order = |list: &Vec<EpochRecord>| list.iter().zip(1..).all(|(record, epoch)| record.epoch == epoch);
        let epochs = epochs.filter(in_order).ok_or_else(|| broken("`epochs` holds no epochs"))?;
        let within = {
            let &[lr, seconds] = numbers("within.numbers")?.as_slice() else {
                return Err(broken("`within.numbers` holds other than two numbers"));
            };
            let sums = numbers("within.loss")?;
            if sums.len() != 2 * model.engine.means() && !sums.is_empty() {
                return Err(broken("`within.loss` has not two numbers for each mean of the loss"));
            }
            let loss = Tally::of(sums.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            let (batches, correct, seen) = (place("within.batches")?, place("within.correct")?, place("within.seen")?);
            Within { batches, loss, correct, seen, lr, seconds }
        };
        let between = within.batches.is_multiple_of(self.accumulate) || within.batches == self.steps;
        if within.batches > self.steps || !between || within.batches == 0 && epochs.is_empty() {
            return Err(broken(&format!("it was not written after batch {} of {}", within.batches, self.steps)));
        }
        let (best_epoch, best_loss) = (place("best.epoch")?, number("best.loss")?);
        if best_epoch > epochs.len() {
            return Err(broken(&format!("epoch {best_epoch} is the best of {}", epochs.len())));
        }

        // All tensors are read before anything changes.
        let weights = model.engine.weights();
        let mut values = |name: &str, dims: &[usize]| {
            let fits = file.get(name).is_some_and(|entry| entry.shape == dims && entry.dtype == "F32");
            if fits { file.values(name) } else { Err(broken(&format!("no `{name}` of shape {dims:?}"))) }
        };
        let mut parts = |prefix: &str| -> Result<(Vec<f32>, Vec<f32>)> {
            let mut arenas = (vec![0.0; weights.param_floats], vec![0.0; weights.state_floats]);
            for (list, arena) in [(weights.params, &mut arenas.0), (weights.states, &mut arenas.1)] {
                for tensor in list {
                    let values = values(&format!("{prefix}.{}", tensor.name), tensor.dims)?;
                    let place = &mut arena[tensor.offset..tensor.offset + tensor.layout.size];
                    params::pack(&tensor.layout, values, place);
                }
            }
            Ok(arenas)
        };
        let current = parts("model")?;
        let best_parts = if best_epoch > 0 { parts("best")? } else { (Vec::new(), Vec::new()) };
        let names: Vec<String> = text("optimizer.names")?.split_whitespace().map(str::to_owned).collect();
        let (steps, step, remembered) = (count("optimizer.steps")?, count("step")?, number("optimizer.number")?);
        let (rates, momentum) = (numbers("optimizer.rates")?, numbers("optimizer.momentum")?);
        let mut known = 0;
        optimizer.each_lr(|_| known += 1);
        if rates.len() != known {
            return Err(broken(&format!("{} learning rates, expected {known}", rates.len())));
        }
        let (seconds, skipped) = (number("seconds")?, place("skipped")?);
        let scheduled = match &schedule {
            Some(_) => Some((place("schedule.period")?, numbers("schedule.bases")?, numbers("schedule.state")?)),
            None => None,
        };
        if let Some((_, bases, _)) = scheduled.as_ref().filter(|(_, bases, _)| bases.len() != known) {
            return Err(broken(&format!("{} learning rates of the schedule, expected {known}", bases.len())));
        }
        let dims: HashMap<&str, &[usize]> = weights.params.iter().map(|t| (t.name, t.dims)).collect();
        optimizer
            .set_state((steps, remembered, names.as_slice()), |name| {
                let dims = name.split_once('.').and_then(|(_, name)| dims.get(name)).copied().unwrap_or_default();
                values(&format!("optimizer.{name}"), dims)
            })
            .map_err(|error| match error {
                Error::Option { .. } => broken(&error.to_string()),
                other => other,
            })?;

        let mut rates = rates.into_iter();
        optimizer.each_lr(|lr| *lr = rates.next().unwrap_or(*lr));
        if let Some(momentum) = momentum.first() {
            optimizer.config.set_momentum(*momentum);
        }
        if let (Some(schedule), Some(state)) = (schedule, scheduled) {
            schedule.set_state(state);
        }
        model.engine.restore(&current.0, &current.1)?;
        model.engine.set_step(step);
        **best = Best { loss: best_loss, epoch: best_epoch, params: best_parts.0, states: best_parts.1 };
        Ok(Resumed { epochs, within, skipped, seconds })
    }

    fn compare(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        let mut differences = Vec::new();
        let mut compare = |name: &str, was: Option<&String>, value: &str| {
            let was = was.map_or("unknown", String::as_str);
            if was != value {
                differences.push(format!("{name}: {was} in the checkpoint, {value} now"));
            }
        };
        compare("format", metadata.get("format"), FORMAT);
        for (name, value) in &self.set_up {
            compare(name, metadata.get(&format!("set-up.{name}")), value);
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::OtherTraining { path: path.to_path_buf(), differences })
    }
}

/// Whether so many bytes end with the hash of what stands before it.
fn is_whole(source: &mut (impl Read + Seek), length: u64) -> std::io::Result<bool> {
    let Some(end) = length.checked_sub(HASH as u64) else { return Ok(false) };
    source.seek(SeekFrom::Start(0))?;
    let (mut hash, mut piece, mut left) = (blake3::Hasher::new(), vec![0; (1 << 16).min(end as usize)], end);
    while left > 0 {
        let long = left.min(piece.len() as u64) as usize;
        source.read_exact(&mut piece[..long])?;
        hash.update(&piece[..long]);
        left -= long as u64;
    }
    let mut found = [0; HASH];
    source.read_exact(&mut found)?;
    Ok(found == *hash.finalize().as_bytes())
}

fn canonical(tensor: &Tensor, arena: &[f32]) -> Vec<f32> {
    let mut values = Vec::with_capacity(params::numel(&tensor.layout));
    params::unpack(&tensor.layout, &arena[tensor.offset..tensor.offset + tensor.layout.size], &mut values);
    values
}

fn bits(numbers: &[f64]) -> String {
    let words: Vec<String> = numbers.iter().map(|number| format!("{:016x}", number.to_bits())).collect();
    words.join(" ")
}

fn from_bits(text: &str) -> Option<Vec<f64>> {
    let number = |word: &str| u64::from_str_radix(word, 16).ok().map(f64::from_bits);
    text.split_whitespace().map(number).collect()
}

fn epoch_bits(record: &EpochRecord) -> String {
    let EpochRecord { epoch, train_loss, train_accuracy, valid_loss, valid_accuracy, seconds, lr, best } = *record;
    let numbers = [train_loss, train_accuracy, valid_loss, valid_accuracy, seconds, lr, f64::from(best)];
    format!("{epoch} {}", bits(&numbers))
}

fn epoch_from_bits(line: &str) -> Option<EpochRecord> {
    let (epoch, numbers) = line.split_once(' ')?;
    let &[train_loss, train_accuracy, valid_loss, valid_accuracy, seconds, lr, best] = from_bits(numbers)?.as_slice()
    else {
        return None;
    };
    let (epoch, best) = (epoch.parse().ok()?, best != 0.0);
    Some(EpochRecord { epoch, train_loss, train_accuracy, valid_loss, valid_accuracy, seconds, lr, best })
}
