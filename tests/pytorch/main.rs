//! PyTorch's numbers: training runs, layers, losses, optimizers, schedules, initialisers. `tests/fixtures/README.md` says where they come from.

mod check;
mod fixture;
mod initialisers;
mod layers;
mod losses;
mod optimizers;
mod runs;
mod schedules;
mod train;
