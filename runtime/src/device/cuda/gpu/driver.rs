//! The driver itself: whether it is there, what it can do, and what it says when it cannot.

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;
use std::ffi::c_int;
use std::fmt;

/// The oldest driver that has every function that is called without asking.
const OLDEST: i32 = 12_000;

/// Graph edges with data, hence programmatic dependent launch in graphs that are built node by node.
const EDGE_DATA: i32 = 12_030;

/// A driver that was started.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    /// 13000 for CUDA 13.0
    version: i32,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a driver for CUDA {}.{}", self.version / 1000, self.version % 1000 / 10)
    }
}

/// The driver's name of an error and its explanation, behind what was tried.
pub fn problem(doing: &str, error: DriverError) -> String {
    let text = |text: Result<&std::ffi::CStr, DriverError>| text.map(|text| text.to_string_lossy().into_owned()).ok();
    match (text(error.error_name()), text(error.error_string())) {
        (Some(name), Some(explanation)) => format!("{doing}: {name} ({explanation})"),
        _ => format!("{doing}: error {}", error.0 as u32),
    }
}

impl Driver {
    /// # Errors
    /// A text that says what was looked for and where.
    pub fn start() -> Result<Driver, String> {
        // cudarc panics where it finds no library, so that is asked first.
        // SAFETY: opening the driver runs no code but its initialisers.
        if !unsafe { sys::is_culib_present() } {
            return Err(format!(
                "no NVIDIA driver: the loader finds neither of {}; help: install the driver, or give the container its GPUs; \
                 LD_LIBRARY_PATH names folders in which the loader also looks",
                library_names().join(", ")
            ));
        }
        let mut version: c_int = 0;
        // SAFETY: the pointer is valid. Every driver has this function, and it may be called before all others.
        unsafe { sys::cuDriverGetVersion(&mut version) }.result().map_err(|e| problem("the driver's version", e))?;
        let driver = Driver { version };
        if version < OLDEST {
            let oldest = Driver { version: OLDEST };
            return Err(format!("{driver} is installed, but {oldest} or newer is needed"));
        }
        result::init().map_err(|e| problem("the driver does not start", e))?;
        Ok(driver)
    }

    /// 13 for CUDA 13.0
    pub fn major(&self) -> u32 {
        (self.version / 1000).max(0) as u32
    }

    pub fn has_edge_data(&self) -> bool {
        self.version >= EDGE_DATA
    }

    pub fn device(&self, number: usize) -> Result<sys::CUdevice, String> {
        let count = result::device::get_count().map_err(|e| problem("counting devices", e))?.max(0) as usize;
        match count {
            0 => Err("the driver knows no device; help: CUDA_VISIBLE_DEVICES may hide them".to_owned()),
            _ if number >= count => Err(format!(
                "there is no such device: the driver knows {count}, numbered from 0; help: CUDA_VISIBLE_DEVICES may hide some"
            )),
            _ => result::device::get(number as c_int).map_err(|e| problem("opening the device", e)),
        }
    }

    /// The context that the device shares with the other libraries of the process, made current.
    pub fn context(&self, device: sys::CUdevice) -> Result<sys::CUcontext, DriverError> {
        // SAFETY: the device is the driver's; the context is never released.
        unsafe {
            let context = result::primary_ctx::retain(device)?;
            result::ctx::set_current(context)?;
            Ok(context)
        }
    }

    /// Milliseconds from the first event to now, when the stream has come here.
    pub fn elapsed(&self, events: &Events, stream: sys::CUstream) -> Result<f64, DriverError> {
        type Elapsed = unsafe extern "C" fn(*mut f32, sys::CUevent, sys::CUevent) -> sys::CUresult;
        let mut milliseconds = 0.0;
        // SAFETY: the events live; the function has this type in all versions. `cuEventElapsedTime`, which every driver
        // has, is not among cudarc's functions for CUDA 13, and its successor is not in drivers before 12.8.
        unsafe {
            result::event::record(events.end, stream)?;
            result::event::synchronize(events.end)?;
            let elapsed = sys::culib().get::<Elapsed>(b"cuEventElapsedTime\0");
            let elapsed = elapsed.map_err(|_| DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND))?;
            elapsed(&mut milliseconds, events.start, events.end).result()?;
        }
        Ok(milliseconds.into())
    }
}

fn library_names() -> Vec<String> {
    let names = cudarc::get_lib_name_candidates(if cfg!(windows) { "nvcuda" } else { "cuda" });
    // The first and the one that drivers install; the rest are spellings of other libraries.
    names
        .into_iter()
        .filter(|name| name.ends_with("cuda.so") || name.ends_with(".so.1") || name == "nvcuda.dll")
        .collect()
}

/// Two moments of a stream.
pub struct Events {
    start: sys::CUevent,
    end: sys::CUevent,
}

impl Events {
    pub fn new() -> Result<Events, DriverError> {
        let event = || result::event::create(sys::CUevent_flags::CU_EVENT_DEFAULT);
        Ok(Events { start: event()?, end: event()? })
    }

    pub fn start(&self, stream: sys::CUstream) -> Result<(), DriverError> {
        // SAFETY: both live.
        unsafe { result::event::record(self.start, stream) }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: they are no one else's.
        unsafe {
            let _ = result::event::destroy(self.start);
            let _ = result::event::destroy(self.end);
        }
    }
}
