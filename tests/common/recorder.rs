//! What a model asks its CUDA device for, and work by all cores.

use kiln::__private::cuda::{Accelerator, Address, GraphId, KernelId, Node, Unit};
use kiln::optim::Optimizer;
use kiln::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A device that computes nothing and keeps what it is asked to load.
#[derive(Debug, Default)]
struct Recorder {
    units: Mutex<Vec<Unit>>,
}

impl Accelerator for Recorder {
    fn name(&self) -> String {
        "recorder".to_owned()
    }

    fn allocate(&self, bytes: usize) -> kiln::Result<Address> {
        // Addresses are only handed on. Each is its own and far from 0.
        static NEXT: Mutex<Address> = Mutex::new(1 << 32);
        let mut next = NEXT.lock().unwrap();
        *next += (bytes as Address).next_multiple_of(256) + 256;
        Ok(*next)
    }

    unsafe fn free(&self, _: Address, _: usize) {}

    unsafe fn upload(&self, _: Address, _: &[u8]) -> kiln::Result<()> {
        Ok(())
    }

    unsafe fn download(&self, _: Address, bytes: &mut [u8]) -> kiln::Result<()> {
        bytes.fill(0);
        Ok(())
    }

    unsafe fn fill(&self, _: Address, _: usize, _: u32) -> kiln::Result<()> {
        Ok(())
    }

    fn load(&self, units: &[Unit]) -> kiln::Result<Vec<KernelId>> {
        let mut known = self.units.lock().unwrap();
        let mut id = |unit: &Unit| {
            let place = known.iter().position(|other| other == unit);
            KernelId(place.unwrap_or_else(|| {
                known.push(unit.clone());
                known.len() - 1
            }))
        };
        Ok(units.iter().map(&mut id).collect())
    }

    fn record(&self, nodes: &[Node]) -> kiln::Result<GraphId> {
        assert!(!nodes.is_empty());
        Ok(GraphId(0))
    }

    unsafe fn launch(&self, _: GraphId) -> kiln::Result<()> {
        Ok(())
    }

    fn forget(&self, _: GraphId) {}
}

/// All that a network's programs load, with the optimizer that examples and benches train it with.
pub fn units_of<N: Network, O: Optimizer>(optimizer: O, batch: &Dataset<N::Inputs, N::Targets>) -> Vec<Unit> {
    let recorder: &'static Recorder = Box::leak(Box::default());
    let mut model = N::new(&Device::Other(recorder), 1).unwrap();
    model.forward(batch.inputs()).unwrap();
    model.evaluate(batch).unwrap();
    model.gradients(batch).unwrap();
    let mut optimizer = optimizer.bind(&model).unwrap();
    model.train_step(batch, &mut optimizer).unwrap();
    model.accumulate(batch).unwrap();
    model.apply(&mut optimizer).unwrap();
    drop(optimizer);
    drop(model);
    std::mem::take(&mut *recorder.units.lock().unwrap())
}

/// Results of many independent pieces of work, by all cores, in order.
pub fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let result = work(index);
                    done.lock().unwrap().insert(index, result);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}
