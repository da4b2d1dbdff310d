//! Chooses the networks that this package's test compiles: by a new seed each time, or by `KILN_SOAK_SEED`.
//!
//! The library that generates them cannot be a dependency of this program, which would build it, and `kiln`, once more. So
//! its three modules that need nothing else are part of it.

#[allow(dead_code, reason = "most of it is for other programs")]
#[path = "../src/declared.rs"]
mod declared;
#[allow(dead_code, reason = "most of it is for other programs")]
#[path = "../src/dice.rs"]
mod dice;
#[allow(dead_code, reason = "most of it is for other programs")]
#[path = "../src/generate/mod.rs"]
mod generate;

use generate::{Budget, case};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

const NETWORKS: u64 = 16;

fn main() {
    println!("cargo::rerun-if-env-changed=KILN_SOAK_SEED");
    let given = env::var("KILN_SOAK_SEED").ok();
    if given.is_none() {
        // A file that is never there has always changed.
        println!("cargo::rerun-if-changed=a-new-seed-each-time");
    } else {
        println!("cargo::rerun-if-changed=build.rs");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_secs());
    let seed = given.map_or(now, |seed| seed.parse().expect("KILN_SOAK_SEED is a number"));
    let mut text = format!("pub const SEED: u64 = {seed};\n\n");
    let mut list = String::new();
    for index in 0..NETWORKS {
        let case = case(seed, index, Budget::COMPILED);
        if let Err(why) = declared::networks(&case.text) {
            panic!("seed {seed}, index {index}: {why}\n{}", case.text);
        }
        text += &format!("pub mod n{index} {{\n{}}}\n", declared::module(&case.text));
        list += &format!("    ({index}, n{index}::TEXT, n{index}::plans, &{:?}),\n", case.batches);
    }
    text += &format!("\npub const LIST: &[kiln_soak::crates::Entry] = &[\n{list}];\n");
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("networks.rs");
    fs::write(&out, text).unwrap_or_else(|why| panic!("{}: {why}", out.display()));
}
