//! Networks of the literature, as blocks: a network is declared from one with constants of its own.
//!
//! ```
//! use kiln::prelude::*;
//!
//! network! {
//!     /// Ten Kannada digits instead of ten Arabic ones.
//!     pub Kannada = kiln::zoo::LeNet5<CLASSES = 10>;
//! }
//!
//! const _: () = assert!(Kannada::PARAMETERS == 61_706);
//! ```
//!
//! Networks that torchvision has bear its parameter names and start values, so that its weights load by name; `SIZE` is the side of
//! their images in pixels, `SMALL = true` their usual form for images of 32 × 32. `examples/zoo.rs` says what each costs.
//!
//! No network type lies here: each would be compiled by everyone who uses this crate.

mod alexnet;
mod autoencoder;
mod googlenet;
mod lenet;
mod perceptron;
mod resnet;
mod spatial_transformer;
mod vgg;

pub use alexnet::AlexNet;
pub use autoencoder::{Autoencoder, ConvAutoencoder};
pub use googlenet::GoogLeNet;
pub use lenet::{LeNet, LeNet5, MnistBnCnn};
pub use perceptron::{Mlp, Perceptron, TwoLayer};
pub use resnet::{ResNet18, ResNet34, ResNet50};
pub use spatial_transformer::SpatialTransformerNet;
pub use vgg::{Vgg16, Vgg19};
