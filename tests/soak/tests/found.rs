//! What the soak has found, each declaration once more: it stays right for ever.

include!(concat!(env!("OUT_DIR"), "/found.rs"));
