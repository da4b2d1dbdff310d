//! The statements of the language: names of parameters, scopes, constants, families, attributes.

use kiln_codegen::declaration::{Convolution, Declaration, DenseBackward, Dump, Fusion, Precision};
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{Init, Module};
use kiln_codegen::lower::frontend;

fn declarations(text: &str) -> Vec<Declaration> {
    let (declarations, _, errors) = frontend(text.parse().unwrap());
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n\n"));
    declarations
}

fn module(text: &str) -> Module {
    declarations(text).remove(0).members.remove(0).module
}

/// Parameters without `.bias`, to keep the lists short.
fn weights(module: &Module) -> Vec<&str> {
    module.params.iter().map(|p| p.name.as_str()).filter(|n| !n.ends_with("bias")).collect()
}

#[test]
fn names_in_a_sequential() {
    let module = module(
        "block Basic<C> { Residual { conv1: Conv2d<C, 3, padding = 1>; } shortcut downsample if reshaped { Conv2d<C, 1>; } Relu; }
         pub N {
            input x: [3, 8, 8];
            features: { repeat 2 { Conv2d<4, 3, padding = 1>; Relu; } MaxPool2d<2>; last: Conv2d<5, 1>; Conv2d<6, 1>; }
            layer: { Basic<8>; repeat 2 { Basic<8>; } Residual { Conv2d<8, 1>; } Concat { Conv2d<2, 1>; b: { Conv2d<3, 1>; } } }
         }",
    );
    assert_eq!(
        weights(&module),
        [
            "features.0.weight",
            "features.2.weight",
            "features.last.weight",
            "features.6.weight",
            "layer.0.conv1.weight",
            "layer.0.downsample.0.weight",
            "layer.1.conv1.weight",
            "layer.2.conv1.weight",
            "layer.3.0.weight",
            "layer.4.0.weight",
            "layer.4.b.0.weight",
        ]
    );
}

#[test]
fn names_in_a_module() {
    let module = module(
        "block Two { a: Conv2d<4, 1>; Conv2d<4, 1>; }
         pub N {
            input x: [3, 8, 8];
            Conv2d<4, 1>; Relu; Two; Conv2d<4, 1>;
            r: Residual { Conv2d<4, 1>; } 
            Residual { s: Conv2d<4, 1>; Conv2d<4, 1>; } shortcut { Conv2d<4, 1>; }
            if true { t: Conv2d<4, 1>; } else { u: Conv2d<4, 1>; }
            #[name = \"encoder.0\"] v: { Conv2d<4, 1>; }
            two: Two;
            param scale: [4, 1, 1] = Constant<0.25>;
            Mul(_, scale);
         }",
    );
    assert_eq!(
        weights(&module),
        [
            "0.weight",
            "a.weight",
            "3.weight",
            "4.weight",
            "r.0.weight",
            "s.weight",
            "7.weight",
            "shortcut.0.weight",
            "t.weight",
            "encoder.0.0.weight",
            "two.a.weight",
            "two.1.weight",
            "scale",
        ]
    );
    let scale = module.params.last().unwrap();
    assert_eq!((scale.init, scale.dims.as_slice()), (Init::Constant(0.25), [4, 1, 1].as_slice()));
}

#[test]
fn scopes_and_operands() {
    let module = module(
        "fn gate<A>(a, b) { a * sigmoid(A * b) }
         block Up<C>(x, skip) { Conv2d<C, 1>(x); Concat(_, skip); }
         pub N {
            input x: [4, 8, 8];
            input z: [4, 8, 8];
            from x;
            down: { low: Conv2d<6, 3, padding = 1>; Relu; }
            Conv2d<4, 1> as mixed;
            gate<0.5>(mixed, z);
            Up<5>(_, down.low) as up;
            tail: { Conv2d<2, 1>; }(mixed) as other;
            Concat(other, up) as joined;
            output joined, down;
         }",
    );
    let names: Vec<&str> = module.outputs.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["joined", "down"]);
    assert_eq!(module.training.graph.shape(module.training.outputs[0]).dims, [13, 8, 8]);
}

#[test]
fn several_losses_and_outputs() {
    let module = module(
        "pub N<AUX = 0.3> {
            input x: [4]; target y: class<3>; target d: [2];
            h: Linear<8>; Relu as r;
            fc: Linear<3>; side: Linear<2>(r);
            loss: CrossEntropy(fc, y) + AUX * Mse(side, d) - 0.5 * HalfSquare(side, d);
            output fc, side;
         }",
    );
    assert_eq!(module.outputs.len(), 2);
    assert_eq!(module.targets.len(), 2);
    assert!(module.training.correct.is_some());
}

#[test]
fn families_and_constants() {
    let text = "pub Mlp<D = 3, H in [8, 32], K in [1, 2]> {
        input x: [D]; Linear<{H * K + max(D, 4)}>; if K > 1 { Relu; Linear<2>; } else { Linear<2>; }
    }";
    let declaration = declarations(text).remove(0);
    assert_eq!(declaration.family, [("H".to_string(), vec![8, 32]), ("K".to_string(), vec![1, 2])]);
    let values: Vec<_> = declaration.members.iter().map(|m| (m.values.clone(), m.module.params[0].dims[0])).collect();
    assert_eq!(values, [(vec![8, 1], 12), (vec![8, 2], 20), (vec![32, 1], 36), (vec![32, 2], 68)]);
    assert_eq!(weights(&declaration.members[1].module), ["0.weight", "2.weight"]);
}

