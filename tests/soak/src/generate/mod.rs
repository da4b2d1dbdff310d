//! Random declarations that are valid, each a pure function of a seed and an index.
//!
//! Indices take turns between four sorts:
//!
//! * free networks: a few lines of any kinds ([`lines::KINDS`]), several inputs, terms, outputs;
//! * every ordered pair of kinds;
//! * every ordered triple of kinds;
//! * a grid over what stands around a convolution: kind, channels, kernel, padding, stride, image, pool, activation before
//!   or behind it. What the extents of a chain do to each other is what hand-picked networks miss.
//!
//! Pairs, triples and the grid come in an order that the seed shuffles, each once in a round.

mod draft;
mod functions;
mod grid;
pub mod lines;
mod losses;
mod structure;
mod windows;

use crate::dice::Dice;
pub use draft::Budget;
use draft::{CHANNELS, Draft, EXTENTS};
use lines::KINDS;

/// Batches around one vector and its multiples, where plans and kernels change.
pub const BATCHES: [usize; 8] = [1, 2, 15, 16, 17, 31, 33, 64];

/// What is compared for one index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub seed: u64,
    pub index: u64,
    /// What stands in `network! { … }`.
    pub text: String,
    /// Sizes at which compiled networks run.
    pub batches: Vec<usize>,
}

/// The case of an index. `most` bounds the extents.
pub fn case(seed: u64, index: u64, most: Budget) -> Case {
    let mut dice = Dice::new(seed, index);
    let mut batches = vec![dice.pick(&[1, 2, 15]), dice.pick(&[16, 17])];
    if dice.chance(25) {
        batches.push(dice.pick(&[31, 33, 64]));
    }
    let turn = index / 4;
    let written = match index % 4 {
        0 => grid::network(shuffled(turn, grid::SIZE, seed), &mut dice, most),
        1 => chain::<2>(turn, seed, &mut dice, most),
        2 => chain::<3>(turn, seed, &mut dice, most),
        _ => None,
    };
    let text = written.unwrap_or_else(|| free(&mut dice, most));
    Case { seed, index, text, batches }
}

/// The number that stands at place `turn` of 0..size in an order that the seed chooses; rounds follow each other.
fn shuffled(turn: u64, size: u64, seed: u64) -> u64 {
    // A prime that divides no size here.
    const STRIDE: u64 = 1_000_003;
    let start = Dice::new(seed, size).word() % size;
    ((turn % size) * (STRIDE % size) + start) % size
}

/// How many turns until every ordered pair (2) or triple (3) of kinds was there.
pub fn round(length: u32) -> u64 {
    (KINDS.len() as u64).pow(length)
}

/// The kinds at a place of the enumeration.
pub fn kinds_at<const N: usize>(turn: u64, seed: u64) -> [usize; N] {
    let mut place = shuffled(turn, round(N as u32), seed);
    std::array::from_fn(|_| {
        let kind = place % KINDS.len() as u64;
        place /= KINDS.len() as u64;
        kind as usize
    })
}

/// The kinds of this turn, one behind the other, over an input at which they fit; `None` where none was found.
fn chain<const N: usize>(turn: u64, seed: u64, dice: &mut Dice, most: Budget) -> Option<String> {
    let kinds = kinds_at::<N>(turn, seed);
    for _ in 0..40 {
        let mut d = Draft::new(Dice::new(dice.word(), turn), most);
        start(&mut d);
        if kinds.iter().all(|kind| KINDS[*kind].1(&mut d)) {
            return Some(finish(d));
        }
    }
    None
}

fn free(dice: &mut Dice, most: Budget) -> String {
    let mut d = Draft::new(Dice::new(dice.word(), 0), most);
    start(&mut d);
    for _ in 0..d.dice.between(1, 6) {
        lines::any(&mut d);
    }
    if d.rank() < 3 && d.dice.chance(6) {
        family(&mut d);
    }
    finish(d)
}

