//! Networks by a new seed each time, compiled and compared as `cargo xtask soak` does it. `KILN_SOAK_SEED` chooses a seed.

use kiln_soak::{caught, compiled};

#[allow(dead_code, reason = "networks show more than their plans")]
mod networks {
    include!(concat!(env!("OUT_DIR"), "/networks.rs"));
}

#[test]
fn compiled_networks_compute_what_they_declare() {
    let seed = networks::SEED;
    println!("seed {seed}");
    let mut failures = Vec::new();
    for (index, text, plans, batches) in networks::LIST {
        if let Err(why) = caught(|| compiled::check(text, *plans, batches)) {
            failures.push(format!("index {index}: {why}\n{text}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\nagain: KILN_SOAK_SEED={seed} cargo test -p kiln-soak-slice\nsmaller: cargo xtask soak --stages compiled --seed {seed} --only INDEX",
        failures.join("\n\n")
    );
}
