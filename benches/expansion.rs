//! How long `network!` takes, from tokens to tokens: the shared networks, each fused and unfused; ResNet-50 and VGG-19.

use criterion::{Criterion, criterion_group, criterion_main};
use proc_macro2::{TokenStream, TokenTree};

/// The networks' names and bodies, as the macro sees them.
fn networks() -> Vec<(String, TokenStream)> {
    let files = [
        include_str!("../examples/networks/mod.rs"),
        include_str!("build_times/resnet50.rs"),
        include_str!("build_times/vgg19.rs"),
    ];
    let streams = files.map(|file| file.parse::<TokenStream>().expect("a Rust file"));
    let trees: Vec<TokenTree> = streams.into_iter().flatten().collect();
    let bodies = trees.windows(3).filter_map(|window| match window {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(group)] if name == "network" => {
            Some(group.stream())
        }
        _ => None,
    });
    bodies.map(|body| (name_of(&body), body)).collect()
}

/// The word after `pub`.
fn name_of(body: &TokenStream) -> String {
    let mut words = body.clone().into_iter().skip_while(|tree| tree.to_string() != "pub");
    words.nth(1).map(|tree| tree.to_string()).unwrap_or_default()
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
