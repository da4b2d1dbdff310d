//! A program launch by launch on an accelerator, for those who look at what each launch leaves.

use super::super::watch::{self, Planted, Watch};
use super::{Accelerated, Done, Feeding, Flavour, Role, Scores, Scratch, bytes, too_large};
use crate::device::cuda::{Node, Run};
use crate::error::Result;
use crate::params;
use crate::plan::Kept;

impl Accelerated {
    /// Runs a program launch by launch, each as a graph of its own, without any update, and shows `each` what they leave.
    /// States are as before afterwards.
    pub fn watch(
        &mut self,
        role: Role,
        (seed, step): (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        (planted, each): (&[Planted], Watch<'_>),
    ) -> Result<Scores> {
        let mut states = vec![0.0; self.states.len()];
        self.states.read(0, &mut states)?;
        let mut scratch = self.scratch();
        let run = Run { seed, step, share: 0.0, max_norm: 0.0, mean: 0 };
        let seen = self.watch_launches(&mut scratch, role, run, batch, feed, (planted, each));
        let scores = seen.and_then(|done| self.scores(&scratch, &done, &mut Vec::new()));
        self.states.write(0, &states)?;
        scores
    }

    fn watch_launches(
        &self,
        scratch: &mut Scratch,
        role: Role,
        run: Run,
        batch: usize,
        feed: Feeding<'_, '_>,
        (planted, each): (&[Planted], Watch<'_>),
    ) -> Result<Done> {
        let (plan, cuda) = (self.plan, &self.plan.cuda);
        let Some((index, variants)) = self.variant(role, batch) else { return Err(too_large(plan, batch)) };
        let done = Done { variant: &variants[index], batch, slot: 0 };
        scratch.reserve(plan, role, &done, &Flavour::Store)?;
        if scratch.poison {
            scratch.batch.fill(f32::NAN)?;
            scratch.fixed.fill(f32::NAN)?;
        }
        scratch.upload_batch(plan, role, &done, feed)?;
        scratch.upload(run)?;
        scratch.kernels.load(cuda, self.program(role), &Flavour::Store)?;
        let places = self.places(scratch, batch, 0, &Flavour::Store, None);
        let (mut physical, mut values) = (Vec::new(), Vec::new());
        for (number, launch) in done.variant.launches.iter().enumerate() {
            let kernel = scratch.kernels.planned(cuda, launch.kernel, &Flavour::Store);
            let node = Node { after: Vec::new(), ..places.node(cuda, launch, kernel) };
            let graph = self.device.record(&[node])?;
            // SAFETY: the arenas that it names stay where they are until it is forgotten.
            let ran = unsafe { self.device.launch(graph) };
            // Reading waits for the launch.
            let ran = ran.and_then(|()| scratch.run.read(0, &mut [0.0]));
            self.device.forget(graph);
            ran?;
            for row in Kept::rows(done.variant.kept).iter().filter(|row| row.launch == number) {
                let first = places.address(row.stored.space, row.stored.offset) + bytes(row.at);
                let samples = watch::samples(row, batch);
                physical.clear();
                physical.resize((samples - 1) * row.stored.sample + params::reach(&row.stored.layout), 0.0);
                self.download(first, &mut physical)?;
                for (element, value) in watch::faults(planted, row) {
                    let place = watch::place(row, element, batch);
                    physical[place] = value;
                    // SAFETY: the element is one of the value.
                    unsafe { self.device.upload(first + bytes(place), &value.to_ne_bytes())? };
                }
                values.clear();
                for sample in 0..samples {
                    params::unpack(&row.stored.layout, &physical[sample * row.stored.sample..], &mut values);
                }
                let (kernel, layers, ops) = (cuda.kernels[launch.kernel].name, launch.layers, launch.ops);
                if !each(&watch::Seen { row, kernel, layers, ops, values: &values }) {
                    return Ok(done);
                }
            }
        }
        Ok(done)
    }
}
