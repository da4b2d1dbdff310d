pub mod device;
pub mod plan;

/// What emitted code names; nothing here is meant for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::device::cpu::*;
    pub use crate::levels;
    pub use crate::plan::*;
}
