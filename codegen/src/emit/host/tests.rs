use super::{MemberPlans, expand, expand_stubs, expand_unfused};
use crate::declaration::Member;
use crate::lower::frontend;
use proc_macro2::TokenStream;
use quote::quote;

/// All that a `network!` with these tokens shows a program, printed, and the first lines of its mistakes.
fn host(tokens: TokenStream) -> (String, Vec<String>) {
    let (declarations, stubs, errors) = frontend(tokens);
    let mut out = TokenStream::new();
    for declaration in &declarations {
        let plan = |member: &Member| MemberPlans {
            network: quote!(&PLAN),
            training_bytes: None,
            probes: vec![(quote!(&PLAN), Some(quote!(&PLAN))); member.module.probes.len()],
        };
        let plans: Vec<_> = declaration.members.iter().map(plan).collect();
        out.extend(expand(declaration, &plans));
        out.extend(expand_unfused(declaration, &plans));
    }
    if let Some(mistake) = errors.iter().next() {
        out.extend(expand_stubs(&stubs, mistake));
    }
    let text = prettyplease::unparse(&syn::parse2(out).expect("items"));
    (text, errors.iter().map(|e| e.message.clone()).collect())
}

fn sound(tokens: TokenStream) -> String {
    let (text, errors) = host(tokens);
    assert!(errors.is_empty(), "{errors:?}");
    text
}

fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn one_port_is_its_own_type() {
    let text = sound(quote! {
        /// Words of the user.
        pub Net {
            input image: [1, 8, 8];
            target digit: class<3>;
            conv: Conv2d<6, 5>; Relu; Flatten; Linear<3>;
            loss: CrossEntropy(_, digit);
        }
    });
    assert_has(
        &text,
        &[
            "/// Words of the user.",
            "| conv | `Conv2d<6, 5>` | `[6, 4, 4]` | 156 |",
            "| | | | **447** |",
            "pub struct Net;",
            "pub struct NetUnfused;",
            "type Inputs = ::kiln::__private::Images<1, 8, 8>;",
            "type Targets = ::kiln::__private::Classes<3>;",
            "type Outputs = ::kiln::__private::Rows<3>;",
            "pub const PARAMETERS: usize = 447;",
            "/// `conv`: `Conv2d<6, 5>` → `[6, 4, 4]`, 156 parameters",
            "const conv: () = ();",
        ],
    );
    assert!(!text.contains("NetInputs"), "{text}");
}

#[test]
fn several_ports_are_a_struct_that_the_twin_shares() {
    let text = sound(quote! {
        Net {
            input a: [4]; input b: [2, 3];
            from a; left: Linear<5>;
            from b; Flatten; right: Linear<5>;
            output left, right;
        }
    });
    assert_has(
        &text,
        &[
            "struct NetInputs {\n    /// `[4]`\n    pub a: ::kiln::__private::Rows<4>,",
            "pub b: ::kiln::__private::Sequences<2, 3>,",
            "struct NetOutputs {",
            "pub left: ::kiln::__private::Rows<5>,",
            "type Inputs = NetInputs;",
            "type Targets = ();",
            "type Outputs = NetOutputs;",
        ],
    );
    assert_eq!(text.matches("type Inputs = NetInputs;").count(), 2);
    assert_eq!(text.matches("struct NetInputs").count(), 1);
}

#[test]
fn a_family_is_one_const_generic_type() {
    let text = sound(quote! {
        pub Mlp<H in [4, 6]> {
            input x: [H]; input z: [2];
            from x; first: Linear<2>;
            Add(_, z);
        }
    });
    assert_has(
        &text,
        &[
            "pub struct Mlp<const H: usize>;",
            "message = \"`{Self}` is not a network: `Mlp` was declared for H = 4, 6\"",
            "impl __Member for Mlp<4>",
            "impl __Member for Mlp<6>",
            "| `Mlp<6>` | 14 |",
            // The members' inputs differ, so each has a struct; their outputs are the same.
            "pub struct MlpInputs4 {",
            "pub struct MlpInputs6 {",
            "Self: __Member,",
        ],
    );
}

#[test]
fn a_network_with_mistakes_keeps_its_face() {
    let (text, errors) = host(quote! {
        pub Bad {
            input image: [1, 8, 8];
            target digit: class<7>;
            Flatten; Lineer<3>;
            loss: CrossEntropy(_, digit);
        }
    });
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_has(
        &text,
        &[
            "pub struct Bad;",
            "type __Unknown = <",
            "type Inputs = __Unknown;",
            "type Targets = __Unknown;",
            "type Outputs = __Unknown;",
            "&::kiln::__private::NO_PLAN",
        ],
    );
}

#[test]
fn a_broken_family_is_quiet_for_every_value_and_side() {
    let (text, _) = host(quote! {
        #[fusion(both)]
        pub Bad<H in [4, 6]> {
            input a: [4]; input b: [4];
            from a; left: Linear<H>; right: Lineer<H>(b);
            output left, right;
        }
    });
    assert_has(
        &text,
        &[
            "pub struct Bad<const H: usize>;",
            "pub struct BadUnfused<const H: usize>;",
            "impl<const H: usize> ::kiln::__private::Network for Bad<H>",
            "pub type BadInputs = <",
            "pub type BadOutputs = <",
        ],
    );
    assert!(!text.contains("BadTargets"), "{text}");
}

#[test]
fn probes_are_constants() {
    let text = sound(quote! {
        #[probe(tail.0)]
        Net {
            input left: [4]; input right: [3];
            #[probe] mixed: Linear<5>(left);
            Concat(mixed, right);
            tail: { Linear<6>; Reshape<[2, 3]>; }
        }
    });
    assert_has(
        &text,
        &[
            "/// `mixed`, [5], to look at with `activations` and `excite`.",
            "pub const MIXED: ::kiln::Probe<Net, ::kiln::__private::Rows<5>>",
            "pub const TAIL_0: ::kiln::Probe<Net, ::kiln::__private::Rows<6>>",
            "impl ::kiln::__private::Receive for NetInputs",
        ],
    );
}
