//! Fitting the layer `Standardize`: mean and deviation of host data, put where the weights are.

use super::{Model, parameters::find};
use crate::data::{Dense, fit_moments};
use crate::error::{Error, Result};
use crate::network::Network;

impl<N: Network> Model<N> {
    /// Sets the mean and the deviation of the layer `Standardize` of that name from the inputs that it will see, usually
    /// those of the training part: `model.fit_standardize("scale", data.train.inputs())`. What is constant in them is only
    /// centred. Both are saved with the weights, and no training changes them.
    ///
    /// # Errors
    /// Where there is no such layer, where it has another number of channels or values than these samples, and where there
    /// is no sample.
    pub fn fit_standardize<I: Dense>(&mut self, layer: &str, inputs: &I) -> Result<()> {
        let (plan, weights) = (N::plan(), self.engine.weights());
        let names =
            ["mean", "deviation"].map(|name| if layer.is_empty() { name.into() } else { format!("{layer}.{name}") });
        let [mean, deviation] = [find(plan, &weights, &names[0])?.0, find(plan, &weights, &names[1])?.0];
        let count: usize = mean.dims.iter().product();
        let channels = I::SHAPE[0];
        if count != I::SIZE && count != channels {
            let expected = format!("{channels} channels or {} values, as {} has", I::SIZE, I::type_name());
            return Err(Error::data(format!("the means of `{layer}`"), expected, count));
        }
        if inputs.is_empty() {
            return Err(Error::empty(format!("the data to fit `{layer}` on")));
        }
        let fitted = fit_moments(inputs.values(), I::SIZE, I::SIZE / count);
        for (tensor, values) in [(mean, fitted.mean), (deviation, fitted.deviation)] {
            self.engine.write(tensor, true, &mut values.into_iter().map(|x| x as f32))?;
        }
        Ok(())
    }
}
