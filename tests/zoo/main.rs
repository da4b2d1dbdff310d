//! Networks of `kiln::zoo` against torchvision's, at its weights' names: `tests/fixtures/zoo.py` says what is compared. Images of
//! 64 × 64 pixels, which leave all parameters as they are; without dropout, which draws other numbers here and there.

mod check;
#[allow(dead_code, reason = "read by other tests")]
#[path = "../pytorch/fixture.rs"]
mod fixture;
mod weights;

use check::check;
use kiln::prelude::*;

network! {
    AlexNet = kiln::zoo::AlexNet<SIZE = 64, DROPOUT = 0>;
    Vgg16Bn = kiln::zoo::Vgg16<SIZE = 64, BN = true, DROPOUT = 0>;
    ResNet18 = kiln::zoo::ResNet18<SIZE = 64>;
    ResNet50 = kiln::zoo::ResNet50<SIZE = 64>;
    GoogLeNet = kiln::zoo::GoogLeNet<SIZE = 64, DROPOUT = 0, DROPOUT_AUX = 0>;
}

#[test]
fn alexnet() {
    check::<AlexNet>("alexnet");
}

#[test]
fn vgg16_bn() {
    check::<Vgg16Bn>("vgg16_bn");
}

#[test]
fn resnet18() {
    check::<ResNet18>("resnet18");
}

#[test]
fn resnet50() {
    check::<ResNet50>("resnet50");
}

#[test]
fn googlenet() {
    check::<GoogLeNet>("googlenet");
}
