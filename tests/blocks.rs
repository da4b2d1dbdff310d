//! Blocks and `fn`s of other `network!`s: of the same module, another one, another crate; by re-exports; with others that
//! they need and that nobody here sees; and networks declared from them.

use kiln::prelude::*;

// As a program says that calls the crate otherwise.
extern crate kiln as renamed;

mod pieces {
    kiln::network! {
        fn soft<A>(x) { x * sigmoid(A * x) }

        /// What `gate` is here stays here.
        block gate_norm { BatchNorm; }

        /// Smooth ReLU.
        pub fn gate<A>(x) { soft<A>(x) + soft<A>(0 * x) }

        /// Two convolutions around which the input goes.
        pub block Basic<C, S = 1> {
            Residual {
                conv1: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn1: gate_norm; gate<1>;
                conv2: Conv2d<C, 3, padding = 1, bias = false>; bn2: BatchNorm;
            } shortcut downsample if reshaped { Conv2d<C, 1, stride = S, bias = false>; BatchNorm; }
            gate<1>;
        }

        pub(crate) block Head<CLASSES>(x) { GlobalAvgPool(x); fc: Linear<CLASSES>; }
    }
}

mod stages {
    kiln::network! {
        use super::pieces::Basic;

        pub block Stage<C, N, S = 1> { first: Basic<C, S>; rest: { repeat {N - 1} { Basic<C>; } } }

        pub block Small<CLASSES = 3, WIDTH = 4> {
            input image: [2, 8, 8];
            target label: class<CLASSES>;
            stem: Conv2d<WIDTH, 3, padding = 1>;
            if WIDTH > 2 { BatchNorm; }
            layer1: { Basic<WIDTH>; Stage<{2 * WIDTH}, 2, S = 2>; }
            GlobalAvgPool;
            fc: Linear<CLASSES>;
            loss: CrossEntropy(_, label);
        }
    }
}

mod handed_on {
    pub use super::stages::Stage as Layer;
}

network! {
    use handed_on::Layer;
    use pieces::{gate, Basic as Block, Head};

    pub Imported {
        input image: [2, 8, 8];
        target label: class<3>;
        stem: Conv2d<4, 3, padding = 1>;
        gate<2>;
        one: Block<4>;
        layer: { Layer<6, 2, S = 2>; }
        Head<3>(_);
        loss: CrossEntropy(_, label);
    }
}

network! {
    fn gate<A>(x) { x * sigmoid(A * x) + 0 }

    block Basic<C, S = 1> {
        Residual {
            conv1: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn1: { BatchNorm; } gate<1>;
            conv2: Conv2d<C, 3, padding = 1, bias = false>; bn2: BatchNorm;
        } shortcut downsample if reshaped { Conv2d<C, 1, stride = S, bias = false>; BatchNorm; }
        gate<1>;
    }

    block Stage<C> { first: Basic<C, 2>; rest: { Basic<C>; } }

    pub Written {
        input image: [2, 8, 8];
        target label: class<3>;
        stem: Conv2d<4, 3, padding = 1>;
        gate<2>;
        one: Basic<4>;
        layer: { Stage<6>; }
        GlobalAvgPool;
        fc: Linear<3>;
        loss: CrossEntropy(_, label);
    }
}

network! {
    /// With other constants, and partly frozen.
    #[frozen(stem, layer1.0)]
    #[init(fc.weight = Normal<std = 0.01>, bias = Zeros)]
    #[no_decay(layer1.1, bias)]
    pub Declared<W in [4, 6]> = stages::Small<5, WIDTH = W>;

    pub Defaults = stages::Small;

    block Own<N> { input x: [N]; Linear<2>; }

    pub OfHere = Own<7>;

    pub Digits = kiln::zoo::LeNet5<CLASSES = 4>;

    pub Renamed = renamed::zoo::LeNet5;
}

const _: () = assert!(Digits::PARAMETERS == 61_706 - 6 * 85 && Renamed::PARAMETERS == 61_706);
const _: () = assert!(OfHere::PARAMETERS == 16);

fn names<N: Network>() -> Vec<String> {
    let model = N::new(&Device::cpu(), 3).unwrap();
    model.parameters().map(|p| format!("{} {:?}", p.name, p.dims)).collect()
}

#[test]
fn imported_lines_are_lines() -> Result<(), Error> {
    let names = names::<Imported>();
    assert_eq!(names, self::names::<Written>());
    assert!(names.contains(&"layer.0.first.downsample.0.weight [6, 4, 1, 1]".to_string()), "{names:?}");
    assert!(names.contains(&"fc.weight [3, 6]".to_string()), "{names:?}");
    // Same names, same seed, same weights.
    let images = Images::from_vec((0..5 * 128).map(|i| (i * 7 % 23) as f32 / 23.0).collect())?;
    let a = Imported::new(&Device::cpu(), 3)?.forward(&images)?;
    let b = Written::new(&Device::cpu(), 3)?.forward(&images)?;
    assert!(a.view().iter().zip(b.view()).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} {b:?}");
    assert!(a.view().iter().any(|x| x.abs() > 1e-3));
    Ok(())
}

#[test]
fn declared_networks_have_their_own_constants() -> Result<(), Error> {
    let declared = Declared::<6>::new(&Device::cpu(), 3)?;
    let info = |name: &str| declared.parameters().find(|p| p.name == name).unwrap();
    assert_eq!(info("fc.weight").dims, [5, 12]);
    assert!(!info("stem.weight").trainable && !info("layer1.0.conv1.weight").trainable);
    assert!(info("layer1.1.first.conv1.weight").trainable && info("fc.bias").trainable);
    assert!(declared.parameter("fc.bias")?.iter().all(|x| *x == 0.0));
    assert!(declared.parameter("fc.weight")?.iter().all(|x| x.abs() < 0.06));
    let plain = Defaults::new(&Device::cpu(), 3)?;
    assert!(plain.parameters().all(|p| p.trainable || p.name.contains(".running_")));
    assert_eq!(plain.parameter("fc.weight")?.shape(), [3, 8]);
    Ok(())
}

#[test]
fn frozen_lines_do_not_move() -> Result<(), Error> {
    let mut model = Declared::<4>::new(&Device::cpu(), 3)?;
    let images = Images::from_vec((0..9 * 128).map(|i| (i * 7 % 23) as f32 / 23.0).collect())?;
    let data = Dataset::new(images, Classes::from_vec((0..9).map(|i| i % 5).collect())?)?;
    let before: Vec<_> =
        ["stem.weight", "layer1.0.bn1.0.weight", "fc.weight"].iter().map(|n| model.parameter(n)).collect();
    let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.bind(&model)?;
    model.train_step(&data, &mut optimizer)?;
    let moved = |name: &str, before: &Result<_, _>| model.parameter(name).unwrap() != *before.as_ref().unwrap();
    assert!(!moved("stem.weight", &before[0]) && moved("fc.weight", &before[2]));
    Ok(())
}

#[test]
fn in_a_function() -> Result<(), Error> {
    network! {
        use renamed::zoo::LeNet5;

        pub Inner = LeNet5<CLASSES = 2>;
    }
    let scores = Inner::new(&Device::cpu(), 0)?.forward(&Images::from_vec(vec![0.5; 784])?)?;
    assert_eq!((scores.len(), Inner::PARAMETERS), (1, 61_706 - 8 * 85));
    Ok(())
}
