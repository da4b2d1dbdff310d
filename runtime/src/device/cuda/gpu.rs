//! A GPU through NVIDIA's driver: one context, one stream, graphs of kernels that NVRTC compiled.

mod driver;
mod graph;
mod staging;

use super::{Accelerator, Address, Cache, GraphId, KernelId, Node, Nvrtc, Unit, compile_all};
use crate::error::{Error, Result};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute, CUfunction_attribute_enum as FunctionAttribute};
use driver::{Driver, problem};
use graph::{Exec, Launch};
use staging::Staging;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, c_int};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `off`: no GPU is used, as if there were none.
const VARIABLE: &str = "KILN_CUDA";

/// The oldest GPUs that have what the kernels use: asynchronous copies, tensor cores for tf32 and bfloat16.
const OLDEST: (i32, i32) = (8, 0);

/// Blocks of a launch's part at most: 16 for each of an H100's 132 multiprocessors. A phase takes any number.
const MOST_BLOCKS: usize = 2112;

/// More dynamic shared memory than this must be asked for.
const USUAL_SHARED: usize = 48 * 1024;

/// The device of that number, opened once. Nothing is remembered of a failure.
///
/// # Errors
/// [`Error::Device`] says what was looked for, where, and what was found.
pub(super) fn open(number: usize) -> Result<&'static Gpu> {
    static OPEN: Mutex<BTreeMap<usize, &'static Gpu>> = Mutex::new(BTreeMap::new());
    match std::env::var_os(VARIABLE) {
        Some(value) if value == "off" => {
            let problem = format!("{VARIABLE} = off; help: unset it, or use Device::cpu()");
            return Err(Error::Device { device: format!("cuda:{number}"), problem });
        }
        Some(value) if value != "on" => {
            return Err(Error::option(VARIABLE, "`off` or `on`", format!("`{}`", value.to_string_lossy())));
        }
        _ => {}
    }
    let mut open = locked(&OPEN);
    if let Some(gpu) = open.get(&number) {
        return Ok(gpu);
    }
    let gpu = Gpu::open(number)?;
    Ok(open.entry(number).or_insert(Box::leak(Box::new(gpu))))
}

/// A panic elsewhere leaves these tables whole: they change by single insertions.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loaded kernel. Modules are never unloaded.
#[derive(Clone, Copy)]
struct Kernel {
    function: sys::CUfunction,
    threads: usize,
    shared: usize,
}

#[derive(Default)]
struct Kernels {
    all: Vec<Kernel>,
    known: HashMap<Unit, KernelId>,
}

pub(super) struct Gpu {
    number: usize,
    name: String,
    driver: Driver,
    nvrtc: &'static Nvrtc,
    cache: Cache,
    /// `sm_90a`
    architecture: String,
    /// Whether a graph's kernels may start before the ones they wait for are complete.
    programmatic: bool,
    /// Dynamic shared memory of a block in bytes, at most.
    most_shared: usize,
    context: sys::CUcontext,
    stream: sys::CUstream,
    staging: Mutex<Staging>,
    kernels: Mutex<Kernels>,
    graphs: Mutex<BTreeMap<usize, Exec>>,
}

// SAFETY: the driver's handles may be used from any thread in whose calls the context is current ([`Gpu::current`]);
// what is changed lies behind locks.
unsafe impl Send for Gpu {}
// SAFETY: all methods take `&self`, and what they change is behind a `Mutex`; the driver serialises its own calls.
unsafe impl Sync for Gpu {}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}, {:?}", self.name(), self.architecture, self.driver, self.nvrtc)
    }
}

