//! Plans for CUDA run without rustc: a graph is planned, printed and executed on the emulator while the test runs. Arenas and
//! addresses are laid out here as the engine does it.

use kiln::__private::cuda::{Accelerator, Address, KernelId, Node, Region, Run, TEMPLATES, Unit, store_functor};
use kiln::__private::plan;
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::emit::cuda::{Access, Entry, Kernels, launch_list};
use kiln_codegen::emit::tables::{Space, place};
use kiln_codegen::graph::op::Leaf;
use kiln_codegen::graph::{DType, Module, Value};
use kiln_codegen::interpret::{Env, Tensor};
use kiln_codegen::memory::{self, Planned};
use kiln_codegen::schedule::launches::launches;
use kiln_codegen::schedule::{Layout, ParamPlan, Program, Target, schedule};
use std::collections::HashMap;

/// What scratch memory holds before a run: the emulator takes it for never written.
const NAN: u32 = 0x7fc0_0000;

/// A program planned for CUDA.
pub struct Compiled {
    params: ParamPlan,
    planned: Planned,
    kernels: Vec<Unit>,
    launches: Vec<Entry>,
    module: Module,
}

impl Compiled {
    pub fn new(module: &Module, program: &Program, fusion: Fusion, precision: Precision) -> Self {
        let target = Target::cuda(fusion, precision);
        let params = ParamPlan::new(module, target.order);
        let schedule = schedule(module, &params, program, &target);
        let launches = launches(&schedule, &target);
        launches.verify(&schedule).unwrap();
        let memory = memory::plan(&schedule, &launches, target.chunks);
        memory.verify(&schedule, &launches, target.chunks).unwrap();
        let planned = Planned { kind: program.kind, schedule, launches, memory };
        let mut kernels = Kernels::default();
        let launches = launch_list(&planned, &params, &target, &mut kernels);
        let unit = |k: &kiln_codegen::emit::cuda::Kernel| Unit {
            name: k.name.clone(),
            templates: TEMPLATES,
            optimizer: if k.updates { store_functor() } else { String::new() },
            text: k.text.clone(),
            threads: 256,
            shared: k.shared,
        };
        let kernels = kernels.list.iter().map(unit).collect();
        Compiled { params, planned, kernels, launches, module: module.clone() }
    }

    /// These values in canonical order, from these leaves.
    pub fn run(
        &self,
        device: &dyn Accelerator,
        leaves: &HashMap<Leaf, Tensor>,
        env: &Env,
        wanted: &[Value],
    ) -> kiln::Result<Vec<Vec<f64>>> {
        let arenas = Arenas::new(self, device, leaves, env)?;
        let ids = device.load(&self.kernels)?;
        let nodes: Vec<Node> = self.launches.iter().map(|entry| arenas.node(self, entry, &ids)).collect();
        let graph = device.record(&nodes)?;
        // SAFETY: the arenas live until the results are there.
        unsafe { device.launch(graph)? };
        let found = wanted.iter().map(|value| arenas.read(self, *value)).collect();
        device.forget(graph);
        found
    }
}

/// Device memory of one run, freed at its end.
struct Arenas<'d> {
    device: &'d dyn Accelerator,
    batch: usize,
    padded: usize,
    at: HashMap<&'static str, (Address, usize)>,
    ports: Vec<(Address, usize)>,
    run: (Address, usize),
}

impl<'d> Arenas<'d> {
    fn new(c: &Compiled, device: &'d dyn Accelerator, leaves: &HashMap<Leaf, Tensor>, env: &Env) -> kiln::Result<Self> {
        let (batch, padded) = (env.batch, env.batch.next_multiple_of(16));
        let mut arenas = Arenas { device, batch, padded, at: HashMap::new(), ports: Vec::new(), run: (0, 0) };
        let memory = &c.planned.memory;
        for (name, floats) in [
            ("batch", memory.batch_floats * padded),
            ("fixed", memory.fixed_floats),
            ("grads", c.params.trainable_floats),
            ("first", c.params.trainable_floats),
            ("second", c.params.trainable_floats),
            ("third", c.params.trainable_floats),
            ("hyper", 20),
            ("params", c.params.param_floats),
            ("states", c.params.state_floats),
        ] {
            let place = arenas.allocate(floats)?;
            arenas.at.insert(name, place);
        }
        let inputs = c.module.inputs.len();
        for _ in 0..inputs + c.module.targets.len() {
            arenas.ports.push((0, 0));
        }
        for (leaf, tensor) in leaves {
            match *leaf {
                Leaf::Param(p) => {
                    arenas.pack("params", c.params.params[p].offset, &c.params.params[p].layout, tensor)?
                }
                Leaf::State(i) => {
                    arenas.pack("states", c.params.states[i].offset, &c.params.states[i].layout, tensor)?
                }
                Leaf::Input(i) => arenas.port(i, tensor, c.dtype(*leaf))?,
                Leaf::Target(i) => arenas.port(inputs + i, tensor, c.dtype(*leaf))?,
            }
        }
        let run = Run { seed: env.seed, step: env.step, share: 0.0, max_norm: 0.0, mean: 0 };
        let bytes = size_of::<Run>();
        arenas.run = (device.allocate(bytes)?, bytes);
        // SAFETY: `Run` is plain data, and so much was allocated.
        unsafe { device.upload(arenas.run.0, std::slice::from_raw_parts((&raw const run).cast(), bytes))? };
        Ok(arenas)
    }