/// The input.
fn start(d: &mut Draft) {
    let rank = d.dice.pick(&[1, 2, 2, 3, 3, 3, 3]);
    loop {
        let mut shape = vec![d.dice.pick(&CHANNELS)];
        let equal = d.dice.pick(&EXTENTS);
        for _ in 1..rank {
            shape.push(if d.dice.chance(45) { equal } else { d.dice.pick(&EXTENTS) });
        }
        if shape.iter().product::<usize>() <= d.budget.elements / 2 {
            d.shape = shape;
            break;
        }
    }
    if d.rank() == 2 && d.dice.chance(10) {
        let [length, size] = d.shape[..] else { unreachable!("two extents") };
        d.header += &format!("        input x: ids<[{length}], 11>;\n");
        d.same(&format!("words: Embedding<{size}>(x);"));
        d.trains = true;
        return;
    }
    d.header += &format!("        input x: {:?};\n", d.shape);
    // Later inputs make it one of several.
    d.same("from x;");
    if d.dice.chance(6) {
        let line = d.dice.pick(&["Standardize;", "Standardize<per = pixel>;"]);
        d.same(line);
    }
}

/// A line whose size is the family's constant, and one that forgets it.
fn family(d: &mut Draft) {
    let sizes = d.dice.pick(&[[3, 17], [5, 16], [1, 8]]);
    let after = d.dice.pick(&CHANNELS);
    let shape = match d.shape[..] {
        [_] => vec![after],
        [l, _] => vec![l, after],
        _ => return,
    };
    // What is too large is not written, and without it the family's own size would stay.
    let written = d.attempt(|d| {
        d.same("Linear<H>;");
        d.same("Tanh;");
        d.line(&format!("Linear<{after}>;"), shape)
    });
    if written {
        d.family = Some(("H", sizes));
        d.trains = true;
    }
}

/// The declaration, with outputs and losses behind what was drafted.
fn finish(mut d: Draft) -> String {
    losses::losses(&mut d);
    let mut text: String = d.items.iter().map(|item| format!("    {item}\n")).collect();
    let mut attributes = String::new();
    if d.dice.chance(30) {
        attributes += "#[fusion(both)] ";
    }
    match d.dice.below(24) {
        0 => attributes += "#[cpu(conv = winograd)] ",
        1 => attributes += "#[cpu(conv = direct)] ",
        2 => attributes += "#[cpu(dense = streamed)] ",
        3 => attributes += "#[cpu(dense = apart)] ",
        4 => attributes += "#[no_decay] ",
        _ => {}
    }
    if !attributes.is_empty() {
        text += &format!("    {}\n", attributes.trim_end());
    }
    let constants = d.family.map_or(String::new(), |(name, [a, b])| format!("<{name} in [{a}, {b}]>"));
    text + &format!("    pub Net{constants} {{\n{}{}    }}\n", d.header, d.body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::networks;
    use kiln_codegen::layers::{ALL, LOSSES};
    use std::collections::BTreeSet;

    #[test]
    fn equal_seeds_and_indices_give_equal_networks_and_others_do_not() {
        let text = |seed, index| case(seed, index, Budget::INTERPRETED).text;
        let all: BTreeSet<String> = (0..40).flat_map(|index| [text(1, index), text(2, index)]).collect();
        assert!((0..40).all(|index| all.contains(&text(1, index))));
        assert!(all.len() > 70, "{} of 80 differ", all.len());
    }

    #[test]
    fn what_is_generated_is_valid() {
        for budget in [Budget::INTERPRETED, Budget::COMPILED] {
            for index in 0..300 {
                let case = case(5, index, budget);
                networks(&case.text).unwrap_or_else(|why| panic!("index {index}: {why}\n{}", case.text));
            }
        }
    }

    #[test]
    fn every_layer_and_loss_is_drawn() {
        let drawn: String = (0..3000).map(|index| case(6, index, Budget::INTERPRETED).text).collect();
        let words: BTreeSet<&str> = drawn.split(|c: char| !c.is_alphanumeric()).collect();
        let names = ALL.iter().map(|l| l.name).chain(LOSSES.iter().map(|l| l.name));
        let missing: Vec<&str> = names.filter(|name| !words.contains(name)).collect();
        assert!(missing.is_empty(), "never drawn: {missing:?}");
    }

    #[test]
    fn a_round_has_every_pair_and_every_place_of_the_grid_once() {
        let pairs: BTreeSet<[usize; 2]> = (0..round(2)).map(|turn| kinds_at(turn, 9)).collect();
        assert_eq!(pairs.len() as u64, round(2));
        let triples: BTreeSet<[usize; 3]> = (0..round(3)).map(|turn| kinds_at(turn, 9)).collect();
        assert_eq!(triples.len() as u64, round(3));
        let places: BTreeSet<u64> = (0..grid::SIZE).map(|turn| shuffled(turn, grid::SIZE, 9)).collect();
        assert_eq!(places.len() as u64, grid::SIZE);
    }
}