impl Gpu {
    fn open(number: usize) -> Result<Gpu> {
        let error = |problem: String| Error::Device { device: format!("cuda:{number}"), problem };
        let driver = Driver::start().map_err(error)?;
        let device = driver.device(number).map_err(error)?;
        let name = result::device::get_name(device).map_err(|e| error(problem("the device's name", e)))?;
        let attribute = |attribute: Attribute| {
            // SAFETY: the device is one of the driver's.
            unsafe { result::device::get_attribute(device, attribute) }
                .map_err(|e| error(problem(&format!("{attribute:?}"), e)))
        };
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        if (major, minor) < OLDEST {
            return Err(error(format!(
                "kernels need compute capability {}.{} or newer, but {name} has {major}.{minor}",
                OLDEST.0, OLDEST.1
            )));
        }
        let most_shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let nvrtc = Nvrtc::find_for(Some(driver.major())).map_err(|e| match e {
            Error::Device { problem, .. } => error(problem),
            other => other,
        })?;
        let architecture = nvrtc.architecture(major, minor).ok_or_else(|| {
            error(format!(
                "{nvrtc:?} cannot compile for compute capability {major}.{minor} of {name}; help: a newer NVRTC"
            ))
        })?;

        let context = driver.context(device).map_err(|e| error(problem("the context", e)))?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking);
        let stream = stream.map_err(|e| error(problem("the stream", e)))?;
        Ok(Gpu {
            number,
            name,
            programmatic: driver.has_edge_data() && major >= 9,
            driver,
            nvrtc,
            cache: Cache::of_this_machine(),
            architecture,
            most_shared: most_shared.max(0) as usize,
            context,
            stream,
            staging: Mutex::default(),
            kernels: Mutex::default(),
            graphs: Mutex::default(),
        })
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Device { device: self.name(), problem: problem.into() }
    }

    fn failed(&self, doing: impl fmt::Display) -> impl FnOnce(DriverError) -> Error {
        move |e| self.error(problem(&doing.to_string(), e))
    }

    /// Makes the context the calling thread's.
    fn current(&self) -> Result<()> {
        // SAFETY: the context is never destroyed.
        unsafe { result::ctx::set_current(self.context) }.map_err(self.failed("entering the context"))
    }

    /// Waits for all that was asked before.
    fn wait(&self) -> Result<()> {
        // SAFETY: the stream is never destroyed.
        unsafe { result::stream::synchronize(self.stream) }.map_err(self.failed("waiting for the device"))
    }

    fn kernel(&self, unit: &Unit, cubin: &[u8]) -> Result<Kernel> {
        let name = &unit.name;
        if unit.shared > self.most_shared {
            return Err(self.error(format!(
                "kernel `{name}` wants {} bytes of shared memory per block, but the device has {}",
                unit.shared, self.most_shared
            )));
        }
        let entry =
            CString::new(name.as_str()).map_err(|_| self.error(format!("kernel {name:?} has a NUL in its name")))?;
        // SAFETY: the image is a whole CUBIN, which the driver copies; the module stays loaded.
        let function = unsafe {
            let module = result::module::load_data(cubin.as_ptr().cast()).map_err(self.failed(format_args!(
                "loading kernel `{name}`, made by {} for {}, into {}",
                self.nvrtc, self.architecture, self.driver
            )))?;
            result::module::get_function(module, entry).map_err(self.failed(format_args!("finding kernel `{name}`")))?
        };
        let most = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK;
        // SAFETY: the function was just loaded.
        let most = unsafe { result::function::get_function_attribute(function, most) };
        let most = most.map_err(self.failed(format_args!("asking about kernel `{name}`")))?;
        if unit.threads > most.max(0) as usize {
            let threads = unit.threads;
            return Err(
                self.error(format!("kernel `{name}` has blocks of {threads} threads, but can have {most} here"))
            );
        }
        if unit.shared > USUAL_SHARED {
            let attribute = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just loaded, and the driver checks the number.
            unsafe { result::function::set_function_attribute(function, attribute, unit.shared as c_int) }
                .map_err(self.failed(format_args!("giving kernel `{name}` {} bytes of shared memory", unit.shared)))?;
        }
        Ok(Kernel { function, threads: unit.threads, shared: unit.shared })
    }
}

impl Accelerator for Gpu {
    fn name(&self) -> String {
        format!("cuda:{} ({})", self.number, self.name)
    }

