//! `Reshape<[16, 7, 7]>`: the same values in row-major order, with other extents.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Reshape",
    doc: "The same values in row-major order, with other extents.",
    usage: "Reshape<[16, 7, 7]>",
    operands: Operands::One,
    arguments: &[positional("shape")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let shape = site.args.sizes("shape")?;
    let dims = site.dims(0);
    if shape.is_empty() || shape.len() > 3 {
        let message = format!("`Reshape` gives a vector, a sequence or an image, but {} is none", dims_text(&shape));
        return Err(Mistake::new(site.args.source("shape"), message).help("write 1 to 3 extents"));
    }
    let count = |dims: &[usize]| dims.iter().fold(1usize, |n, d| n.saturating_mul(*d));
    if count(&shape) != count(&dims) {
        let message = format!(
            "`Reshape` to {} needs {} values, but its input {} has {}",
            dims_text(&shape),
            count(&shape),
            dims_text(&dims),
            count(&dims)
        );
        let diagnostic = Mistake::new(site.args.source("shape"), message).trail(site.trail.clone());
        let (all, lead) = (count(&dims), count(&shape[..shape.len() - 1]));
        if !all.is_multiple_of(lead) {
            return Err(diagnostic.help(format!("a shape of {all} elements, such as `Reshape<[1, {all}]>`")));
        }
        let mut fitting = shape;
        fitting.pop();
        fitting.push(all / lead);
        return Err(diagnostic.help(format!("`Reshape<{}>` has as many", dims_text(&fitting))));
    }
    let x = site.inputs[0];
    Ok(site.b.reshape(x, &shape))
}
