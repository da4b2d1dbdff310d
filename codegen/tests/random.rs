//! Hundreds of random sound declarations: the front end takes them, and gradients and evaluation run.

#[path = "common/declarations.rs"]
mod declarations;

use kiln_codegen::autodiff::gradients;
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::verify::verify;
use kiln_codegen::lower::frontend;

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
