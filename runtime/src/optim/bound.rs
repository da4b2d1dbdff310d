//! An optimizer with its state for one model.

use super::clip::{self, Clip};
use super::groups::{Groups, Settings};
use super::pass::{MOST_STATES, Mode, ONE_RULE, Pass, Prepare, Prepared, Remembered, Rule, Segment, segments};
use super::table::{ROW, Row, Rows};
use super::{Optimizer, at_least};
use crate::device::cpu::{Arena, Pool};
use crate::device::cuda::{Accelerator, Address, DeviceArena, same};
use crate::engine::{Engine, all_finite};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::Network;
use crate::params;
use crate::plan::{Level, Range, Weights};
use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An optimizer with its state for one model.
///
/// ```no_run
/// # use kiln::prelude::*;
/// # fn f<N: Network>(model: &Model<N>) -> Result<(), Error> {
/// let groups = Groups::new().frozen("layer1.*").lr("fc.*", 1e-2);
/// let mut optimizer = Adam::default().bind(model)?.groups(groups)?.clip_norm(1.0)?;
/// optimizer.config.lr = 1e-4;
/// # Ok(())
/// # }
/// ```
pub struct Bound<O> {
    /// What is written here takes effect on the next step.
    pub config: O,
    pub(super) steps: u64,
    /// As the last step left it, and as the one under way will.
    pub(super) remembered: Remembered,
    pending: Remembered,
    clip: Clip,
    /// By group; the first is everything that no pattern matches.
    pub(super) settings: Vec<Settings>,
    pub(super) groups: Groups,
    rows: Rows,
    table: Vec<Row>,
    pub(super) memory: Memory,
    network: &'static str,
    /// The network's type and its path: two networks may have one name.
    network_type: (TypeId, &'static str),
    pub(super) weights: Weights,
    trainable: usize,
    /// Of all optimizers that were ever bound, and of this one with other groups.
    id: u64,
}

/// What an optimizer remembers between steps, in arenas parallel to the trainable one, made on first use.
pub(super) enum Memory {
    Cpu {
        arenas: Vec<Arena>,
        /// All trainable parameters.
        segments: Vec<Segment>,
        /// Those that no kernel of a training step updates.
        rest: Vec<Segment>,
        rest_ranges: &'static [Range],
        /// Bits of a sum of squares for each segment.
        sums: Vec<AtomicU64>,
    },
    Device {
        device: &'static dyn Accelerator,
        arenas: Vec<DeviceArena>,
        table: DeviceArena,
        /// What it holds.
        uploaded: Vec<Row>,
    },
}

/// What the steps of an optimizer have changed.
pub(crate) struct BoundState {
    pub steps: u64,
    pub number: f64,
    /// Of what it remembers, in order.
    pub names: Vec<String>,
    /// `m.fc.weight`, its shape and values, for each name and trainable parameter.
    pub values: Vec<(String, &'static [usize], Vec<f32>)>,
}

/// What the steps of an optimizer have changed, as it lies in memory.
#[derive(Default)]
pub(crate) struct Kept {
    steps: u64,
    remembered: Remembered,
    arenas: Vec<Vec<f32>>,
}

/// A step as kernels of another device see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recorded {
    pub rule: Rule,
    /// Where its states lie; 0 where it has none.
    pub at: [Address; MOST_STATES],
    /// Where the table lies.
    pub table: Address,
    /// Whose it is: the groups that a graph was made for are this optimizer's.
    pub id: u64,
}

/// What a backend asks of an optimizer.
pub(crate) trait Update {
    /// Makes the next step ready for the CPU. What is returned is used while `params` and the optimizer stay where they are.
    fn prepare(&mut self, params: &mut Arena, level: Level) -> Result<Prepared>;

    /// The prepared step for parameters whose gradients lie in memory: those that no kernel has updated, or all.
    fn sweep(&self, prepared: &Prepared, all: bool, grads: &Arena, pool: &Pool);

    /// The largest norm that all gradients together may have, where there is one. They are clipped before any is used.
    fn max_norm(&self) -> Option<f32>;

    /// The factor that clips these gradients by their norm.
    fn clip(&self, max_norm: f32, grads: &Arena, pool: &Pool) -> f32;

    /// What the next step is for kernels of a device.
    fn record(&mut self) -> Result<Recorded>;

    /// Which row of the table each parameter has.
    fn rows(&self) -> &Rows;

