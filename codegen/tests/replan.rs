//! What a declaration's text says of itself gives the same network again.

use kiln_codegen::declaration::{Declaration, Fusion, Source};
use kiln_codegen::lower::frontend;
use kiln_codegen::schedule::Target;
use kiln_codegen::{Plans, plan, replan};
use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote;

fn declarations(tokens: TokenStream) -> Vec<Declaration> {
    let (declarations, _, errors) = frontend(tokens);
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n"));
    declarations
}

fn text(plans: &Plans) -> String {
    plans.programs.iter().chain(&plans.small).map(|p| p.schedule.text() + &p.memory.text()).collect()
}

/// Both targets, fused and not.
fn check(declaration: &Declaration) {
    for (index, member) in declaration.members.iter().enumerate() {
        for unfused in [false, true] {
            let source = Source { text: declaration.text.clone(), member: index, unfused };
            let fusion = if unfused || declaration.fusion == Fusion::Off { Fusion::Off } else { Fusion::On };
            for cuda in [false, true] {
                let target = match cuda {
                    true => Target::cuda(fusion, declaration.precision),
                    false => Target::cpu_for(declaration, fusion),
                };
                let (module, plans) = replan(&source, cuda).unwrap();
                assert_eq!(text(&plans), text(&plan(&member.module, &target)));
                assert_eq!(module.params, member.module.params);
            }
        }
    }
}

#[test]
fn networks_of_one_text_give_themselves_and_what_they_use() {
    let group = Group::new(Delimiter::None, quote!(1 + 2));
    let found = declarations(quote! {
        block Unused { Relu; }
        fn twice(x) { 2.0 * x }
        @import Far { fn soft(x) { x / (1.0 + abs(x)) } block Far<N>(x) { Linear<N>(x); soft; } }
        block Near<N>(x) { Far<N>(x); twice; }
        /// Documented.
        #[fusion(both)]
        #[cpu(dense = streamed)]
        pub First<H in [4, 20]> {
            input x: [6]; target y: class<3>; Near<H>; BatchNorm; Linear<{2 * #group}>; Linear<3>;
            loss: CrossEntropy(_, y);
        }
        #[fusion(both)]
        #[cuda(precision = tf32)]
        pub Second {
            input x: [2, 9, 9]; target y: class<3>;
            Conv2d<8, 3, padding = 1>; Relu; MaxPool2d<2>; Flatten; Linear<3>; loss: CrossEntropy(_, y);
        }
    });
    assert_eq!(found.len(), 2);
    found.iter().for_each(check);
    let [first, second] = &found[..] else { unreachable!() };
    assert!(["Near", "Far", "soft", "twice"].iter().all(|name| first.text.contains(name)), "{}", first.text);
    assert!(!first.text.contains("Unused") && !first.text.contains("Second"), "{}", first.text);
    assert!(!second.text.contains("Near"), "{}", second.text);
    // Twice three, and not twice one and two more.
    assert!(first.members[0].module.params.iter().any(|p| p.dims == [6, 4]), "{:?}", first.members[0].module.params);
}

#[test]
fn a_text_that_gives_no_network_is_an_error() {
    let error = |text: &str, member: usize| {
        replan(&Source { text: text.into(), member, unfused: false }, false).map(|_| ()).unwrap_err()
    };
    assert_eq!(error("", 0), "the text declares no network");
    assert!(error("pub Net { input x: [4]; Lineer<3>; }", 0).contains("mistake"));
    assert!(error("pub Net { (", 0).contains("cannot be read"));
    assert_eq!(error("pub Net { input x: [4]; Linear<3>; }", 1), "there is no member 1");
}