    fn allocate(&self, bytes: usize) -> Result<Address> {
        self.current()?;
        // SAFETY: the context is current. Nothing is asked for as one byte, to have an address of its own.
        unsafe { result::malloc_sync(bytes.max(1)) }.map_err(|e| {
            if e.0 != sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                return self.failed(format_args!("allocating {bytes} bytes"))(e);
            }
            match result::mem_get_info() {
                Ok((free, total)) => self.error(format!(
                    "not enough memory: {bytes} bytes are wanted, {free} of {total} are free; help: a smaller batch"
                )),
                Err(_) => self.error(format!("not enough memory: {bytes} bytes are wanted; help: a smaller batch")),
            }
        })
    }

    unsafe fn free(&self, at: Address, _bytes: usize) {
        // What runs may still use it. An error would be told by the next call that can tell one.
        if self.current().is_ok() && self.wait().is_ok() {
            // SAFETY: our caller vouches that it was allocated, and that no graph with it is launched again; what was
            // launched is done.
            let _ = unsafe { result::free_sync(at) };
        }
    }

    unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()> {
        self.current()?;
        // SAFETY: our caller vouches for the range on the device; the context is current.
        unsafe { locked(&self.staging).upload(to, bytes, self.stream) }.map_err(self.failed("uploading"))
    }

    unsafe fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        self.current()?;
        // SAFETY: our caller vouches for the range on the device; the context is current.
        unsafe { locked(&self.staging).download(from, bytes, self.stream) }.map_err(self.failed("downloading"))
    }

    unsafe fn fill(&self, at: Address, words: usize, word: u32) -> Result<()> {
        if words == 0 {
            return Ok(());
        }
        self.current()?;
        // SAFETY: our caller vouches for the range on the device; the context is current.
        unsafe { sys::cuMemsetD32Async(at, word, words, self.stream) }.result().map_err(self.failed("filling memory"))
    }

    fn load(&self, units: &[Unit]) -> Result<Vec<KernelId>> {
        self.current()?;
        let mut kernels = locked(&self.kernels);
        let mut new: Vec<Unit> = Vec::new();
        for unit in units {
            if !kernels.known.contains_key(unit) && !new.contains(unit) {
                new.push(unit.clone());
            }
        }
        let cubins = compile_all(self.nvrtc, &self.cache, &new, &self.architecture)?;
        for (unit, cubin) in new.into_iter().zip(&cubins) {
            let kernel = self.kernel(&unit, cubin)?;
            let id = KernelId(kernels.all.len());
            kernels.all.push(kernel);
            kernels.known.insert(unit, id);
        }
        Ok(units.iter().map(|unit| kernels.known[unit]).collect())
    }

    fn record(&self, nodes: &[Node]) -> Result<GraphId> {
        self.current()?;
        let edges = graph::edges(nodes, self.programmatic).map_err(|problem| self.error(problem))?;
        let kernels = locked(&self.kernels);
        let launches: Result<Vec<Launch>> = nodes
            .iter()
            .map(|node| {
                let unknown = || self.error(format!("`{}`: there is no kernel {}", node.name, node.kernel.0));
                let kernel = kernels.all.get(node.kernel.0).ok_or_else(unknown)?;
                Launch::of(node, *kernel, MOST_BLOCKS).map_err(|problem| self.error(problem))
            })
            .collect();
        // SAFETY: the kernels are loaded in the current context.
        let exec = unsafe { Exec::of(&launches?, &edges) }.map_err(|(node, e)| {
            let place = node.map_or_else(String::new, |node| format!(": `{}`", nodes[node].name));
            self.error(problem(&format!("recording a graph{place}"), e))
        })?;
        let mut graphs = locked(&self.graphs);
        let id = graphs.last_key_value().map_or(0, |(last, _)| last + 1);
        graphs.insert(id, exec);
        Ok(GraphId(id))
    }

    unsafe fn launch(&self, graph: GraphId) -> Result<()> {
        self.current()?;
        let graphs = locked(&self.graphs);
        let exec = graphs.get(&graph.0).ok_or_else(|| self.error(format!("there is no graph {}", graph.0)))?;
        // SAFETY: the graph is whole and in the map, and our caller vouches for the addresses in its nodes.
        unsafe { exec.launch(self.stream) }.map_err(self.failed("launching a graph"))
    }

    fn forget(&self, graph: GraphId) {
        let exec = locked(&self.graphs).remove(&graph.0);
        // Dropping it needs the context.
        let _ = self.current();
        drop(exec);
    }

    unsafe fn time(&self, graph: GraphId, launches: usize) -> Result<Option<f64>> {
        self.current()?;
        let events = driver::Events::new().map_err(self.failed("making events"))?;
        events.start(self.stream).map_err(self.failed("recording an event"))?;
        for _ in 0..launches {
            // SAFETY: our caller vouches for the addresses in the graph's nodes, at each launch alike.
            unsafe { self.launch(graph)? };
        }
        self.driver.elapsed(&events, self.stream).map(Some).map_err(self.failed("reading events"))
    }
}
