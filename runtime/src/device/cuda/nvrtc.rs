//! CUDA C++ to CUBIN, machine code for one architecture, through NVRTC. Needs no GPU and no driver.

use super::cache::{Cache, Key};
use super::library::Places;
use super::{PRELUDE, Unit};
use crate::error::{Error, Result};
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::path::PathBuf;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

type Program = *mut c_void;

/// NVRTC's functions. A status of 0 is success.
struct Functions {
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    log_size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    log: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    cubin_size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    cubin: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    error: unsafe extern "C" fn(c_int) -> *const c_char,
    architectures: Vec<i32>,
    version: (i32, i32),
}

impl Functions {
    /// # Safety
    /// `library` is NVRTC.
    unsafe fn of(library: &Library) -> Result<Functions, libloading::Error> {
        // SAFETY: these are the types of NVRTC's header since version 11.2; the pointers are valid for what is asked.
        unsafe {
            let mut version = (0, 0);
            library.get::<unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int>(c"nvrtcVersion")?(
                &mut version.0,
                &mut version.1,
            );
            let mut count = 0;
            library.get::<unsafe extern "C" fn(*mut c_int) -> c_int>(c"nvrtcGetNumSupportedArchs")?(&mut count);
            let mut architectures = vec![0; count.max(0) as usize];
            let list = architectures.as_mut_ptr();
            library.get::<unsafe extern "C" fn(*mut c_int) -> c_int>(c"nvrtcGetSupportedArchs")?(list);
            Ok(Functions {
                create: *library.get(c"nvrtcCreateProgram")?,
                compile: *library.get(c"nvrtcCompileProgram")?,
                destroy: *library.get(c"nvrtcDestroyProgram")?,
                log_size: *library.get(c"nvrtcGetProgramLogSize")?,
                log: *library.get(c"nvrtcGetProgramLog")?,
                cubin_size: *library.get(c"nvrtcGetCUBINSize")?,
                cubin: *library.get(c"nvrtcGetCUBIN")?,
                error: *library.get(c"nvrtcGetErrorString")?,
                architectures,
                version,
            })
        }
    }
}

/// The compiler.
pub struct Nvrtc {
    functions: Functions,
    path: PathBuf,
    /// Kept open: the functions are its.
    _library: Library,
}

impl fmt::Debug for Nvrtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.path.display())
    }
}

impl fmt::Display for Nvrtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NVRTC {}.{}", self.functions.version.0, self.functions.version.1)
    }
}

/// What ptxas says of a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Per thread.
    pub registers: usize,
    /// Bytes per thread that did not fit into registers, as stored and as loaded.
    pub spill_stores: usize,
    pub spill_loads: usize,
    /// Local memory in bytes per thread, spills included.
    pub stack: usize,
    /// Static shared memory in bytes per block.
    pub shared: usize,
}

/// What came of a unit.
struct Compiled {
    cubin: Vec<u8>,
    log: String,
}

