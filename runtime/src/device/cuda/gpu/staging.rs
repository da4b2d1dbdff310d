//! Copies between the host and the device through pinned memory.
//!
//! Uploads are gathered in one of two buffers while copies out of the other may still be under way; a buffer is used again
//! only when the event behind its last copy has passed. Buffers hold several steps' uploads, so that a host which runs ahead
//! of the device seldom waits.

use super::Address;
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;
use std::ptr;

/// Bytes of a buffer: at first, and of the largest, above which uploads go in pieces.
const SMALLEST: usize = 4 << 20;
const LARGEST: usize = 32 << 20;

/// Results up to so many bytes come back through pinned memory.
const RESULT: usize = 64 << 10;

/// Every upload begins at a multiple of this.
const ALIGNMENT: usize = 256;

struct Pinned {
    start: *mut u8,
    bytes: usize,
}

impl Pinned {
    fn new(bytes: usize) -> Result<Pinned, DriverError> {
        // SAFETY: a context is current.
        let start = unsafe { result::malloc_host(bytes, 0) }?;
        Ok(Pinned { start: start.cast(), bytes })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: it is this buffer's own.
        let _ = unsafe { result::event::destroy(self.event) };
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it came from `malloc_host`, and who drops it waited for its copies.
        let _ = unsafe { result::free_host(self.start.cast()) };
    }
}

struct Buffer {
    memory: Pinned,
    used: usize,
    /// Passes when the copies out of this buffer are done, if `busy`.
    event: sys::CUevent,
    busy: bool,
}

impl Buffer {
    fn new(bytes: usize) -> Result<Buffer, DriverError> {
        let event = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
        Ok(Buffer { memory: Pinned::new(bytes)?, used: 0, event, busy: false })
    }
}

#[derive(Default)]
pub struct Staging {
    /// The first is being filled. Both are made when they are first needed, and grow together: once steps are warm, nothing
    /// is allocated.
    buffers: Option<[Buffer; 2]>,
    result: Option<Pinned>,
}

impl Staging {
    /// Copies when everything asked before is done; `bytes` may be reused at once.
    ///
    /// # Safety
    /// The range lies in the device's memory, and the context is current.
    pub unsafe fn upload(&mut self, to: Address, bytes: &[u8], stream: sys::CUstream) -> Result<(), DriverError> {
        let mut to = to;
        for piece in bytes.chunks(LARGEST) {
            let buffer = self.room(piece.len(), stream)?;
            // SAFETY: the buffer has room behind `used`, which no copy reads. The caller promises the device's side.
            unsafe {
                let from = buffer.memory.start.add(buffer.used);
                ptr::copy_nonoverlapping(piece.as_ptr(), from, piece.len());
                result::memcpy_htod_async(to, std::slice::from_raw_parts(from, piece.len()), stream)?;
            }
            buffer.used += piece.len().next_multiple_of(ALIGNMENT);
            to += piece.len() as Address;
        }
        Ok(())
    }

    /// A buffer with so many bytes free.
    fn room(&mut self, wanted: usize, stream: sys::CUstream) -> Result<&mut Buffer, DriverError> {
        if self.buffers.as_ref().is_none_or(|[first, _]| first.memory.bytes < wanted) {
            // Copies out of what is replaced are done when the stream is.
            // SAFETY: the stream lives.
            unsafe { result::stream::synchronize(stream)? };
            let size = wanted.next_power_of_two().clamp(SMALLEST, LARGEST);
            self.buffers = None;
            self.buffers = Some([Buffer::new(size)?, Buffer::new(size)?]);
        }
        let Some([first, second]) = &mut self.buffers else { unreachable!("they were just made") };
        if first.used + wanted > first.memory.bytes {
            // SAFETY: events and stream live.
            unsafe {
                result::event::record(first.event, stream)?;
                first.busy = true;
                if second.busy {
                    result::event::synchronize(second.event)?;
                }
            }
            (second.busy, second.used) = (false, 0);
            std::mem::swap(first, second);
        }
        Ok(first)
    }

    /// Copies when everything asked before is done, and waits for it.
    ///
    /// # Safety
    /// As for [`Staging::upload`].
    pub unsafe fn download(
        &mut self,
        from: Address,
        bytes: &mut [u8],
        stream: sys::CUstream,
    ) -> Result<(), DriverError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.len() > RESULT {
            // SAFETY: our caller vouches for the range on the device; `bytes` stays borrowed until the copy is done.
            unsafe {
                result::memcpy_dtoh_async(bytes, from, stream)?;
                return result::stream::synchronize(stream);
            }
        }
        let pinned = match &mut self.result {
            Some(pinned) => pinned,
            none => none.insert(Pinned::new(RESULT)?),
        };
        // SAFETY: our caller vouches for the range on the device; the pinned memory is large enough, and nobody else
        // has it while `self` is borrowed.
        unsafe {
            result::memcpy_dtoh_async(std::slice::from_raw_parts_mut(pinned.start, bytes.len()), from, stream)?;
            result::stream::synchronize(stream)?;
            ptr::copy_nonoverlapping(pinned.start, bytes.as_mut_ptr(), bytes.len());
        }
        Ok(())
    }
}