#[test]
fn initialisers() {
    let declaration = declarations(
        "N {
            input x: [4, 8, 8];
            param p: [2, 3] = Identity;
            #[init(weight = Dirac<groups = 2>)] c: Conv2d<4, 3>;
            #[init(weight = Orthogonal<nonlinearity = tanh>, bias = Identity<[2, 3]>)] a: Conv2d<6, 3>;
            #[init(weight = TruncatedNormal<std = 0.5, b = 1>)] t: Conv2d<4, 3>;
            Flatten; #[init(weight = LeCunUniform)] fc: Linear<6>;
            Reshape<[2, 3]>; Add(_, p);
         }",
    )
    .remove(0);
    let module = &declaration.members[0].module;
    let init = |name: &str| module.params.iter().find(|p| p.name == name).map(|p| p.init).unwrap();
    assert_eq!(init("p"), Init::Identity { shape: None });
    assert_eq!(init("c.weight"), Init::Dirac { groups: 2 });
    assert_eq!(init("a.weight"), Init::Orthogonal { gain: 5.0 / 3.0 });
    assert_eq!(init("a.bias"), Init::Identity { shape: Some([2, 3]) });
    assert_eq!(init("t.weight"), Init::TruncatedNormal { mean: 0.0, std: 0.5, low: -2.0, high: 1.0 });
    assert_eq!(init("fc.weight"), Init::KaimingUniform { gain: 1.0, fan_out: false });
}

#[test]
fn attributes() {
    let declaration = declarations(
        "/// Docs.
         #[fusion(both)] #[cuda(precision = bf16)] #[cpu(conv = winograd)] #[cpu(dense = streamed)] #[dump(graph, cpu)]
         #[no_decay(bias)]
         #[init(weight = KaimingNormal<mode = fan_out, nonlinearity = relu>, bias = Zeros)]
         pub N {
            input x: [3, 8, 8]; target y: class<2>;
            #[frozen] stem: { Conv2d<4, 1>; BatchNorm; Dropout<0.5>; }
            #[init(weight = XavierUniform)] Conv2d<4, 1>;
            Flatten; #[no_decay] #[init(bias = Uniform<-1, 1>)] fc: Linear<2>;
            loss: CrossEntropy(_, y);
         }",
    )
    .remove(0);
    assert_eq!((declaration.fusion, declaration.precision), (Fusion::Both, Precision::Bf16));
    assert_eq!(declaration.convolution, Convolution::Winograd);
    assert_eq!(declaration.dense_backward, DenseBackward::Streamed);
    assert_eq!(declaration.dumps, [Dump::Graph, Dump::Cpu]);
    assert!(declaration.docs.to_string().contains("Docs"));
    let module = &declaration.members[0].module;
    let param = |name: &str| module.params.iter().find(|p| p.name == name).unwrap();
    let kaiming = Init::KaimingNormal { gain: 2f64.sqrt(), fan_out: true };
    assert_eq!(param("stem.0.weight").init, kaiming);
    assert_eq!(param("stem.0.bias").init, Init::Zeros);
    // A vector has no fan: the wish around it does not reach it.
    assert_eq!(param("stem.1.weight").init, Init::Ones);
    assert_eq!(param("1.weight").init, Init::XavierUniform { gain: 1.0 });
    assert_eq!(param("fc.bias").init, Init::Uniform { low: -1.0, high: 1.0 });
    assert!(param("stem.0.weight").frozen && param("stem.1.bias").frozen && !param("fc.weight").frozen);
    assert!(param("1.bias").no_decay && !param("1.weight").no_decay && param("fc.weight").no_decay);
    // Frozen: evaluation mode, so no statistics are assigned and nothing is dropped.
    assert!(module.training.assigns.is_empty());
    assert!(!module.training.graph.nodes.iter().any(|n| matches!(n.op, Op::Random { .. })));
}

#[test]
fn flatten_sinks_and_keeps_the_streams() {
    let module = module(
        "pub N { input x: [8, 4, 4]; target y: class<2>;
            Dropout<0.1>; Conv2d<8, 1>; Flatten; Relu; Dropout<0.5>; fc: Linear<2>; loss: CrossEntropy(_, y); }",
    );
    let graph = &module.training.graph;
    let streams: Vec<(u32, Vec<usize>)> = graph
        .nodes
        .iter()
        .filter_map(|n| match n.op {
            Op::Random { stream } => Some((stream, n.ty.shape.dims.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(streams, [(0, vec![8, 4, 4]), (1, vec![8, 4, 4])]);
    assert!(!graph.nodes.iter().any(|n| matches!(n.op, Op::Contract { .. })));
    assert_eq!(module.params.iter().find(|p| p.name == "fc.weight").unwrap().dims, [2, 128]);
    // Every parameter has its leaf, in both modes.
    for k in 0..module.params.len() {
        assert!(graph.leaf(Leaf::Param(k)).is_some() && module.evaluation.graph.leaf(Leaf::Param(k)).is_some());
    }
}

#[test]
fn labels_are_documented_items() {
    let module = module("pub N { input x: [3]; a: { b: Linear<4>; Relu; } Linear<2> as c; }");
    let labels: Vec<_> = module.labels.iter().map(|l| (l.path.as_str(), l.output[0], l.parameters)).collect();
    assert_eq!(labels, [("a.b", 4, 16), ("a", 4, 16), ("c", 2, 10)]);
}
