//! The weights that `tests/fixtures/zoo.py` makes, too, from the names of parameters.

use kiln::ParameterInfo;
use kiln::prelude::*;
use ndarray::{ArrayD, IxDyn};

use super::fixture::uniform;

/// What torchvision's state dict holds after `initialise` of `tests/fixtures/zoo.py`; `ends` is how the last BatchNorm of a
/// residual's body is called.
pub fn initialise<N: Network>(model: &mut Model<N>, ends: Option<&str>) {
    let parameters: Vec<ParameterInfo> = model.parameters().collect();
    for parameter in &parameters {
        let (layer, kind) = parameter.name.rsplit_once('.').expect("a layer's name and a parameter's");
        let weight = parameters.iter().find(|other| other.name == format!("{layer}.weight")).expect("a weight");
        let change: Box<dyn Fn(f32) -> f32> = match (weight.dims, kind) {
            ([_], "weight") if ends.is_some() && layer.rsplit('.').next() == ends => {
                Box::new(|x| (x * 0.25 + 1.0) * 0.2)
            }
            ([_], "weight") => Box::new(|x| x * 0.25 + 1.0),
            ([_], "running_var") => Box::new(|x| x * 0.5 + 1.0),
            ([_], _) => Box::new(|x| x * 0.25),
            ([_, inputs @ ..], _) => {
                let bound = (6.0 / inputs.iter().product::<usize>() as f64).sqrt() as f32;
                Box::new(move |x| x * bound)
            }
            ([], _) => unreachable!("no parameter here is a single number"),
        };
        let values = uniform(parameter.name).map(change).take(parameter.dims.iter().product()).collect();
        let array = ArrayD::from_shape_vec(IxDyn(parameter.dims), values).unwrap();
        model.set_parameter(parameter.name, array.view()).unwrap();
    }
}
