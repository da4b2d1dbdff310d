//! Weights in safetensors files, under PyTorch's names, and from other models.
//!
//! Saving is atomic: the file is complete or not there. Loading changes nothing unless every name and shape that is asked for
//! fits, and one error lists all that does not.

use super::Model;
use crate::error::{Error, Mismatch, Result};
use crate::network::Network;
use crate::optim::matches;
use crate::plan::Tensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// What a file (or another model) must have, and what may stay away: [`Model::load_with`].
///
/// In a pattern `*` stands for any characters, also none.
///
/// ```no_run
/// # use kiln::prelude::*;
/// # fn f<N: Network>(model: &mut Model<N>) -> Result<(), Error> {
/// // The weights of a network with another head, saved from `torch.nn.DataParallel`.
/// let loaded = model.load_with("imagenet.safetensors", Load::strict().except("fc.*").strip_prefix("module."))?;
/// println!("{loaded}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    except: Vec<String>,
    prefix: Option<String>,
}

impl Load {
    /// Every parameter and running statistic must be there with its shape, and nothing else.
    pub fn strict() -> Self {
        Load::default()
    }

    /// Except these names: in the network they stay as they are, in the file they are left.
    pub fn except(mut self, pattern: impl Into<String>) -> Self {
        self.except.push(pattern.into());
        self
    }

    /// Names in the file lose this beginning where they have it.
    pub fn strip_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    fn leaves(&self, name: &str) -> bool {
        self.except.iter().any(|pattern| matches(pattern, name))
    }
}

/// What [`Model::load_with`] took and what it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Parameters and running statistics that have new values.
    pub loaded: Vec<String>,
    /// Those that stayed as they were.
    pub kept: Vec<String>,
    /// Names in the file that nothing was read from, without `num_batches_tracked`.
    pub left: Vec<String>,
}

impl fmt::Display for Loaded {
    /// `120 loaded; kept: fc.weight, fc.bias; left in the file: fc.weight, fc.bias`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} loaded", self.loaded.len())?;
        for (what, list) in [("kept", &self.kept), ("left in the file", &self.left)] {
            if !list.is_empty() {
                write!(f, "; {what}: {}", list.join(", "))?;
            }
        }
        Ok(())
    }
}

/// A tensor that is offered: its shape, its dtype where it is not f32, how to read it.
struct Offer<'a> {
    dims: Vec<usize>,
    other: Option<String>,
    read: Box<dyn FnOnce() -> Result<Vec<f32>> + 'a>,
}