impl Nvrtc {
    /// The compiler of this machine. It is looked for until it is found once.
    ///
    /// # Errors
    /// [`Error::Device`] says what was looked for and where.
    pub fn find() -> Result<&'static Nvrtc> {
        Nvrtc::find_for(None)
    }

    /// As [`Nvrtc::find`], but a version whose output a driver of this major version can run.
    pub(super) fn find_for(driver: Option<u32>) -> Result<&'static Nvrtc> {
        static FOUND: Mutex<Option<&'static Nvrtc>> = Mutex::new(None);
        let mut found = FOUND.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(nvrtc) = *found {
            return Ok(nvrtc);
        }
        let nvrtc = Nvrtc::open(&Places::of_this_machine(), driver)?;
        Ok(*found.insert(Box::leak(Box::new(nvrtc))))
    }

    fn open(places: &Places, driver: Option<u32>) -> Result<Nvrtc> {
        let error = |problem| Error::Device { device: "cuda".to_owned(), problem };
        let found = places.open(driver).map_err(error)?;
        // SAFETY: it has NVRTC's name.
        let functions = unsafe { Functions::of(&found.library) };
        let functions = functions.map_err(|e| error(format!("{} is no NVRTC: {e}", found.path.display())))?;
        Ok(Nvrtc { functions, path: found.path, _library: found.library })
    }

    pub fn version(&self) -> (i32, i32) {
        self.functions.version
    }

    /// The architecture to compile for on a device of this compute capability, `sm_90a`: its own, else the newest before it
    /// of the same major version, whose machine code it runs too.
    pub fn architecture(&self, major: i32, minor: i32) -> Option<String> {
        let known = self.functions.architectures.iter().copied();
        let best = known.filter(|known| known / 10 == major && known % 10 <= minor).max()?;
        // Only here do later devices lack what the variant has.
        let variant = if (major, minor) == (9, 0) { "a" } else { "" };
        Some(format!("sm_{best}{variant}"))
    }

    /// The machine code of a unit for an architecture, `sm_90a`.
    ///
    /// # Errors
    /// [`Error::Device`] with the kernel's name and the compiler's messages, source lines included.
    pub fn compile(&self, unit: &Unit, architecture: &str) -> Result<Vec<u8>> {
        Ok(self.run(unit, &self.options(architecture))?.cubin)
    }

    /// As `compile`, and what the kernel occupies.
    pub fn report(&self, unit: &Unit, architecture: &str) -> Result<(Vec<u8>, Resources)> {
        let mut options = self.options(architecture);
        options.push("--ptxas-options=-v".to_owned());
        let Compiled { cubin, log } = self.run(unit, &options)?;
        let resources = resources(&log, &unit.name).ok_or_else(|| {
            self.error(
                architecture,
                format!("there is no report of kernel `{}` in the compiler's log:\n{log}", unit.name),
            )
        })?;
        Ok((cubin, resources))
    }

    fn options(&self, architecture: &str) -> Vec<String> {
        let mut options = vec![
            format!("--gpu-architecture={architecture}"),
            "--std=c++17".to_owned(),
            "-default-device".to_owned(),
            // Products and sums are fused where the text says `fmaf`, and nowhere else: the emulator's bits.
            "--fmad=false".to_owned(),
        ];
        // Since 12.9 NVRTC keeps a cache of its own, which knows less than ours.
        if self.functions.version >= (12, 9) {
            options.push("--no-cache".to_owned());
        }
        options
    }

    fn key(&self, unit: &Unit, architecture: &str) -> Key {
        let version = self.to_string();
        let source = source(unit);
        let options = self.options(architecture);
        Key::of([version.as_str(), architecture, &unit.name, &source].into_iter().chain(options.iter().map(|o| &**o)))
    }

    fn run(&self, unit: &Unit, options: &[String]) -> Result<Compiled> {
        let functions = &self.functions;
        let text = |text: &str| {
            CString::new(text)
                .map_err(|_| self.error(&options[0], format!("kernel `{}`: its text holds a NUL", unit.name)))
        };
        let (source, name) = (text(&source(unit))?, text(&format!("{}.cu", unit.name))?);
        let options = options.iter().map(|option| text(option)).collect::<Result<Vec<_>>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();

        let mut program = ptr::null_mut();
        // SAFETY: all strings end in NUL and outlive the program; no headers are given.
        let status =
            unsafe { (functions.create)(&mut program, source.as_ptr(), name.as_ptr(), 0, ptr::null(), ptr::null()) };
        let architecture = options[0].to_string_lossy();
        if status != 0 {
            return Err(self.error(&architecture, format!("kernel `{}`: {}", unit.name, self.status(status))));
        }
        // SAFETY: the program lives until the end of this function, and buffers are as large as the library asked.
        let (status, log, cubin) = unsafe {
            let status = (functions.compile)(program, pointers.len() as c_int, pointers.as_ptr());
            let log = String::from_utf8_lossy(&sized(program, functions.log_size, functions.log)).into_owned();
            let cubin = if status == 0 { sized(program, functions.cubin_size, functions.cubin) } else { Vec::new() };
            (functions.destroy)(&mut program);
            (status, log.trim_end_matches('\0').to_owned(), cubin)
        };
        if status != 0 || cubin.is_empty() {
            let reason = if status == 0 { "it gave no machine code".to_owned() } else { self.status(status) };
            let log = errors(&log);
            return Err(
                self.error(&architecture, format!("kernel `{}` does not compile ({reason}):\n{log}", unit.name))
            );
        }
        Ok(Compiled { cubin, log })
    }

    fn status(&self, status: c_int) -> String {
        // SAFETY: the library gives a static text for any status.
        unsafe { CStr::from_ptr((self.functions.error)(status)) }.to_string_lossy().into_owned()
    }

    fn error(&self, architecture: &str, problem: String) -> Error {
        let architecture = architecture.trim_start_matches("--gpu-architecture=");
        Error::Device { device: format!("cuda, {self}, {architecture}"), problem }
    }
}

