//! A warm training step and a warm predictor allocate nothing, on any thread and on any device. The counter sees the whole process, so
//! this is a program of its own: the test harness has a thread that allocates when it likes.

use kiln::__private::cuda::{Accelerator, Address, GraphId, KernelId, Node, Unit};
use kiln::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A device that does nothing, and counts what it is asked to make.
#[derive(Debug, Default)]
struct Idle {
    made: AtomicUsize,
}

impl Idle {
    fn make(&self, count: usize) -> usize {
        self.made.fetch_add(count, Relaxed)
    }
}

impl Accelerator for Idle {
    fn name(&self) -> String {
        "idle".into()
    }

    fn allocate(&self, _bytes: usize) -> Result<Address, Error> {
        Ok(256 * (1 + self.make(1) as Address))
    }

    unsafe fn free(&self, _at: Address, _bytes: usize) {}

    unsafe fn upload(&self, _to: Address, _bytes: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    unsafe fn download(&self, _from: Address, bytes: &mut [u8]) -> Result<(), Error> {
        bytes.fill(0);
        Ok(())
    }

    unsafe fn fill(&self, _at: Address, _words: usize, _word: u32) -> Result<(), Error> {
        Ok(())
    }

    fn load(&self, units: &[Unit]) -> Result<Vec<KernelId>, Error> {
        let first = self.make(units.len());
        Ok((first..first + units.len()).map(KernelId).collect())
    }

    fn record(&self, _nodes: &[Node]) -> Result<GraphId, Error> {
        Ok(GraphId(self.make(1)))
    }

    unsafe fn launch(&self, _graph: GraphId) -> Result<(), Error> {
        Ok(())
    }

    fn forget(&self, _graph: GraphId) {}
}

network! {
    Net {
        input image: [1, 12, 12];
        target class: class<5>;
        Conv2d<6, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten; Dropout<0.25>; Linear<20>; Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

/// How often each epoch of a training allocates.
fn epochs(
    train: &Dataset<Images<1, 12, 12>, Classes<5>>,
    valid: &Dataset<Images<1, 12, 12>, Classes<5>>,
) -> Vec<usize> {
    let mut model = Net::new(&Device::cpu().threads(1), 1).expect("a model");
    let (mut at, mut counts) = (Vec::with_capacity(8), Vec::new());
    let trainer = Trainer::new(&mut model, Adam::default()).epochs(6).batch_size(8).quiet();
    let trainer = trainer.on_epoch(|_, _| {
        at.push(ALLOCATIONS.load(Relaxed));
        Flow::Continue
    });
    trainer.fit(train, valid).expect("a training");
    counts.extend(at.windows(2).map(|pair| pair[1] - pair[0]));
    counts
}

fn main() -> Result<(), Error> {
    let images = Images::from_vec((0..144 * 40).map(|i| (i % 17) as f32 / 17.0).collect())?;
    let data = Dataset::new(images, Classes::from_vec((0..40).map(|i| i % 5).collect())?)?;
    let (large, small) = (data.take(32), data.skip(32));
    let idle: &Idle = Box::leak(Box::default());
    for device in [Device::cpu().threads(1), Device::cpu().threads(2), Device::Other(idle)] {
        let mut model = Net::new(&device, 1)?;
        let mut adam = Adam::default().bind(&model)?;
        let mut sgd = Sgd { momentum: 0.9, ..Sgd::default() }.bind(&model)?;
        // Twice: a device has two buffers for batches, which take turns.
        for batch in [&large, &large, &small, &small] {
            model.train_step(batch, &mut adam)?;
            model.train_step(batch, &mut sgd)?;
            model.train_step(batch, &mut sgd)?;
        }
        let made = idle.made.load(Relaxed);
        let mut round = || -> Result<usize, Error> {
            let before = ALLOCATIONS.load(Relaxed);
            for batch in [&large, &small] {
                model.train_step(batch, &mut adam)?;
                model.train_step(batch, &mut sgd)?;
            }
            Ok(ALLOCATIONS.load(Relaxed) - before)
        };
        let rounds = (0..10).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
        assert!(rounds.iter().all(|&count| count == 0), "allocations of rounds on {device:?}: {rounds:?}");
        assert_eq!(idle.made.load(Relaxed), made, "{device:?}");
        if matches!(device, Device::Other(_)) {
            continue;
        }

        let predictor = model.into_predictor();
        let mut outputs = predictor.forward(large.inputs())?;
        // Few samples have launches of their own, and memory for them.
        predictor.forward_into(small.inputs(), &mut outputs)?;
        let mut round = || -> Result<usize, Error> {
            let before = ALLOCATIONS.load(Relaxed);
            for batch in [&large, &small] {
                predictor.forward_into(batch.inputs(), &mut outputs)?;
            }
            Ok(ALLOCATIONS.load(Relaxed) - before)
        };
        let rounds = (0..10).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
        assert!(rounds.iter().all(|&count| count == 0), "allocations of a predictor on {device:?}: {rounds:?}");
    }

    // Nor does a trainer with its guards in each step: an epoch allocates for its record and its validation, and no more for
    // five times as many steps.
    let (few, many) = (epochs(&small, &small), epochs(&data, &small));
    assert_eq!(few.iter().min(), many.iter().min(), "{few:?} {many:?}");
    Ok(())
}
