//! The door to checkpoints in memory: see [`crate::fuzzing`].

use super::EpochRecord;
use super::checkpoint::{Checkpoint, Parts, Setting, Within};
use super::trainer::Best;
use crate::data::Dataset;
use crate::engine::Tally;
use crate::error::Result;
use crate::model::Model;
use crate::network::Network;
use crate::optim::schedule::{Schedule, Scheduled};
use crate::optim::{Bound, Optimizer};
use std::io::Cursor;
use std::path::Path;

/// A training in its second epoch, whose checkpoints are bytes.
pub struct Checkpoints<N: Network, O: Optimizer> {
    checkpoint: Checkpoint,
    model: Model<N>,
    optimizer: Bound<O>,
    schedule: Scheduled,
    best: Best,
}

impl<N: Network, O: Optimizer> Checkpoints<N, O> {
    /// Has taken one step, so that there is something to remember.
    pub fn new(
        mut model: Model<N>,
        optimizer: O,
        schedule: impl Schedule,
        batch: &Dataset<N::Inputs, N::Targets>,
    ) -> Result<Self> {
        let mut optimizer = optimizer.bind(&model)?;
        let schedule = Scheduled::new(Box::new(schedule), &mut optimizer, Some(8))?;
        let mut best = Best::default();
        best.offer(1.0, 1, &model)?;
        model.train_step(batch, &mut optimizer)?;
        let checkpoint = Checkpoint::new(vec![("network", N::NAME.to_owned())], 4, 1);
        Ok(Checkpoints { checkpoint, model, optimizer, schedule, best })
    }

    /// The checkpoint as it stands.
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        let Checkpoints { checkpoint, model, optimizer, schedule, best } = self;
        let epoch = EpochRecord {
            epoch: 1,
            train_loss: 1.5,
            train_accuracy: 0.5,
            valid_loss: 1.0,
            valid_accuracy: 0.75,
            seconds: 1.0,
            lr: 0.1,
            best: true,
        };
        let within = Within {
            batches: 1,
            loss: Tally::of([(2.0, 2.0)].into_iter()),
            correct: 1,
            seen: 2,
            lr: 0.1,
            seconds: 0.5,
        };
        let mut parts = Parts { model, optimizer, schedule: Some(schedule), best };
        checkpoint.bytes(
            Path::new("fuzzed"),
            &mut parts,
            &Setting { epochs: &[epoch], within: &within, skipped: 0, seconds: 1.5 },
        )
    }

    /// Goes back to a checkpoint.
    pub fn read(&mut self, bytes: &[u8]) -> Result<()> {
        let Checkpoints { checkpoint, model, optimizer, schedule, best } = self;
        let mut parts = Parts { model, optimizer, schedule: Some(schedule), best };
        checkpoint.read_from(Path::new("fuzzed"), Cursor::new(bytes), bytes.len() as u64, &mut parts).map(drop)
    }

    /// Goes on as a training does, with whatever a checkpoint has brought: a step, an epoch's end, the best weights.
    pub fn go_on(&mut self, batch: &Dataset<N::Inputs, N::Targets>) -> Result<()> {
        self.model.train_step(batch, &mut self.optimizer)?;
        self.schedule.step_with(0.5, &mut self.optimizer)?;
        self.best.restore(&mut self.model)
    }
}
