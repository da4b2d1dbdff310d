//! Threads that wait for work, and share out numbered tasks.
//!
//! A run allocates nothing. The caller takes part as worker 0; the others spin for a short while after a run, because the next launch of a step follows within microseconds, and then sleep. Nobody waits for a
//! sleeper: a run is open to whoever comes in time, and ends when its tasks are done and all who joined have left. Which worker takes which task is left to chance: tasks must not depend on it.
//!
//! Deliberately absent: nested runs (a task that calls `run` on its own pool waits for ever), priorities, pinning.

use std::{
    any::Any,
    cell::UnsafeCell,
    hint::spin_loop,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long a worker looks for the next run before it sleeps, and the caller for the last worker before it yields.
const SPIN: Duration = Duration::from_micros(100);

/// The run takes workers. The other bits of `Shared::state` count those inside.
const OPEN: usize = 1 << (usize::BITS - 1);

type Task<'a> = &'a (dyn Fn(usize, usize) + Sync + 'a);

pub struct Pool {
    shared: Arc<Shared>,
    /// Held for the length of a run.
    turn: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Counts runs, so that a worker sees a new one; also changes at shutdown.
    epoch: AtomicUsize,
    state: AtomicUsize,
    /// Written between runs, read by workers that have joined.
    job: UnsafeCell<Job>,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    shutdown: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

#[derive(Clone, Copy)]
struct Job {
    task: Task<'static>,
    tasks: usize,
}

// SAFETY: `job` is written only while no worker is inside, and read only by those inside; all else is made for sharing.
unsafe impl Sync for Shared {}
// SAFETY: `Task` is Sync, so a reference to it may go to another thread.
unsafe impl Send for Shared {}

/// A panic in a task leaves nothing half-done that a lock here protects.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool of `threads` workers, the caller of [`run`](Pool::run) being one of them; 0 counts as 1.
    ///
    /// # Panics
    /// If the system gives no more threads.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            state: AtomicUsize::new(0),
            job: UnsafeCell::new(Job { task: &|_, _| (), tasks: 0 }),
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
            shutdown: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        });
        let workers = (1..threads)
            .map(|worker| {
                let shared = Arc::clone(&shared);
                let builder = thread::Builder::new().name(format!("kiln-{worker}"));
                builder.spawn(move || shared.work(worker)).expect("the system starts a thread")
            })
            .collect();
        Pool { shared, turn: Mutex::new(()), workers }
    }

    /// Number of workers; `run` passes numbers below it.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f(worker, task)` once for every task below `tasks`, and returns when all are done. One run at a time: others wait for their turn.
    ///
    /// # Panics
    /// If a task panics: with its payload, after all workers have left. Tasks not yet begun are dropped.
    pub fn run(&self, tasks: usize, f: &(dyn Fn(usize, usize) + Sync)) {
        let _turn = lock(&self.turn);
        if tasks <= 1 || self.workers.is_empty() {
            for task in 0..tasks {
                f(0, task);
            }
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes, and this function does not return before all who may hold the reference have left.
        let task = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(f) };
        // SAFETY: the last run has ended and this one is not open, so nobody reads.
        unsafe { *shared.job.get() = Job { task, tasks } };
        shared.next.store(0, Relaxed);
        shared.state.store(OPEN, Release);
        shared.announce();
        shared.take_tasks(0, Job { task, tasks });
        shared.state.fetch_and(!OPEN, Relaxed);
        let mut patience = Patience::new();
        while shared.state.load(Acquire) != 0 {
            if !patience.spin() {
                thread::yield_now();
            }
        }
        let panic = lock(&shared.panic).take();
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.shutdown.store(true, SeqCst);
        self.shared.announce();
        for worker in self.workers.drain(..) {
            // Tasks' panics are caught and handed to the caller of `run`; nothing is left to say here.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Starts a new epoch and wakes those who sleep.
    fn announce(&self) {
        // SeqCst on both: either this thread sees the sleeper, or the sleeper sees the epoch.
        self.epoch.fetch_add(1, SeqCst);
        if self.sleepers.load(SeqCst) > 0 {
            let _guard = lock(&self.sleep);
            self.wake.notify_all();
        }
    }

    fn work(&self, worker: usize) {
        let mut seen = 0;
        loop {
            seen = self.wait(seen);
            if self.shutdown.load(SeqCst) {
                return;
            }
            if self.join() {
                // SAFETY: inside an open run, so the job is not written.
                self.take_tasks(worker, unsafe { *self.job.get() });
                self.state.fetch_sub(1, Release);
            }
        }
    }

    /// Waits for an epoch other than `seen`.
    fn wait(&self, seen: usize) -> usize {
        let mut patience = Patience::new();
        loop {
            let epoch = self.epoch.load(Acquire);
            if epoch != seen {
                return epoch;
            }
            if patience.spin() {
                continue;
            }
            let mut guard = lock(&self.sleep);
            self.sleepers.fetch_add(1, SeqCst);
            while self.epoch.load(SeqCst) == seen {
                guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, SeqCst);
        }
    }

    /// Enters the run, if it is still open.
    fn join(&self) -> bool {
        let enter = |state: usize| (state & OPEN != 0).then_some(state + 1);
        self.state.fetch_update(Acquire, Relaxed, enter).is_ok()
    }

    fn take_tasks(&self, worker: usize, job: Job) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let task = self.next.fetch_add(1, Relaxed);
                if task >= job.tasks {
                    return;
                }
                (job.task)(worker, task);
            }
        }));
        if let Err(payload) = result {
            // `fetch_add` of the others goes on from here: far from wrapping.
            self.next.store(job.tasks, Relaxed);
            lock(&self.panic).get_or_insert(payload);
        }
    }
}

