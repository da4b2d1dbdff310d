//! The runtime against a network whose plan is written by hand: softmax regression.
//!
//! No macro and no template is involved, so what fails here fails in the runtime.

mod files;
mod mini;
mod model;
mod optim;
mod trainer;
