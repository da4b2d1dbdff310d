//! A CUDA device for tests: runs the very text of Kiln's kernels on the CPU, and looks for what is wrong with it.
//!
//! [`Emulator`] is an [`Accelerator`] like a GPU. Its kernels are compiled by the machine's C++ compiler behind a prelude
//! of its own (`cxx/prelude.h`); the 256 threads of a block become fibers of one thread (`cxx/machine.cpp`). Threads take
//! turns only where they wait, in an order that [`Settings::schedule`] chooses, and so do nodes of a graph and blocks of a
//! launch: a result that depends on the schedule is a mistake in a kernel or in its launch table.
//!
//! In the checked mode every access of a kernel is looked at (`cxx/check.cpp`). Errors then are: accesses outside the
//! regions of the launch or of what was taken of shared memory, or of the wrong kind; reads of what nobody wrote; races of
//! threads and blocks; read-only loads of what the same launch writes; misaligned accesses; shared memory overwritten
//! while an asynchronous copy to it is under way. In both modes: missing and divergent barriers, threads that take
//! different shared memory or more than declared, and launch tables that leave two nodes on the same memory in no order.

mod compiler;
mod graph;
mod memory;
mod runtime;

use compiler::Compiler;
use kiln::__private::cuda::{Accelerator, Address, GraphId, KernelId, Node, Unit};
use kiln::__private::plan::Access;
use kiln::{Error, Result};
use libloading::Library;
use memory::Memory;
use runtime::{Entry, Order, PRELUDE, Region, Runtime};
use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Threads of every block.
const THREADS: usize = 256;

/// Blocks of a part of a launch unless [`Settings::blocks`] says otherwise.
const BLOCKS: usize = 8;

/// What every CUDA device and driver takes.
const PARAMETER_BYTES: usize = 4096;

/// From here on phases begin anew, and what is known of accesses is dropped: they count barriers in 32 bits.
const LAST_PHASE: u32 = 0xE000_0000;

/// How an emulator runs kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Looks at every access; some twenty times slower.
    pub checked: bool,
    /// 0: in order; 1: reversed; 2: the last released first; above: pseudo-random.
    pub schedule: u64,
    /// Blocks of each part of a launch. `None`: as many as it has pieces of work, at most 8.
    pub blocks: Option<usize>,
}

/// An emulated CUDA device.
pub struct Emulator {
    checked: bool,
    schedule: AtomicU64,
    /// 0 for `None`.
    blocks: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    kernels: Vec<Kernel>,
    ids: HashMap<Unit, KernelId>,
    /// Dropped ones are `None`.
    graphs: Vec<Option<Vec<Node>>>,
    phase: u32,
}

struct Kernel {
    name: CString,
    entry: *const Entry,
    shared: u32,
    object: PathBuf,
    /// What `entry` points into.
    _library: Arc<Library>,
}

// SAFETY: an entry is constant data of a library that the kernel keeps loaded.
unsafe impl Send for Kernel {}

impl Emulator {
    /// A device without anything on it. Whether there is a compiler shows when it loads kernels; see
    /// [`Emulator::available`].
    pub fn new(settings: Settings) -> Self {
        Emulator {
            checked: settings.checked,
            schedule: AtomicU64::new(settings.schedule),
            blocks: AtomicUsize::new(settings.blocks.map_or(0, |blocks| blocks.max(1))),
            state: Mutex::default(),
        }
    }