/// Spins for [`SPIN`], looking at the clock now and then.
struct Patience {
    since: Option<Instant>,
    turns: u32,
}

impl Patience {
    fn new() -> Patience {
        Patience { since: None, turns: 0 }
    }

    /// False when it is time to do something else.
    fn spin(&mut self) -> bool {
        spin_loop();
        self.turns = self.turns.wrapping_add(1);
        if !self.turns.is_multiple_of(64) {
            return true;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() < SPIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every task exactly once, worker numbers in range.
    fn check(pool: &Pool, tasks: usize) {
        let counts: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        pool.run(tasks, &|worker, task| {
            assert!(worker < pool.threads());
            counts[task].fetch_add(1, Relaxed);
        });
        assert!(counts.iter().all(|c| c.load(Relaxed) == 1));
    }

    #[test]
    fn every_task_once() {
        for threads in [0, 1, 2, 3, 7] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads.max(1));
            for tasks in [0, 1, 2, 3, 64, 1000] {
                check(&pool, tasks);
            }
        }
    }

    #[test]
    fn many_short_runs_with_pauses() {
        let pool = Pool::new(3);
        for i in 0..2000 {
            check(&pool, 5);
            if i % 500 == 0 {
                thread::sleep(4 * SPIN);
            }
        }
    }

    #[test]
    fn panics_reach_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(3);
        for bad in [0, 17, 99] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, &|_, task| assert!(task != bad, "task {task}"));
            }));
            let payload = result.expect_err("the task panics");
            assert_eq!(payload.downcast_ref::<String>(), Some(&format!("task {bad}")));
            check(&pool, 100);
        }
    }

    #[test]
    fn several_callers_take_turns() {
        let pool = Pool::new(3);
        let running = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let inside = AtomicUsize::new(0);
                        pool.run(4, &|_, task| {
                            if task == 0 {
                                assert_eq!(running.fetch_add(1, SeqCst), 0);
                            }
                            inside.fetch_add(1, Relaxed);
                            if task == 0 {
                                running.fetch_sub(1, SeqCst);
                            }
                        });
                        assert_eq!(inside.load(Relaxed), 4);
                    }
                });
            }
        });
    }

    #[test]
    fn is_shared_between_threads() {
        fn assert<T: Send + Sync>() {}
        assert::<Pool>();
    }
}
