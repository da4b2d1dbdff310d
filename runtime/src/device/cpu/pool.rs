//! Threads that wait for work, and share out numbered tasks.
//!
//! A run allocates nothing. The caller takes part as worker 0; the others spin for a short while after a run, because the next launch of a step follows within microseconds, and then sleep. Nobody waits for a
//! sleeper: a run ends when its tasks are done. Tasks are dealt out in equal parts of neighbours, the same each time, so that a worker finds the same slice of weights in its own cache every step; who has done its part
//! takes what is left of the others'. Which worker takes which task is therefore left to chance in the end: tasks must not depend on it.
//!
//! A part is one word, its first task that nobody has claimed and its end. Whoever succeeds in counting it up owns a task of the run that is under way, and that run cannot end before the task is done: only then is the
//! caller's frame looked at. So nobody needs to sign in or out, and who comes late finds nothing, or helps with the next run.
//!
//! Deliberately absent: nested runs (a task that calls `run` on its own pool waits for ever), priorities, pinning.

use std::{
    any::Any,
    hint::spin_loop,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{
            AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long a worker looks for the next run before it sleeps, and the caller for the last worker before it yields.
const SPIN: Duration = Duration::from_micros(100);

/// A part's first task lies above its end.
const FIRST: u32 = 32;

/// The share of what is left of a part that is claimed at once. What a disturbed worker has claimed waits for it.
const SHARE: u64 = 8;

type Task<'a> = &'a (dyn Fn(usize, usize) + Sync + 'a);

pub struct Pool {
    shared: Arc<Shared>,
    /// Held for the length of a run.
    turn: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
}

/// On a pair of cache lines of its own: the hardware fetches them by twos.
#[repr(align(128))]
struct Line<T>(T);

struct Shared {
    run: Line<Run>,
    /// Each worker's part of the tasks.
    parts: Box<[Line<AtomicU64>]>,
    /// Tasks of the run that are done.
    done: Line<AtomicUsize>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// A task has panicked: the others are dropped.
    failed: AtomicBool,
    shutdown: AtomicBool,
    /// Workers that have begun to wait.
    started: AtomicUsize,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

/// What workers look at while they wait.
struct Run {
    /// Counts runs, so that a worker sees a new one; also changes at shutdown.
    epoch: AtomicUsize,
    /// On the caller's stack; may be followed between a claim and its completion.
    task: AtomicPtr<Task<'static>>,
}

/// A panic in a task leaves nothing half-done that a lock here protects.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool of `threads` workers, the caller of [`run`](Pool::run) being one of them; 0 counts as 1. All of them have begun when it
    /// returns: what a thread allocates as it starts is not part of any run.
    ///
    /// # Panics
    /// If the system gives no more threads.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            run: Line(Run { epoch: AtomicUsize::new(0), task: AtomicPtr::new(ptr::null_mut()) }),
            parts: (0..threads.max(1)).map(|_| Line(AtomicU64::new(0))).collect(),
            done: Line(AtomicUsize::new(0)),
            panic: Mutex::new(None),
            failed: AtomicBool::new(false),
            shutdown: AtomicBool::new(false),
            started: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        });
        let workers: Vec<_> = (1..threads)
            .map(|worker| {
                let shared = Arc::clone(&shared);
                let builder = thread::Builder::new().name(format!("kiln-{worker}"));
                builder.spawn(move || shared.work(worker)).expect("the system starts a thread")
            })
            .collect();
        while shared.started.load(Acquire) < workers.len() {
            thread::yield_now();
        }
        Pool { shared, turn: Mutex::new(()), workers }
    }

    /// Number of workers; `run` passes numbers below it.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f(worker, task)` once for every task below `tasks`, and returns when all are done. One run at a time: others wait for their turn.
    ///
    /// # Panics
    /// If a task panics: with its payload, after all others have ended. Tasks not yet begun are dropped.
    pub fn run(&self, tasks: usize, f: &(dyn Fn(usize, usize) + Sync)) {
        if tasks <= 1 || self.workers.is_empty() {
            // Nobody is asked, so nobody needs a turn.
            for task in 0..tasks {
                f(0, task);
            }
            return;
        }
        self.share_out(tasks, f, lock(&self.turn));
    }

    /// As [`run`](Pool::run), but while another run is under way the caller does all tasks itself, as worker 0.
    pub fn run_at_once(&self, tasks: usize, f: &(dyn Fn(usize, usize) + Sync)) {
        let turn = match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        match turn {
            Some(turn) if tasks > 1 && !self.workers.is_empty() => self.share_out(tasks, f, turn),
            _ => (0..tasks).for_each(|task| f(0, task)),
        }
    }

    fn share_out(&self, tasks: usize, f: &(dyn Fn(usize, usize) + Sync), _turn: MutexGuard<'_, ()>) {
        assert!(u32::try_from(tasks).is_ok(), "{tasks} tasks");
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes, and this function does not return before all tasks are done: after that nobody claims one, and without a claim nobody follows the pointer.
        let task = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(f) };
        shared.done.0.store(0, Relaxed);
        shared.run.0.task.store(ptr::from_ref(&task).cast_mut(), Relaxed);
        let parts = shared.parts.len();
        for (i, part) in shared.parts.iter().enumerate() {
            let (first, end) = ((i * tasks / parts) as u64, ((i + 1) * tasks / parts) as u64);
            part.0.store(first << FIRST | end, Release);
        }
        shared.announce();
        shared.take_tasks(0);
        let mut patience = Patience::new();
        while shared.done.0.load(Acquire) != tasks {
            if !patience.spin() {
                thread::yield_now();
            }
        }
        if shared.failed.load(Relaxed) {
            shared.failed.store(false, Relaxed);
            let panic = lock(&shared.panic).take();
            if let Some(payload) = panic {
                resume_unwind(payload);
            }
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
        self.run.0.epoch.fetch_add(1, SeqCst);
        if self.sleepers.load(SeqCst) > 0 {
            let _guard = lock(&self.sleep);
            self.wake.notify_all();
        }
    }

    fn work(&self, worker: usize) {
        let mut seen = 0;
        self.started.fetch_add(1, Release);
        loop {
            seen = self.wait(seen);
            if self.shutdown.load(SeqCst) {
                return;
            }
            self.take_tasks(worker);
        }
    }

    /// Waits for an epoch other than `seen`.
    fn wait(&self, seen: usize) -> usize {
        let mut patience = Patience::new();
        loop {
            let epoch = self.run.0.epoch.load(Acquire);
            if epoch != seen {
                return epoch;
            }
            if patience.spin() {
                continue;
            }
            let mut guard = lock(&self.sleep);
            self.sleepers.fetch_add(1, SeqCst);
            while self.run.0.epoch.load(SeqCst) == seen {
                guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, SeqCst);
        }
    }

    /// Some tasks of this part, if there are any left: several at once where there are many, because a claim costs as much
    /// as a small task, and holds up what the next one could read ahead.
    fn claim(&self, part: usize) -> Option<Range<usize>> {
        let part = &self.parts[part].0;
        let mut word = part.load(Acquire);
        loop {
            let (first, end) = (word >> FIRST, word & u64::from(u32::MAX));
            if first >= end {
                return None;
            }
            let count = ((end - first) / SHARE).max(1);
            match part.compare_exchange_weak(word, word + (count << FIRST), Acquire, Acquire) {
                Ok(_) => return Some(first as usize..(first + count) as usize),
                Err(now) => word = now,
            }
        }
    }

    /// The worker's own part of the run, then what others have left.
    fn take_tasks(&self, worker: usize) {
        let parts = self.parts.len();
        let mut done = 0;
        for part in (0..parts).map(|i| (worker + i) % parts) {
            while let Some(tasks) = self.claim(part) {
                done += tasks.len();
                // SAFETY: claimed tasks keep the run, and with it the caller's frame, alive.
                let run = unsafe { *self.run.0.task.load(Relaxed) };
                let all = AssertUnwindSafe(|| tasks.for_each(|task| run(worker, task)));
                if !self.failed.load(Relaxed)
                    && let Err(payload) = catch_unwind(all)
                {
                    self.failed.store(true, Relaxed);
                    lock(&self.panic).get_or_insert(payload);
                }
            }
        }
        if done > 0 {
            self.done.0.fetch_add(done, Release);
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

    /// Repetitions: interpreted, each takes a thousand times as long, but meets a schedule of its own.
    const fn times(n: usize) -> usize {
        if cfg!(miri) { n.div_ceil(100) } else { n }
    }

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
            for tasks in [0, 1, 2, 3, 64, times(1000)] {
                check(&pool, tasks);
            }
        }
    }

    #[test]
    fn many_short_runs_with_pauses() {
        let pool = Pool::new(3);
        for i in 0..times(2000) {
            check(&pool, 5);
            if i % times(500) == 0 {
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
                    for _ in 0..times(200) {
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
    fn undisturbed_workers_keep_their_part() {
        // A worker that waits for the other inside its first task: each must own half of the tasks then.
        let pool = Pool::new(2);
        for _ in 0..times(50) {
            let owners: Vec<_> = (0..2).map(|_| AtomicUsize::new(9)).collect();
            let inside = AtomicUsize::new(0);
            pool.run(2, &|worker, task| {
                owners[task].store(worker, Relaxed);
                inside.fetch_add(1, SeqCst);
                while inside.load(SeqCst) < 2 {
                    thread::yield_now();
                }
            });
            assert_eq!([owners[0].load(Relaxed), owners[1].load(Relaxed)], [0, 1]);
        }
    }

    #[test]
    fn what_a_busy_worker_leaves_is_taken() {
        let pool = Pool::new(2);
        let done = AtomicUsize::new(0);
        // The first task ends only when all others are done, those of its own part among them: so few that it was claimed alone.
        let tasks = 2 * SHARE as usize;
        pool.run(tasks, &|_, task| {
            if task == 0 {
                while done.load(SeqCst) + 1 < tasks {
                    thread::yield_now();
                }
            } else {
                done.fetch_add(1, SeqCst);
            }
        });
    }

    #[test]
    fn is_shared_between_threads() {
        fn assert<T: Send + Sync>() {}
        assert::<Pool>();
    }
}
