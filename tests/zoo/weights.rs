//! The weights that `tests/fixtures/zoo.py` makes, too, from the names of parameters.

use kiln::ParameterInfo;
use kiln::prelude::*;
use ndarray::{ArrayD, IxDyn};

use super::fixture::uniform;

/// How the last BatchNorm of a residual's body is called in torchvision's network of this name: `ENDS` of the script.
fn ends(network: &str) -> Option<&'static str> {
    match network {
        "resnet18" | "resnet34" => Some("bn2"),
        "resnet50" => Some("bn3"),
        _ => None,
    }
}

/// What the state dict of torchvision's network of this name holds after `initialise` of the script.
pub fn initialise<N: Network>(model: &mut Model<N>, network: &str) {
    let ends = ends(network);
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