    /// A device for the rest of the process, which is what a device of the engine is.
    pub fn leak(settings: Settings) -> &'static Self {
        Box::leak(Box::new(Self::new(settings)))
    }

    /// Whether this machine can run it; if not, what was looked for. Tests that need it say so and skip.
    pub fn available() -> Result<(), String> {
        Compiler::find().map(|_| ())
    }

    /// From the next launch on.
    pub fn set_schedule(&self, schedule: u64) {
        self.schedule.store(schedule, Ordering::Relaxed);
    }

    /// From the next launch on.
    pub fn set_blocks(&self, blocks: Option<usize>) {
        self.blocks.store(blocks.map_or(0, |blocks| blocks.max(1)), Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Device { device: self.name(), problem: problem.into() }
    }

    fn outside(&self, what: &str, at: Address, bytes: usize) -> Error {
        self.error(format!("{what} of {bytes} bytes at {at:#x}, which is in no allocation"))
    }

    /// Compiles units that share templates and optimizer, and differ in their names.
    fn compile(&self, units: &[&Unit]) -> Result<Vec<Kernel>, String> {
        let runtime = Runtime::get()?;
        let mut text = String::new();
        let parts =
            PRELUDE.into_iter().chain([("templates", units[0].templates), ("optimizer", units[0].optimizer.as_str())]);
        for (name, part) in parts.chain(units.iter().map(|unit| (unit.name.as_str(), unit.text.as_str()))) {
            text += &format!("#line 1 \"{name}\"\n{part}\n");
        }
        let names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
        let object =
            Compiler::find()?.kernels(&text, self.checked, &runtime.object, &format!("`{}`", names.join("`, `")))?;
        let failed = |e: libloading::Error| format!("{}: {e}", object.display());
        // SAFETY: its only initialiser tells the runtime that there is instrumentation, which the runtime knows.
        let library = Arc::new(unsafe { Library::new(&object) }.map_err(failed)?);
        let load = |unit: &&Unit| {
            let symbol = format!("kiln_entry_{}", unit.name);
            // SAFETY: `KILN_KERNEL` defines a constant of this type.
            let entry = *unsafe { library.get::<*const Entry>(symbol.as_bytes()) }
                .map_err(|e| format!("the text of `{}` has no KILN_KERNEL of this name: {e}", unit.name))?;
            let name = CString::new(unit.name.as_str()).map_err(|e| e.to_string())?;
            let shared = u32::try_from(unit.shared).map_err(|e| e.to_string())?;
            Ok(Kernel { name, entry, shared, object: object.clone(), _library: library.clone() })
        };
        units.iter().map(load).collect()
    }

    /// Runs a node.
    fn start(&self, state: &mut State, node: &Node, schedule: u64) -> Result<(), String> {
        let State { memory, kernels, phase, .. } = state;
        if *phase > LAST_PHASE {
            *phase = 0;
            memory.forget_accesses();
        }
        let kernel = &kernels[node.kernel.0];
        let chosen = self.blocks.load(Ordering::Relaxed);
        let blocks: Vec<u32> =
            node.parts.iter().map(|&work| if chosen > 0 { chosen } else { work.clamp(1, BLOCKS) } as u32).collect();
        let (launch, count) = launch_bytes(node, &blocks);
        let named = graph::regions(node);
        let names: Vec<CString> = named
            .iter()
            .map(|region| CString::new(region.name.replace('\0', " ")).expect("no zeros are left"))
            .collect();
        let mut regions = Vec::with_capacity(named.len());
        for (region, name) in named.iter().zip(&names) {
            let place = || format!("region `{}` of node `{}`", region.name, node.name);
            let Some((block, offset)) = memory.find(region.at, region.bytes) else {
                return Err(format!("{} is in no allocation: {} bytes at {:#x}", place(), region.bytes, region.at));
            };
            if offset % 4 != 0 {
                return Err(format!("{} begins at {:#x}, which is no multiple of 4", place(), region.at));
            }
            let (written, cells) = block.shadow(offset);
            regions.push(Region {
                at: region.at as *mut u8,
                bytes: region.bytes as u64,
                readable: u32::from(region.access != Access::Write),
                writable: u32::from(region.access != Access::Read),
                name: name.as_ptr(),
                written,
                cells,
            });
        }
        let mut order = Order {
            entry: kernel.entry,
            kernel: kernel.name.as_ptr(),
            launch: launch.as_ptr(),
            blocks: count,
            shared: kernel.shared,
            schedule,
            regions: regions.as_ptr(),
            region_count: regions.len() as u64,
            phase: *phase,
            failed: 0,
            failed_at: 0,
            message: [0 as c_char; 1024],
        };
        // SAFETY: the pointers are those of values that live here, and `state` is locked.
        let done = unsafe { Runtime::get()?.launch(&mut order) };
        *phase = order.phase;
        done.map_err(|problem| {
            let place = (order.failed_at != 0).then(|| compiler::place(&kernel.object, order.failed_at)).flatten();
            let place = place.map(|place| format!(" (at {place})")).unwrap_or_default();
            format!("node `{}`: {problem}{place}", node.name)
        })
    }
}

