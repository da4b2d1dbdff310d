//! The compiler behind `network!`: an ordinary library from tokens to tokens.

pub mod declaration;
pub mod diagnostics;
pub mod graph;
pub mod layers;
pub mod lower;
pub mod syntax;
