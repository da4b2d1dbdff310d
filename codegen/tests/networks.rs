//! The networks of the first examples, parsed and lowered: shapes, parameter names, counts.

use kiln_codegen::graph::Module;
use kiln_codegen::lower::frontend;

fn module(text: &str) -> Module {
    let (mut declarations, _, errors) = frontend(text.parse().unwrap());
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n\n"));
    declarations.remove(0).members.remove(0).module
}

fn names(module: &Module) -> Vec<String> {
    module.params.iter().map(|p| format!("{} {:?}", p.name, p.dims)).collect()
}

fn count(module: &Module) -> usize {
    module.params.iter().map(|p| p.dims.iter().product::<usize>()).sum()
}

const LENET5: &str = "
    /// LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), ReLU variant.
    pub LeNet5<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;

        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        Flatten;
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }

        loss: CrossEntropy(_, digit);
    }";

#[test]
fn lenet5() {
    let module = module(LENET5);
    assert_eq!(
        names(&module),
        [
            "features.0.weight [6, 1, 5, 5]",
            "features.0.bias [6]",
            "features.3.weight [16, 6, 5, 5]",
            "features.3.bias [16]",
            "classifier.0.weight [120, 400]",
            "classifier.0.bias [120]",
            "classifier.2.weight [84, 120]",
            "classifier.2.bias [84]",
            "classifier.4.weight [10, 84]",
            "classifier.4.bias [10]",
        ]
    );
    assert_eq!(count(&module), 61_706);
    let graph = &module.training.graph;
    let shapes: Vec<String> = graph.nodes.iter().map(|n| format!("{} {:?}", n.op.name(), n.ty.shape.dims)).collect();
    assert!(shapes.contains(&"window.max [16, 5, 5]".to_string()), "{shapes:#?}");
    // The first linear layer reads the image itself.
    assert!(shapes.contains(&"conv.forward [120, 1, 1]".to_string()), "{shapes:#?}");
    assert_eq!(module.outputs[0].name, "output");
    let paths: Vec<&str> = module.layers.iter().map(|l| l.path.as_str()).collect();
    assert_eq!(paths[..3], ["features.0", "features.1", "features.2"]);
    assert_eq!(module.layers[0].text, "Conv2d<6, 5, padding = 2>");
    assert_eq!(module.layers[0].flops, (2 * 25 * 6 + 6) * 28 * 28);
    let labels: Vec<&str> = module.labels.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(labels, ["features", "classifier"]);
    assert_eq!(module.labels[0].output, [16, 5, 5]);
    assert!(module.training.correct.is_some());
    assert!(graph.shape(module.training.loss.unwrap()).dims.is_empty());
}

#[test]
fn mlp() {
    let module = module(
        "pub Mlp {
            input image: [784];
            target digit: class<10>;
            Linear<512>; Relu; Linear<512>; Relu; Linear<10>;
            loss: CrossEntropy(_, digit);
        }",
    );
    assert_eq!(names(&module)[2], "2.weight [512, 512]");
    assert_eq!(count(&module), 784 * 512 + 512 + 512 * 512 + 512 + 5130);
}

#[test]
fn autoencoder() {
    let module = module(
        "pub Autoencoder {
            input image: [784];
            encoder: { Linear<256>; Relu; }
            decoder: { Linear<784>; Sigmoid; }
            loss: Mse(_, image);
        }",
    );
    assert_eq!(names(&module)[2], "decoder.0.weight [784, 256]");
    assert!(module.training.correct.is_none());
    assert!(module.targets.is_empty());
}

#[test]
fn mnist_bn_cnn() {
    let module = module(
        "pub MnistBnCnn {
            input image: [1, 28, 28];
            target digit: class<10>;
            conv1: Conv2d<32, 3>; bn1: BatchNorm; Relu;
            conv2: Conv2d<64, 3>; bn2: BatchNorm; Relu;
            MaxPool2d<2>; Dropout<0.25>; Flatten;
            fc1: Linear<128>; bn3: BatchNorm; Relu; Dropout<0.5>;
            fc2: Linear<10>; LogSoftmax;
            loss: Nll(_, digit);
        }",
    );
    assert_eq!(names(&module)[8], "fc1.weight [128, 9216]");
    assert_eq!(module.states.len(), 6);
    assert_eq!(module.states[5].name, "bn3.running_var");
    assert_eq!(module.training.assigns.len(), 6);
    assert!(module.evaluation.assigns.is_empty());
    let ops = |mode: &kiln_codegen::graph::Mode| mode.graph.nodes.iter().map(|n| n.op.name()).collect::<Vec<_>>();
    assert_eq!(ops(&module.training).iter().filter(|n| **n == "random").count(), 2);
    assert!(!ops(&module.evaluation).contains(&"random"));
    assert!(!ops(&module.training).contains(&"contract") || ops(&module.training).contains(&"conv.forward"));
}
