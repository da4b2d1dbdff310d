//! The plan as CUDA C++: text over the templates and the prelude of the device.

pub mod expr;