/// A `KilnLaunch` as it lies in memory, and the number of blocks.
fn launch_bytes(node: &Node, blocks: &[u32]) -> (Vec<u64>, u32) {
    let mut words = vec![node.batch as u32, 0];
    for blocks in blocks {
        words.push(words[words.len() - 1] + blocks);
    }
    let count = words[words.len() - 1];
    if words.len() % 2 == 1 {
        words.push(0);
    }
    let pairs = words.chunks_exact(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32);
    (node.args.iter().copied().chain([node.run]).chain(pairs).collect(), count)
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Accelerator for Emulator {
    fn name(&self) -> String {
        format!("cuda emulator{}", if self.checked { " (checked)" } else { "" })
    }

    fn allocate(&self, bytes: usize) -> Result<Address> {
        let at = self.state().memory.allocate(bytes, self.checked);
        at.ok_or_else(|| self.error(format!("no memory for {bytes} bytes")))
    }

    unsafe fn free(&self, at: Address, _bytes: usize) {
        self.state().memory.free(at);
    }

    unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        let (block, offset) =
            state.memory.find(to, bytes.len()).ok_or_else(|| self.outside("an upload", to, bytes.len()))?;
        block.upload(offset, bytes);
        Ok(())
    }

    unsafe fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        let mut state = self.state();
        let (block, offset) =
            state.memory.find(from, bytes.len()).ok_or_else(|| self.outside("a download", from, bytes.len()))?;
        block.download(offset, bytes);
        Ok(())
    }

    unsafe fn fill(&self, at: Address, words: usize, word: u32) -> Result<()> {
        let mut state = self.state();
        let (block, offset) = state.memory.find(at, words * 4).ok_or_else(|| self.outside("a fill", at, words * 4))?;
        block.fill(offset, words, word);
        Ok(())
    }

    fn load(&self, units: &[Unit]) -> Result<Vec<KernelId>> {
        let mut state = self.state();
        if let Some(unit) = units.iter().find(|unit| unit.threads != THREADS) {
            let problem = format!("kernel `{}` has {} threads, expected {THREADS}", unit.name, unit.threads);
            return Err(self.error(problem));
        }
        // What can be one translation unit.
        let mut groups: Vec<Vec<&Unit>> = Vec::new();
        for unit in units {
            if state.ids.contains_key(unit) || groups.iter().flatten().any(|known| *known == unit) {
                continue;
            }
            let fits = |group: &&mut Vec<&Unit>| {
                group.iter().all(|known| {
                    known.templates == unit.templates && known.optimizer == unit.optimizer && known.name != unit.name
                })
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(unit),
                None => groups.push(vec![unit]),
            }
        }
        // Two compilers at a time: as many cores has the smallest machine.
        let halves: Vec<&[&Unit]> = groups
            .iter()
            .flat_map(|group| {
                let (one, other) = group.split_at(if group.len() > 3 { group.len() / 2 } else { 0 });
                [one, other]
            })
            .filter(|half| !half.is_empty())
            .collect();
        let compiled: Vec<Result<Vec<Kernel>, String>> = std::thread::scope(|scope| {
            let started: Vec<_> = halves.iter().map(|half| scope.spawn(|| self.compile(half))).collect();
            started.into_iter().map(|one| one.join().expect("compiling does not panic")).collect()
        });
        for (half, kernels) in halves.iter().zip(compiled) {
            for (unit, kernel) in half.iter().zip(kernels.map_err(|problem| self.error(problem))?) {
                let id = KernelId(state.kernels.len());
                state.kernels.push(kernel);
                state.ids.insert((*unit).clone(), id);
            }
        }
        Ok(units.iter().map(|unit| state.ids[unit]).collect())
    }

    fn record(&self, nodes: &[Node]) -> Result<GraphId> {
        let mut state = self.state();
        for node in nodes {
            let Some(kernel) = state.kernels.get(node.kernel.0) else {
                return Err(self.error(format!("node `{}` names {:?}, which is not loaded", node.name, node.kernel)));
            };
            // SAFETY: the library is loaded.
            let entry = unsafe { &*kernel.entry };
            let (args, parts) = (entry.args as usize, entry.parts as usize);
            let found = (node.args.len(), node.parts.len());
            if found != (args, parts) {
                let problem = format!(
                    "node `{}`: kernel {:?} expects {args} pointers and {parts} parts, found {} and {}",
                    node.name, kernel.name, found.0, found.1
                );
                return Err(self.error(problem));
            }
            let bytes = 8 * launch_bytes(node, &vec![1; parts]).0.len();
            if bytes != entry.launch_bytes as usize {
                let problem = format!(
                    "node `{}`: KilnLaunch<{args}, {parts}> has {} bytes, the host writes {bytes}",
                    node.name, entry.launch_bytes
                );
                return Err(self.error(problem));
            }
            if bytes > PARAMETER_BYTES {
                let problem = format!(
                    "node `{}`: a kernel takes {PARAMETER_BYTES} bytes of parameters, KilnLaunch<{args}, {parts}> has {bytes}",
                    node.name
                );
                return Err(self.error(problem));
            }
        }
        graph::check(nodes).map_err(|problem| self.error(problem))?;
        state.graphs.push(Some(nodes.to_vec()));
        Ok(GraphId(state.graphs.len() - 1))
    }

    unsafe fn launch(&self, graph: GraphId) -> Result<()> {
        let mut state = self.state();
        let Some(nodes) = state.graphs.get_mut(graph.0).and_then(Option::take) else {
            return Err(self.error(format!("{graph:?} was not recorded, or was forgotten")));
        };
        let schedule = self.schedule.load(Ordering::Relaxed);
        let mut order = graph::order(&nodes, schedule).into_iter();
        let done = order.try_for_each(|i| self.start(&mut state, &nodes[i], schedule));
        state.graphs[graph.0] = Some(nodes);
        done.map_err(|problem| self.error(problem))
    }

    fn forget(&self, graph: GraphId) {
        if let Some(nodes) = self.state().graphs.get_mut(graph.0) {
            *nodes = None;
        }
    }
}
