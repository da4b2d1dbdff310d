//! How long `network!` takes: a network declared from each block of `kiln::zoo`, from tokens to tokens.

use criterion::{Criterion, criterion_group, criterion_main};
use proc_macro2::{TokenStream, TokenTree};

const FILES: [&str; 8] = [
    include_str!("../runtime/src/zoo/alexnet.rs"),
    include_str!("../runtime/src/zoo/autoencoder.rs"),
    include_str!("../runtime/src/zoo/googlenet.rs"),
    include_str!("../runtime/src/zoo/lenet.rs"),
    include_str!("../runtime/src/zoo/perceptron.rs"),
    include_str!("../runtime/src/zoo/resnet.rs"),
    include_str!("../runtime/src/zoo/spatial_transformer.rs"),
    include_str!("../runtime/src/zoo/vgg.rs"),
];

/// The blocks' names, and what the macro sees when a network is declared beside them.
fn networks() -> Vec<(String, TokenStream)> {
    FILES.into_iter().flat_map(networks_of).collect()
}

fn networks_of(file: &str) -> Vec<(String, TokenStream)> {
    let file: TokenStream = file.parse().expect("a Rust file");
    let trees: Vec<TokenTree> = file.into_iter().collect();
    let body = trees.windows(3).find_map(|window| match window {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(group)] if name == "network" => {
            Some(group.stream())
        }
        _ => None,
    });
    let body = body.expect("a `network!`");
    let words: Vec<String> = body.clone().into_iter().map(|tree| tree.to_string()).collect();
    let blocks = words.windows(3).filter(|words| words[0] == "pub" && words[1] == "block");
    let declared = |words: &[String]| {
        let mut body = body.clone();
        body.extend(format!("pub Declared = {};", words[2]).parse::<TokenStream>().expect("a declaration"));
        (words[2].clone(), body)
    };
    blocks.map(declared).collect()
}

fn expansion(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("expansion");
    group.sample_size(10);
    for (name, body) in networks() {
        assert!(!kiln_codegen::compile(body.clone()).to_string().contains("compile_error"), "{name} is sound");
        group.bench_function(&name, |bencher| bencher.iter(|| kiln_codegen::compile(body.clone())));
    }
    group.finish();
}

criterion_group!(benches, expansion);
criterion_main!(benches);
