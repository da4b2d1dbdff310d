//! Weights in safetensors files, under PyTorch's names, and from other models.
//!
//! Saving is atomic: the file is complete or not there. Loading changes nothing unless every name and shape that is asked for
//! fits, and one error lists all that does not.

use super::Model;
use crate::error::{Error, Mismatch, Result};
use crate::files::{TensorFile, is_read, save};
use crate::network::Network;
use crate::optim::matches;
use crate::plan::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek};
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

/// A tensor that is offered: its shape, its dtype where that does not become f32, where to read it.
struct Offer<K> {
    dims: Vec<usize>,
    other: Option<String>,
    key: K,
}

impl<N: Network> Model<N> {
    /// Writes parameters and running statistics as safetensors, under PyTorch's names. The file is replaced in one step,
    /// so that a crash leaves the old or the new one, never half of it, and several threads or processes may save to one path.
    /// Folders on the way are created, symbolic links followed; the permissions of a file that is there stay.
    ///
    /// # Errors
    /// Where the file cannot be written, or there is something that is no regular file; then nothing has changed.
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
        save(path, &bytes)
    }

    /// Reads a safetensors file that [`Model::save`] or PyTorch wrote. Strict: every name and shape must fit, else the
    /// model stays as it was. Numbers may be F32, F16, BF16 or F64 and become f32. `num_batches_tracked` is ignored.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_with(path, Load::strict()).map(drop)
    }

    /// As [`Model::load`], with exceptions; says what it took and what it left.
    ///
    /// # Errors
    /// One, which lists all names that are missing, surplus or misshapen; also where an exception matches no name at all,
    /// or a number of an F64 is finite and too large for f32.
    pub fn load_with(&mut self, path: impl AsRef<Path>, load: Load) -> Result<Loaded> {
        let path = path.as_ref();
        self.load_from(path, TensorFile::open(path)?, load)
    }

    /// As [`Model::load_with`], from a file that is open; the path serves messages only.
    pub(crate) fn load_from<R: Read + Seek>(
        &mut self,
        path: &Path,
        mut file: TensorFile<R>,
        load: Load,
    ) -> Result<Loaded> {
        let mut offers = BTreeMap::new();
        for (name, entry) in file.tensors() {
            let stripped = load.prefix.as_ref().and_then(|prefix| name.strip_prefix(prefix.as_str())).unwrap_or(name);
            // PyTorch's count is an integer; `BatchNorm<momentum = none>` goes on from it.
            let known = is_read(&entry.dtype) || entry.dtype == "I64" && is_ignored(stripped);
            let other = (!known).then(|| entry.dtype.clone());
            let offer = Offer { dims: entry.shape.clone(), other, key: name.to_owned() };
            if offers.insert(stripped.to_owned(), offer).is_some() {
                let problem =
                    format!("it has both `{stripped}` and `{}{stripped}`", load.prefix.as_deref().unwrap_or(""));
                return Err(Error::file(path, problem));
            }
        }
        self.take(&path.display().to_string(), "the file", offers, &load, |name| file.values(&name))
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
            let offer = Offer { dims: tensor.dims.to_vec(), other: None, key: (tensor, state) };
            offers.insert(stripped.to_owned(), offer);
        }
        let read = |(tensor, state): (&Tensor, bool)| other.engine.read(tensor, state);
        self.take(&format!("a model of {}", M::NAME), "the other model", offers, &load, read)
    }

    fn take<K>(
        &mut self,
        origin: &str,
        place: &'static str,
        mut offers: BTreeMap<String, Offer<K>>,
        load: &Load,
        mut read: impl FnMut(K) -> Result<Vec<f32>>,
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
                misshapen.push(format!("{name}: expected F32, F16, BF16 or F64, {place} has {dtype}"));
            } else {
                found.push((tensor, state, offer.key));
            }
        }
        let unused = offers.into_keys().filter(|name| !is_ignored(name));
        let (left, surplus): (Vec<String>, Vec<String>) = unused.partition(|name| load.leaves(name));
        result.left = left;
        if !missing.is_empty() || !misshapen.is_empty() || !surplus.is_empty() {
            let origin = origin.to_owned();
            return Err(Error::Mismatch(Box::new(Mismatch { origin, place, network, missing, surplus, misshapen })));
        }
        // All is read before anything changes.
        let mut values = Vec::with_capacity(found.len());
        for (tensor, state, key) in found {
            values.push((tensor, state, read(key)?));
        }
        for (tensor, state, values) in values {
            self.engine.write(tensor, state, &mut values.into_iter())?;
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

/// PyTorch counts the batches that its running statistics saw; without `momentum = none` nothing here depends on it.
fn is_ignored(name: &str) -> bool {
    name == "num_batches_tracked" || name.ends_with(".num_batches_tracked")
}
