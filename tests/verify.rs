//! Steps beside the interpreter: real networks agree, and a planted number is found at its layer, kernel and element.

#[path = "common/skip.rs"]
mod skip;

use kiln::__private::cpu::supported;
use kiln::__private::plan::Kept;
use kiln::data::Ids;
use kiln::prelude::*;
use kiln::{Level, Network};
use kiln_emulator::{Emulator, Settings};
use skip::skip;

network! {
    use kiln::zoo::LeNet5;

    block Down<C>(x) {
        Conv2d<C, 3, stride = 2, padding = 1, bias = false>(x); BatchNorm; Relu;
    }
    fn soft<A>(x) { x / (A + abs(x)) }

    #[fusion(both)]
    pub Images2 {
        input x: [3, 9, 8];
        target y: class<4>;
        conv1: Conv2d<8, 3, padding = 1>; Relu; MaxPool2d<2>; Dropout<0.25>;
        joined: Concat { a: { Conv2d<6, 1>; Relu; } b: { Conv2d<5, 3, padding = 1>; soft<1.5>; } }
        Down<16>;
        Residual { Conv2d<16, 3, padding = 1>; BatchNorm; }
        Relu; GlobalAvgPool; fc: Linear<4>;
        loss: CrossEntropy(_, y);
    }

    pub Rows2<H in [8, 24]> {
        input x: [12];
        target y: [3];
        fc1: Linear<H>; LayerNorm; Gelu; fc2: Linear<H>; Tanh; fc3: Linear<3>;
        loss: Huber(_, y);
    }

    pub Words {
        input x: ids<[6], 11>;
        target y: class<3>;
        Embedding<5>; Flatten; fc1: Linear<20>; Relu; fc2: Linear<3>;
        loss: CrossEntropy(_, y);
    }

    pub Digits = LeNet5<CLASSES = 7>;
}

/// Numbers around 0, all different.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + 13) % 10007) as f32 / 5003.5 - 1.0).collect()
}

fn classes<const N: usize>(samples: usize) -> Classes<N> {
    Classes::from_vec((0..samples).map(|i| i * 5 % N).collect()).unwrap()
}

fn images(samples: usize) -> Dataset<Images<3, 9, 8>, Classes<4>> {
    Dataset::new(Images::from_vec(numbers(samples * 216)).unwrap(), classes(samples)).unwrap()
}

fn rows(samples: usize) -> Dataset<Rows<12>, Rows<3>> {
    let (x, y) = (numbers(samples * 12), numbers(samples * 3));
    Dataset::new(Rows::from_vec(x).unwrap(), Rows::from_vec(y).unwrap()).unwrap()
}

fn words(samples: usize) -> Dataset<Ids<6, 11>, Classes<3>> {
    Dataset::new(Ids::from_vec((0..samples * 6).map(|i| i * 5 % 11).collect::<Vec<usize>>()).unwrap(), classes(samples))
        .unwrap()
}

fn digits(samples: usize) -> Dataset<Images<1, 28, 28>, Classes<7>> {
    Dataset::new(Images::from_vec(numbers(samples * 784)).unwrap(), classes(samples)).unwrap()
}

fn cpus() -> Vec<Device> {
    let levels = Level::ALL.into_iter().filter(|level| supported(*level).is_ok());
    levels.map(|level| Device::cpu().threads(2).simd(level)).collect()
}

/// A step that agrees, before and after some training, and leaves the model as it is.
fn agrees<N: Network>(device: &Device, data: &Dataset<N::Inputs, N::Targets>) {
    let mut model = N::new(device, 3).unwrap();
    model.poison_scratch(true);
    let mut adam = Adam::default().bind(&model).unwrap();
    for _ in 0..2 {
        let before: Vec<_> = model.parameters().map(|p| model.parameter(p.name).unwrap()).collect();
        let check = model.debug_step(data).unwrap();
        let after: Vec<_> = model.parameters().map(|p| model.parameter(p.name).unwrap()).collect();
        assert_eq!(before, after, "{}", N::NAME);
        let at = format!("{} on {device:?}, batch {}: {check}", N::NAME, data.len());
        assert!(check.differs.is_none(), "{at}");
        assert!(check.undecided * 50 < check.numbers && check.kernels > 0, "{at}, {}", check.undecided);
        let report = model.train_step(data, &mut adam).unwrap();
        assert_eq!(report.loss, check.loss, "{at}");
    }
}

fn all(device: &Device, samples: usize) {
    agrees::<Images2>(device, &images(samples));
    agrees::<Images2Unfused>(device, &images(samples));
    agrees::<Rows2<8>>(device, &rows(samples));
    agrees::<Rows2<24>>(device, &rows(samples));
    agrees::<Words>(device, &words(samples));
}

#[test]
fn networks_agree_on_the_cpu_at_every_level() {
    for (device, samples) in cpus().iter().zip([17, 3, 33]) {
        all(device, samples);
        all(device, 1 + samples % 16);
        agrees::<Digits>(device, &digits(3));
    }
}

#[test]
fn networks_agree_on_the_emulator() {
    if let Err(why) = Emulator::available() {
        return skip(&why.to_string());
    }
    all(&Device::Other(Emulator::leak(Settings { checked: true, ..Settings::default() })), 5);
}

