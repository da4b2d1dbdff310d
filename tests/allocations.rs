//! A warm training step allocates nothing, on any thread. One test in this file: the counter sees the whole process.

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

network! {
    Net {
        input image: [1, 12, 12];
        target class: class<5>;
        Conv2d<6, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten; Dropout<0.25>; Linear<20>; Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

#[test]
fn a_warm_step_allocates_nothing() -> Result<(), Error> {
    let images = Images::from_vec((0..144 * 40).map(|i| (i % 17) as f32 / 17.0).collect())?;
    let data = Dataset::new(images, Classes::from_vec((0..40).map(|i| i % 5).collect())?)?;
    let (large, small) = (data.take(32), data.skip(32));
    for threads in [1, 2] {
        let mut model = Net::new(&Device::cpu().threads(threads), 1)?;
        let mut adam = Adam::default().bind(&model)?;
        let mut sgd = Sgd { momentum: 0.9, ..Sgd::default() }.bind(&model)?;
        for batch in [&large, &small] {
            model.train_step(batch, &mut adam)?;
            model.train_step(batch, &mut sgd)?;
        }
        // A thread of the pool or of the test harness may start late, and allocates then, once. What a step allocates,
        // every round would show.
        let mut round = || -> Result<usize, Error> {
            let before = ALLOCATIONS.load(Relaxed);
            for batch in [&large, &small] {
                model.train_step(batch, &mut adam)?;
                model.train_step(batch, &mut sgd)?;
            }
            Ok(ALLOCATIONS.load(Relaxed) - before)
        };
        let rounds = (0..10).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
        assert!(rounds.contains(&0), "allocations in each round with {threads} threads: {rounds:?}");
    }
    Ok(())
}
