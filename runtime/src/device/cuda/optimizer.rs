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
         KILN_DEV static float apply(const float* u, float p, float g, float& s0, float& s1, float& s2) {{\n{body}  }}\n}};\n\
         {FUNCTORS}\ntypedef KilnUpdate<KilnRule> KilnOptimizer;\n"
    )
}

/// The rule over a range of the arena: its row of the table, params, grads, three states; the batch is the number of elements.
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

/// The mean gradient of several batches: mean, grads; the batch is the number of elements.
pub fn accumulate_unit() -> Unit {
    plain("kiln_accumulate", include_str!("templates/accumulate.cuh"), 0)
}

/// Adds one gradient to another: sum, other; the batch is the number of elements.
pub fn join_unit() -> Unit {
    plain("kiln_join", include_str!("templates/join.cuh"), 0)
}

/// Floats of a sum that [`norm_unit`] makes.
pub const NORM_PIECE: usize = 4096;

/// Sums of squares of gradients, one for each [`NORM_PIECE`]: grads, sums; the batch is the number of elements.
pub fn norm_unit() -> Unit {
    plain("kiln_norm", include_str!("templates/norm.cuh"), WARP_SUMS)
}

/// Clips gradients by their norm: grads, sums of squares, how many; the batch is the number of elements.
pub fn clip_unit() -> Unit {
    plain("kiln_clip", include_str!("templates/clip.cuh"), WARP_SUMS)
}

/// Bytes of a float for each warp of a block.
const WARP_SUMS: usize = THREADS / 32 * size_of::<f32>();

fn plain(name: &str, text: &str, shared: usize) -> Unit {
    Unit {
        name: name.into(),
        templates: TEMPLATES,
        optimizer: String::new(),
        text: text.into(),
        threads: THREADS,
        shared,
    }
}