/// Bytes whose number a program tells.
///
/// # Safety
/// Both functions are NVRTC's and belong together.
unsafe fn sized(
    program: Program,
    size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    get: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
) -> Vec<u8> {
    let mut bytes = 0;
    // SAFETY: the functions are NVRTC's and the program lives, by our caller's word; `bytes` is a valid place.
    if unsafe { size(program, &mut bytes) } != 0 {
        return Vec::new();
    }
    let mut buffer = vec![0u8; bytes];
    // SAFETY: as above, and the buffer has as many bytes as `size` said that `get` writes.
    if unsafe { get(program, buffer.as_mut_ptr().cast()) } != 0 {
        return Vec::new();
    }
    buffer
}

/// All the text of a unit. Lines are numbered within each part, so that messages name the part.
fn source(unit: &Unit) -> String {
    let parts =
        [("prelude", PRELUDE), ("templates", unit.templates), ("optimizer", &unit.optimizer), (&unit.name, &unit.text)];
    parts.iter().map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n")).collect()
}

/// The errors of a log, without the warnings around them.
fn errors(log: &str) -> String {
    let blocks: Vec<&str> = log.split("\n\n").filter(|block| block.contains("error")).collect();
    if blocks.is_empty() { log.trim().to_owned() } else { blocks.join("\n\n").trim().to_owned() }
}

/// What ptxas's report says of a kernel.
fn resources(log: &str, kernel: &str) -> Option<Resources> {
    let (_, report) = log.split_once(&format!("Compiling entry function '{kernel}'"))?;
    let report = report.split("Compiling entry function").next()?;
    // The number before a word: `Used 40 registers`, `0 bytes spill stores`.
    let before = |what: &str| -> Option<usize> {
        let (head, _) = report.split_once(what)?;
        head.split_whitespace().next_back()?.parse().ok()
    };
    Some(Resources {
        registers: before(" registers")?,
        spill_stores: before(" bytes spill stores")?,
        spill_loads: before(" bytes spill loads")?,
        stack: before(" bytes stack frame")?,
        // Not mentioned where there is none.
        shared: before(" bytes smem").unwrap_or(0),
    })
}

/// The machine code of many units, from the cache or compiled by several threads at once.
///
/// # Errors
/// The first unit's that does not compile.
pub fn compile_all(nvrtc: &Nvrtc, cache: &Cache, units: &[Unit], architecture: &str) -> Result<Vec<Vec<u8>>> {
    // An instance of the compiler takes some hundred megabytes.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(units.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(index) else { return done };
            let cubin = cache.get_or_make(&nvrtc.key(unit, architecture), || nvrtc.compile(unit, architecture));
            done.push((index, cubin));
        }
    };
    let mut done: Vec<(usize, Result<Vec<u8>>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, cubin)| cubin).collect()
}
