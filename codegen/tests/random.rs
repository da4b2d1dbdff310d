//! Hundreds of random sound declarations: the front end takes them, and gradients and evaluation run.

#[path = "common/declarations.rs"]
mod declarations;

use kiln_codegen::autodiff::gradients;
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::verify::verify;
use kiln_codegen::layers::{ALL, LOSSES};
use kiln_codegen::lower::frontend;
use std::collections::BTreeSet;
use std::fmt::Write;

#[test]
fn random_declarations_lower_and_differentiate() {
    for seed in 0..300 {
        let text = declarations::declaration(seed);
        let (declarations, _, errors) = frontend(text.parse().unwrap());
        let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
        assert!(texts.is_empty(), "{text}\n{}", texts.join("\n\n"));
        let module = &declarations[0].members[0].module;
        for mode in [&module.training, &module.evaluation] {
            let mut graph = mode.graph.clone();
            verify(&graph).unwrap_or_else(|why| panic!("{text}\n{why}"));
            let params: Vec<_> =
                graph.values().filter(|v| matches!(graph.node(*v).op, Op::Leaf(Leaf::Param(_)))).collect();
            gradients(&mut graph, mode.loss.unwrap(), &params);
            verify(&graph).unwrap_or_else(|why| panic!("{text}\n{why}"));
        }
    }
}

/// What the generator does not know yet: layers of windows and of ids, and the latest.
const NOT_DRAWN: [&str; 12] = [
    "Conv1d",
    "ConvTranspose2d",
    "MaxPool1d",
    "AvgPool1d",
    "GlobalMaxPool",
    "Upsample2d",
    "LocalResponseNorm",
    "Embedding",
    "AffineSample",
    "Mish",
    "Mean",
    "SmoothL1",
];

#[test]
fn every_layer_and_loss_is_drawn() {
    let drawn: String = (0..2000).map(declarations::declaration).collect();
    let words: BTreeSet<&str> = drawn.split(|c: char| !c.is_alphanumeric()).collect();
    let names = ALL.iter().map(|l| l.name).chain(LOSSES.iter().map(|l| l.name));
    let missing: Vec<&str> = names.filter(|name| !words.contains(name) && !NOT_DRAWN.contains(name)).collect();
    assert!(missing.is_empty(), "codegen/tests/common/declarations.rs never draws {missing:?}");
}

/// One line for each outer statement.
fn lines(body: &str) -> String {
    let (mut depth, mut text) = (0, String::new());
    for part in body.split_inclusive([';', '{', '}']) {
        let (part, last) = (part.trim(), part.chars().last());
        let outer = depth == 1;
        depth += i32::from(last == Some('{')) - i32::from(last == Some('}'));
        text += match (outer, part) {
            (true, "}") => "\n",
            (true, _) => "\n    ",
            (false, _) if text.is_empty() => "",
            (false, _) => " ",
        };
        text += part;
    }
    text
}

/// `tests/random/networks.rs`: the small ones among the first declarations. Parity there compiles them for real.
fn networks() -> String {
    const COUNT: usize = 24;
    let small = |text: &str| text.matches(';').count() <= 8 && text.len() < 420;
    let mut text = "// Written by `KILN_BLESS=1 cargo test -p kiln-codegen --test random`.\n".to_string();
    let declared = (0..).map(|seed| (seed, declarations::declaration(seed))).filter(|(_, text)| small(text));
    for (k, (seed, network)) in declared.take(COUNT).enumerate() {
        let body = lines(network.trim_start_matches("pub Random "));
        // The unfused twin costs as much again to compile.
        let twin = if k % 3 == 0 { format!(" Random{seed}Unfused") } else { String::new() };
        let check = if k % 3 == 0 { "parity" } else { "fused" };
        writeln!(text, "\n{check}! {{ random_{seed} Random{seed}{twin} {body} }}").unwrap();
    }
    text
}

#[test]
fn the_compiled_ones_are_what_the_generator_gives() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/random/networks.rs");
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, networks()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == networks(), "the generator has changed: KILN_BLESS=1 cargo test -p kiln-codegen --test random");
}
