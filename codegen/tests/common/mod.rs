//! Finite differences on the interpreter.

#[allow(dead_code, reason = "not every test crate uses it")]
pub mod network;

use kiln_codegen::autodiff::gradients;
use kiln_codegen::graph::builder::Builder;
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::verify::verify;
use kiln_codegen::graph::{DType, Graph, Shape, Type, Value};
use kiln_codegen::interpret::{Env, Tensor, run, uniform};
use std::collections::HashMap;

/// Numbers in (-1, 1) without ties, the same for the same name.
pub fn numbers(name: u32, shape: &Shape, batch: usize) -> Tensor {
    let n = shape.numel() as u32;
    Tensor::from_fn(shape.clone(), batch, |s, i| {
        f64::from(uniform(7, 1, name, s as u32, i as u32 % n.max(1))) * 1.9 - 0.95
    })
}

/// A graph with leaves of known values.
#[allow(dead_code, reason = "not every test crate uses it")]
pub struct Bench {
    pub graph: Graph,
    pub leaves: HashMap<Leaf, Tensor>,
    pub batch: usize,
    wrt: Vec<Value>,
}

#[allow(dead_code, reason = "not every test crate uses it")]
impl Bench {
    pub fn new(batch: usize) -> Bench {
        Bench { graph: Graph::default(), leaves: HashMap::new(), batch, wrt: Vec::new() }
    }

    pub fn builder(&mut self) -> Builder<'_> {
        Builder { graph: &mut self.graph, source: Default::default(), layer: "test".into() }
    }

    fn leaf(&mut self, leaf: Leaf, dtype: DType, tensor: Tensor) -> Value {
        let ty = Type { dtype, shape: tensor.shape.clone() };
        let value = self.graph.push_leaf(leaf, ty, Default::default(), "");
        self.leaves.insert(leaf, tensor);
        value
    }

    /// A differentiated leaf: an input with a batch, else a parameter.
    pub fn float(&mut self, shape: Shape) -> Value {
        let number = self.leaves.len();
        let leaf = if shape.batch { Leaf::Input(number) } else { Leaf::Param(number) };
        let tensor = numbers(number as u32, &shape, self.batch);
        let value = self.leaf(leaf, DType::F32, tensor);
        self.wrt.push(value);
        value
    }

    /// Integers below `below`; a batch is required.
    pub fn integer(&mut self, shape: Shape, below: usize) -> Value {
        let number = self.leaves.len();
        let mut tensor = numbers(number as u32, &shape, self.batch);
        tensor.data.iter_mut().for_each(|x| *x = ((*x + 1.0) / 2.0 * below as f64).floor());
        self.leaf(Leaf::Target(number), DType::I32, tensor)
    }

    /// The weighted sum of every element of `out`: a loss whose gradient differs everywhere.
    pub fn weighted(&mut self, out: Value) -> Value {
        let shape = self.graph.shape(out).clone();
        let number = self.leaves.len();
        let leaf = if shape.batch { Leaf::Input(number) } else { Leaf::Param(number) };
        let tensor = numbers(number as u32, &shape, self.batch);
        let weights = self.leaf(leaf, DType::F32, tensor);
        let mut b = self.builder();
        let product = b.mul(out, weights);
        let axes: Vec<usize> = (0..shape.rank()).collect();
        let sum = b.sum(product, &axes, shape.batch);
        b.reshape(sum, &[])
    }

    fn env(&self) -> Env {
        Env { seed: 3, ..Env::batch(self.batch) }
    }

    /// Gradients of `loss` by every float leaf against central differences, at up to `most` elements of each.
    pub fn check_loss(mut self, name: &str, loss: Value, most: usize) {
        let wrt = self.wrt.clone();
        let found = gradients(&mut self.graph, loss, &wrt);
        if let Err(why) = verify(&self.graph) {
            panic!("{name}: {why}");
        }
        let env = self.env();
        let text = self.graph.to_string();
        let fail = |why: String| -> ! { panic!("{name}: {why}\n{text}") };
        for (leaf_value, gradient) in wrt.iter().zip(&found) {
            let Op::Leaf(leaf) = self.graph.node(*leaf_value).op else { fail(format!("{leaf_value} is no leaf")) };
            let analytic = gradient.map(|g| {
                if self.graph.shape(g) != self.graph.shape(*leaf_value) {
                    fail(format!("the gradient of {leaf_value} is {g}, of another shape"));
                }
                run(&self.graph, &self.leaves, &[g], &env).unwrap_or_else(|why| fail(why)).remove(0)
            });
            let count = self.leaves[&leaf].data.len();
            let step = count.div_ceil(most).max(1);
            for i in (0..count).step_by(step) {
                let mut at = |h: f64| {
                    let old = self.leaves[&leaf].data[i];
                    self.leaves.get_mut(&leaf).unwrap().data[i] = old + h;
                    let result = run(&self.graph, &self.leaves, &[loss], &env).unwrap_or_else(|why| fail(why));
                    self.leaves.get_mut(&leaf).unwrap().data[i] = old;
                    result[0].data[0]
                };
                let h = 1e-5;
                let numeric = (at(h) - at(-h)) / (2.0 * h);
                let symbolic = analytic.as_ref().map_or(0.0, |t| t.data[i]);
                if (numeric - symbolic).abs() > 2e-6 * (1.0 + numeric.abs()) || symbolic.is_nan() {
                    fail(format!("{leaf_value}[{i}]: differences give {numeric}, the gradient is {symbolic}"));
                }
            }
        }
    }

    pub fn check(mut self, name: &str, out: Value) {
        let loss = self.weighted(out);
        self.check_loss(name, loss, 40);
    }
}
