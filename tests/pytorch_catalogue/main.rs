//! PyTorch's numbers for the rest of the catalogue: the same checks as `tests/pytorch`, on a fixture of its own.

mod catalogue_layers;
mod catalogue_losses;
#[path = "../pytorch/check.rs"]
mod check;
#[path = "../pytorch/fixture.rs"]
#[allow(dead_code, reason = "the training runs of `tests/pytorch` use the rest")]
mod fixture;
