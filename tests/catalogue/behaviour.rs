//! What single layers and losses promise beyond PyTorch's numbers: Rosenblatt's rule, random layers' distributions,
//! statistics that are fitted or follow all batches.

use kiln::prelude::*;

network! {
    Neuron {
        input x: [3];
        target y: [2];
        fc: Linear<2>;
        loss: Perceptron(_, y);
    }

    Channels {
        input x: [4000, 1, 2];
        target t: [4000, 1, 2];
        param shift: [4000, 1, 2] = Zeros;
        Add(x, shift); Dropout2d<0.3>;
        loss: HalfSquare(_, t);
    }

    Noisy {
        input x: [20000];
        target t: [20000];
        param shift: [20000] = Zeros;
        Add(x, shift); GaussianNoise<0.1>;
        loss: HalfSquare(_, t);
    }

    Averaged {
        input x: [2, 3];
        target t: [2, 3];
        norm: BatchNorm<momentum = none>;
        loss: Mse(_, t);
    }

    Scaled {
        input x: [2, 1, 2];
        target t: [1];
        scale: Standardize;
        Flatten; fc: Linear<1>;
        loss: Mse(_, t);
    }

    PerPixel {
        input x: [2, 1, 2];
        Flatten; scale: Standardize;
    }
}

/// Some number in [-1, 1), another for each i.
fn number(i: usize) -> f32 {
    ((i * 7919 + 13) * 104_729 % 10_007) as f32 / 5003.5 - 1.0
}

#[test]
fn a_perceptrons_step_is_rosenblatts_rule() -> Result<(), Error> {
    let mut model = Neuron::new(&Device::cpu(), 3)?;
    let lr = 0.5f32;
    let mut optimizer = Sgd { lr: f64::from(lr), ..Sgd::default() }.bind(&model)?;
    let read =
        |model: &Model<Neuron>, name: &str| model.parameter(name).map(|a| a.iter().copied().collect::<Vec<f32>>());
    let (mut weight, mut bias) = (read(&model, "fc.weight")?, read(&model, "fc.bias")?);
    let mut mistakes = [0; 2];
    for step in 0..600 {
        let x: [f32; 3] = std::array::from_fn(|i| number(step % 40 * 3 + i));
        // Two lines through the plane, each with a margin.
        let sides = [x[0] - x[1] + 0.3, 0.5 * x[2] - x[0]];
        if sides.iter().any(|side| side.abs() < 0.1) {
            continue;
        }
        let truth = sides.map(|side| if side > 0.0 { 1.0 } else { 0.0 });
        let score = |k: usize| bias[k] + (0..3).map(|i| weight[3 * k + i] * x[i]).sum::<f32>();
        let wrong: [f32; 2] = std::array::from_fn(|k| truth[k] - if score(k) > 0.0 { 1.0 } else { 0.0 });
        mistakes[usize::from(step >= 500)] += wrong.iter().filter(|w| **w != 0.0).count();
        for k in 0..2 {
            (0..3).for_each(|i| weight[3 * k + i] += lr * wrong[k] * x[i]);
            bias[k] += lr * wrong[k];
        }
        let batch = Dataset::new(Rows::one(x), Rows::one(truth))?;
        model.train_step(&batch, &mut optimizer)?;
        for (name, expected) in [("fc.weight", &weight), ("fc.bias", &bias)] {
            let found = read(&model, name)?;
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5),
                "{step} {name}: {found:?} {expected:?}"
            );
        }
    }
    // What can be separated is, in the end (Novikoff, 1962).
    assert!(mistakes[0] > 3 && mistakes[1] == 0, "{mistakes:?}");
    Ok(())
}

#[test]
fn dropout2d_takes_whole_channels() -> Result<(), Error> {
    let model = Channels::new(&Device::cpu(), 5)?;
    let batch = Dataset::new(Images::from_vec(vec![0.7; 8000])?, Images::from_vec(vec![0.0; 8000])?)?;
    // The gradient is y·(1/(1 − p) or 0), with y = 0.7/(1 − p) or 0.
    let gradients = model.gradients(&batch)?;
    let kept = 0.7 / 0.7 / 0.7;
    let mut channels = 0;
    for pixels in gradients.get("shift")?.as_slice().unwrap().chunks_exact(2) {
        assert_eq!(pixels[0], pixels[1]);
        assert!(pixels[0] == 0.0 || (pixels[0] - kept).abs() < 1e-5, "{pixels:?}");
        channels += usize::from(pixels[0] != 0.0);
    }
    // Four deviations of 4000 draws.
    assert!((channels as f64 - 2800.0).abs() < 116.0, "{channels} of 4000 kept");
    assert_eq!(model.forward(batch.inputs())?.as_slice(), batch.inputs().as_slice());
    Ok(())
}

