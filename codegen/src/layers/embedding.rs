//! `Embedding<64, padding_idx = …>`: a learned vector for each id; ids<[L], V> become [L, 64]. The weight is [V, 64].

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Embedding",
    doc: "A learned vector for each id.",
    usage: "Embedding<64>",
    operands: Operands::Ids,
    arguments: &[positional("size"), named("padding_idx")],
    surplus: Surplus::First,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let size = site.args.size("size")?;
    let count = site.ids.expect("its operand are ids");
    let padding = if site.args.has("padding_idx") { Some(site.args.count_or("padding_idx", 0)?) } else { None };
    if let Some(id) = padding.filter(|id| *id >= count) {
        let message = format!("`padding_idx` of `Embedding` is {id}, but the ids are below {count}");
        let help = format!("write `padding_idx = {}` or less", count.saturating_sub(1));
        return Err(Mistake::new(site.args.source("padding_idx"), message).trail(site.trail.clone()).help(help));
    }
    let ids = site.inputs[0];
    let init = match padding {
        None => Init::Normal { mean: 0.0, std: 1.0 },
        Some(id) => Init::NormalBut { first: id.saturating_mul(size), count: size },
    };
    let weight = site.param("weight", &[count, size], init, size, count)?;
    let y = site.b.op(Op::Gather, &[weight, ids]);
    let Some(id) = padding else { return Ok(y) };
    // The padding's vector is read, but never trained.
    let fixed = site.b.detach(y);
    let length = site.b.dims(ids)[0];
    let numbers = site.b.map1(ids, |_, id| id);
    let numbers = site.b.reshape(numbers, &[length, 1]);
    Ok(site.b.map(&[y, fixed, numbers], |p, i| {
        let padding = p.constant(id as f64);
        let is_padding = p.binary(Binary::Eq, i[2], padding);
        p.select(is_padding, i[1], i[0])
    }))
}