/// Every value that a kernel stores is spoilt once, at its last element.
fn planted<N: Network>(device: &Device, data: &Dataset<N::Inputs, N::Targets>, cuda: bool) {
    let samples = data.len();
    let step = if cuda {
        let variants = N::plan().cuda.step.unwrap().variants;
        Kept::rows(variants.iter().find(|v| samples <= v.max_batch).unwrap().kept)
    } else {
        let variants = N::plan().step.unwrap().variants;
        Kept::rows(variants.iter().find(|v| samples <= v.max_batch).unwrap().kept)
    };
    let mut model = N::new(device, 3).unwrap();
    let first = |row: &Kept| step.iter().position(|r| (r.layer, r.op) == (row.layer, row.op));
    let mut found = 0;
    for (number, row) in step.iter().enumerate().filter(|(_, row)| !row.integer) {
        // The name stands for its first value.
        if first(row) != Some(number) {
            continue;
        }
        let numel: usize = row.dims.iter().product();
        let last = if row.batch { samples * numel } else { numel } - 1;
        model.plant_fault(row.layer, row.op, last, 12.5);
        let check = model.debug_step(data).unwrap();
        let at = format!("{} of {} in {} on {device:?}, batch {samples}: {check}", row.op, row.layer, N::NAME);
        let difference = check.differs.unwrap_or_else(|| panic!("{at}"));
        assert_eq!((difference.layer, difference.op), (row.layer, row.op), "{at}");
        let position: Vec<usize> = row.dims.iter().map(|extent| extent - 1).collect();
        assert_eq!((difference.row, &difference.position), (row.batch.then_some(samples - 1), &position), "{at}");
        assert_eq!((difference.wrong, difference.device), (1, 12.5), "{at}");
        assert!((difference.interpreter - 12.5).abs() > difference.tolerance, "{at}");
        found += 1;
    }
    assert!(found > 5, "{found}");
    // And a network without is what it was.
    model.plant_fault("", "", 0, 0.0);
    assert!(model.debug_step(data).unwrap().differs.is_none());
}

#[test]
fn planted_numbers_are_found_at_their_places() {
    let device = cpus().pop().unwrap();
    planted::<Images2>(&device, &images(2), false);
    planted::<Images2>(&device, &images(17), false);
    planted::<Rows2<8>>(&device, &rows(17), false);
    planted::<Words>(&device, &words(3), false);
}

#[test]
fn planted_numbers_are_found_on_the_emulator() {
    if let Err(why) = Emulator::available() {
        return skip(&why.to_string());
    }
    planted::<Rows2<8>>(&Device::Other(Emulator::leak(Settings::default())), &rows(3), true);
}

#[test]
fn a_trainer_that_verifies_changes_nothing_and_ends_where_a_number_is_wrong() {
    let data = rows(40);
    let weights = |model: &Model<Rows2<8>>| model.parameter("fc1.weight").unwrap();
    let run = |every: Option<usize>| {
        let mut model = Rows2::<8>::new(&Device::cpu(), 1).unwrap();
        let trainer = Trainer::new(&mut model, Adam::default()).epochs(2).batch_size(16).quiet();
        let trainer = if let Some(every) = every { trainer.verify_every(every) } else { trainer };
        trainer.fit(&data, &data).unwrap();
        weights(&model)
    };
    assert_eq!(run(Some(2)), run(None));

    let mut model = Rows2::<8>::new(&Device::cpu(), 1).unwrap();
    let row = Kept::rows(Rows2::<8>::plan().step.unwrap().variants[0].kept)[0];
    model.plant_fault(row.layer, row.op, 0, 99.0);
    let error = Trainer::new(&mut model, Adam::default()).verify_every(3).quiet().fit(&data, &data).unwrap_err();
    let Error::Differs(difference) = error else { panic!("{error}") };
    assert_eq!((difference.layer, difference.network), (row.layer, "Rows2<8>"));
    let text = Trainer::new(&mut model, Adam::default()).verify_every(0).quiet().fit(&data, &data).unwrap_err();
    assert_eq!(text.to_string(), "Trainer::verify_every must be at least 1, but it is 0");
}

network! {
    fn square(x, m) { (x - m) * (x - m) }
    fn over(x, v) { x / sqrt(v + 1e-5) }

    // No padding, then a pool.
    pub Pooled {
        input x: [1, 12, 12]; target y: class<3>;
        Conv2d<6, 5>; MaxPool2d<2>; Flatten; Linear<3>; loss: CrossEntropy(_, y);
    }

    // A value for each pixel, before a convolution of few channels.
    pub PerPixel {
        input x: [1, 3, 3]; target t: [1, 3, 3]; param p: [1, 3, 3] = Zeros;
        Add(x, p); Conv2d<1, 3, padding = 1>; loss: Mse(_, t);
    }

    // A LayerNorm over channels: statistics for each position, read back.
    pub PerPosition {
        input x: [16, 8]; target t: [16, 8];
        conv: Conv1d<16, 1>; Average<axis = 0, keepdim = true> as m; square(conv, m);
        Average<axis = 0, keepdim = true> as v; over(conv, v); loss: Mse(_, t);
    }
}

#[test]
fn what_was_wrong_once_agrees() {
    for device in cpus() {
        for samples in [15, 16, 17, 33] {
            let some = |count: usize| numbers(samples * count);
            let small = || Images::<1, 3, 3>::from_vec(some(9)).unwrap();
            let steps = || Sequences::<16, 8>::from_vec(some(128)).unwrap();
            let digits = Images::<1, 12, 12>::from_vec(some(144)).unwrap();
            agrees::<Pooled>(&device, &Dataset::new(digits, classes(samples)).unwrap());
            agrees::<PerPixel>(&device, &Dataset::new(small(), small()).unwrap());
            agrees::<PerPosition>(&device, &Dataset::new(steps(), steps()).unwrap());
        }
    }
}
