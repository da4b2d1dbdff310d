//! Weights in safetensors files, under PyTorch's names.
//!
//! Saving is atomic: the file is complete or not there. Loading is strict: it changes nothing unless every name and shape
//! fits, and one error lists all that does not.

use super::Model;
use crate::error::{Error, Result};
use crate::network::Network;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

impl<N: Network> Model<N> {
    /// Writes parameters and running statistics as safetensors, under PyTorch's names. The file is replaced in one step,
    /// so that a crash leaves the old or the new one, never half of it.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let weights = self.engine.weights();
        let params = weights.params.iter().map(|t| (t, false));
        let states = weights.states.iter().map(|t| (t, true));
        let mut tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = Vec::new();
        for (tensor, state) in params.chain(states) {
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
        let path = path.as_ref();
        let (plan, weights) = (N::plan(), self.engine.weights());
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|e| Error::file(path, format!("this is no complete safetensors file ({e})")))?;
        let mut unused: BTreeSet<&str> = file.names().into_iter().filter(|name| !is_ignored(name)).collect();
        let (mut missing, mut misshapen, mut found) = (Vec::new(), Vec::new(), Vec::new());
        let tensors = weights.params.iter().map(|t| (t, false)).chain(weights.states.iter().map(|t| (t, true)));
        for (tensor, state) in tensors {
            let Ok(view) = file.tensor(tensor.name) else {
                missing.push(format!("{} {:?}", tensor.name, tensor.dims));
                continue;
            };
            unused.remove(tensor.name);
            if view.shape() != tensor.dims {
                let (name, expected, found) = (tensor.name, tensor.dims, view.shape());
                misshapen.push(format!("{name}: the network has {expected:?}, the file {found:?}"));
            } else if let Some(values) = numbers(tensor.name, &view) {
                found.push((tensor, state, values));
            } else {
                misshapen.push(format!("{}: expected F32, the file has {:?}", tensor.name, view.dtype()));
            }
        }
        if !missing.is_empty() || !misshapen.is_empty() || !unused.is_empty() {
            let surplus = unused.into_iter().map(str::to_owned).collect();
            return Err(Error::Mismatch { path: path.to_path_buf(), network: plan.name, missing, surplus, misshapen });
        }
        for (tensor, state, values) in found {
            self.engine.write(tensor, state, &mut values.into_iter())?;
        }
        Ok(())
    }
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
fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
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
