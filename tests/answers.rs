//! Which class a network answers: `argmax`, accuracy and confusion agree, also where scores are NaN (PyTorch's `argmax` gives the
//! first one's place), and are those of the scores that the loss reads, whichever outputs there are.

#[path = "common/skip.rs"]
mod skip;

use kiln::Level;
use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};

network! {
    fn flipped(x) { -x }
    Heads {
        input x: [3]; target y: class<3>; param shift: [3] = Zeros;
        Add(x, shift) as right; flipped(right) as wrong;
        output wrong, right;
        loss: CrossEntropy(right, y);
    }
    Hidden {
        input x: [3]; target y: class<3>; param shift: [3] = Zeros;
        Add(x, shift) as right; flipped(right) as wrong;
        output wrong;
        loss: CrossEntropy(right, y);
    }
    Probabilities {
        input x: [3]; target other: [3]; target y: class<3>; param shift: [3] = Zeros;
        Add(x, shift) as scores; LogSoftmax as logs; Softmax(scores) as odds;
        output odds;
        loss: 0.5 * Mse(odds, other) + Nll(logs, y);
    }
    Few { input x: [3]; target y: class<3>; param shift: [3] = Zeros; Add(x, shift); loss: CrossEntropy(_, y); }
    Blocked { input x: [17]; target y: class<17>; param shift: [17] = Zeros; Add(x, shift); loss: CrossEntropy(_, y); }
    Many { input x: [40]; target y: class<40>; param shift: [40] = Zeros; Add(x, shift); loss: CrossEntropy(_, y); }
    Linear10 { input x: [4]; target y: class<10>; fc: Linear<10>; loss: CrossEntropy(_, y); }
    #[fusion(off)]
    Linear33 { input x: [4]; target y: class<33>; fc: Linear<33>; loss: CrossEntropy(_, y); }
}

fn devices() -> Vec<(String, Device)> {
    let mut list = Vec::new();
    for level in Level::ALL {
        if Few::new(&Device::cpu().simd(level), 0).is_ok() {
            list.push((format!("{level:?}"), Device::cpu().simd(level)));
        }
    }
    match Emulator::available() {
        Ok(()) => list.push(("CUDA".into(), Device::Other(Emulator::leak(Settings::default())))),
        Err(why) => skip::skip(&why),
    }
    list
}

