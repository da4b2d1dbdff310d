//! Pieces of the zoo at small sizes, from the zoo's own blocks, planned for CUDA and executed on the emulator against the
//! interpreter: training and inference, fused and unfused.

use crate::common::network::{env, leaves};
use crate::harness::Compiled;
use crate::primitives::{close, each_device, emulator};
use crate::zoo;
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::interpret::run;
use kiln_codegen::schedule::ProgramKind;
use kiln_codegen::schedule::program::program;

/// Batches of one sample and of a few; the ways are a schedule and how many blocks each part of a launch has.
const RUNS: [(usize, (u64, Option<usize>)); 2] = [(1, (1, Some(3))), (3, (2, None))];

/// A network over the blocks of a file of the zoo.
fn check(file: &str, declaration: &str) {
    let Some(emulator) = emulator(true) else { return };
    let module = zoo::module(file, declaration);
    for kind in [ProgramKind::Infer, ProgramKind::Step] {
        let program = program(&module, kind).expect("a network with a loss");
        for fusion in [Fusion::On, Fusion::Off] {
            let compiled = Compiled::new(&module, &program, fusion, Precision::F32);
            for (batch, way) in RUNS {
                let leaves = leaves(&module, &program.graph, batch, 1);
                let expected = run(&program.graph, &leaves, &program.roots.all(), &env(batch)).unwrap();
                let at = format!("{} ({fusion:?}, batch {batch})\n{declaration}", kind.name());
                each_device(Some(emulator), &[way], |device, way| {
                    let found = compiled.run(device, &leaves, &env(batch), &compiled.roots());
                    let found = found.unwrap_or_else(|why| panic!("{way}, {at}: {why}"));
                    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        close(&format!("root {i}, {way}, {at}"), found, &expected.data);
                    }
                });
            }
        }
    }
}

#[test]
fn an_inception_between_pools_in_ceil_mode() {
    check(
        "googlenet",
        "pub Piece {
            input x: [3, 11, 9];
            target y: class<5>;
            MaxPool2d<3, stride = 2, ceil_mode = true>;
            inception: Inception<4, 3, 5, 2, 3, 6>;
            MaxPool2d<2, stride = 2, ceil_mode = true>;
            GlobalAvgPool;
            fc: Linear<5>;
            loss: CrossEntropy(_, y);
        }",
    );
}

/// The zoo's own head has 1024 wide layers, which take the interpreter minutes.
#[test]
fn an_auxiliary_head_enters_the_loss_only() {
    check(
        "googlenet",
        "pub Piece {
            input x: [4, 4, 4];
            target y: class<5>;
            body: BasicConv2d<6, 3, padding = 1>;
            AdaptiveAvgPool2d<[2, 2]>;
            conv: BasicConv2d<3, 1>;
            Flatten;
            fc1: Linear<7>; Relu; Dropout<0.7>;
            aux: Linear<5>;
            from body;
            GlobalAvgPool; Dropout<0.2>;
            fc: Linear<5>;
            output fc;
            loss: CrossEntropy(fc, y) + 0.3 * CrossEntropy(aux, y);
        }",
    );
}

#[test]
fn bottlenecks_with_and_without_downsample() {
    check(
        "resnet",
        "pub Piece {
            input x: [6, 5, 5];
            target y: class<5>;
            layer1: { Bottleneck<2, 2>; Bottleneck<2>; }
            avgpool: GlobalAvgPool;
            fc: Linear<5>;
            loss: CrossEntropy(_, y);
        }",
    );
}

#[test]
fn basic_blocks_with_and_without_downsample() {
    check(
        "resnet",
        "pub Piece {
            input x: [3, 6, 6];
            target y: class<5>;
            layer1: { BasicBlock<4, 2>; BasicBlock<4>; }
            avgpool: GlobalAvgPool;
            fc: Linear<5>;
            loss: CrossEntropy(_, y);
        }",
    );
}

#[test]
fn a_normalised_convolution_and_an_adaptive_pool_to_more_than_there_is() {
    check(
        "vgg",
        "pub Piece {
            input x: [2, 6, 6];
            target y: class<5>;
            features: { Conv2d<4, 3, padding = 1>; BatchNorm; Relu; MaxPool2d<2>; }
            AdaptiveAvgPool2d<[7, 7]>;
            Flatten;
            classifier: { Linear<6>; Relu; Dropout<0.5>; Linear<5>; }
            loss: CrossEntropy(_, y);
        }",
    );
}

#[test]
fn overlapping_pools_behind_a_strided_convolution() {
    check(
        "alexnet",
        "pub Piece {
            input x: [2, 23, 23];
            target y: class<5>;
            features: {
                Conv2d<4, 7, stride = 4, padding = 2>; Relu; MaxPool2d<3, stride = 2>;
                Conv2d<5, 3, padding = 1>; Relu;
            }
            AdaptiveAvgPool2d<[6, 6]>;
            Flatten;
            classifier: { Dropout<0.5>; Linear<6>; Relu; Linear<5>; }
            loss: CrossEntropy(_, y);
        }",
    );
}

#[test]
fn a_spatial_transformer() {
    check(
        "spatial_transformer",
        "pub Piece {
            input image: [1, 9, 8];
            target y: class<5>;
            localization: { Conv2d<3, 3>; MaxPool2d<2>; Relu; }
            Flatten;
            fc_loc: { Linear<6>; Relu; Linear<6>; }
            AffineSample(image, fc_loc);
            conv1: Conv2d<4, 3>; Dropout2d<0.5>; MaxPool2d<2>; Relu;
            Flatten;
            fc1: Linear<6>; Relu; Dropout<0.5>;
            fc2: Linear<5>; LogSoftmax;
            loss: Nll(_, y);
        }",
    );
}
