//! A device for tests of the engine: its memory is the host's, its kernels are Rust functions, and it keeps account of what
//! it was asked for. New memory is full of NaN.

use super::mini_cuda;
use crate::device::cuda::{Accelerator, Address, GraphId, KernelId, NORM_PIECE, Node, Run, Unit};
use crate::error::{Error, Result};
use crate::optim::{FROZEN, LIMIT, ROW, SCALE, coefficient};
use crate::{Device, Model, Network};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub struct Fake(Mutex<State>);

#[derive(Debug, Default)]
pub struct State {
    memory: BTreeMap<Address, Vec<u64>>,
    units: Vec<Unit>,
    /// Forgotten ones are `None`.
    pub graphs: Vec<Option<Vec<Node>>>,
    /// Names of kernels, call by call.
    pub loads: Vec<Vec<String>>,
    pub launches: Vec<GraphId>,
    /// Where, and how many bytes.
    pub uploads: Vec<(Address, usize)>,
    pub downloads: usize,
    pub allocations: usize,
    /// Allocations above it are refused.
    pub limit: Option<usize>,
}

impl Fake {
    pub fn leak() -> &'static Fake {
        Box::leak(Box::default())
    }

    pub fn model<N: Network>(&'static self, seed: u64) -> Model<N> {
        let mut model = N::new(&Device::Other(self), seed).unwrap();
        model.poison_scratch(true);
        model
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // A test that fails while it holds the lock shall say so itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many graphs were recorded, and how many of them were not forgotten.
    pub fn graphs(&self) -> (usize, usize) {
        (self.graphs.len(), self.graphs.iter().flatten().count())
    }

    fn check(&self, at: Address, bytes: usize) {
        let (start, block) = self.memory.range(..=at).next_back().expect("an address of this device");
        assert!(at + bytes as u64 <= start + 8 * block.len() as u64, "{bytes} bytes from {at} on");
    }
}

impl Drop for State {
    fn drop(&mut self) {
        assert!(self.memory.is_empty(), "memory that was never freed");
    }
}

impl Accelerator for Fake {
    fn name(&self) -> String {
        "fake".into()
    }

    fn allocate(&self, bytes: usize) -> Result<Address> {
        let mut state = self.state();
        if state.limit.is_some_and(|limit| bytes > limit) {
            return Err(Error::Device { device: self.name(), problem: format!("{bytes} bytes are too many") });
        }
        state.allocations += 1;
        let block = vec![u64::from(f32::NAN.to_bits()) * 0x1_0000_0001; bytes.div_ceil(8)];
        let at = block.as_ptr() as Address;
        state.memory.insert(at, block);
        Ok(at)
    }

    unsafe fn free(&self, at: Address, bytes: usize) {
        let block = self.state().memory.remove(&at).expect("an allocation");
        assert_eq!(block.len(), bytes.div_ceil(8));
    }

    unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.check(to, bytes.len());
        state.uploads.push((to, bytes.len()));
        // SAFETY: `check` has found the range in a block, which `state` keeps.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    unsafe fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        let mut state = self.state();
        state.check(from, bytes.len());
        state.downloads += 1;
        // SAFETY: as in `upload`.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn fill(&self, at: Address, words: usize, word: u32) -> Result<()> {
        let state = self.state();
        state.check(at, 4 * words);
        // SAFETY: as in `upload`; blocks are made of `u64`s.
        unsafe { std::slice::from_raw_parts_mut(at as *mut u32, words) }.fill(word);
        Ok(())
    }

    fn load(&self, units: &[Unit]) -> Result<Vec<KernelId>> {
        let mut state = self.state();
        state.loads.push(units.iter().map(|unit| unit.name.clone()).collect());
        let first = state.units.len();
        state.units.extend_from_slice(units);
        Ok((first..first + units.len()).map(KernelId).collect())
    }

    fn record(&self, nodes: &[Node]) -> Result<GraphId> {
        let mut state = self.state();
        for (i, node) in nodes.iter().enumerate() {
            assert!(node.after.iter().all(|before| *before < i), "{node:?}");
            node.regions.iter().for_each(|region| state.check(region.at, region.bytes));
            assert_eq!(state.units[node.kernel.0].name, node.name);
        }
        state.graphs.push(Some(nodes.to_vec()));
        Ok(GraphId(state.graphs.len() - 1))
    }

    unsafe fn launch(&self, graph: GraphId) -> Result<()> {
        let mut state = self.state();
        state.launches.push(graph);
        for node in state.graphs[graph.0].as_ref().expect("a graph that is not forgotten") {
            // SAFETY: `record` has found the regions of its arguments in blocks, and our caller vouches that they are still there.
            unsafe { execute(node, &state.units[node.kernel.0]) };
        }
        Ok(())
    }

    fn forget(&self, graph: GraphId) {
        self.state().graphs[graph.0].take().expect("a graph that is not forgotten");
    }
}

/// The floats that a kernel's argument points to.
///
/// # Safety
/// So many floats are there, and the caller uses one such slice of them at a time.
pub unsafe fn floats<'a>(at: Address, count: usize) -> &'a mut [f32] {
    // SAFETY: our caller's word.
    unsafe { std::slice::from_raw_parts_mut(at as *mut f32, count) }
}

