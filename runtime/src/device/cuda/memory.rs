//! An arena in a device's memory.

use super::{Accelerator, Address};
use crate::error::{Error, Result};

/// Floats on a device; freed with it. Reading and writing take turns with all else that the device was asked for.
#[derive(Debug)]
pub struct DeviceArena {
    device: &'static dyn Accelerator,
    at: Address,
    floats: usize,
}

impl DeviceArena {
    /// No memory yet.
    pub fn empty(device: &'static dyn Accelerator) -> Self {
        DeviceArena { device, at: 0, floats: 0 }
    }

    /// So many floats, all zero. `what` they are for, for messages.
    pub fn zeroed(device: &'static dyn Accelerator, floats: usize, what: &str) -> Result<Self> {
        let mut arena = DeviceArena::empty(device);
        arena.replace(floats, what)?;
        arena.fill(0.0)?;
        Ok(arena)
    }

    /// Address of the first float; 0 where there is none.
    pub fn address(&self) -> Address {
        self.at
    }

    /// Floats.
    pub fn len(&self) -> usize {
        self.floats
    }

    /// Whether it has no memory.
    pub fn is_empty(&self) -> bool {
        self.floats == 0
    }

    /// Other memory of `floats` floats and unknown content. No graph that names the old memory may be launched again. On
    /// an error there is none.
    pub fn replace(&mut self, floats: usize, what: &str) -> Result<()> {
        // The old memory goes first: they need not both fit.
        self.release();
        if floats == 0 {
            return Ok(());
        }
        let bytes = floats.checked_mul(size_of::<f32>()).ok_or_else(|| Error::Device {
            device: self.device.name(),
            problem: format!("{what}: {floats} floats are more than an address can count"),
        })?;
        self.at = self.device.allocate(bytes).map_err(|error| match error {
            Error::Device { device, problem } => Error::Device { device, problem: format!("{what}: {problem}") },
            other => other,
        })?;
        self.floats = floats;
        Ok(())
    }

    /// Every float becomes `value`.
    pub fn fill(&self, value: f32) -> Result<()> {
        if self.floats == 0 {
            return Ok(());
        }
        // SAFETY: all of this memory.
        unsafe { self.device.fill(self.at, self.floats, value.to_bits()) }
    }

    /// Overwrites the floats from `offset` on.
    ///
    /// # Panics
    /// Where they do not lie within.
    pub fn write(&self, offset: usize, values: &[f32]) -> Result<()> {
        self.check(offset, values.len());
        if values.is_empty() {
            return Ok(());
        }
        // SAFETY: floats are bytes; the range was checked.
        unsafe {
            let bytes = std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values));
            self.device.upload(self.address_of(offset), bytes)
        }
    }

    /// Copies the floats from `offset` on.
    ///
    /// # Panics
    /// Where they do not lie within.
    pub fn read(&self, offset: usize, values: &mut [f32]) -> Result<()> {
        self.check(offset, values.len());
        if values.is_empty() {
            return Ok(());
        }
        // SAFETY: all bytes are floats; the range was checked.
        unsafe {
            let bytes = std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values));
            self.device.download(self.address_of(offset), bytes)
        }
    }

    /// Overwrites the first bytes.
    ///
    /// # Panics
    /// Where they do not lie within.
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.check(0, bytes.len().div_ceil(size_of::<f32>()));
        // SAFETY: the range was checked.
        unsafe { self.device.upload(self.at, bytes) }
    }

    fn address_of(&self, offset: usize) -> Address {
        self.at + (offset * size_of::<f32>()) as Address
    }

    fn check(&self, offset: usize, floats: usize) {
        let fits = offset.checked_add(floats).is_some_and(|end| end <= self.floats);
        assert!(fits, "floats {offset}.. ({floats} of them) in an arena of {}", self.floats);
    }

    fn release(&mut self) {
        if self.floats > 0 {
            // SAFETY: `replace` allocated it; whoever keeps graphs has dropped them or never launches them again.
            unsafe { self.device.free(self.at, self.floats * size_of::<f32>()) }
        }
        (self.at, self.floats) = (0, 0);
    }
}

impl Drop for DeviceArena {
    fn drop(&mut self) {
        self.release();
    }
}
