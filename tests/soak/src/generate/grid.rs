//! What stands around a convolution, over a grid of extents: every combination once in a round.

use super::draft::{Budget, CHANNELS};
use crate::dice::Dice;

const KINDS: [&str; 2] = ["Conv2d", "Conv1d"];
const INPUTS: [usize; 6] = [1, 2, 3, 5, 8, 16];
const OUTPUTS: [usize; 10] = [1, 2, 3, 4, 6, 8, 10, 15, 16, 17];
const KERNELS: [usize; 5] = [1, 2, 3, 5, 7];
/// Of what the kernel reaches: none, half, full.
const PADDINGS: [usize; 3] = [0, 1, 2];
const IMAGES: [[usize; 2]; 7] = [[7, 7], [8, 8], [12, 12], [9, 6], [11, 13], [16, 5], [10, 10]];
const POOLS: [&str; 7] = [
    "",
    "MaxPoolD<2>;",
    "MaxPoolD<3, stride = 2>;",
    "MaxPoolD<3, stride = 1, padding = 1>;",
    "AvgPoolD<2>;",
    "MaxPoolD<2, ceil_mode = true>;",
    "GlobalMaxPool;",
];
const ACTIVATIONS: [&str; 4] = ["", "Relu;", "Tanh;", "BatchNorm;"];
/// Whether the activation stands before the pool.
const ORDERS: u64 = 2;

/// Networks of a round.
pub const SIZE: u64 = (KINDS.len()
    * INPUTS.len()
    * OUTPUTS.len()
    * KERNELS.len()
    * PADDINGS.len()
    * IMAGES.len()
    * POOLS.len()
    * ACTIVATIONS.len()) as u64
    * ORDERS;

/// The network at a place of the grid; `None` where the kernel or the pool does not fit, where the order does not matter, and
/// where it is too large.
pub fn network(mut place: u64, dice: &mut Dice, most: Budget) -> Option<String> {
    let mut take = |n: usize| {
        let digit = place % n as u64;
        place /= n as u64;
        digit as usize
    };
    let kind = KINDS[take(KINDS.len())];
    let (inputs, outputs) = (INPUTS[take(INPUTS.len())], OUTPUTS[take(OUTPUTS.len())]);
    let (kernel, part) = (KERNELS[take(KERNELS.len())], PADDINGS[take(PADDINGS.len())]);
    let image = IMAGES[take(IMAGES.len())];
    let (pool, activation) = (POOLS[take(POOLS.len())], ACTIVATIONS[take(ACTIVATIONS.len())]);
    let before = take(ORDERS as usize) == 0;
    if !before && (pool.is_empty() || activation.is_empty()) {
        return None;
    }
    let border = part * (kernel - 1) / 2;
    if part > 0 && border == 0 {
        return None;
    }
    let sequence = kind == "Conv1d";
    let extents = if sequence { vec![image[0] + image[1]] } else { image.to_vec() };
    let least = extents.iter().map(|e| (e + 2 * border + 1).saturating_sub(kernel)).min()?;
    if least == 0 || pool.contains("<2") && least < 2 || pool.contains("<3") && least < 3 {
        return None;
    }
    let pixels: usize = extents.iter().map(|e| e + 2 * border + 1 - kernel).product();
    let taps = if sequence { kernel } else { kernel * kernel };
    if inputs * outputs * taps * pixels > 3 * most.products {
        return None;
    }
    let shape = [&[inputs], &extents[..]].concat();
    let padding = if border > 0 { format!(", padding = {border}") } else { String::new() };
    let pool = pool.replace('D', if sequence { "1d" } else { "2d" });
    let mut body = format!("        {kind}<{outputs}, {kernel}{padding}>;\n");
    let mut inputs = format!("        input x: {shape:?};\n");
    if dice.chance(25) {
        // A value that a map of its own makes, broadcast over the convolution's results.
        let (channel, position) = (dice.chance(60), dice.chance(30));
        let mut dims = vec![if channel { outputs } else { 1 }];
        dims.extend(extents.iter().map(|e| if position { e + 2 * border + 1 - kernel } else { 1 }));
        let (map, join) = (dice.pick(&["Sigmoid", "Tanh", "Relu"]), dice.pick(&["Mul", "Add"]));
        inputs += &format!("        input z: {dims:?};\n");
        body = format!("        from z;\n        {map} as gate;\n        from x;\n{body}        {join}(_, gate);\n");
    }
    for line in if before { [activation, &pool] } else { [&pool, activation] } {
        if !line.is_empty() {
            body += &format!("        {line}\n");
        }
    }
    let twin = if dice.chance(20) { "    #[fusion(both)]\n" } else { "" };
    let (target, end) = match dice.below(4) {
        0 => (String::new(), String::new()),
        _ => {
            let classes = loop {
                let n = dice.pick(&CHANNELS);
                if (2..=17).contains(&n) {
                    break n;
                }
            };
            let flatten = if pool.starts_with("Global") { "" } else { "        Flatten;\n" };
            (
                format!("        target t: class<{classes}>;\n"),
                format!("{flatten}        Linear<{classes}>;\n        loss: CrossEntropy(_, t);\n"),
            )
        }
    };
    Some(format!("{twin}    pub Net {{\n{inputs}{target}{body}{end}    }}\n"))
}