    fn allocate(&self, floats: usize) -> kiln::Result<(Address, usize)> {
        let bytes = floats.max(1) * 4;
        let at = self.device.allocate(bytes)?;
        // SAFETY: so many words were allocated.
        unsafe { self.device.fill(at, floats.max(1), NAN)? };
        Ok((at, bytes))
    }

    fn pack(&self, arena: &str, offset: usize, layout: &Layout, tensor: &Tensor) -> kiln::Result<()> {
        let mut floats = vec![0.0f32; layout.size];
        for (i, x) in tensor.data.iter().enumerate() {
            floats[layout.offset(i)] = *x as f32;
        }
        self.write(self.at[arena].0 + offset as Address * 4, &floats)
    }

    fn port(&mut self, number: usize, tensor: &Tensor, dtype: DType) -> kiln::Result<()> {
        let floats: Vec<f32> = match dtype {
            DType::F32 => tensor.data.iter().map(|x| *x as f32).collect(),
            DType::I32 | DType::U8 | DType::Bool => {
                tensor.data.iter().map(|x| f32::from_bits(*x as i32 as u32)).collect()
            }
        };
        let place = self.allocate(floats.len())?;
        self.ports[number] = place;
        self.write(place.0, &floats)
    }

    fn write(&self, at: Address, floats: &[f32]) -> kiln::Result<()> {
        // SAFETY: the callers stay within their arena; floats are plain data.
        unsafe { self.device.upload(at, std::slice::from_raw_parts(floats.as_ptr().cast(), size_of_val(floats))) }
    }

    fn address(&self, space: Space, offset: usize) -> Address {
        let arena = |name: &str, offset: usize| self.at[name].0 + offset as Address * 4;
        match space {
            Space::Batch => arena("batch", offset * self.padded),
            Space::Fixed => arena("fixed", offset),
            Space::Derived | Space::Updates => unreachable!("the CPU's"),
            Space::Port => self.ports[offset].0,
            Space::Params => arena("params", offset),
            Space::Grads => arena("grads", offset),
            Space::State => arena("states", offset),
            Space::Optimizer(0) => arena("first", offset),
            Space::Optimizer(1) => arena("second", offset),
            Space::Optimizer(_) => arena("third", offset),
            Space::Hyper => arena("hyper", 0),
        }
    }

    fn node(&self, c: &Compiled, entry: &Entry, ids: &[KernelId]) -> Node {
        let regions: Vec<Region> = entry
            .regions
            .iter()
            .map(|r| Region {
                name: format!("{:?} {}", r.space, r.offset),
                at: self.address(r.space, r.offset),
                bytes: 4 * r.floats * if matches!(r.space, Space::Batch | Space::Port) { self.batch } else { 1 },
                access: match r.access {
                    Access::Read => plan::Access::Read,
                    Access::Write => plan::Access::Write,
                    Access::ReadWrite => plan::Access::ReadWrite,
                },
            })
            .collect();
        Node {
            kernel: ids[entry.kernel],
            name: c.kernels[entry.kernel].name.clone(),
            parts: entry.work.iter().map(|work| work.pieces(self.batch)).collect(),
            args: regions.iter().map(|r| r.at).collect(),
            run: self.run.0,
            batch: self.batch,
            regions,
            after: entry.after.clone(),
        }
    }

    fn read(&self, c: &Compiled, value: Value) -> kiln::Result<Vec<f64>> {
        let s = &c.planned.schedule;
        let (space, offset) = place(s, &c.planned.memory, &c.params, value);
        let (layout, stride, ty) = (s.layout(value), s.sample_stride(value), s.graph().ty(value));
        let samples = if ty.shape.batch { self.batch } else { 1 };
        let mut bytes = vec![0u8; 4 * (layout.size + stride * (samples - 1))];
        // SAFETY: the plan keeps results within their arena.
        unsafe { self.device.download(self.address(space, offset), &mut bytes)? };
        let word = |at: usize| -> [u8; 4] { bytes[4 * at..4 * at + 4].try_into().unwrap() };
        let mut out = Vec::new();
        for sample in 0..samples {
            for i in 0..ty.shape.numel() {
                let word = word(sample * stride + layout.offset(i));
                out.push(match ty.dtype {
                    DType::F32 => f64::from(f32::from_le_bytes(word)),
                    DType::I32 | DType::U8 | DType::Bool => f64::from(i32::from_le_bytes(word)),
                });
            }
        }
        Ok(out)
    }
}

impl Drop for Arenas<'_> {
    fn drop(&mut self) {
        for (at, bytes) in self.at.values().chain(&self.ports).chain([&self.run]) {
            if *bytes > 0 {
                // SAFETY: allocated here; the graph that named it was forgotten.
                unsafe { self.device.free(*at, *bytes) };
            }
        }
    }
}

impl Compiled {
    fn dtype(&self, leaf: Leaf) -> DType {
        let graph = self.planned.schedule.graph();
        graph.leaf(leaf).map_or(DType::F32, |value| graph.ty(value).dtype)
    }

    /// The roots of the program as planning left them, parallel to those it was given.
    pub fn roots(&self) -> Vec<Value> {
        self.planned.schedule.program.roots.all()
    }
}
