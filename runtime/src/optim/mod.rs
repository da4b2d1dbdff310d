//! Optimizers: plain structs with PyTorch's names, defaults and order of arithmetic (`torch.optim`'s single-tensor path).
//!
//! A configuration is bound to a model, which gives it state: [`Optimizer::bind`]. The configuration stays public in
//! [`Bound::config`], and what is written there takes effect on the next step.
//!
//! An update is element-wise, so it is one pass over the flat arena of trainable parameters, whose padding is zero and
//! stays zero.

mod adam;
mod pass;
mod sgd;

pub use adam::Adam;
#[doc(hidden)]
pub use pass::{Pass, UpdateRule};
pub use sgd::Sgd;

use crate::device::cpu::{Arena, Pool};
use crate::device::cuda::{Accelerator, Address, DeviceArena, same};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::Network;
use crate::plan::Level;
pub(crate) use pass::{MOST_STATES, Prepared, Recorded, ranges};
use pass::{ONE_RULE, Prepare, Segment};
use std::fmt::Debug;

/// How gradients change parameters.
pub trait Optimizer: Clone + Debug + Send + 'static {
    /// The learning rate of the next step.
    fn lr(&self) -> f64;

    /// Whether all options are in range; asked before each step.
    fn check(&self) -> Result<()>;

    /// The update as one pass over the parameters.
    #[doc(hidden)]
    fn update(&self, pass: &mut Pass<'_>);

    /// This configuration with state for the model's parameters.
    fn bind<N: Network>(self, model: &Model<N>) -> Result<Bound<Self>> {
        self.check()?;
        let weights = model.engine.weights();
        let memory = match model.engine.accelerator() {
            None => Memory::Cpu {
                arenas: Vec::new(),
                segments: pass::segments(&ranges(&weights)),
                rest: pass::segments(model.engine.plan.rest),
            },
            Some(device) => Memory::Device { device, arenas: Vec::new() },
        };
        Ok(Bound {
            config: self,
            steps: 0,
            used: 0,
            memory,
            network: N::plan().name,
            floats: weights.trainable_floats,
            trainable: model.engine.trainable(),
        })
    }
}

/// An optimizer with its state for one model.
pub struct Bound<O> {
    /// What is written here takes effect on the next step.
    pub config: O,
    steps: u64,
    /// How many state values have been used so far; they are zero before.
    used: usize,
    memory: Memory,
    network: &'static str,
    floats: usize,
    trainable: usize,
}

/// What an optimizer remembers between steps, in arenas parallel to the trainable one, made on first use.
enum Memory {
    Cpu {
        arenas: Vec<Arena>,
        /// All trainable parameters.
        segments: Vec<Segment>,
        /// Those that no kernel of a training step updates.
        rest: Vec<Segment>,
    },
    Device {
        device: &'static dyn Accelerator,
        arenas: Vec<DeviceArena>,
    },
}

/// What a backend asks of an optimizer.
pub(crate) trait Update {
    /// Makes the next step ready for the CPU. What is returned is used while `params` and the optimizer stay where they are.
    fn prepare(&mut self, params: &mut Arena, level: Level) -> Prepared;

    /// The prepared step for parameters whose gradients lie in memory: those that no kernel has updated, or all.
    fn sweep(&self, prepared: &Prepared, all: bool, grads: &Arena, pool: &Pool);

    /// What the next step is for kernels of a device, and where its states lie there (0 where it has none).
    fn record(&mut self) -> Result<(Recorded, [Address; MOST_STATES])>;

    /// The step that was prepared or recorded was taken; its rule has so many states.
    fn taken(&mut self, states: usize);
}

impl<O: Optimizer> Bound<O> {
    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Bytes of what it remembers between steps, on the CPU.
    #[doc(hidden)]
    pub fn state_bytes(&self) -> usize {
        match &self.memory {
            Memory::Cpu { arenas, .. } => arenas.iter().map(|arena| size_of_val::<[f32]>(arena)).sum(),
            Memory::Device { .. } => 0,
        }
    }

    /// Whether this optimizer can update a model of `N`.
    pub(crate) fn check<N: Network>(&self, engine: &Engine) -> Result<()> {
        let network = N::plan().name;
        if self.network != network || self.trainable != engine.trainable() {
            return Err(Error::ForeignOptimizer {
                bound: self.network,
                network,
                expected: self.trainable,
                found: engine.trainable(),
            });
        }
        let fits = match (&self.memory, engine.accelerator()) {
            (Memory::Cpu { .. }, None) => true,
            (Memory::Device { device, .. }, Some(other)) => same(*device, other),
            (Memory::Cpu { .. }, Some(_)) | (Memory::Device { .. }, None) => false,
        };
        if !fits {
            let name = |device: Option<&dyn Accelerator>| device.map_or("cpu".to_owned(), Accelerator::name);
            let bound = match &self.memory {
                Memory::Cpu { .. } => None,
                Memory::Device { device, .. } => Some(*device),
            };
            let problem =
                format!("the optimizer was bound to a model on {}; help: `bind` it to this model", name(bound));
            return Err(Error::Device { device: name(engine.accelerator().map(|d| d as _)), problem });
        }
        self.config.check()
    }
}

impl<O: Optimizer> Update for Bound<O> {
    fn prepare(&mut self, params: &mut Arena, level: Level) -> Prepared {
        let Memory::Cpu { arenas, .. } = &mut self.memory else { unreachable!("`check` has compared the devices") };
        let (mut prepared, mut used) = (None, self.used);
        let prepare = Prepare { params, states: arenas, floats: self.floats, level, prepared: &mut prepared };
        self.config.update(&mut Pass::prepare(self.steps + 1, &mut used, prepare));
        prepared.expect(ONE_RULE)
    }

    fn sweep(&self, prepared: &Prepared, all: bool, grads: &Arena, pool: &Pool) {
        let Memory::Cpu { segments, rest, .. } = &self.memory else { unreachable!("`check` has compared the devices") };
        prepared.sweep(if all { segments } else { rest }, grads, pool);
    }

    fn record(&mut self) -> Result<(Recorded, [Address; MOST_STATES])> {
        let Memory::Device { device, arenas } = &mut self.memory else {
            unreachable!("`check` has compared the devices")
        };
        let (mut recorded, mut used) = (None, self.used);
        self.config.update(&mut Pass::record(self.steps + 1, &mut used, &mut recorded));
        let recorded = recorded.expect(ONE_RULE);
        while arenas.len() < recorded.states {
            arenas.push(DeviceArena::zeroed(*device, self.floats, &format!("optimizer state of {}", self.network))?);
        }
        let mut addresses = [0; MOST_STATES];
        for (address, arena) in addresses.iter_mut().zip(&arenas[..recorded.states]) {
            *address = arena.address();
        }
        Ok((recorded, addresses))
    }

    fn taken(&mut self, states: usize) {
        self.steps += 1;
        self.used = self.used.max(states);
    }
}

/// `value` in `low..`, and finite.
fn at_least(optimizer: &str, name: &str, value: f64, low: f64) -> Result<()> {
    if value.is_finite() && value >= low {
        return Ok(());
    }
    Err(Error::option(format!("{optimizer}::{name}"), format!("a number, at least {low}"), value))
}
