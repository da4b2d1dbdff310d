//! Where the time of a step goes, launch by launch.

use super::Model;
use crate::data::Dataset;
use crate::engine::Role;
use crate::error::Result;
use crate::network::Network;
use crate::optim::{Bound, Optimizer};

/// One launch of a profiled program.
#[derive(Clone, Copy, Debug)]
pub struct LaunchTime {
    /// `k3_conv`; `update` for the optimizer's pass behind a training step.
    pub name: &'static str,
    /// Layers whose operations it holds.
    pub layers: &'static str,
    /// Fused operations in order.
    pub ops: &'static str,
    /// Median of the repeats.
    pub seconds: f64,
    /// Operations and bytes that its kernel cannot do without, for this batch.
    pub flops: u64,
    pub bytes: u64,
}

impl<N: Network> Model<N> {
    /// The launches of a training step, each with the median of its times over so many steps. Empty on devices other than
    /// the CPU.
    #[doc(hidden)]
    pub fn profile_train_step<O: Optimizer>(
        &mut self,
        batch: &Dataset<N::Inputs, N::Targets>,
        optimizer: &mut Bound<O>,
        repeats: usize,
    ) -> Result<Vec<LaunchTime>> {
        self.profile(Role::Step, batch.len(), repeats, |model| model.train_step(batch, optimizer).map(drop))
    }

    /// As [`Model::profile_train_step`], of the forward pass.
    #[doc(hidden)]
    pub fn profile_forward(
        &mut self,
        batch: &Dataset<N::Inputs, N::Targets>,
        repeats: usize,
    ) -> Result<Vec<LaunchTime>> {
        self.profile(Role::Infer, batch.len(), repeats, |model| model.forward(batch.inputs()).map(drop))
    }

    fn profile(
        &mut self,
        role: Role,
        batch: usize,
        repeats: usize,
        mut step: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<Vec<LaunchTime>> {
        let mut runs: Vec<Vec<LaunchTime>> = Vec::new();
        self.engine.set_clock(true);
        for _ in 0..repeats {
            if let Err(error) = step(self) {
                self.engine.set_clock(false);
                return Err(error);
            }
            runs.push(self.engine.clocked(role, batch));
        }
        self.engine.set_clock(false);
        let Some(mut launches) = runs.first().cloned() else { return Ok(Vec::new()) };
        for (i, launch) in launches.iter_mut().enumerate() {
            let mut times: Vec<f64> = runs.iter().map(|run| run[i].seconds).collect();
            times.sort_by(f64::total_cmp);
            launch.seconds = times[times.len() / 2];
        }
        Ok(launches)
    }
}
