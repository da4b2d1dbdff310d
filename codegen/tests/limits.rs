//! What is too deep, too large or nothing at all gets one error that says so, in a time that grows with what is written.

use kiln_codegen::compile;
use kiln_codegen::lower::frontend;

/// The mistakes in a text, and how many networks came out of it, good or as stubs.
fn mistakes(text: &str) -> (Vec<String>, usize) {
    let (declarations, stubs, errors) = frontend(text.parse().unwrap());
    let list = errors.iter().map(|d| {
        let token = d.source.first.source_text().unwrap_or_default();
        format!("{token}: {}", d.text())
    });
    (list.collect(), declarations.len() + stubs.len())
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (found, networks) = mistakes(text);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "\n{}", found.join("\n\n"));
    assert_eq!(networks, 1, "the network is there for its uses");
}

fn net(lines: &str) -> String {
    format!("pub N {{ input x: [4]; {lines} }}")
}

#[test]
fn brackets_end_somewhere() {
    let nested = |n: usize| net(&format!("{}Relu;{}", "Residual { ".repeat(n), " }".repeat(n)));
    check(&nested(60), &[]);
    let beyond = "{: more than 64 brackets stand in one another here\nhelp: name a part of it: a line with a label, or a `block`";
    check(&nested(3000), &[beyond]);
    let (open, close) = ("(".repeat(900), ")".repeat(900));
    let beyond = beyond.replacen('{', "(", 1);
    for lines in [format!("Linear<{{{open}3{close}}}>;"), format!("Relu({open}x{close});")] {
        check(&net(&lines), &[&beyond]);
    }
    check(&format!("fn f(x) {{ {open}x{close} }} {}", net("f;")), &[&beyond]);
    check(&format!("block B {{ Relu; }} {}", net(&nested(3000))), &[&beyond.replacen('(', "{", 1)]);
}

#[test]
fn statements_end_somewhere() {
    let beyond = |token: &str| {
        format!(
            "{token}: more than 512 tokens stand here without a `;` or `,` between them\n\
             help: name a part of it on a line of its own"
        )
    };
    let chain = "if 1 == 2 { Tanh; } ".to_string() + &"else if 1 == 2 { Tanh; } ".repeat(300);
    check(&net(&chain), &[&beyond("1")]);
    check(&net(&format!("Linear<{{{}1}}>;", "-".repeat(2000))), &[&beyond("-")]);
    check(&format!("fn f(x) {{ x{} }} {}", " + x".repeat(5000), net("f;")), &[&beyond("x")]);
}

/// Each call was read twice, and each call in it.
#[test]
fn nested_calls_are_read_once() {
    let calls = format!("{}x{}", "Linear<3>(".repeat(60), ")".repeat(60));
    let (found, _) = mistakes(&net(&format!("{calls};")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("stands where the name of a value is expected"), "{found:?}");
    let constants = (0..60).fold("x".to_string(), |inner, _| format!("g<{{{inner}}}>(x)"));
    let (found, _) = mistakes(&format!("fn g<A>(x) {{ A * x }} fn f(x) {{ {constants} }} {}", net("f;")));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn functions_end_somewhere() {
    let doubling = |n: usize| {
        let more = (1..=n).map(|i| format!("fn f{i}(x) {{ sin(f{}(x)) + f{}(x) }} ", i - 1, i - 1));
        "fn f0(x) { x + 1 } ".to_string() + &more.collect::<String>()
    };
    check(&format!("{}{}", doubling(8), net("f8;")), &[]);
    let (found, _) = mistakes(&format!("{}{}", doubling(60), net("f60;")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a `fn` of more than 10000 operations, those that it calls written out"), "{found:?}");
    // One in another instead of one beside another.
    let chain = |n: usize| {
        let more = (1..=n).map(|i| format!("fn f{i}(x) {{ 1 + f{}(x) }} ", i - 1));
        "fn f0(x) { x } ".to_string() + &more.collect::<String>() + &net(&format!("f{n};"))
    };
    check(&chain(150), &[]);
    let (found, _) = mistakes(&chain(1000));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("more than 400 operations in one another"), "{found:?}");
}

#[test]
fn blocks_and_lines_applied_again_end_somewhere() {
    let chain = |n: usize| {
        let more = (1..=n).map(|i| format!("block B{i} {{ B{}; }} ", i - 1));
        "block B0 { Relu; } ".to_string() + &more.collect::<String>() + &net(&format!("B{n};"))
    };
    check(&chain(90), &[]);
    let beyond = "more than 100 levels of lines, blocks and lines applied again written out\nhelp: let fewer blocks or groups use one another";
    check(&chain(2000), &[&format!("B1900: {beyond}")]);
    let again = (1..300).map(|i| format!("g{i}: {{ g{}(_); }} ", i - 1)).collect::<String>();
    let (found, _) = mistakes(&net(&format!("g0: {{ Relu; }} {again}")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the network has more than 5000 lines"), "{found:?}");
    assert_eq!(found[0].matches("cannot be applied here").count(), 1, "{found:?}");
}

#[test]
fn repeats_end_somewhere() {
    let text = net("repeat 100 { repeat 100 { repeat 100 { Relu; } } }");
    check(
        &text,
        &["Relu: the network has more than 5000 lines, repeats and blocks unrolled\n\
           help: repeat fewer times, or declare several networks"],
    );
    check(&net("Relu; repeat 4096 { repeat 1000 { } }"), &[]);
}

/// What had neither value nor mistake made its network vanish.
#[test]
fn nothing_is_a_mistake() {
    let help = "help: give it a line that does, or `from name;` as its last";
    let block = "block J<D = 0>(a, b) { repeat D { Add(a, b); } } ";
    let two = |lines: &str| format!("pub N {{ input x: [3]; input y: [3]; {lines} }}");
    check(
        &format!("{block}{}", two("J(x, y);")),
        &[&format!("J: the block `J` has no value: none of its lines computes one\n{help}")],
    );
    check(&format!("{block}{}", two("J<1>(x, y);")), &[]);
    check(
        &two("g: { repeat 0 { Relu; } } Linear<3>;"),
        &[&format!("{{: this group has no value: none of its lines computes one\n{help}")],
    );
}

#[test]
fn names_that_rust_has_taken() {
    let text = "pub Self { input x: [3]; Relu; }";
    let (found, networks) = mistakes(text);
    assert_eq!(
        found,
        ["Self: `Self` is a word of Rust, and cannot be the name of a network\nhelp: give it another name"]
    );
    assert_eq!(networks, 0);
    for text in [text, "pub fn { } { }", "pub block loop { Relu; }", "pub else { !!! }"] {
        assert!(syn::parse2::<syn::File>(compile(text.parse().unwrap())).is_ok(), "{text}");
    }
}

#[test]
fn mistakes_at_the_end_stand_on_the_last_token() {
    check(
        "pub N { input x: [3]; input y: [3]; Add(, y); }",
        &[",: a value is missing before this `,`\nhelp: `_` is the current value"],
    );
    let (found, _) = mistakes("#[init(weight =)] pub N { input x: [3]; Linear<2>; }");
    assert_eq!(
        found[0],
        "=: this is no argument\n\
           help: numbers, names, `[…]` and `{…}` are separated by `,`; names and values by `=`"
    );
    let (found, _) = mistakes("pub");
    assert_eq!(
        found,
        ["pub: this item cannot be read\n\
           help: in `network!` stand networks, `pub Name { … }`, pieces of them, `block Name { … }`, functions, `fn name(x) { … }`, and `use path::Block;`"]
    );
}