const X: [[f32; 3]; 4] = [[3.0, 1.0, 2.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [5.0, 4.0, 3.0]];
const Y: [usize; 4] = [0, 1, 2, 2];

/// Three of the four are right by the scores of the loss, and one by the others.
fn check_evaluation(what: &str, found: &Evaluation) {
    assert_eq!(found.accuracy, 0.75, "{what}");
    let confusion = found.confusion();
    assert_eq!((confusion.classes(), confusion.total(), confusion.correct()), (3, 4, 3), "{what}");
    assert_eq!(confusion.mistakes(), [(2, 0, 1)], "{what}");
}

#[test]
fn a_confusion_is_that_of_the_scores_in_the_loss() {
    for (name, device) in devices() {
        let labels = || Classes::from_vec(Y.to_vec()).unwrap();
        let inputs = || Rows::from_vec(X.as_flattened().to_vec()).unwrap();
        let data = Dataset::new(inputs(), labels()).unwrap();
        let heads = Heads::new(&device, 0).unwrap();
        check_evaluation(&format!("the second of two heads on {name}"), &heads.evaluate(&data).unwrap());
        let hidden = Hidden::new(&device, 0).unwrap();
        check_evaluation(&format!("scores that are no output on {name}"), &hidden.evaluate(&data).unwrap());
        assert_eq!(hidden.forward(&inputs()).unwrap().row(0), [-3.0, -1.0, -2.0], "outputs are those declared");
        let targets = ProbabilitiesTargets { other: inputs(), y: labels() };
        let probabilities = Probabilities::new(&device, 0).unwrap();
        let found = probabilities.evaluate(&Dataset::new(inputs(), targets).unwrap()).unwrap();
        check_evaluation(&format!("the second term and the second target on {name}"), &found);
    }
}

/// Rows of scores in which NaN stands at each place, alone and as the first of several; and, after them, none.
fn rows(classes: usize) -> (Vec<f32>, Vec<usize>) {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for place in 0..=classes {
        let mut row: Vec<f32> = (0..classes).map(|i| (i * 7 % classes) as f32 - 3.0).collect();
        if place % 5 == 4 {
            row.iter_mut().for_each(|x| *x = f32::INFINITY);
        }
        if let Some(x) = row.get_mut(place) {
            *x = f32::NAN;
        }
        if place % 3 == 0 {
            row.iter_mut().skip(place + 1).step_by(2).for_each(|x| *x = f32::NAN);
        }
        let largest = (0..classes).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        labels.push(row.iter().position(|x| x.is_nan()).unwrap_or(largest));
        values.extend(row);
    }
    // Nothing but NaN, and nothing but the smallest.
    values.extend(vec![f32::NAN; classes]);
    values.extend(vec![f32::NEG_INFINITY; classes]);
    labels.extend([0, 0]);
    (values, labels)
}

fn check_rows<N, const C: usize>(device: &str, mut model: Model<N>)
where
    N: Network<Inputs = Rows<C>, Targets = Classes<C>, Outputs = Rows<C>>,
{
    let (values, labels) = rows(C);
    for batch in [1, labels.len()] {
        for (x, y) in values.chunks(batch * C).zip(labels.chunks(batch)) {
            let what = format!("{} of {x:?} on {device}", N::NAME);
            let data =
                Dataset::new(Rows::<C>::from_vec(x.to_vec()).unwrap(), Classes::from_vec(y.to_vec()).unwrap()).unwrap();
            let answers = model.forward(data.inputs()).unwrap().argmax();
            assert_eq!(&answers, data.targets(), "argmax, {what}");
            let found = model.evaluate(&data).unwrap();
            assert_eq!(found.accuracy, 1.0, "accuracy, {what}");
            assert_eq!(found.confusion().correct(), y.len() as u64, "confusion, {what}");
            assert_eq!(model.accumulate(&data).unwrap().correct, y.len(), "a training step's, {what}");
        }
    }
}

#[test]
fn the_first_nan_is_the_answer() {
    for (name, device) in devices() {
        check_rows(&name, Few::new(&device, 0).unwrap());
        check_rows(&name, Blocked::new(&device, 0).unwrap());
        check_rows(&name, Many::new(&device, 0).unwrap());
    }
}

/// The largest of what a product makes is found in its tiles; NaN comes in by the bias.
fn check_linear<N, const C: usize>(device: &str, mut model: Model<N>)
where
    N: Network<Inputs = Rows<4>, Targets = Classes<C>, Outputs = Rows<C>>,
{
    let (values, labels) = rows(C);
    for (bias, label) in values.chunks(C).zip(labels) {
        // A weight of zero: scores are the bias.
        model.set_parameter("fc.weight", ndarray::Array2::zeros((C, 4)).view().into_dyn()).unwrap();
        model.set_parameter("fc.bias", ndarray::ArrayView1::from(bias).into_dyn()).unwrap();
        for samples in [1, 5, 19] {
            let x = Rows::from_vec(vec![0.5; 4 * samples]).unwrap();
            let data = Dataset::new(x, Classes::from_vec(vec![label; samples]).unwrap()).unwrap();
            let what = format!("{} of {samples} times {bias:?} on {device}", N::NAME);
            let found = model.evaluate(&data).unwrap();
            assert_eq!((found.accuracy, found.confusion().accuracy()), (1.0, 1.0), "{what}");
        }
    }
}

#[test]
fn the_first_nan_of_a_product_is_the_answer() {
    for (name, device) in devices() {
        check_linear(&name, Linear10::new(&device, 0).unwrap());
        check_linear(&name, Linear33::new(&device, 0).unwrap());
    }
}
