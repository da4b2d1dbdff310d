//! Where finished pieces of a gradient go: into the gradient arena, or, in a training step, straight into the optimizer's rule.
//!
//! A kernel that finishes a parameter's gradient hands over contiguous pieces while they are in the first-level cache. With a rule under way
//! each piece updates the parameter at once, so that the gradient never reaches memory and no pass follows.

use core::slice;

use super::{BLOCK, Ctx, Simd, support::fetch};

/// Applies a rule to `floats` parameters from `to` on, whose gradient lies at `gradient`; `decay` tells whether weight decay applies.
pub type Apply = unsafe fn(data: *const (), decay: bool, to: *mut f32, gradient: *const f32, floats: usize);

/// Tells the processor that so many parameters from `to` on will be updated soon.
pub type Ahead = unsafe fn(data: *const (), to: *const f32, floats: usize);

/// The optimizer's rule of the step under way.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    apply: Apply,
    ahead: Ahead,
    data: *const (),
}

impl Update {
    /// # Safety
    /// Where `apply` is called with this `data`, it must keep what its type says, from any thread, for disjoint pieces of trainable parameters; so must `ahead`, for any of them.
    pub(crate) unsafe fn new(apply: Apply, ahead: Ahead, data: *const ()) -> Update {
        Update { apply, ahead, data }
    }
}

/// Asks for all of these floats.
#[inline]
pub(crate) fn fetch_all(from: *const f32, floats: usize) {
    for line in (0..floats).step_by(BLOCK) {
        fetch(from.wrapping_add(line));
    }
}

/// The gradient of one parameter, as the kernel that computes it sees it.
#[derive(Clone, Copy, Debug)]
pub struct Gradient {
    to: *mut f32,
    update: Option<(Update, bool)>,
}

impl Gradient {
    /// Of a launch's argument in [`Space::Updates`](crate::plan::Space::Updates).
    #[inline(always)]
    pub fn new(cx: &Ctx, to: *mut f32, decay: bool) -> Gradient {
        Gradient { to, update: cx.update.map(|update| (update, decay)) }
    }

    /// Of an argument in [`Space::Grads`](crate::plan::Space::Grads): stored in any case.
    #[inline(always)]
    pub fn stored(to: *mut f32) -> Gradient {
        Gradient { to, update: None }
    }

    /// Where the kernel may write all of it itself; `None` where pieces must be handed to [`put`](Gradient::put).
    #[inline(always)]
    pub fn memory(self) -> Option<*mut f32> {
        match self.update {
            None => Some(self.to),
            Some(_) => None,
        }
    }

    /// A piece of the parameter, which lies at `parameter`, will be read and its gradient finished soon.
    ///
    /// # Safety
    /// The piece lies within the parameter.
    #[inline(always)]
    pub unsafe fn ahead(self, parameter: *const f32, at: usize, floats: usize) {
        // SAFETY: the piece lies within the parameter by our caller's word, and `Update::new` took the word that `data`
        // is what `ahead` takes.
        unsafe {
            match self.update {
                Some((Update { ahead, data, .. }, _)) => ahead(data, parameter.add(at), floats),
                None => fetch_all(parameter.add(at), floats),
            }
        }
    }

    /// A finished piece, from element `at` of the parameter's own order on.
    ///
    /// # Safety
    /// The piece lies within the parameter and is finished once; `piece` is readable and not part of the parameter.
    #[inline(always)]
    pub unsafe fn put(self, at: usize, piece: *const f32, floats: usize) {
        // SAFETY: the piece is our caller's to write, and `piece` another memory; `Update::new` took the word that
        // `data` is what `apply` takes, and *tasks* that no other thread has this piece.
        unsafe {
            let to = self.to.add(at);
            match self.update {
                Some((Update { apply, data, .. }, decay)) => apply(data, decay, to, piece, floats),
                None => slice::from_raw_parts_mut(to, floats).copy_from_slice(slice::from_raw_parts(piece, floats)),
            }
        }
    }

    /// One finished vector.
    ///
    /// # Safety
    /// As [`put`](Gradient::put).
    #[inline(always)]
    pub unsafe fn put_vector<S: Simd>(self, s: S, at: usize, v: S::V) {
        // SAFETY: our caller vouches for a vector at `at`; the array holds one, `LANES` being at most `BLOCK`.
        unsafe {
            if let Some(to) = self.memory() {
                return s.store(to.add(at), v);
            }
            let mut piece = [0.0; BLOCK];
            s.store(piece.as_mut_ptr(), v);
            self.put(at, piece.as_ptr(), S::LANES);
        }
    }
}