    /// The step that was prepared or recorded was taken.
    fn taken(&mut self);
}

fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl<O: Optimizer> Bound<O> {
    pub(super) fn new<N: Network>(config: O, model: &Model<N>) -> Result<Self> {
        config.check()?;
        let weights = model.engine.weights();
        let memory = match model.engine.accelerator() {
            None => Memory::Cpu {
                arenas: Vec::new(),
                segments: Vec::new(),
                rest: Vec::new(),
                rest_ranges: model.engine.plan.rest,
                sums: Vec::new(),
            },
            Some(device) => {
                Memory::Device { device, arenas: Vec::new(), table: DeviceArena::empty(device), uploaded: Vec::new() }
            }
        };
        let mut bound = Bound {
            config,
            steps: 0,
            remembered: Remembered::default(),
            pending: Remembered::default(),
            clip: Clip::None,
            settings: Vec::new(),
            groups: Groups::new(),
            rows: Rows::new(&weights, &[], |_| 0),
            table: Vec::new(),
            memory,
            network: N::plan().name,
            network_type: (TypeId::of::<N>(), type_name::<N>()),
            weights,
            trainable: model.engine.trainable(),
            id: 0,
        };
        bound.regroup(Groups::new())?;
        Ok(bound)
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// With these parameter groups.
    ///
    /// # Errors
    /// Where a pattern matches no trainable parameter, or a value is out of range; after the first step.
    pub fn groups(mut self, groups: Groups) -> Result<Self> {
        self.regroup(groups)?;
        Ok(self)
    }

    /// Gradients are scaled so that the norm of all of them together is at most `max_norm`, as
    /// `torch.nn.utils.clip_grad_norm_` does it. Takes the place of [`Bound::clip_value`].
    ///
    /// # Errors
    /// Where `max_norm` is not above 0.
    pub fn clip_norm(mut self, max_norm: f64) -> Result<Self> {
        above_zero("clip_norm", max_norm)?;
        self.clip = Clip::Norm(max_norm);
        Ok(self)
    }

    /// Each gradient is clamped to ± `limit`, as `torch.nn.utils.clip_grad_value_` does it. Takes the place of
    /// [`Bound::clip_norm`].
    ///
    /// # Errors
    /// Where `limit` is not above 0.
    pub fn clip_value(mut self, limit: f64) -> Result<Self> {
        above_zero("clip_value", limit)?;
        self.clip = Clip::Value(limit);
        Ok(self)
    }

    fn regroup(&mut self, groups: Groups) -> Result<()> {
        if self.steps > 0 {
            let found = format!("called after {} steps", self.steps);
            return Err(Error::option("Bound::groups", "called before the first step", found));
        }
        let (settings, group) = groups.resolve(self.network, &self.weights)?;
        let of = |name: &str| self.weights.params.iter().position(|t| t.name == name).map_or(0, |place| group[place]);
        self.rows = Rows::new(&self.weights, &settings, |tensor| of(tensor.name));
        self.table = vec![[0.0; ROW]; self.rows.count()];
        self.id = new_id();
        let rows = &self.rows;
        match &mut self.memory {
            Memory::Cpu { segments: all, rest, rest_ranges, sums, .. } => {
                *all = segments(rows.spans().iter().copied());
                *rest = segments(rest_ranges.iter().map(|range| rows.span(range.offset, range.floats)));
                *sums = all.iter().map(|_| AtomicU64::new(0)).collect();
            }
            Memory::Device { device, table, uploaded, .. } => {
                *table = DeviceArena::zeroed(*device, self.table.len() * ROW, "hyper-parameters")?;
                uploaded.clear();
                uploaded.reserve(self.table.len());
            }
        }
        (self.settings, self.groups) = (settings, groups);
        Ok(())
    }

    /// With this clipping, which has been checked.
    pub(crate) fn clipped(self, clip: Clip) -> Result<Self> {
        match clip {
            Clip::None => Ok(self),
            Clip::Value(limit) => self.clip_value(limit),
            Clip::Norm(max_norm) => self.clip_norm(max_norm),
        }
    }

    /// Calls `f` with the optimizer's learning rate, then with those of its groups.
    pub(crate) fn each_lr(&mut self, mut f: impl FnMut(&mut f64)) {
        let mut lr = self.config.lr();
        f(&mut lr);
        self.config.set_lr(lr);
        self.settings.iter_mut().filter_map(|settings| settings.lr.as_mut()).for_each(f);
    }

    /// The learning rates of groups that have their own.
    pub(crate) fn group_rates(&self) -> impl Iterator<Item = f64> + '_ {
        self.settings.iter().filter_map(|settings| settings.lr)
    }

    /// As it was with this configuration and these learning rates of groups.
    pub(crate) fn set_rates(&mut self, config: O, rates: &[f64]) {
        self.config = config;
        self.settings
            .iter_mut()
            .filter_map(|settings| settings.lr.as_mut())
            .zip(rates)
            .for_each(|(lr, rate)| *lr = *rate);
    }

    /// Whether all that it remembers is finite.
    pub(crate) fn is_finite(&self) -> Result<bool> {
        match &self.memory {
            Memory::Cpu { arenas, .. } => Ok(arenas.iter().all(|arena| all_finite(arena))),
            Memory::Device { arenas, .. } => {
                let mut floats = Vec::new();
                for arena in arenas {
                    floats.resize(arena.len(), 0.0);
                    arena.read(0, &mut floats)?;
                    if !all_finite(&floats) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Copies what steps have changed, into memory that is used again.
    pub(crate) fn keep(&self, into: &mut Kept) -> Result<()> {
        (into.steps, into.remembered) = (self.steps, self.remembered);
        let count = match &self.memory {
            Memory::Cpu { arenas, .. } => arenas.len(),
            Memory::Device { arenas, .. } => arenas.len(),
        };
        into.arenas.resize_with(count, Vec::new);
        match &self.memory {
            Memory::Cpu { arenas, .. } => {
                for (copy, arena) in into.arenas.iter_mut().zip(arenas) {
                    copy.clear();
                    copy.extend_from_slice(arena);
                }
            }
            Memory::Device { arenas, .. } => {
                for (copy, arena) in into.arenas.iter_mut().zip(arenas) {
                    copy.resize(arena.len(), 0.0);
                    arena.read(0, copy)?;
                }
            }
        }
        Ok(())
    }

    /// Brings back what [`Bound::keep`] copied. What was first needed later is zero again.
    pub(crate) fn bring_back(&mut self, from: &Kept) -> Result<()> {
        match &mut self.memory {
            Memory::Cpu { arenas, .. } => {
                for (place, arena) in arenas.iter_mut().enumerate() {
                    match from.arenas.get(place) {
                        Some(copy) => arena.copy_from_slice(copy),
                        None => arena.fill(0.0),
                    }
                }
            }
            Memory::Device { arenas, .. } => {
                for (place, arena) in arenas.iter().enumerate() {
                    match from.arenas.get(place) {
                        Some(copy) => arena.write(0, copy)?,
                        None => arena.fill(0.0)?,
                    }
                }
            }
        }
        (self.steps, self.remembered) = (from.steps, from.remembered);
        Ok(())
    }

    /// All that steps have changed, in canonical order.
    pub(crate) fn state(&self) -> Result<BoundState> {
        let names = self.remembered.names;
        let mut values = Vec::new();
        for (place, name) in names.into_iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let floats: Cow<'_, [f32]> = match &self.memory {
                Memory::Cpu { arenas, .. } => Cow::Borrowed(&arenas[place][..]),
                Memory::Device { arenas, .. } => {
                    let mut floats = vec![0.0; arenas[place].len()];
                    arenas[place].read(0, &mut floats)?;
                    Cow::Owned(floats)
                }
            };
            for tensor in self.weights.params.iter().filter(|t| t.trainable) {
                let mut canonical = Vec::with_capacity(params::numel(&tensor.layout));
                let physical = &floats[tensor.offset..tensor.offset + tensor.layout.size];
                params::unpack(&tensor.layout, physical, &mut canonical);
                values.push((format!("{name}.{}", tensor.name), tensor.dims, canonical));
            }
        }
        let (steps, number) = (self.steps, self.remembered.number);
        let names = names.iter().filter(|name| !name.is_empty()).map(|name| (*name).to_owned()).collect();
        Ok(BoundState { steps, number, names, values })
    }

    /// Brings back what `state` of such an optimizer gave; `read` finds values by name.
    pub(crate) fn set_state(
        &mut self,
        (steps, number, names): (u64, f64, &[String]),
        mut read: impl FnMut(&str) -> Result<Vec<f32>>,
    ) -> Result<()> {
        let mut remembered = Remembered { number, ..Remembered::default() };
        let mut states = Vec::with_capacity(names.len().min(MOST_STATES));
        for (place, name) in names.iter().enumerate() {
            let found = O::STATES.iter().copied().find(|known| *known == name.as_str());
            let Some(known) = found.filter(|_| place < MOST_STATES) else {
                let expected = format!("one of {:?}", O::STATES);
                return Err(Error::option("what the optimizer remembers", expected, name));
            };
            remembered.names[place] = known;
            let mut floats = vec![0.0; self.weights.trainable_floats];
            for tensor in self.weights.params.iter().filter(|t| t.trainable) {
                let values = read(&format!("{name}.{}", tensor.name))?;
                params::pack(&tensor.layout, values, &mut floats[tensor.offset..tensor.offset + tensor.layout.size]);
            }
            states.push(floats);
        }
        // All is read before anything changes.
        match &mut self.memory {
            Memory::Cpu { arenas, .. } => {
                arenas.clear();
                for floats in states {
                    let mut arena = Arena::new(floats.len());
                    arena.copy_from_slice(&floats);
                    arenas.push(arena);
                }
            }
            Memory::Device { device, arenas, .. } => {
                arenas.clear();
                for floats in states {
                    let arena = DeviceArena::zeroed(*device, floats.len(), "optimizer state")?;
                    arena.write(0, &floats)?;
                    arenas.push(arena);
                }
            }
        }
        (self.steps, self.remembered) = (steps, remembered);
        Ok(())
    }

    /// Bytes of what it remembers between steps, on the CPU.
    #[doc(hidden)]
    pub fn state_bytes(&self) -> usize {
        match &self.memory {
            Memory::Cpu { arenas, .. } => arenas.iter().map(|arena| size_of_val::<[f32]>(arena)).sum(),
            Memory::Device { .. } => 0,
        }
    }

    /// Whether this optimizer can update a model of `N`, which `engine` is the engine of: then its states are parallel to that network's
    /// trainable arena, and its arenas lie where the parameters do.
    pub(crate) fn check<N: Network>(&self, engine: &Engine) -> Result<()> {
        let network = N::plan().name;
        let (network_type, path) = self.network_type;
        if network_type != TypeId::of::<N>() {
            let (bound, network) =
                if self.network == network { (path, type_name::<N>()) } else { (self.network, network) };
            return Err(Error::ForeignOptimizer {
                bound,
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

    /// What `remembered` became with the rule of the next step, unless that remembers other things than the last one.
    fn agreed(&mut self, remembered: Remembered) -> Result<()> {
        if let Some((known, name)) = remembered.conflict {
            let found = format!("changed: `{name}` would take the place of `{known}`");
            return Err(Error::option("what the optimizer remembers", "as on the steps before", found));
        }
        self.pending = remembered;
        Ok(())
    }
}

impl<O: Optimizer> Update for Bound<O> {
    fn prepare(&mut self, params: &mut Arena, level: Level) -> Result<Prepared> {
        let Memory::Cpu { arenas, .. } = &mut self.memory else { unreachable!("`check` has compared the devices") };
        let (mut prepared, mut remembered) = (None, self.remembered);
        let spans = if self.settings.len() > 1 { self.rows.spans() } else { &[] };
        let floats = self.weights.trainable_floats;
        self.config.update(&mut Pass {
            step: self.steps + 1,
            memory: &mut remembered,
            settings: &self.settings,
            limit: self.clip.limit(),
            maximize: self.config.maximize(),
            table: &mut self.table,
            mode: Mode::Prepare(Prepare { params, states: arenas, spans, floats, level, prepared: &mut prepared }),
        });
        self.agreed(remembered)?;
        Ok(prepared.expect(ONE_RULE))
    }

    fn sweep(&self, prepared: &Prepared, all: bool, grads: &Arena, pool: &Pool) {
        let Memory::Cpu { segments, rest, .. } = &self.memory else { unreachable!("`check` has compared the devices") };
        prepared.sweep(if all { segments } else { rest }, grads, pool);
    }

    fn max_norm(&self) -> Option<f32> {
        self.clip.max_norm()
    }

    fn clip(&self, max_norm: f32, grads: &Arena, pool: &Pool) -> f32 {
        let Memory::Cpu { segments, sums, .. } = &self.memory else { unreachable!("`check` has compared the devices") };
        let norm = clip::norm(segments, &self.rows, sums, grads, pool);
        clip::coefficient(max_norm, norm)
    }

    fn record(&mut self) -> Result<Recorded> {
        let (mut rule, mut remembered) = (None, self.remembered);
        self.config.update(&mut Pass {
            step: self.steps + 1,
            memory: &mut remembered,
            settings: &self.settings,
            limit: self.clip.limit(),
            maximize: self.config.maximize(),
            table: &mut self.table,
            mode: Mode::Record(&mut rule),
        });
        self.agreed(remembered)?;
        let rule = rule.expect(ONE_RULE);
        let Memory::Device { device, arenas, table, uploaded } = &mut self.memory else {
            unreachable!("`check` has compared the devices")
        };
        while arenas.len() < rule.states {
            let what = format!("optimizer state of {}", self.network);
            arenas.push(DeviceArena::zeroed(*device, self.weights.trainable_floats, &what)?);
        }
        if *uploaded != self.table {
            uploaded.clear();
            table.write(0, self.table.as_flattened())?;
            uploaded.extend_from_slice(&self.table);
        }
        let mut at = [0; MOST_STATES];
        for (address, arena) in at.iter_mut().zip(&arenas[..rule.states]) {
            *address = arena.address();
        }
        Ok(Recorded { rule, at, table: table.address(), id: self.id })
    }

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn taken(&mut self) {
        self.steps += 1;
        self.remembered = self.pending;
    }
}

fn above_zero(name: &str, value: f64) -> Result<()> {
    at_least("Bound", name, value, 0.0)?;
    if value as f32 > 0.0 { Ok(()) } else { Err(Error::option(format!("Bound::{name}"), "a number above 0", value)) }
}
