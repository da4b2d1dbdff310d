//! Blocks of other `network!`s: what travels, where it is put, and where its mistakes stand. Here a map plays the part of
//! rustc, which finds a block by its path.

use kiln_codegen::graph::Module;
use kiln_codegen::lower::{Front, front};
use kiln_codegen::syntax::import;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::HashMap;

/// What blocks each path leads to.
type World = HashMap<String, TokenStream>;

/// Fetch all blocks as rustc does, then compile.
fn expand(text: &str, world: &World) -> Front {
    let mut tokens: TokenStream = text.parse().unwrap();
    while let Some(call) = import::next(&tokens) {
        let mut path = String::new();
        let mut rest = call.into_iter();
        for token in rest.by_ref().take_while(|t| t.to_string() != "!") {
            path += &token.to_string();
        }
        let Some(TokenTree::Group(arguments)) = rest.next() else { panic!("a call has braces") };
        let mut arguments = arguments.stream().into_iter();
        let mut bracket = || match arguments.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => group.stream(),
            other => panic!("expected […], found {other:?}"),
        };
        assert_eq!(bracket().to_string().replace(' ', ""), "::kiln::network");
        tokens = bracket();
        let fetched = world.get(&path).unwrap_or_else(|| panic!("nothing at {path}")).clone();
        tokens.extend([TokenTree::Group(proc_macro2::Group::new(Delimiter::Brace, fetched))]);
        tokens.extend(arguments);
    }
    front(tokens)
}

/// Compile `text` and make its blocks known below `module`.
fn declare(world: &mut World, module: &str, text: &str) -> Vec<String> {
    let front = expand(text, world);
    for export in &front.exports {
        let text = export.text.clone().unwrap_or_else(|| "@broken".parse().unwrap());
        world.insert(format!("{module}::{}", export.name), text);
    }
    texts(&front)
}

fn texts(front: &Front) -> Vec<String> {
    front.errors.iter().map(|d| d.text()).collect()
}

fn module(front: &Front, network: usize) -> &Module {
    assert!(front.errors.is_empty(), "{:?}", texts(front));
    &front.declarations[network].members[0].module
}

fn world() -> World {
    let mut world = World::new();
    let mistakes = declare(
        &mut world,
        "a",
        "block Norm { BatchNorm; }
         fn half(x) { x / 2 }
         block Unneeded { Nonsense; }
         pub fn soft(x) { half(x) }
         /// Docs.
         pub block Unit<C, S = 1> { conv: Conv2d<C, 3, stride = S, padding = 1>; norm: Norm; soft; }",
    );
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let mistakes = declare(
        &mut world,
        "b",
        "use a::{Unit as U, soft};
         block Norm { Relu; }
         pub block Net<CLASSES = 10, C = 4> {
            input x: [3, 8, 8]; target y: class<CLASSES>;
            body: { U<C>; Norm; U<{2 * C}, S = 2>; } soft;
            GlobalAvgPool; fc: Linear<CLASSES>;
            loss: CrossEntropy(_, y);
         }
         pub(crate) block Two(x, y) { Add(x, y); }",
    );
    assert!(mistakes.is_empty(), "{mistakes:?}");
    world
}

#[test]
fn what_a_block_needs_travels_with_it() {
    let world = world();
    let text = world["a::Unit"].to_string();
    assert!(text.contains("Norm") && text.contains("half") && text.contains("soft"), "{text}");
    assert!(!text.contains("Unneeded"), "{text}");
    // What it needed from elsewhere is in it, under the name it had there.
    let text = world["b::Net"].to_string();
    assert!(text.contains("@ import U") && text.contains("half"), "{text}");
}

#[test]
fn names_of_elsewhere_are_not_names_of_here() {
    let front = expand(
        "use b::Two; use a::Unit;
         block Norm { Linear<2>; }
         fn half(x) { x }
         pub N { input a: [3, 4, 4]; input b: [3, 4, 4]; Two(a, b); unit: Unit<5>; Flatten; Norm; }",
        &world(),
    );
    let module = module(&front, 0);
    let names: Vec<&str> = module.params.iter().map(|p| p.name.as_str()).filter(|n| n.ends_with("weight")).collect();
    assert_eq!(names, ["unit.conv.weight", "unit.norm.0.weight", "3.weight"]);
    assert_eq!(module.params[0].dims, [5, 3, 3, 3]);
}

