//! The emulated device's memory: the host's, with what the checked mode remembers of it.

use kiln::__private::cuda::Address;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;

/// What the engine poisons scratch with: afterwards the words count as never written.
pub const POISON: u32 = 0x7FC0_0000;

const ALIGNMENT: usize = 256;

/// `KilnCell` of machine.h.
pub type Cell = [u64; 4];

/// One allocation.
#[derive(Debug)]
pub struct Block {
    at: *mut u8,
    bytes: usize,
    /// A byte for each, 1 where it was written; empty unless checked.
    written: Vec<u8>,
    /// One for each word.
    cells: Vec<Cell>,
}

// SAFETY: the pointer is this block's own memory, used by whoever has the block.
unsafe impl Send for Block {}

/// All allocations by address.
#[derive(Debug, Default)]
pub struct Memory {
    blocks: BTreeMap<Address, Block>,
}

impl Memory {
    /// Memory that is all NaN. `None` where the host has none.
    pub fn allocate(&mut self, bytes: usize, checked: bool) -> Option<Address> {
        let bytes = bytes.max(1).checked_next_multiple_of(ALIGNMENT)?;
        let layout = Layout::from_size_align(bytes, ALIGNMENT).ok()?;
        // SAFETY: the size is not zero.
        let at = unsafe { alloc(layout) };
        if at.is_null() {
            return None;
        }
        let (written, cells) = if checked { (vec![0; bytes], vec![[0; 4]; bytes / 4]) } else { Default::default() };
        let mut block = Block { at, bytes, written, cells };
        block.fill(0, bytes / 4, POISON);
        self.blocks.insert(at as Address, block);
        Some(at as Address)
    }

    /// False if nothing was allocated there.
    pub fn free(&mut self, at: Address) -> bool {
        self.blocks.remove(&at).is_some()
    }

    /// The allocation that holds a range, and where in it the range begins.
    pub fn find(&mut self, at: Address, bytes: usize) -> Option<(&mut Block, usize)> {
        let (begin, block) = self.blocks.range_mut(..=at).next_back()?;
        let offset = usize::try_from(at - begin).ok()?;
        (offset.checked_add(bytes)? <= block.bytes).then_some((block, offset))
    }

    /// Forgets all accesses.
    pub fn forget_accesses(&mut self) {
        for block in self.blocks.values_mut() {
            block.cells.fill([0; 4]);
        }
    }
}

impl Block {
    pub fn upload(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.bytes, "`find` has seen to it");
        // SAFETY: the range lies in the block, by the assertion.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.add(offset), bytes.len()) };
        self.mark(offset, bytes.len(), true);
    }

    pub fn download(&self, offset: usize, bytes: &mut [u8]) {
        assert!(offset + bytes.len() <= self.bytes, "`find` has seen to it");
        // SAFETY: as in `upload`.
        unsafe { std::ptr::copy_nonoverlapping(self.at.add(offset), bytes.as_mut_ptr(), bytes.len()) };
    }

    pub fn fill(&mut self, offset: usize, words: usize, word: u32) {
        assert!(offset + words * 4 <= self.bytes, "`find` has seen to it");
        for i in 0..words {
            // SAFETY: as in `upload`.
            unsafe { self.at.add(offset + i * 4).cast::<u32>().write_unaligned(word) };
        }
        self.mark(offset, words * 4, word != POISON);
    }

    fn mark(&mut self, offset: usize, bytes: usize, written: bool) {
        if !self.written.is_empty() {
            self.written[offset..offset + bytes].fill(u8::from(written));
        }
    }

    /// For a region that begins at `offset`, a multiple of 4; null unless checked.
    pub fn shadow(&mut self, offset: usize) -> (*mut u8, *mut Cell) {
        if self.written.is_empty() {
            return (std::ptr::null_mut(), std::ptr::null_mut());
        }
        (self.written[offset..].as_mut_ptr(), self.cells[offset / 4..].as_mut_ptr())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let layout = Layout::from_size_align(self.bytes, ALIGNMENT).expect("it was allocated with it");
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.at, layout) };
    }
}
