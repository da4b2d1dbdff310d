//! PyTorch's numbers: training runs, layers, losses, optimizers. `tests/fixtures/README.md` says where they come from.

mod check;
mod fixture;
mod layers;
mod losses;
mod optimizers;
mod runs;
