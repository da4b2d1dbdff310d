//! Checkpoints: all that a training needs to go on after an epoch as if it had never been interrupted, in one safetensors
//! file, in canonical order, so that any device can go on with it.
//!
//! Numbers that decide bits (learning rates, losses) are stored as the bits of their `f64`.

use super::EpochRecord;
use super::trainer::Best;
use crate::error::{Error, Result};
use crate::model::{Model, read_tensors, write_atomically};
use crate::network::Network;
use crate::optim::schedule::Scheduled;
use crate::optim::{Bound, BoundState, Optimizer};
use crate::params;
use crate::plan::Tensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Changes with what is in the file.
const FORMAT: &str = "kiln checkpoint 1";

/// What must be the same for a training to go on, a line each: its name and value.
pub(super) type SetUp = Vec<(&'static str, String)>;

/// Where a training keeps its checkpoint, and for which set-up.
pub(super) struct Checkpoint {
    path: PathBuf,
    set_up: SetUp,
}

/// How far a training had come.
pub(super) struct Resumed {
    pub epochs: Vec<EpochRecord>,
    pub seconds: f64,
}

impl Checkpoint {
    pub fn new(folder: &Path, set_up: SetUp) -> Self {
        Checkpoint { path: folder.join("checkpoint.safetensors"), set_up }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the state after an epoch. The file is replaced in one step.
    pub fn write<N: Network, O: Optimizer>(
        &self,
        model: &Model<N>,
        optimizer: &mut Bound<O>,
        schedule: Option<&Scheduled>,
        best: &Best,
        epochs: &[EpochRecord],
        seconds: f64,
    ) -> Result<()> {
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
            ("seconds".to_owned(), bits(&[seconds])),
        ]);
        if let Some(schedule) = schedule {
            let (period, bases, state) = schedule.state();
            metadata.insert("schedule.period".to_owned(), period.to_string());
            metadata.insert("schedule.bases".to_owned(), bits(&bases));
            metadata.insert("schedule.state".to_owned(), bits(&state));
        }
        let epochs: Vec<String> = epochs.iter().map(epoch_bits).collect();
        metadata.insert("epochs".to_owned(), epochs.join("\n"));
        metadata.extend(self.set_up.iter().map(|(name, value)| (format!("set-up.{name}"), value.clone())));

        let bytes: Vec<Vec<u8>> =
            tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
        let file = |e: safetensors::SafeTensorError| Error::file(&self.path, e.to_string());
        let mut views = Vec::with_capacity(tensors.len());
        for ((name, dims, _), bytes) in tensors.iter().zip(&bytes) {
            views.push((name.as_str(), TensorView::new(Dtype::F32, dims.to_vec(), bytes).map_err(file)?));
        }
        write_atomically(&self.path, &safetensors::serialize(views, Some(metadata)).map_err(file)?)
    }

    /// Brings back what `write` wrote. `None` where there is no file.
    ///
    /// # Errors
    /// Where it is broken, or another set-up wrote it: then nothing has changed.
    pub fn read<N: Network, O: Optimizer>(
        &self,
        model: &mut Model<N>,
        optimizer: &mut Bound<O>,
        schedule: Option<&mut Scheduled>,
        best: &mut Best,
    ) -> Result<Option<Resumed>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let broken = |what: &str| Error::file(&self.path, format!("this is no checkpoint: {what}; help: `.fresh()`"));
        let bytes = fs::read(&self.path).map_err(|e| Error::io(&self.path, e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| metadata.get(key).map(String::as_str).ok_or_else(|| broken(&format!("no `{key}`")));
        if text("format")? != FORMAT {
            return Err(broken(&format!("format `{}`, expected `{FORMAT}`", text("format")?)));
        }
        self.compare(&metadata)?;
        let count = |key: &str| text(key)?.parse::<u64>().map_err(|_| broken(&format!("`{key}` is no number")));
        let numbers = |key: &str| from_bits(text(key)?).ok_or_else(|| broken(&format!("`{key}` holds no numbers")));
        let number =
            |key: &str| numbers(key)?.first().copied().ok_or_else(|| broken(&format!("`{key}` holds no number")));
        let epochs: Option<Vec<EpochRecord>> = text("epochs")?.lines().map(epoch_from_bits).collect();
        let epochs = epochs.filter(|list| !list.is_empty()).ok_or_else(|| broken("`epochs` holds no epochs"))?;
        let (best_epoch, best_loss) = (count("best.epoch")? as usize, number("best.loss")?);

        // All tensors are read before anything changes.
        let weights = model.engine.weights();
        let parts = |prefix: &str| -> Result<(Vec<f32>, Vec<f32>)> {
            let file = read_tensors(&self.path, &bytes)?;
            let mut arenas = (vec![0.0; weights.param_floats], vec![0.0; weights.state_floats]);
            for (list, arena) in [(weights.params, &mut arenas.0), (weights.states, &mut arenas.1)] {
                for tensor in list {
                    let values = values(&file, &format!("{prefix}.{}", tensor.name), tensor.dims)
                        .ok_or_else(|| broken(&format!("no `{prefix}.{}`", tensor.name)))?;
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
        let seconds = number("seconds")?;
        let scheduled = match &schedule {
            Some(_) => {
                Some((count("schedule.period")? as usize, numbers("schedule.bases")?, numbers("schedule.state")?))
            }
            None => None,
        };
        let file = read_tensors(&self.path, &bytes)?;
        let dims: HashMap<&str, &[usize]> = weights.params.iter().map(|t| (t.name, t.dims)).collect();
        optimizer.set_state((steps, remembered, names.as_slice()), |name| {
            let dims = name.split_once('.').and_then(|(_, name)| dims.get(name)).copied().unwrap_or_default();
            values(&file, &format!("optimizer.{name}"), dims).ok_or_else(|| broken(&format!("no `optimizer.{name}`")))
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
        *best = Best { loss: best_loss, epoch: best_epoch, params: best_parts.0, states: best_parts.1 };
        Ok(Some(Resumed { epochs, seconds }))
    }

    fn compare(&self, metadata: &HashMap<String, String>) -> Result<()> {
        let mut differences = Vec::new();
        for (name, value) in &self.set_up {
            let was = metadata.get(&format!("set-up.{name}")).map_or("unknown", String::as_str);
            if was != value {
                differences.push(format!("{name}: {was} in the checkpoint, {value} now"));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::OtherTraining { path: self.path.clone(), differences })
    }
}

fn canonical(tensor: &Tensor, arena: &[f32]) -> Vec<f32> {
    let mut values = Vec::with_capacity(params::numel(&tensor.layout));
    params::unpack(&tensor.layout, &arena[tensor.offset..tensor.offset + tensor.layout.size], &mut values);
    values
}

fn values(file: &SafeTensors<'_>, name: &str, dims: &[usize]) -> Option<Vec<f32>> {
    let view = file.tensor(name).ok()?;
    let words = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
    (view.shape() == dims && view.dtype() == Dtype::F32).then(|| words.collect())
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
