//! What can go wrong at run time. Each message names the thing, the expected and the found value.
//!
//! Mistakes in a declaration are compile errors and never get here.

#[cfg(feature = "verify")]
use crate::model::Difference;
use crate::train::NotFinite;
use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },

    /// A file that is not what its name or its reader says.
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: String },

    /// A file, or another model, whose parameters are not the network's.
    #[error(transparent)]
    Mismatch(Box<Mismatch>),

    #[error("{network} has no parameter `{name}`{}", suggestion(similar))]
    UnknownParameter { network: &'static str, name: String, similar: Option<&'static str> },

    #[error("`{name}` has shape {expected:?}, but the given array has shape {found:?}")]
    ParameterShape { name: String, expected: Vec<usize>, found: Vec<usize> },

    /// Host values of the wrong count, shape or range.
    #[error("{what}: expected {expected}, found {found}")]
    Data { what: String, expected: String, found: String },

    /// There is nothing to work on.
    #[error("{what} is empty")]
    Empty { what: String },

    /// An option outside its range.
    #[error("{option} must be {expected}, but it is {found}")]
    Option { option: String, expected: String, found: String },

    #[error("{network} has no `loss:`, so it cannot be {action}")]
    NoLoss { network: &'static str, action: &'static str },

    #[error(
        "the optimizer was bound to {bound}, but the model is a {network} with {found} trainable values (bound: {expected})"
    )]
    ForeignOptimizer { bound: &'static str, network: &'static str, expected: usize, found: usize },

    /// A checkpoint that another training wrote.
    #[error(
        "{} is the checkpoint of another training; help: `.fresh()` begins anew\n  {}",
        path.display(),
        differences.join("\n  ")
    )]
    OtherTraining {
        path: PathBuf,
        /// A line each, `batch size: 32 in the checkpoint, 64 now`.
        differences: Vec<String>,
    },

    /// A folder of checkpoints that another training writes to.
    #[error(
        "{}: another training{} keeps its checkpoints here; help: another folder, or wait until it has ended",
        path.display(),
        process.map(|process| format!(" (process {process})")).unwrap_or_default()
    )]
    FolderInUse { path: PathBuf, process: Option<u32> },

    /// A training that was asked to stop by a signal, and can go on.
    #[error(
        "{signal} stopped training in epoch {epoch} after step {step} of {steps}; it is saved in {}; help: the same program \
         goes on from there",
        path.display()
    )]
    Interrupted {
        /// `SIGINT` or `SIGTERM`.
        signal: &'static str,
        epoch: usize,
        /// Batches of that epoch, as many as are done and as there are.
        step: usize,
        steps: usize,
        /// The checkpoint.
        path: PathBuf,
    },

    #[error("`apply` without gradients: call `accumulate` first")]
    NothingAccumulated,

    /// A batch of one sample for a layer that normalises each channel over the batch.
    #[error(
        "`{layer}` of {network} normalises over the batch, but a batch of one sample has one value per channel; help: \
         `.drop_last(true)` leaves it out of a `Trainer`'s epoch, or another batch size"
    )]
    SingleValue { network: &'static str, layer: &'static str },

    /// The mean that a loss with class weights is has nothing to divide by.
    #[error("no label that {network} has seen since the last `apply` has a weight in its loss, so the gradient is 0/0")]
    NoWeight { network: &'static str },

    #[error(
        "the {which} loss is {loss} in epoch {epoch}, step {step}; help: a smaller learning rate, or look for NaN in the data"
    )]
    LossNotFinite { which: &'static str, loss: f32, epoch: usize, step: usize },

    /// Training with [`NonFinite::Skip`](crate::train::NonFinite::Skip) came to a halt.
    #[error("all {steps} steps of epoch {epoch} were skipped, for a loss or gradient in each of them was not finite")]
    AllSkipped { epoch: usize, steps: usize },

    /// A number that is NaN or infinite in a training.
    #[error(transparent)]
    NotFinite(Box<NotFinite>),

    /// A step of a device that is not what the interpreter computes.
    #[cfg(feature = "verify")]
    #[error(transparent)]
    Differs(Box<Difference>),

    /// A network that the interpreter cannot follow.
    #[cfg(feature = "verify")]
    #[error("{network} cannot be compared with the interpreter: {problem}")]
    Verify { network: &'static str, problem: String },

    #[error("{device}: {problem}")]
    Device { device: String, problem: String },

    #[error("a plot could not be drawn: {0}")]
    Plot(String),
}

/// How a file's, or another model's, parameters differ from a network's: everything at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Mismatch {
    /// The file's path, or whose model it is.
    pub origin: String,
    /// `the file` or `the other model`.
    pub place: &'static str,
    pub network: &'static str,
    /// In the network, not in the file.
    pub missing: Vec<String>,
    /// In the file, not in the network.
    pub surplus: Vec<String>,
    /// In both, but different: a line each, `fc.weight: the network has [10, 84], the file [10, 100]`.
    pub misshapen: Vec<String>,
}

impl Mismatch {
    fn text(&self) -> String {
        let Self { origin, place, network, missing, surplus, misshapen } = self;
        let mut text = format!("{origin}: these are not the parameters of {network}");
        let words = [format!("missing in {place}"), format!("surplus in {place}"), "misshapen".to_owned()];
        for (word, list) in words.iter().zip([missing, surplus, misshapen]) {
            if list.is_empty() {
                continue;
            }
            text += &format!("\n  {word} ({}):", list.len());
            for line in list {
                text += &format!("\n    {line}");
            }
        }
        text
    }
}

impl From<NotFinite> for Error {
    fn from(found: NotFinite) -> Self {
        Error::NotFinite(Box::new(found))
    }
}

impl Error {
    #[cold]
    pub(crate) fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Error::Io { path: path.as_ref().to_path_buf(), source }
    }

    #[cold]
    pub(crate) fn file(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Error::File { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    #[cold]
    pub(crate) fn data(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Error::Data { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }

    #[cold]
    pub(crate) fn option(option: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Error::Option { option: option.into(), expected: expected.to_string(), found: found.to_string() }
    }

    #[cold]
    pub(crate) fn empty(what: impl Into<String>) -> Self {
        Error::Empty { what: what.into() }
    }
}

fn suggestion(similar: &Option<&'static str>) -> String {
    similar.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The known name nearest to `name`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.map(|k| (distance(name, k), k)).min().filter(|(d, _)| *d <= 1 + name.len() / 4).map(|(_, k)| k)
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
