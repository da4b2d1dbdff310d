//! CUDA text of optimizers: the functor that kernels call with each gradient, and the kernels over whole arenas.

use super::{TEMPLATES, Unit};

/// Both forms of the functor; a rule's text goes before.
const FUNCTORS: &str = include_str!("templates/optimizer.cuh");

/// Threads of every block.
const THREADS: usize = 256;

/// `KilnOptimizer` that stores the gradient.
pub fn store_functor() -> String {
    format!("{FUNCTORS}\ntypedef KilnStore KilnOptimizer;\n")
}

/// `KilnOptimizer` that applies a rule of so many states; its text is `UpdateRule::CUDA`.
pub fn update_functor(rule: &str, states: usize) -> String {
    let body: String = rule.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "struct KilnRule {{\n  static constexpr int STATES = {states};\n  \
         KILN_DEV static float apply(const float* u, float p, float g, float& s0, float& s1) {{\n{body}  }}\n}};\n\
         {FUNCTORS}\ntypedef KilnUpdate<KilnRule> KilnOptimizer;\n"
    )
}

/// The rule over a range of the arena: params, grads, two states, uniforms; the batch is the number of elements.
pub fn pass_unit(rule: &str, states: usize) -> Unit {
    Unit {
        name: "kiln_optimizer_pass".into(),
        templates: TEMPLATES,
        optimizer: update_functor(rule, states),
        text: include_str!("templates/pass.cuh").into(),
        threads: THREADS,
        shared: 0,
    }
}

/// The mean gradient of several batches: mean, grads, the new batch's share; the batch is the number of elements.
pub fn accumulate_unit() -> Unit {
    Unit {
        name: "kiln_accumulate".into(),
        templates: TEMPLATES,
        optimizer: String::new(),
        text: include_str!("templates/accumulate.cuh").into(),
        threads: THREADS,
        shared: 0,
    }
}
