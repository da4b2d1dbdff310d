//! The runtime against a network whose plan is written by hand: softmax regression.
//!
//! No macro and no template is involved, so what fails here fails in the runtime.

mod accelerated;
mod checkpoints;
mod fake;
mod files;
mod guard;
mod mini;
mod mini_cuda;
mod model;
mod optim;
mod trainer;
