//! Every stage takes steps in proportion to the network: what is counted are values that are looked at and compared.

use crate::declaration::{Fusion, Precision, Source};
use crate::lower::frontend;
use crate::schedule::{Programs, Target};
use crate::{emit, plan_programs};
use std::cell::Cell;
use std::rc::Rc;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a look at a value.
pub fn step() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// The steps of a stage, and what it made.
fn counted<T>(stage: impl FnOnce() -> T) -> (u64, T) {
    STEPS.with(|steps| steps.set(0));
    let made = stage();
    (STEPS.with(Cell::get), made)
}

const STAGES: [&str; 7] =
    ["front end", "gradients", "CPU", "unfused", "CUDA", "printed for CUDA", "printed for the CPU"];

fn steps(text: &str) -> [u64; 7] {
    let (front, (declarations, _, errors)) = counted(|| frontend(text.parse().expect("tokens")));
    assert!(errors.is_empty(), "{errors:?}");
    let declaration = &declarations[0];
    let module = &declaration.members[0].module;
    let (targets, precision) = ([Fusion::On, Fusion::Off], Precision::F32);
    let [target, single] = targets.map(|fusion| Target::cpu_for(declaration, fusion));
    let (gradients, programs) = counted(|| Rc::new(Programs::of(module)));
    let (cpu, on_cpu) = counted(|| plan_programs(module, programs.clone(), &target));
    let (unfused, _) = counted(|| plan_programs(module, programs.clone(), &single));
    let (cuda, on_cuda) = counted(|| plan_programs(module, programs.clone(), &Target::cuda(Fusion::On, precision)));
    let (print_cuda, half) =
        counted(|| emit::cuda::expand(module, &on_cuda.params, &on_cuda.programs, &on_cuda.target));
    let both = [&on_cpu.programs[..], &on_cpu.small];
    let source = Source::default();
    let (print_cpu, _) =
        counted(|| emit::cpu::expand(module, &programs, &on_cpu.params, both, &on_cpu.target, &half, &source));
    [front, gradients, cpu, unfused, cuda, print_cuda, print_cpu]
}

/// Four times the lines take no more than about four times the steps.
fn grows_like_its_lines(network: impl Fn(usize) -> String, lines: usize) {
    let (few, many) = (steps(&network(lines)), steps(&network(4 * lines)));
    for ((stage, few), many) in STAGES.into_iter().zip(few).zip(many) {
        assert!(many <= 5 * few, "{stage}: {few} steps for {lines} lines, {many} for four times as many");
    }
}

fn classifier(input: &str, body: &str) -> String {
    format!("pub Net {{ input x: {input}; target c: class<3>; {body} Linear<3>; loss: CrossEntropy(_, c); }}")
}

#[test]
fn matrix_products() {
    grows_like_its_lines(|n| classifier("[16]", &"Linear<16>; Relu;".repeat(n)), 20);
}

#[test]
fn residuals_of_convolutions() {
    let block =
        "Residual { Conv2d<32, 3, padding = 1, bias = false>; BatchNorm; Relu; Conv2d<32, 1>; BatchNorm; } Relu;";
    grows_like_its_lines(|n| classifier("[32, 8, 8]", &format!("{} GlobalAvgPool;", block.repeat(n))), 6);
}

#[test]
fn small_convolutions() {
    let block = "Conv2d<6, 3, padding = 1>; Relu;";
    grows_like_its_lines(|n| classifier("[6, 24, 24]", &format!("{} Flatten;", block.repeat(n))), 10);
}

#[test]
fn normalised_sequences() {
    let block =
        "Residual { LayerNorm<16>; Linear<16>; Permute<[1, 0]>; Softmax; Permute<[1, 0]>; Dropout<0.1>; } Gelu;";
    grows_like_its_lines(|n| classifier("[5, 16]", &format!("{} Flatten;", block.repeat(n))), 6);
}

#[test]
fn joined_branches() {
    let block = |i: usize| {
        format!(
            "Concat {{ a{i}: {{ Conv2d<16, 1>; Relu; }} b{i}: {{ Conv2d<32, 3, padding = 1>; MaxPool2d<3, stride = 1, padding = 1>; }} }}"
        )
    };
    let body = |n: usize| (0..n).map(block).collect::<String>();
    grows_like_its_lines(|n| classifier("[16, 6, 6]", &format!("{} GlobalAvgPool;", body(n))), 6);
}

#[test]
fn element_wise_lines() {
    grows_like_its_lines(|n| classifier("[16]", &format!("Linear<16>; {}", "Tanh; Silu;".repeat(n))), 10);
}
