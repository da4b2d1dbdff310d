//! Valid networks that once made the compiler panic: all programs of each are planned and emitted for both targets.

fn compiles(text: &str) {
    let tokens = kiln_codegen::compile(text.parse().unwrap()).to_string();
    assert!(!tokens.contains("compile_error"), "{tokens}");
}

#[test]
fn activations_between_batch_norms() {
    for activation in ["Silu", "Gelu", "Gelu<approximate = tanh>", "Mish", "Elu", "Softplus", "Tanh", "Relu"] {
        for norms in ["BatchNorm; Relu; BatchNorm", "GroupNorm<2>; BatchNorm", "BatchNorm; BatchNorm"] {
            compiles(&format!(
                "pub Net {{ input x: [3, 8, 8]; target y: class<3>; Conv2d<6, 3>; {norms}; {activation}; GlobalAvgPool;
                 Linear<3>; loss: CrossEntropy(_, y); }}"
            ));
        }
    }
    compiles(
        "pub Net { input x: [6, 8, 8]; target y: class<3>; Residual { BatchNorm; BatchNorm; } Relu; GlobalAvgPool;
         Linear<3>; loss: CrossEntropy(_, y); }",
    );
}

#[test]
fn a_joined_value_that_random_numbers_multiply() {
    compiles(
        "pub Net { input x: [1, 1, 1]; Concat { b: { Conv2d<2, 1>; Relu; } c: { Conv2d<1, 1>; Relu; } } Dropout2d;
         loss: Mean(_); }",
    );
}

#[test]
fn an_initialiser_in_a_group_that_is_applied_again() {
    compiles(
        "pub Net { input x: [3, 5]; target t: [3, 5]; g: { #[init(weight = Normal<0, 0.2>)] Conv1d<3, 3, padding = 1>; } g(_);
         loss: Mse(_, t); }",
    );
}

#[test]
fn windows_of_one_pixel_behind_a_normalisation() {
    compiles(
        "pub Net { input x: [32, 8, 1]; target t: [32, 8, 1]; BatchNorm<track_running_stats = false>; LeakyRelu<0.2>;
         MaxPool2d<1>; loss: Mse(_, t); }",
    );
}
