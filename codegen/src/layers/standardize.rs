//! `Standardize<per = channel>`: (x − mean) / deviation, each fitted once on data and saved with the weights. Neither is
//! trained: `Model::fit_standardize` sets them. Before that they are 0 and 1.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Standardize",
    doc: "An input less its mean, by its deviation, both fitted on data and saved with the weights.",
    usage: "Standardize<per = pixel>",
    operands: Operands::One,
    arguments: &[named("per")],
    surplus: Surplus::Named(&["per"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let per_pixel = site.args.word_or("per", &["channel", "pixel"], "channel")? == "pixel";
    let x = site.inputs[0];
    let mut source = x;
    while let Op::Move(MoveOp::Reshape(_)) = site.b.graph.node(source).op {
        source = site.b.graph.node(source).inputs[0];
    }
    if !matches!(site.b.graph.node(source).op, Op::Leaf(Leaf::Input(_))) {
        let message = "`Standardize` is fitted on data, but its operand is computed, not an input";
        return Err(site.shape_error(message).help("put it first, or use `BatchNorm`, which learns while it trains"));
    }
    let dims = site.dims(0);
    let channels = dims.first().copied().unwrap_or(1);
    // The fitted numbers, and how they lie under the input.
    let (fitted, under) = if per_pixel {
        (dims.clone(), dims)
    } else {
        let mut column = vec![1; dims.len()];
        column[0] = channels;
        (vec![channels], column)
    };
    let (_, mean) = site.state("mean", &fitted, Init::Zeros);
    let (_, deviation) = site.state("deviation", &fitted, Init::Ones);
    let (mean, deviation) = (site.b.reshape(mean, &under), site.b.reshape(deviation, &under));
    Ok(site.b.map(&[x, mean, deviation], |p, v| {
        let centred = p.sub(v[0], v[1]);
        p.div(centred, v[2])
    }))
}
