//! The compiler behind `network!`: an ordinary library from tokens to tokens.

pub mod autodiff;
pub mod declaration;
pub mod diagnostics;
pub mod emit;
pub mod graph;
pub mod interpret;
pub mod layers;
pub mod lower;
pub mod memory;
pub mod schedule;
pub mod syntax;
pub mod update;