impl<N: Network> Model<N> {
    /// Writes parameters and running statistics as safetensors, under PyTorch's names. The file is replaced in one step,
    /// so that a crash leaves the old or the new one, never half of it.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = Vec::new();
        for (tensor, state) in self.tensors() {
            let bytes = self.engine.read(tensor, state)?.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((tensor.name, tensor.dims.to_vec(), bytes));
        }
        let mut views = Vec::with_capacity(tensors.len());
        for (name, dims, bytes) in &tensors {
            let view =
                TensorView::new(Dtype::F32, dims.clone(), bytes).map_err(|e| Error::file(path, e.to_string()))?;
            views.push((*name, view));
        }
        let bytes = safetensors::serialize(views, None).map_err(|e| Error::file(path, e.to_string()))?;
        write_atomically(path, &bytes)
    }

    /// Reads a safetensors file that [`Model::save`] or PyTorch wrote. Strict: every name and shape must fit, else the
    /// model stays as it was. `num_batches_tracked` is ignored.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_with(path, Load::strict()).map(drop)
    }

    /// As [`Model::load`], with exceptions; says what it took and what it left.
    ///
    /// # Errors
    /// One, which lists all names that are missing, surplus or misshapen; also where an exception matches no name at all.
    pub fn load_with(&mut self, path: impl AsRef<Path>, load: Load) -> Result<Loaded> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let file = read_tensors(path, &bytes)?;
        let mut offers = BTreeMap::new();
        for (name, view) in file.iter() {
            let stripped = load.prefix.as_ref().and_then(|prefix| name.strip_prefix(prefix.as_str())).unwrap_or(name);
            let values = numbers(stripped, &view);
            let other = values.is_none().then(|| format!("{:?}", view.dtype()));
            let read = Box::new(move || Ok(values.unwrap_or_default()));
            let offer = Offer { dims: view.shape().to_vec(), other, read };
            if offers.insert(stripped.to_owned(), offer).is_some() {
                let problem =
                    format!("it has both `{stripped}` and `{}{stripped}`", load.prefix.as_deref().unwrap_or(""));
                return Err(Error::file(path, problem));
            }
        }
        self.take(&path.display().to_string(), "the file", offers, &load)
    }

    /// Takes all parameters and running statistics of another model: one on another device, or of another network with the same
    /// names and shapes.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn copy_from<M: Network>(&mut self, other: &Model<M>) -> Result<()> {
        self.copy_with(other, Load::strict()).map(drop)
    }

    /// As [`Model::copy_from`], with exceptions: to another head, for instance.
    ///
    /// # Errors
    /// As [`Model::load_with`].
    pub fn copy_with<M: Network>(&mut self, other: &Model<M>, load: Load) -> Result<Loaded> {
        let mut offers = BTreeMap::new();
        for (tensor, state) in other.tensors() {
            let name = tensor.name;
            let stripped = load.prefix.as_ref().and_then(|prefix| name.strip_prefix(prefix.as_str())).unwrap_or(name);
            let read = Box::new(move || other.engine.read(tensor, state));
            offers.insert(stripped.to_owned(), Offer { dims: tensor.dims.to_vec(), other: None, read });
        }
        self.take(&format!("a model of {}", M::NAME), "the other model", offers, &load)
    }

    fn take(
        &mut self,
        origin: &str,
        place: &'static str,
        mut offers: BTreeMap<String, Offer<'_>>,
        load: &Load,
    ) -> Result<Loaded> {
        let network = N::plan().name;
        for pattern in &load.except {
            let own = self.tensors().any(|(tensor, _)| matches(pattern, tensor.name));
            if !own && !offers.keys().any(|name| matches(pattern, name)) {
                let expected = format!("a pattern of names in {network} or in {origin}");
                return Err(Error::option("Load::except", expected, format!("{pattern:?}")));
            }
        }
        let mut result = Loaded::default();
        let (mut missing, mut misshapen, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for (tensor, state) in self.tensors() {
            let name = tensor.name;
            if load.leaves(name) {
                result.kept.push(name.to_owned());
                continue;
            }
            let Some(offer) = offers.remove(name) else {
                missing.push(format!("{name} {:?}", tensor.dims));
                continue;
            };
            if offer.dims != tensor.dims {
                misshapen.push(format!("{name}: the network has {:?}, {place} {:?}", tensor.dims, offer.dims));
            } else if let Some(dtype) = offer.other {
                misshapen.push(format!("{name}: expected F32, {place} has {dtype}"));
            } else {
                found.push((tensor, state, offer.read));
            }
        }
        let unused = offers.into_keys().filter(|name| !is_ignored(name));
        let (left, surplus): (Vec<String>, Vec<String>) = unused.partition(|name| load.leaves(name));
        result.left = left;
        if !missing.is_empty() || !misshapen.is_empty() || !surplus.is_empty() {
            let origin = origin.to_owned();
            return Err(Error::Mismatch(Box::new(Mismatch { origin, place, network, missing, surplus, misshapen })));
        }
        for (tensor, state, read) in found {
            self.engine.write(tensor, state, &mut read()?.into_iter())?;
            result.loaded.push(tensor.name.to_owned());
        }
        Ok(result)
    }

    /// All parameters, then all running statistics, as this device has them; the second tells which of the two.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&'static Tensor, bool)> + use<N> {
        let weights = self.engine.weights();
        let params = weights.params.iter().map(|t| (t, false));
        params.chain(weights.states.iter().map(|t| (t, true)))
    }
}

/// The tensors of a safetensors file that lies in memory.
pub(crate) fn read_tensors<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes)
        .map_err(|e| Error::file(path, format!("this is no complete safetensors file ({e})")))
}

/// The values of a tensor, or nothing if it is of another type than the network's.
fn numbers(name: &str, view: &TensorView) -> Option<Vec<f32>> {
    match view.dtype() {
        Dtype::F32 => Some(view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        // PyTorch's count is an integer; `BatchNorm<momentum = none>` goes on from it.
        Dtype::I64 if is_ignored(name) => {
            Some(view.data().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect())
        }
        _ => None,
    }
}

/// PyTorch counts the batches that its running statistics saw; without `momentum = none` nothing here depends on it.
fn is_ignored(name: &str) -> bool {
    name == "num_batches_tracked" || name.ends_with(".num_batches_tracked")
}

/// Writes a neighbour of `path`, then renames it.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let mut name = path.file_name().ok_or_else(|| Error::file(path, "this is no file name"))?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let result = written.and_then(|()| fs::rename(&part, path));
    if result.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    result.map_err(|e| Error::io(path, e))
}
