//! The runtime: C++ that runs the fibers, as a shared object that lives as long as the process.

use crate::compiler::Compiler;
use crate::memory::Cell;
use libloading::Library;
use std::ffi::{CStr, c_char, c_void};
use std::path::PathBuf;
use std::sync::OnceLock;

/// What a kernel's text is compiled behind.
pub const PRELUDE: [(&str, &str); 2] =
    [("interface.h", include_str!("../cxx/interface.h")), ("prelude.h", include_str!("../cxx/prelude.h"))];

const SOURCES: [(&str, &str); 5] = [
    ("interface.h", include_str!("../cxx/interface.h")),
    ("machine.h", include_str!("../cxx/machine.h")),
    ("machine.cpp", include_str!("../cxx/machine.cpp")),
    ("check.cpp", include_str!("../cxx/check.cpp")),
    ("matrix.cpp", include_str!("../cxx/matrix.cpp")),
];

/// `KilnEntry` of interface.h.
#[repr(C)]
pub struct Entry {
    phase: *const c_void,
    pub args: u32,
    pub parts: u32,
    pub launch_bytes: u32,
    checked: u32,
    image: *const c_void,
    image_end: *const c_void,
}

/// `KilnRegion` of interface.h.
#[repr(C)]
pub struct Region {
    pub at: *mut u8,
    pub bytes: u64,
    pub readable: u32,
    pub writable: u32,
    pub name: *const c_char,
    pub written: *mut u8,
    pub cells: *mut Cell,
}

/// `KilnOrder` of interface.h.
#[repr(C)]
pub struct Order {
    pub entry: *const Entry,
    pub kernel: *const c_char,
    pub launch: *const u64,
    pub blocks: u32,
    pub shared: u32,
    pub schedule: u64,
    pub regions: *const Region,
    pub region_count: u64,
    pub phase: u32,
    pub failed: u32,
    pub failed_at: u64,
    pub message: [c_char; 1024],
}

impl Order {
    pub fn message(&self) -> String {
        // SAFETY: the runtime ends its messages with a zero inside the array, and it began as zeros.
        unsafe { CStr::from_ptr(self.message.as_ptr()) }.to_string_lossy().into_owned()
    }
}

pub struct Runtime {
    /// What kernels are linked against.
    pub object: PathBuf,
    launch: unsafe extern "C" fn(*mut Order) -> u32,
    _library: Library,
}

impl Runtime {
    /// The process's only one: what kernels need from it is found by its name.
    pub fn get() -> Result<&'static Runtime, String> {
        static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
        RUNTIME.get_or_init(Runtime::load).as_ref().map_err(Clone::clone)
    }

    fn load() -> Result<Runtime, String> {
        let object = Compiler::find()?.runtime(&SOURCES)?;
        // SAFETY: its initialisers do nothing but what C++ does for thread-local variables.
        let library = unsafe { Library::new(&object) }.map_err(|e| format!("{}: {e}", object.display()))?;
        // SAFETY: the type is that of interface.h.
        let launch = unsafe { library.get::<unsafe extern "C" fn(*mut Order) -> u32>(b"kiln_emulator_launch") };
        let launch = *launch.map_err(|e| format!("{}: {e}", object.display()))?;
        Ok(Runtime { object, launch, _library: library })
    }

    /// Runs all blocks of a launch.
    ///
    /// # Safety
    /// All pointers in the order are valid, and nobody else uses the memory of its regions meanwhile.
    pub unsafe fn launch(&self, order: &mut Order) -> Result<(), String> {
        // SAFETY: promised by the caller.
        match unsafe { (self.launch)(order) } {
            0 => Ok(()),
            _ => Err(order.message()),
        }
    }
}