#[test]
fn a_network_from_a_block() {
    let front = expand(
        "block Own<N = 3> { input x: [N]; Linear<N>; }
         #[frozen(body.0)] #[no_decay(fc)] #[init(body.2.conv.weight = Ones)] pub Pets<W in [4, 6]> = b::Net<37, C = W>;
         pub Plain = b::Net;
         pub Mine = Own<N = 5>;",
        &world(),
    );
    assert!(front.errors.is_empty(), "{:?}", texts(&front));
    let pets = &front.declarations[0].members[1].module;
    let param = |name: &str| pets.params.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(param("fc.weight").dims, [37, 12]);
    assert_eq!(pets.name, "Pets");
    assert!(param("body.0.conv.bias").frozen && param("body.0.norm.0.weight").frozen);
    assert!(!param("body.2.conv.weight").frozen && param("fc.bias").no_decay && !param("body.0.conv.bias").no_decay);
    assert_eq!(param("body.2.conv.weight").init, kiln_codegen::graph::Init::Ones);
    assert_eq!(front.declarations[1].members[0].module.params.last().unwrap().dims, [10]);
    assert_eq!(front.declarations[2].members[0].module.params[0].dims, [5, 5]);
}

#[test]
fn mistakes_stand_on_the_use() {
    let check = |text: &str, expected: &[&str]| {
        let front = expand(text, &world());
        let found: Vec<String> = front
            .errors
            .iter()
            .map(|d| format!("{}: {}", d.source.first.source_text().unwrap_or_default(), d.text()))
            .collect();
        assert_eq!(found, expected);
    };
    check(
        "use a::Unit; pub N { input x: [3]; Linear<4>; Unit<4>; }",
        &[
            "Unit: in the block `Unit`: `Conv2d` takes an image [channels, height, width], but its input has shape [4]\n\
           help: put it before `Flatten`, or `Reshape<[1, 2, 2]>;` before it\n\
           trail: x [3] → Linear [4] → here",
        ],
    );
    check(
        "pub Pets = b::Net<CLASSES = 0>;",
        &[
            "Net: in the block `Net`: a size of `y` is a positive whole number, found 0\n\
           help: the smallest size is 1",
            "Net: in the block `Net`: `size` of `Linear` is a positive whole number, found 0\n\
           help: the smallest is 1, as in `Linear<120>`",
        ],
    );
    check(
        "#[frozen(boddy, fc)] pub Pets = b::Net<CLASES = 5>;",
        &["CLASES: `Net` has no constant `CLASES`\n\
           help: did you mean `CLASSES`?"],
    );
    check(
        "#[frozen(boddy)] #[no_decay(fcc)] pub Pets = b::Net;",
        &[
            "fcc: nothing here has a parameter `fcc`\nhelp: did you mean `fc`?",
            "boddy: no line of the network is named `boddy`\nhelp: did you mean `body`?",
        ],
    );
    check(
        "pub Pets = a::Unit<4>;",
        &["Unit: the block `Unit` has no `input`, so it is no network\n\
           help: use it in one: `pub Pets { input …; Unit<4>; }`"],
    );
    check(
        "use b::{Net, Two}; pub P = Two; pub N { input x: [3, 8, 8]; Net; }",
        &[
            "Two: the block `Two` takes 2 values, so it is no network\n\
             help: use it in one: `pub P { input …; Two(…); }`",
            "Net: the block `Net` has the input `x`: it is a whole network, not a part of one\n\
             help: declare a network from it: `pub Name = Net;`",
        ],
    );
    check(
        "pub use a::Unit; pub N { input x: [3, 8, 8]; Unit<4>; }",
        &["pub: a `use` in `network!` is for this `network!` alone\n\
           help: remove `pub`; an ordinary `pub use` beside the macro hands a block on"],
    );
    for path in ["a::*", "a::use", "a::"] {
        check(
            &format!("use {path}; pub N {{ input x: [3, 8, 8]; Flatten; }}"),
            &["use: this `use` names no block\n\
               help: write `use path::Block;`, `use path::Block as Other;` or `use path::{A, B};`"],
        );
    }
    check(
        "use a::soft as relu; use a::Unit as Conv2d; pub N { input x: [3, 8, 8]; relu; Conv2d<4, 3>; }",
        &["Conv2d: `Conv2d` is a layer of the language, and cannot be the name of a block\nhelp: give it another name"],
    );
}

#[test]
fn a_block_with_mistakes_is_said_to_have_them() {
    let mut world = world();
    let mistakes =
        declare(&mut world, "c", "pub block Bad { Linear<; } pub block Good { Relu; } pub block Uses { Bad; }");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let front = expand("use c::Bad; use c::Good; pub N { input x: [3]; Good; Bad; Linear<2>; }", &world);
    assert_eq!(
        texts(&front),
        ["`Bad` has mistakes where it is declared\n\
           help: mend it there: its own messages say how"]
    );
    assert_eq!(front.stubs.len(), 1);
    let front = expand("pub N<H in [1, 2]> = c::Uses;", &world);
    assert_eq!(
        texts(&front),
        ["`Uses` has mistakes where it is declared\n\
           help: mend it there: its own messages say how"]
    );
    assert_eq!(front.stubs[0].family, ["H"]);
}
