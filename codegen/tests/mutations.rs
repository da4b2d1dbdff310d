//! Whatever stands in `network!`, the front end answers with messages and never panics: tokens of good declarations are
//! dropped, doubled, swapped and replaced.

use kiln_codegen::lower::frontend;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

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

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

/// One change somewhere in the tokens, at any depth.
fn mutate(tokens: TokenStream, dice: &mut Dice) -> TokenStream {
    let mut list: Vec<TokenTree> = tokens.into_iter().collect();
    if list.is_empty() {
        return TokenStream::new();
    }
    let groups: Vec<usize> =
        (0..list.len()).filter(|i| matches!(&list[*i], TokenTree::Group(g) if !g.stream().is_empty())).collect();
    if !groups.is_empty() && dice.roll(5) > 0 {
        let at = groups[dice.roll(groups.len())];
        if let TokenTree::Group(group) = &list[at] {
            list[at] = Group::new(group.delimiter(), mutate(group.stream(), dice)).into();
        }
        return list.into_iter().collect();
    }
    let at = dice.roll(list.len());
    let other = dice.roll(list.len());
    match dice.roll(6) {
        0 => {
            list.remove(at);
        }
        1 => {
            let token = list[at].clone();
            list.insert(other, token);
        }
        2 => list.swap(at, other),
        3 => {
            const WORDS: [&str; 14] =
                ["0", "-", "1", "99999999", "x", "_", "Relu", ";", "<", ">", "loss", "3.5", "\"same\"", "#"];
            let token: Result<TokenStream, _> = WORDS[dice.roll(WORDS.len())].parse();
            list.splice(at..=at, token.unwrap());
        }
        4 => list.truncate(at),
        _ => {
            const DELIMITERS: [Delimiter; 3] = [Delimiter::Brace, Delimiter::Bracket, Delimiter::Parenthesis];
            let inner: TokenStream = list.drain(at.min(other)..at.max(other)).collect();
            list.insert(at.min(other), Group::new(DELIMITERS[dice.roll(3)], inner).into());
        }
    }
    list.into_iter().collect()
}

#[test]
fn no_mutation_panics() {
    let mut dice = Dice(7);
    let rounds = std::env::var("KILN_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    for source in SOURCES {
        let tokens: TokenStream = source.parse().unwrap();
        let (_, stubs, errors) = frontend(tokens.clone());
        let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
        assert!(stubs.is_empty() && texts.is_empty(), "{}", texts.join("\n\n"));
        for _ in 0..rounds {
            let mut mutant = tokens.clone();
            for _ in 0..=dice.roll(2) {
                mutant = mutate(mutant, &mut dice);
            }
            let text = mutant.to_string();
            let result = std::panic::catch_unwind(|| {
                let (declarations, stubs, errors) = frontend(text.parse().unwrap());
                // A stub stands for a mistake that was said.
                assert!(stubs.is_empty() || !errors.is_empty(), "silent stub of {:?}", stubs[0].ident.to_string());
                (declarations.len(), errors.len())
            });
            assert!(result.is_ok(), "{text}");
        }
    }
}