/// # Safety
/// The arguments are those of the kernel's template, or of `mini_cuda`'s kernel, and lie in memory that is there.
unsafe fn execute(node: &Node, unit: &Unit) {
    // SAFETY: the lengths are those that the engine gives these kernels beside their arguments.
    unsafe {
        match node.name.as_str() {
            "kiln_optimizer_pass" => {
                for at in 0..node.batch {
                    let gradient = floats(node.args[2], node.batch)[at];
                    let arenas = [node.args[1], 0, node.args[3], node.args[4], node.args[5]];
                    update(unit, node.args[0], arenas, at, gradient);
                }
            }
            "kiln_accumulate" => {
                let (mean, grads) = (floats(node.args[0], node.batch), floats(node.args[1], node.batch));
                let share = (*(node.run as *const Run)).share;
                for (mean, grad) in mean.iter_mut().zip(grads) {
                    *mean = if share == 1.0 { *grad } else { *mean + (*grad - *mean) * share };
                }
            }
            "kiln_norm" => {
                let pieces = floats(node.args[0], node.batch).chunks(NORM_PIECE);
                for (sum, piece) in floats(node.args[1], node.parts[0]).iter_mut().zip(pieces) {
                    *sum = piece.iter().map(|g| g * g).sum();
                }
            }
            "kiln_clip" => {
                let count = floats(node.args[2], 1)[0] as usize;
                let norm = floats(node.args[1], count).iter().sum::<f32>().sqrt();
                let coefficient = coefficient((*(node.run as *const Run)).max_norm, norm);
                floats(node.args[0], node.batch).iter_mut().for_each(|g| *g *= coefficient);
            }
            _ => mini_cuda::execute(node, unit),
        }
    }
}

/// `KilnOptimizer::update`: params, grads and three states.
///
/// # Safety
/// Element `at` is there in each of them that is not 0, and a row of hyper-parameters.
pub unsafe fn update(unit: &Unit, hyper: Address, arenas: [Address; 5], at: usize, gradient: f32) {
    let [params, grads, states @ ..] = arenas;
    // SAFETY: our caller's word; each slice is dropped before the next of the same memory.
    unsafe {
        if unit.optimizer.contains("typedef KilnStore KilnOptimizer;") {
            floats(grads, at + 1)[at] = gradient;
            return;
        }
        assert!(unit.optimizer.contains("typedef KilnUpdate<KilnRule> KilnOptimizer;"));
        let hyper = floats(hyper, ROW);
        if hyper[FROZEN] != 0.0 {
            return;
        }
        let gradient = (gradient * hyper[SCALE]).clamp(-hyper[LIMIT], hyper[LIMIT]);
        let values = states.map(|state| if state == 0 { 0.0 } else { floats(state, at + 1)[at] });
        let (p, values) = apply(&unit.optimizer, hyper, floats(params, at + 1)[at], gradient, values);
        floats(params, at + 1)[at] = p;
        for (place, value) in states.into_iter().zip(values).filter(|(place, _)| *place != 0) {
            floats(place, at + 1)[at] = value;
        }
    }
}

/// Runs the text of `KilnRule::apply`; a truth is 0 or 1.
fn apply(text: &str, u: &[f32], p: f32, g: f32, [s0, s1, s2]: [f32; 3]) -> (f32, [f32; 3]) {
    let (_, body) = text.split_once("float& s2) {\n").expect("a rule");
    let mut names: HashMap<String, f32> =
        [("p", p), ("g", g), ("s0", s0), ("s1", s1), ("s2", s2)].map(|(n, v)| (n.into(), v)).into();
    names.extend(u.iter().enumerate().map(|(i, value)| (format!("u[{i}]"), *value)));
    for line in body.lines() {
        let line = line.trim().trim_end_matches(';');
        let words: Vec<&str> = line.split(' ').collect();
        let (target, value) = match words.as_slice() {
            ["return", value] => return (atom(value, &names), [names["s0"], names["s1"], names["s2"]]),
            ["const", "float" | "bool", target, "=", value @ ..] | [target, "=", value @ ..] => (*target, value),
            _ => panic!("`{line}`"),
        };
        let at = |i: usize| atom(value[i], &names);
        let result = match *value {
            [_] => at(0),
            [_, "+", _] => at(0) + at(2),
            [_, "-", _] => at(0) - at(2),
            [_, "*", _] => at(0) * at(2),
            [_, "/", _] => at(0) / at(2),
            [_, ">", _] => f32::from(at(0) > at(2)),
            [_, ">", _, "||", _, "!=", _, "?", _, ":", _] => at(if at(0) > at(2) || at(4) != at(6) { 8 } else { 10 }),
            [_, "<", _] => f32::from(at(0) < at(2)),
            [_, "==", _] => f32::from(at(0) == at(2)),
            [_, "!=", _] => f32::from(at(0) != at(2)),
            [_, "?", _, ":", _] => {
                if at(0) != 0.0 {
                    at(2)
                } else {
                    at(4)
                }
            }
            _ => panic!("`{line}`"),
        };
        names.insert(target.into(), result);
    }
    panic!("`return` in\n{text}")
}

fn atom(text: &str, names: &HashMap<String, f32>) -> f32 {
    if let Some((function, inner)) = text.split_once('(') {
        let x = atom(inner.trim_end_matches(')'), names);
        return match function {
            "sqrtf" => x.sqrt(),
            "fabsf" => x.abs(),
            _ => panic!("`{function}`"),
        };
    }
    match text.strip_prefix('-') {
        Some(inner) => -atom(inner, names),
        None => names.get(text).copied().unwrap_or_else(|| text.trim_end_matches('f').parse().unwrap()),
    }
}
