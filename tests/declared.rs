//! What a declaration gives: constants, port structs, families, the unfused twin, the summary.

use kiln::prelude::*;

network! {
    #[fusion(both)]
    Two {
        input left: [4]; input right: [2, 3];
        target class: class<3>; target value: [2];
        from left; a: Linear<8>; Relu; scores: Linear<3>;
        from right; Flatten; values: Linear<2>;
        output scores, values;
        loss: CrossEntropy(scores, class) + 0.5 * Mse(values, value);
    }

    Mlp<H in [4, 6]> {
        input x: [5];
        target y: class<2>;
        Linear<H>; Relu; Linear<2>;
        loss: CrossEntropy(_, y);
    }

    Tail {
        input x: [5];
        Linear<3>; Softmax;
    }
}

const _: () = assert!(Two::PARAMETERS == 4 * 8 + 8 + 8 * 3 + 3 + 6 * 2 + 2);
const _: () = assert!(Mlp::<4>::PARAMETERS == 34 && Mlp::<6>::PARAMETERS == 50);
const _: () = assert!(Two::TRAINING_BYTES_PER_SAMPLE > 0 && Two::FORWARD_FLOPS > 0);

fn batch(samples: usize) -> Dataset<TwoInputs, TwoTargets> {
    let numbers = |count: usize| (0..samples * count).map(|i| (i * 7 % 13) as f32 / 13.0).collect::<Vec<_>>();
    let inputs =
        TwoInputs { left: Rows::from_vec(numbers(4)).unwrap(), right: Sequences::from_vec(numbers(6)).unwrap() };
    let targets = TwoTargets {
        // Which third of its range the first number lies in.
        class: Classes::from_vec((0..samples).map(|i| i * 28 % 13 / 5).collect()).unwrap(),
        value: Rows::from_vec(numbers(2)).unwrap(),
    };
    Dataset::new(inputs, targets).unwrap()
}

#[test]
fn several_inputs_targets_and_outputs() -> Result<(), Error> {
    let mut model = Two::new(&Device::cpu(), 5)?;
    model.poison_scratch(true);
    let data = batch(33);
    let before = model.evaluate(&data)?;
    assert_eq!(before.confusion().total(), 33);
    let trainer = Trainer::new(&mut model, Adam { lr: 0.05, ..Adam::default() });
    trainer.epochs(20).batch_size(8).quiet().fit(&data, &data)?;
    let after = model.evaluate(&data)?;
    assert!(after.loss < 0.7 * before.loss, "{} {}", before.loss, after.loss);
    let outputs = model.forward(data.inputs())?;
    assert_eq!((outputs.scores.len(), outputs.values.len()), (33, 33));
    let one = model.forward(data.gather(&[7]).inputs())?;
    assert_eq!((one.scores.row(0), one.values.row(0)), (outputs.scores.row(7), outputs.values.row(7)));
    Ok(())
}

#[test]
fn ports_of_different_lengths_are_an_error() {
    let (mut inputs, targets) = batch(4).into_parts();
    inputs.right = Sequences::from_vec(vec![0.0; 6]).unwrap();
    let error = Dataset::new(inputs, targets).unwrap_err();
    assert_eq!(error.to_string(), "TwoInputs::right: expected 4 samples, as many as `left`, found 1");
}

#[test]
fn the_unfused_twin_shares_types_and_numbers() -> Result<(), Error> {
    let (fused, unfused) = (Two::new(&Device::cpu(), 5)?, TwoUnfused::new(&Device::cpu(), 5)?);
    let data = batch(19);
    let (a, b) = (fused.gradients(&data)?, unfused.gradients(&data)?);
    assert!((a.step.loss - b.step.loss).abs() < 1e-5);
    for ((name, x), (_, y)) in a.iter().zip(b.iter()) {
        assert!(x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-5), "{name}: {x} {y}");
    }
    Ok(())
}

#[test]
fn fusion_leaves_fewer_kernels() {
    assert_eq!(Two::unfused_kernels(), TwoUnfused::kernels());
    let (fused, unfused) = (Two::kernels(), Two::unfused_kernels());
    assert!(fused.step < unfused.step && fused.forward < unfused.forward, "{fused:?} {unfused:?}");
    assert_eq!(Tail::kernels().step, 0, "it has no loss");
}

#[test]
fn a_family_and_a_network_without_a_loss() -> Result<(), Error> {
    let x = Rows::from_vec(vec![0.25; 15])?;
    assert_eq!(Mlp::<6>::new(&Device::cpu(), 1)?.forward(&x)?.len(), 3);
    let tail = Tail::new(&Device::cpu(), 1)?;
    let sums = tail.forward(&x)?;
    assert!(sums.rows().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    let data = Dataset::new(x, ())?;
    let text = tail.gradients(&data).unwrap_err().to_string();
    assert_eq!(text, "Tail has no `loss:`, so it cannot be differentiated");
    assert!(tail.evaluate(&data).is_err());
    Ok(())
}

mod sweep {
    use kiln::Network;

    pub fn size<N: Network>() -> (&'static str, usize) {
        (N::NAME, N::PARAMETERS)
    }
}

#[test]
fn a_function_for_each_member() {
    use sweep::size;
    let sizes = Mlp!(size).map(|f| f());
    assert_eq!(sizes, [("Mlp<4>", 34), ("Mlp<6>", 50)]);
    assert_eq!(Mlp!(sweep::size).iter().map(|f| f().1).sum::<usize>(), 84);
}

#[test]
fn the_diagram_shows_layers_and_what_they_take() {
    let svg = Two::diagram().to_string();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for text in ["a Linear&lt;8&gt;", "[8] · 40 parameters", "Flatten", "left", "[2, 3]", "values"] {
        assert!(svg.contains(text), "no `{text}` in {svg}");
    }
    // Two inputs, five layers, two outputs; each of the last seven takes one value.
    assert_eq!(svg.matches("<g class=").count(), 9);
    assert_eq!(svg.matches("<path class=\"edge\"").count(), 7);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/two.svg");
    Two::diagram().save(&file).unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), svg);
}

#[test]
fn the_summary_names_kernels_and_members() {
    let text = Mlp::<6>::summary().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Mlp<6>");
    // The activation is in the kernel of its layer.
    let kernel = |line: &str| line.split_whitespace().last().map(str::to_owned);
    assert!(lines[4].contains("Relu") && kernel(lines[4]) == kernel(lines[3]), "{text}");
    assert!(lines.last().unwrap().starts_with("50 parameters, "), "{text}");
}
