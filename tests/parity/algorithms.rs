//! Convolutions that can be computed in two ways, in each of them.

use crate::check::parity;

/// Borders of none, one and two pixels, extents around the edges of tiles and blocks, a residual in the epilogue.
macro_rules! either {
    ($test:ident $name:ident $unfused:ident $algorithm:ident) => {
        parity! { #[cpu(conv = $algorithm)] $test $name $unfused {
            input x: [6, 5, 7];
            target label: class<3>;
            a: Conv2d<18, 3, padding = 1>; n: BatchNorm; Relu;
            b: Conv2d<17, 3>; Relu;
            c: Conv2d<6, 3, padding = 2>;
            Residual { d: Conv2d<6, 3, padding = 1, bias = false>; m: BatchNorm; }
            MaxPool2d<2>; GlobalAvgPool; Flatten; fc: Linear<3>;
            loss: CrossEntropy(_, label);
        } }
    };
}

either! { direct_convolutions Direct DirectUnfused direct }
either! { winograd_convolutions Winograd WinogradUnfused winograd }

/// So many tiles of output that small batches transform their own weights and the largest does not; a normalisation that the
/// next convolution's transforms compute, and statistics that leave with the tiles.
macro_rules! large {
    ($test:ident $name:ident $unfused:ident $algorithm:ident) => {
        parity! { #[cpu(conv = $algorithm)] $test $name $unfused {
            input x: [3, 14, 13];
            target label: class<3>;
            a: Conv2d<17, 3, padding = 1, bias = false>; n: BatchNorm; Relu;
            b: Conv2d<18, 3, padding = 1, bias = false>; m: BatchNorm; Relu;
            Residual { c: Conv2d<18, 3, padding = 1>; k: BatchNorm; Tanh; }
            GlobalAvgPool; Flatten; fc: Linear<3>;
            loss: CrossEntropy(_, label);
        } }
    };
}

large! { direct_large_images DirectLarge DirectLargeUnfused direct }
large! { winograd_large_images WinogradLarge WinogradLargeUnfused winograd }

/// Pools that are taken of the tiles, in training and evaluation or in evaluation only.
macro_rules! pooled {
    ($test:ident $name:ident $unfused:ident $algorithm:ident) => {
        parity! { #[cpu(conv = $algorithm)] $test $name $unfused {
            input x: [6, 13, 18];
            target label: class<3>;
            a: Conv2d<17, 3, padding = 1>; Relu; MaxPool2d<2>;
            b: Conv2d<18, 3, padding = 1, bias = false>; n: BatchNorm; Relu; MaxPool2d<2>;
            c: Conv2d<20, 3, padding = 1>; Tanh; MaxPool2d<2>;
            Flatten; fc: Linear<3>;
            loss: CrossEntropy(_, label);
        } }
    };
}

pooled! { direct_pools DirectPools DirectPoolsUnfused direct }
pooled! { winograd_pools WinogradPools WinogradPoolsUnfused winograd }

/// A step of dense layers whose backward is one pass over each weight: extents around blocks, tasks and turned chunks, and a
/// layer over an image's blocks.
macro_rules! dense {
    ($test:ident $name:ident $unfused:ident $way:ident) => {
        parity! { #[cpu(dense = $way)] $test $name $unfused {
            input x: [3, 6, 5];
            target label: class<3>;
            Conv2d<18, 3, padding = 1>; Relu; MaxPool2d<2>;
            Flatten; Linear<37>; Relu; Dropout<0.5>; Linear<270>; Tanh; Linear<33>; Relu; Linear<3>;
            loss: CrossEntropy(_, label);
        } }
    };
}

dense! { streamed_dense_layers Streamed StreamedUnfused streamed }
dense! { dense_layers_apart Apart ApartUnfused apart }
