//! A differential soak: random networks through every way in which Kiln computes them, compared.
//!
//! ```text
//! cargo xtask soak --minutes 60                  as many networks as an hour allows, by a new seed
//! cargo xtask soak --seed 7 --only 1234          one network of a seed, by all stages, in full
//! cargo xtask soak --seed 7 --stages compiled    one of the stages
//! ```
//!
//! A network is a pure function of a seed and an index ([`generate`]): every ordered pair and triple of kinds of lines, a
//! grid over what stands around a convolution, and free ones. What it should compute is what the interpreter makes of its
//! plain graph. Compared with that are
//!
//! 1. *interpreter* ([`interpreter`]): every finished plan, for both targets, fused and not, for small batches and large,
//!    run kernel by kernel in simulated memory ([`arena`]). Thousands a minute.
//! 2. *compiled* ([`compiled`]): crates of some hundred networks ([`crates`]), at each SIMD level of this machine, on 1 and
//!    3 threads: outputs, each of a few samples alone, loss and accuracy, all gradients, those of inputs through probes,
//!    two steps of an optimizer with options by chance, running statistics. Threads, AVX2 and AVX-512 must not change a
//!    bit; tolerances come from the network itself ([`reference`]).
//! 3. *cuda* ([`emulated`]): the plan for CUDA on the emulator, which looks at every access, in all precisions.
//!
//! A difference is printed at once, made as small as it gets ([`shrink`]), and written into `tests/soak/found`, where the
//! test `found` runs it with all others from then on.

pub mod arena;
pub mod compiled;
pub mod crates;
pub mod declared;
pub mod dice;
pub mod emulated;
pub mod erased;
pub mod generate;
pub mod interpreter;
pub mod optimizer;
pub mod reference;
pub mod shrink;

/// Plans for CUDA laid out in memory as the engine does it, which the tests of CUDA have too.
#[path = "../../cuda/harness.rs"]
mod harness;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Where this thread panicked last.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// From now on panics print nothing: [`caught`] tells what they said, and where.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        PLACE.set(info.location().map(|place| format!(" at {}:{}", place.file(), place.line())));
    }));
}

/// A panic as the error that it is.
pub fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let place = PLACE.take().unwrap_or_default();
        Err(format!("panicked{place}: {}", text.unwrap_or_default()))
    })
}

/// A declaration that once failed, by the stages that a test affords. Panics where one of them differs.
pub fn assert_same(text: &str, plans: compiled::Plans, batches: &[usize]) {
    let mut dice = declared::dice_of(text);
    for _ in 0..4 {
        if let Err(why) = interpreter::check(text, &mut dice) {
            panic!("{why}\n{text}");
        }
    }
    if let Err(why) = compiled::check(text, plans, batches) {
        panic!("{why}\n{text}");
    }
}
