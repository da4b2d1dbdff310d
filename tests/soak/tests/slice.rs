//! Networks by a new seed each time, planned and run on the interpreter. `KILN_SOAK_SEED` chooses a seed,
//! `KILN_SOAK_NETWORKS` how many.

use kiln_soak::dice::Dice;
use kiln_soak::generate::{Budget, case};
use kiln_soak::{caught, interpreter};
use std::time::{SystemTime, UNIX_EPOCH};

/// In each of two tests, which run side by side.
const NETWORKS: u64 = 150;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, found {text:?}")))
}

fn slice(part: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_secs());
    let seed = number("KILN_SOAK_SEED").unwrap_or(now);
    println!("seed {seed}");
    let count = number("KILN_SOAK_NETWORKS").unwrap_or(NETWORKS);
    let mut failures = Vec::new();
    for index in (0..2 * count).filter(|index| index % 2 == part) {
        let case = case(seed, index, Budget::INTERPRETED);
        let mut dice = Dice::new(seed ^ 1, index);
        if let Err(why) = caught(|| interpreter::check(&case.text, &mut dice)) {
            failures.push(format!("index {index}: {why}\n{}", case.text));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\nsmaller: cargo xtask soak --stages interpreter --seed {seed} --only INDEX",
        failures.join("\n\n")
    );
}

#[test]
fn plans_compute_the_graph_even() {
    slice(0);
}

#[test]
fn plans_compute_the_graph_odd() {
    slice(1);
}
