//! Kernels and graphs that were made already.

use super::Role;
use crate::device::cuda::{
    Accelerator, GraphId, KernelId, Node, TEMPLATES, Unit, accumulate_unit, clip_unit, join_unit, norm_unit, pass_unit,
    store_functor, update_functor,
};
use crate::error::Result;
use crate::optim::{Recorded, Rule};
use crate::plan::{Cuda, CudaProgram};
use std::collections::HashMap;

/// More graphs than this are not kept: optimizers come and go, and each has its own.
const MOST_GRAPHS: usize = 64;

/// What happens to gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flavour {
    /// They are stored.
    Store,
    /// They are stored, and then taken into the mean.
    Accumulate,
    /// The optimizer's rule is applied.
    Update(Recorded),
    /// They are stored, clipped by the norm of all, and then the rule is applied.
    Clip(Recorded),
}

impl Flavour {
    /// The optimizer's step, where it is one.
    pub fn recorded(&self) -> Option<&Recorded> {
        match self {
            Flavour::Store | Flavour::Accumulate => None,
            Flavour::Update(recorded) | Flavour::Clip(recorded) => Some(recorded),
        }
    }

    /// The rule that kernels apply to what they make.
    fn rule(&self) -> Option<Rule> {
        match self {
            Flavour::Update(recorded) => Some(recorded.rule),
            Flavour::Store | Flavour::Accumulate | Flavour::Clip(_) => None,
        }
    }
}

/// What a graph is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    /// `None`: only what follows a program, the optimizer's pass over the mean gradient, or the gathering of gradients.
    pub role: Option<Role>,
    /// Without a program, the mean of the loss that gradients are gathered for.
    pub batch: usize,
    /// Which of the upload buffers it reads.
    pub slot: usize,
    pub flavour: Flavour,
}

/// Graphs by their keys; forgotten by the device with it.
pub(super) struct Graphs {
    device: &'static dyn Accelerator,
    /// The one used last stands last.
    list: Vec<(Key, GraphId)>,
}

impl Graphs {
    pub fn new(device: &'static dyn Accelerator) -> Self {
        Graphs { device, list: Vec::with_capacity(MOST_GRAPHS) }
    }

    pub fn find(&mut self, key: &Key) -> Option<GraphId> {
        let place = self.list.iter().rposition(|(known, _)| known == key)?;
        self.list[place..].rotate_left(1);
        self.list.last().map(|(_, graph)| *graph)
    }

    /// The one used last.
    pub fn last(&self) -> Option<GraphId> {
        self.list.last().map(|(_, graph)| *graph)
    }

    pub fn record(&mut self, key: Key, nodes: &[Node]) -> Result<GraphId> {
        if self.list.len() == MOST_GRAPHS {
            self.device.forget(self.list.remove(0).1);
        }
        let graph = self.device.record(nodes)?;
        self.list.push((key, graph));
        Ok(graph)
    }

    /// Forgets all: an address in them is about to become invalid.
    pub fn clear(&mut self) {
        for (_, graph) in self.list.drain(..) {
            self.device.forget(graph);
        }
    }
}

impl Drop for Graphs {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The kernels that were loaded.
pub(super) struct Kernels {
    device: &'static dyn Accelerator,
    loaded: HashMap<Loaded, KernelId>,
}

/// Which kernel, and for which rule if it makes a difference.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Loaded {
    /// Of the plan, by its number.
    Plan(usize, Option<Rule>),
    Pass(Rule),
    Accumulate,
    Join,
    Norm,
    Clip,
}

impl Kernels {
    pub fn new(device: &'static dyn Accelerator) -> Self {
        Kernels { device, loaded: HashMap::new() }
    }

    /// Loads what a program needs in this flavour, all of it at once. `None` is the optimizer's pass alone.
    pub fn load(&mut self, cuda: &Cuda, program: Option<&CudaProgram>, flavour: &Flavour) -> Result<()> {
        let mut wanted: Vec<Loaded> = Vec::new();
        for launch in program.iter().flat_map(|p| p.variants).flat_map(|v| v.launches) {
            wanted.push(planned(cuda, launch.kernel, flavour));
        }
        let step = cuda.step.as_ref().and_then(|step| step.variants.first());
        if program.is_none() && flavour.recorded().is_some() && step.is_some_and(|v| v.means.len() > 1) {
            wanted.push(Loaded::Join);
        }
        match flavour {
            Flavour::Store => {}
            Flavour::Accumulate => wanted.push(Loaded::Accumulate),
            Flavour::Update(recorded) if program.is_none() || !cuda.rest.is_empty() => {
                wanted.push(Loaded::Pass(recorded.rule));
            }
            Flavour::Update(_) => {}
            Flavour::Clip(recorded) => {
                wanted.extend([Loaded::Norm, Loaded::Clip, Loaded::Pass(recorded.rule)]);
            }
        }
        let mut missing: Vec<Loaded> = Vec::new();
        for kernel in wanted {
            if !self.loaded.contains_key(&kernel) && !missing.contains(&kernel) {
                missing.push(kernel);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let units: Vec<Unit> = missing.iter().map(|kernel| unit(cuda, *kernel)).collect();
        let ids = self.device.load(&units)?;
        self.loaded.extend(missing.into_iter().zip(ids));
        Ok(())
    }

    /// A kernel of the plan that was loaded for this flavour.
    pub fn planned(&self, cuda: &Cuda, kernel: usize, flavour: &Flavour) -> KernelId {
        self.loaded[&planned(cuda, kernel, flavour)]
    }

    pub fn pass(&self, rule: Rule) -> KernelId {
        self.loaded[&Loaded::Pass(rule)]
    }

    pub fn accumulate(&self) -> KernelId {
        self.loaded[&Loaded::Accumulate]
    }

    pub fn join(&self) -> KernelId {
        self.loaded[&Loaded::Join]
    }

    pub fn norm(&self) -> KernelId {
        self.loaded[&Loaded::Norm]
    }

    pub fn clip(&self) -> KernelId {
        self.loaded[&Loaded::Clip]
    }
}

fn planned(cuda: &Cuda, kernel: usize, flavour: &Flavour) -> Loaded {
    Loaded::Plan(kernel, flavour.rule().filter(|_| cuda.kernels[kernel].updates))
}

/// The text of a kernel.
fn unit(cuda: &Cuda, kernel: Loaded) -> Unit {
    let (number, rule) = match kernel {
        Loaded::Plan(number, rule) => (number, rule),
        Loaded::Pass(rule) => return pass_unit(rule.text, rule.states),
        Loaded::Accumulate => return accumulate_unit(),
        Loaded::Join => return join_unit(),
        Loaded::Norm => return norm_unit(),
        Loaded::Clip => return clip_unit(),
    };
    let kernel = &cuda.kernels[number];
    let optimizer = match rule {
        Some(rule) => update_functor(rule.text, rule.states),
        None if kernel.updates => store_functor(),
        None => String::new(),
    };
    Unit {
        name: kernel.name.to_owned(),
        templates: TEMPLATES,
        optimizer,
        text: kernel.text.to_owned(),
        threads: kernel.threads,
        shared: kernel.shared,
    }
}
