//! A model that serves many threads.

use super::Model;
use crate::error::Result;
use crate::network::Network;
use std::sync::Arc;

/// A model whose weights stay as they are, for threads that serve requests: [`Model::into_predictor`]. A clone is a handle to the
/// same weights.
///
/// On the CPU each call borrows scratch memory that no other call has, so calls from several threads run at once: the first takes
/// the device's threads, others stay on their own. The results are the same bits. On an accelerator calls take turns.
///
/// ```no_run
/// # use kiln::prelude::*;
/// # fn f<N: Network<Outputs: Send>>(file: &str, requests: Vec<N::Inputs>) -> Result<(), Error> {
/// let predictor = N::open(file, &Device::best())?.into_predictor();
/// std::thread::scope(|scope| {
///     for request in requests {
///         let predictor = predictor.clone();
///         scope.spawn(move || predictor.forward(&request));
///     }
/// });
/// # Ok(())
/// # }
/// ```
pub struct Predictor<N: Network> {
    model: Arc<Model<N>>,
}

impl<N: Network> Clone for Predictor<N> {
    fn clone(&self) -> Self {
        Predictor { model: Arc::clone(&self.model) }
    }
}

impl<N: Network> Predictor<N> {
    pub(super) fn new(mut model: Model<N>) -> Self {
        model.engine.serve();
        Predictor { model: Arc::new(model) }
    }

    /// Outputs in evaluation mode: [`Model::forward`].
    pub fn forward(&self, inputs: &N::Inputs) -> Result<N::Outputs> {
        self.model.forward(inputs)
    }

    /// As [`Predictor::forward`], into outputs of an earlier call: [`Model::forward_into`], which allocates nothing once as many
    /// calls have run at once as ever will.
    pub fn forward_into(&self, inputs: &N::Inputs, outputs: &mut N::Outputs) -> Result<()> {
        self.model.forward_into(inputs, outputs)
    }
}
