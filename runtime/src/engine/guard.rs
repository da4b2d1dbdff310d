//! Marks behind scratch memory, for tests: a kernel that writes beyond what the plan asked for is found in the launch that did it.
//!
//! Arenas are cut up by the plan, so no allocator sees an overrun of what one worker has into what the next one has, or of an arena into what
//! an earlier, larger batch left of it. Where scratch memory is poisoned, each of these ends in a mark. Reads beyond the end need no mark:
//! they give NaN like all else that was never written.

use crate::plan::Launch;

/// Floats of a mark: as far as the widest store reaches, and further.
pub(super) const FLOATS: usize = 64;

/// A NaN that no arithmetic makes.
const MARK: u32 = 0x7fc5_afe5;

/// Marks the floats behind the first `used` of each stretch of `stride`.
pub(super) fn place(arena: &mut [f32], used: usize, stride: usize) {
    for stretch in arena.chunks_exact_mut(stride) {
        stretch[used..used + FLOATS].fill(f32::from_bits(MARK));
    }
}

/// # Panics
/// Where a mark that [`place`] made is gone.
pub(super) fn check(arena: &[f32], used: usize, stride: usize, what: &str, network: &str, launch: &Launch) {
    for stretch in arena.chunks_exact(stride) {
        if let Some(beyond) = stretch[used..used + FLOATS].iter().position(|float| float.to_bits() != MARK) {
            let Launch { name, layers, .. } = launch;
            let at = used + beyond;
            panic!("kernel `{name}` of {network} (layers {layers}) wrote float {at} of {what}, which has {used}");
        }
    }
}
