//! Whatever stands in `network!`, the compiler answers with code or with messages and never panics: a slice of what
//! `cargo xtask fuzz` does at length.

#[path = "common/mutate.rs"]
mod mutate;

use kiln_codegen::compile;
use kiln_codegen::lower::frontend;
use mutate::{Dice, Pieces, mutant};
use proc_macro2::TokenStream;

const SOURCES: [&str; 3] = [
    include_str!("../../tests/golden/names/resnet18.rs"),
    include_str!("../../tests/golden/names/googlenet.rs"),
    "fn leaky<A>(x, y) { let z = A * y; if x > 0 { x } else { z } }
     block Up<C, S = 1>(x, skip) { Conv2d<C, 1>(x); Concat(_, skip); }
     #[fusion(off)] #[init(weight = KaimingNormal<mode = fan_out>, bias = Zeros)]
     pub N<K = 3, BN = true, H in [8, 16]> {
        input x: [4, 8, 8]; input z: [4, 8, 8]; target y: class<5>; target d: [5];
        from x;
        #[frozen] down: { low: Conv2d<6, K, padding = 1>; if BN { BatchNorm; } else { Relu; } }
        Conv2d<4, [1, 1]> as mixed;
        leaky<0.5>(mixed, z); repeat 2 { MaxPool2d<3, stride = 1, padding = 1, ceil_mode = true>; }
        Up<5>(_, down.low); param scale: [11, 1, 1] = Constant<0.25>; Mul(_, scale);
        Residual { Conv2d<8, 3, padding = 1>; } shortcut s if reshaped { Conv2d<8, 1>; }
        Concat { a: { AvgPool2d<2>; } b: MaxPool2d<2>; } AdaptiveAvgPool2d<[3, 2]>; Dropout<0.1>; Reshape<[4, 24]>;
        Flatten; #[no_decay(bias)] h: Linear<{H * 2}>; fc: Linear<5>; side: Linear<5>(h);
        loss: CrossEntropy<label_smoothing = 0.1>(fc, y) + 0.3 * Mse(side, d) - Mse(side, one_hot(y));
        output fc, side;
     }",
];

/// How many mutants of each source are tried.
fn rounds(usual: u64) -> u64 {
    std::env::var("KILN_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn no_mutation_panics_the_front_end() {
    let sources = SOURCES.map(|source| source.parse::<TokenStream>().unwrap());
    let pieces = Pieces::of(&sources);
    for tokens in sources {
        let (_, stubs, errors) = frontend(tokens.clone());
        let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
        assert!(stubs.is_empty() && texts.is_empty(), "{}", texts.join("\n\n"));
        for index in 0..rounds(120) {
            let text = mutant(tokens.clone(), &pieces, &mut Dice::new(7, index)).to_string();
            let result = std::panic::catch_unwind(|| {
                let (_, stubs, errors) = frontend(text.parse().unwrap());
                // A stub stands for a mistake that was said.
                assert!(stubs.is_empty() || !errors.is_empty(), "silent stub of {:?}", stubs[0].ident.to_string());
            });
            assert!(result.is_ok(), "{text}");
        }
    }
}

/// Planned and printed too: small ones, so that it does not take long.
#[test]
fn no_mutation_panics_the_compiler() {
    const SMALL: [&str; 3] = [
        "pub N { input x: [3, 8, 8]; target y: class<3>; Conv2d<6, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten;
         fc: Linear<3>; loss: CrossEntropy(_, y); }",
        "fn gate(x, y) { if x > y { x * y } else { exp(-x) } }
         pub N { input x: [4]; input z: [4]; target y: [4]; gate(x, z) as mixed;
         param scale: [4] = Ones; Mul(mixed, scale); a: Linear<4>; b: a(_); Residual { LayerNorm; Tanh; }
         loss: Mse(_, y) + 0.1 * L1(b, y); output b; }",
        "block Piece<C>(x) { Conv1d<C, 3, padding = 1>(x); Gelu; }
         pub N<K = 2> { input text: ids<[6], 9>; target y: class<2>; Embedding<4>; Permute<[1, 0]>; repeat K { Piece<4>; }
         GlobalAvgPool; Linear<2>; loss: CrossEntropy(_, y); }",
    ];
    let sources = SMALL.map(|source| source.parse::<TokenStream>().unwrap());
    let pieces = Pieces::of(&sources);
    for tokens in sources {
        for index in 0..rounds(25) {
            let text = mutant(tokens.clone(), &pieces, &mut Dice::new(8, index)).to_string();
            let result = std::panic::catch_unwind(|| syn::parse2::<syn::File>(compile(text.parse().unwrap())));
            assert!(matches!(result, Ok(Ok(_))), "{text}");
        }
    }
}