#[test]
fn gaussian_noise_is_normal() -> Result<(), Error> {
    let model = Noisy::new(&Device::cpu(), 5)?;
    let batch = Dataset::new(Rows::from_vec(vec![0.0; 20000])?, Rows::from_vec(vec![0.0; 20000])?)?;
    let gradients = model.gradients(&batch)?;
    let noise: Vec<f64> = gradients.get("shift")?.iter().map(|x| f64::from(*x) / 0.1).collect();
    let moment = |k: i32| noise.iter().map(|x| x.powi(k)).sum::<f64>() / noise.len() as f64;
    // Moments 1 to 4 of the normal distribution, to four deviations of their estimates.
    for (k, expected, deviation) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        let limit = 4.0 * f64::sqrt(deviation / noise.len() as f64);
        assert!((moment(k) - expected).abs() < limit, "moment {k} is {}", moment(k));
    }
    let beyond = noise.iter().filter(|x| x.abs() > 1.96).count() as f64 / noise.len() as f64;
    assert!((beyond - 0.05).abs() < 0.007, "{beyond} beyond 1.96");
    let again = model.gradients(&batch)?;
    assert_eq!(gradients.get("shift")?, again.get("shift")?, "the same seed and step");
    assert_eq!(model.forward(batch.inputs())?.as_slice(), batch.inputs().as_slice());
    Ok(())
}

#[test]
fn momentum_none_averages_over_all_batches() -> Result<(), Error> {
    let mut model = Averaged::new(&Device::cpu(), 1)?;
    let (mut means, mut variances) = ([0.0f64; 2], [0.0f64; 2]);
    for step in 0..5 {
        let values: Vec<f32> = (0..24).map(|i| number(step * 24 + i)).collect();
        for channel in 0..2 {
            let own = |i: &usize| i / 3 % 2 == channel;
            let of: Vec<f64> = (0..24).filter(own).map(|i| f64::from(values[i])).collect();
            let mean = of.iter().sum::<f64>() / 12.0;
            means[channel] += mean / 5.0;
            variances[channel] += of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 11.0 / 5.0;
        }
        let batch = Dataset::new(Sequences::from_vec(values)?, Sequences::from_vec(vec![0.0; 24])?)?;
        model.accumulate(&batch)?;
        if step == 2 {
            // The count is saved with the rest.
            let path = std::env::temp_dir().join(format!("kiln-averaged-{}.safetensors", std::process::id()));
            model.save(&path)?;
            model = Averaged::new(&Device::cpu(), 2)?;
            model.load(&path)?;
            std::fs::remove_file(&path).expect("the file that was written");
        }
    }
    assert_eq!(model.parameter("norm.num_batches_tracked")?.iter().copied().collect::<Vec<_>>(), [5.0]);
    for (name, expected) in [("norm.running_mean", means), ("norm.running_var", variances)] {
        let found = model.parameter(name)?;
        assert!(
            found.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6),
            "{name}: {found} {expected:?}"
        );
    }
    Ok(())
}

#[test]
fn standardize_is_fitted_and_saved() -> Result<(), Error> {
    // Channel 0: 1, 3, 5, 7; channel 1 is constant.
    let inputs: Images<2, 1, 2> = Images::from_vec(vec![1.0, 3.0, 9.0, 9.0, 5.0, 7.0, 9.0, 9.0])?;
    let mut model = Scaled::new(&Device::cpu(), 1)?;
    model.fit_standardize("scale", &inputs)?;
    let fitted = |model: &Model<Scaled>| -> Result<Vec<f32>, Error> {
        let (mean, deviation) = (model.parameter("scale.mean")?, model.parameter("scale.deviation")?);
        Ok(mean.iter().chain(deviation.iter()).copied().collect())
    };
    let expected = [4.0, 9.0, 5f32.sqrt(), 1.0];
    assert_eq!(fitted(&model)?, expected);
    let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.bind(&model)?;
    let batch = Dataset::new(inputs.clone(), Rows::from_vec(vec![1.0, 2.0])?)?;
    model.train_step(&batch, &mut optimizer)?;
    assert_eq!(fitted(&model)?, expected, "training does not move them");

    let mut pixels = PerPixel::new(&Device::cpu(), 1)?;
    pixels.fit_standardize("scale", &inputs)?;
    assert_eq!(pixels.forward(&inputs)?.as_slice(), [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);

    let says = |error: Error| error.to_string();
    assert_eq!(
        says(model.fit_standardize("scael", &inputs).unwrap_err()),
        "Scaled has no parameter `scael.mean`; did you mean `scale.mean`?"
    );
    let other: Images<3, 1, 2> = Images::from_vec(vec![0.0; 6])?;
    assert_eq!(
        says(model.fit_standardize("scale", &other).unwrap_err()),
        "the means of `scale`: expected 3 channels or 6 values, as Images<3, 1, 2> has, found 2"
    );
    let none: Images<2, 1, 2> = Images::from_vec(Vec::new())?;
    assert_eq!(says(model.fit_standardize("scale", &none).unwrap_err()), "the data to fit `scale` on is empty");
    Ok(())
}
