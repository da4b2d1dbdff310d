//! Windows over sequences, transposed convolutions, images in another size, sums over neighbouring channels: extents
//! around the edges of blocks, strides that leave holes, windows that overlap, ties.

use crate::check::parity;
use kiln::Level;
use kiln::prelude::*;

parity! { sequences Sequential SequentialUnfused {
    input signal: [3, 19]; target label: class<3>;
    a: Conv1d<17, 3, stride = 2, padding = 1>; n: BatchNorm; Relu; MaxPool1d<3, stride = 2, padding = 1>;
    b: Conv1d<6, 2, dilation = 2, bias = false>; Tanh; AvgPool1d<2, stride = 1, padding = 1, count_include_pad = false>;
    c: Conv1d<6, 3, padding = 2, groups = 3>; Relu; GlobalMaxPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { transposed_convolutions Transposed TransposedUnfused {
    input image: [3, 4, 5]; target t: [2, 13, 16];
    a: ConvTranspose2d<17, 3, stride = 2, padding = 1, output_padding = 1>; n: BatchNorm; Relu;
    b: ConvTranspose2d<6, [2, 3], dilation = [1, 2], padding = [0, 1]>; Sigmoid;
    c: ConvTranspose2d<4, 3, padding = 1, groups = 2, bias = false>; Tanh;
    d: ConvTranspose2d<2, [5, 5]>;
    loss: Mse(_, t);
} }

parity! { transposed_between_blocks TransposedBlocks TransposedBlocksUnfused {
    input code: [20]; target t: [1, 8, 8];
    Reshape<[20, 1, 1]>;
    a: ConvTranspose2d<33, 4>; Relu;
    b: ConvTranspose2d<16, 2, stride = 2>; Relu;
    c: ConvTranspose2d<1, 3, padding = 1>; Sigmoid;
    loss: Mse(_, t);
} }

parity! { images_in_another_size Resized ResizedUnfused {
    input image: [2, 5, 4]; target t: [3, 6, 7];
    a: Conv2d<6, 2>; Upsample2d<scale_factor = [2, 3]>; Relu;
    b: Conv2d<3, 3>; Upsample2d<size = [9, 5], mode = bilinear>; Tanh;
    c: Conv2d<18, 2>; Upsample2d<scale_factor = 0.75>; AdaptiveAvgPool2d<[5, 7]>;
    d: Conv2d<3, 1>; Upsample2d<size = [6, 7], mode = bilinear, align_corners = true>;
    loss: Mse(_, t);
} }

parity! { neighbouring_channels Neighbours NeighboursUnfused {
    input image: [3, 5, 6]; target label: class<3>;
    a: Conv2d<19, 2>; Relu; LocalResponseNorm<5, alpha = 0.5>; MaxPool2d<2>;
    b: Conv2d<4, 2>; LocalResponseNorm<2, alpha = 0.3, beta = 0.5, k = 2>;
    GlobalMaxPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

// Everything is below 0: the padding of a maximum is below everything.
parity! { maxima_below_zero Below BelowUnfused {
    input image: [6, 7, 5]; target t: [6, 5, 2];
    param shift: [6, 7, 5] = Zeros; Add(_, shift);
    LogSoftmax;
    MaxPool2d<3, stride = 2, padding = 1, ceil_mode = true>;
    AvgPool2d<[2, 3], stride = 1, padding = 1, divisor_override = 4>;
    MaxPool2d<[2, 1], stride = 1, padding = [1, 0]>;
    LogSoftmax; AvgPool2d<2, stride = 1>;
    loss: Mse(_, t);
} }

parity! { padding_beyond_the_kernel Ringed RingedUnfused {
    input image: [2, 5, 4]; target label: class<3>;
    a: Conv2d<6, 1, padding = 1>; Relu;
    b: Conv2d<17, [2, 3], padding = [3, 2], stride = 2>; BatchNorm; Relu;
    c: Conv2d<16, 3, padding = 4, dilation = [2, 1]>; MaxPool2d<2>; Relu;
    d: ConvTranspose2d<4, 2, stride = 3, padding = 2>; Tanh;
    e: Conv2d<16, 3, padding = 3>; MaxPool2d<2>; Relu;
    GlobalAvgPool; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { padding_of_sequences RingedSequence RingedSequenceUnfused {
    input signal: [3, 7]; target t: [5, 10];
    a: Conv1d<4, 2, padding = 4>; Relu; b: Conv1d<5, 3, padding = 5, dilation = 2, stride = 2>;
    loss: Mse(_, t);
} }

network! {
    Ring { input x: [1, 1, 1]; target t: [1, 3, 3]; conv: Conv2d<1, 1, padding = 1>; loss: Mse(_, t); }
    /// More padding than the kernel reaches over, and nothing cut off, of one transposed convolution.
    Cut { input x: [2, 3, 4]; conv: ConvTranspose2d<3, 2, stride = 3, padding = [2, 3], output_padding = 1>; }
    Whole { input x: [2, 3, 4]; conv: ConvTranspose2d<3, 2, stride = 3, output_padding = 1>; }
    /// The same padding as an argument and as a layer, before what larger batches run with samples in the lanes.
    Inside { input x: [2, 9, 8]; conv: Conv2d<6, 2, padding = 3>; MaxPool2d<2>; Relu; }
    Outside { input x: [2, 9, 8]; ZeroPad2d<3>; conv: Conv2d<6, 2>; MaxPool2d<2>; Relu; }
    Seen { input image: [2, 3, 4]; input theta: [2, 3]; AffineSample(image, theta); }
}

fn levels() -> impl Iterator<Item = Device> {
    Level::ALL.into_iter().map(|level| Device::cpu().simd(level)).filter(|device| Ring::new(device, 0).is_ok())
}

#[test]
fn a_window_of_padding_gives_the_bias() {
    for device in levels() {
        let mut model = Ring::new(&device, 0).unwrap();
        model
            .set_parameter("conv.weight", ndarray::arr1(&[2.0]).into_shape_with_order(vec![1; 4]).unwrap().view())
            .unwrap();
        model.set_parameter("conv.bias", ndarray::arr1(&[3.0]).into_dyn().view()).unwrap();
        for samples in [1, 16, 37] {
            let x = Images::from_vec(vec![5.0; samples]).unwrap();
            let expected = [3.0, 3.0, 3.0, 3.0, 13.0, 3.0, 3.0, 3.0, 3.0];
            let found = model.forward(&x).unwrap();
            assert_eq!(found.as_slice(), expected.repeat(samples), "{device:?}");
            let zeros = Images::from_vec(vec![0.0; 9 * samples]).unwrap();
            let found = model.gradients(&Dataset::new(x, zeros).unwrap()).unwrap();
            let gradient = |name: &str| f64::from(*found.get(name).unwrap().first().unwrap());
            // The mean of nine squares: 2/9 of each value, of which the middle meets the weight.
            assert!((gradient("conv.weight") - 2.0 * 13.0 * 5.0 / 9.0).abs() < 1e-4, "{device:?}");
            assert!((gradient("conv.bias") - 2.0 * (13.0 + 8.0 * 3.0) / 9.0).abs() < 1e-4, "{device:?}");
        }
    }
}

fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7).sin()).collect()
}

#[test]
fn a_transposed_convolution_is_cut() {
    for device in levels() {
        let (cut, whole) = (Cut::new(&device, 5).unwrap(), Whole::new(&device, 5).unwrap());
        for samples in [1, 16, 37] {
            let x = Images::from_vec(waves(24 * samples)).unwrap();
            let (cut, whole) = (cut.forward(&x).unwrap(), whole.forward(&x).unwrap());
            // 9 × 12, of which 2 rows and 3 columns go on each side.
            for (i, found) in cut.as_slice().iter().enumerate() {
                let (plane, row, column) = (i / 30, i / 6 % 5, i % 6);
                let expected = whole.as_slice()[plane * 108 + (row + 2) * 12 + column + 3];
                assert!((found - expected).abs() < 1e-5, "{device:?}, {samples} samples, element {i}");
            }
        }
    }
}

#[test]
fn padding_is_a_layer_of_zeros() {
    for device in levels() {
        let (inside, outside) = (Inside::new(&device, 5).unwrap(), Outside::new(&device, 5).unwrap());
        let values = waves(144 * 37);
        let found = inside.forward(&Images::from_vec(values.clone()).unwrap()).unwrap();
        for (n, sample) in values.chunks_exact(144).enumerate() {
            let expected = outside.forward(&Images::from_vec(sample.to_vec()).unwrap()).unwrap();
            let size = expected.as_slice().len();
            for (a, b) in found.as_slice()[n * size..][..size].iter().zip(expected.as_slice()) {
                assert!((a - b).abs() < 1e-5, "{device:?}, sample {n}");
            }
        }
    }
}

#[test]
fn a_map_that_is_no_number_shows_no_image() {
    for device in levels() {
        let model = Seen::new(&device, 0).unwrap();
        let see = |theta: [f32; 6]| {
            let image = Images::from_vec(waves(24)).unwrap();
            let theta = Sequences::<2, 3>::from_vec(theta.to_vec()).unwrap();
            model.forward(&SeenInputs { image, theta }).unwrap().as_slice().to_vec()
        };
        let plain = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        for (a, b) in see(plain).iter().zip(waves(24)) {
            assert!((a - b).abs() < 1e-5);
        }
        for i in 0..6 {
            for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut theta = plain;
                theta[i] = wrong;
                let seen = see(theta);
                assert!(seen.iter().all(|x| x.is_nan()), "theta[{i}] = {wrong} on {device:?}: {seen:?}");
            }
        }
        let far = see([1.0, 0.0, 1e30, 0.0, 1.0, -1e30]);
        assert!(far.iter().all(|x| *x == 0.0), "what lies outside is zeros: {far:?}");
    }
}
