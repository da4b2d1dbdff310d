//! How long a mutant may take, and how much memory. What takes more ends the process, with a code that says which.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of processor time, for one `network!`. A build with assertions verifies every plan.
pub const SECONDS: u64 = if cfg!(debug_assertions) { 6 } else { 2 };
/// Of processor time for each line of what is declared, repeats and blocks unrolled, where that is more.
const MILLISECONDS_PER_LINE: u64 = if cfg!(debug_assertions) { 20 } else { 4 };
/// Of memory beyond what was there before.
pub const BYTES: usize = 1 << 30;

pub const TOO_SLOW: i32 = 41;
pub const TOO_MUCH: i32 = 42;

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Told by the allocator of all that is taken and given back, in all threads; counts while a mutant is judged.
pub fn count(bytes: isize) {
    if !COUNTING.load(Ordering::Relaxed) {
        return;
    }
    // What lived before may be freed, so that the count goes below zero and around.
    let live = LIVE.fetch_add(bytes as usize, Ordering::Relaxed).wrapping_add(bytes as usize);
    if live > BYTES && live < usize::MAX / 2 {
        COUNTING.store(false, Ordering::Relaxed);
        std::process::exit(TOO_MUCH);
    }
}

/// The thread that judges, as `/proc` calls it, and when that began.
static JUDGING: Mutex<Option<(PathBuf, Instant)>> = Mutex::new(None);
static ROUND: AtomicU64 = AtomicU64::new(0);
static MILLISECONDS: AtomicU64 = AtomicU64::new(SECONDS * 1000);

/// What is judged declares so many lines.
pub fn allow(lines: u64) {
    MILLISECONDS.store((lines * MILLISECONDS_PER_LINE).max(SECONDS * 1000), Ordering::SeqCst);
}

/// Says which thread judges.
pub fn watch_this_thread() {
    let place = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let stat = PathBuf::from("/proc").join(place).join("schedstat");
    *JUDGING.lock().unwrap_or_else(PoisonError::into_inner) = Some((stat, Instant::now()));
}

/// Seconds that the judging thread has run: of its processor where the system says so, else by the clock.
fn run_so_far() -> Option<Duration> {
    let judging = JUDGING.lock().unwrap_or_else(PoisonError::into_inner);
    let (stat, start) = judging.as_ref()?;
    let text = std::fs::read_to_string(stat).ok();
    let nanos = text.and_then(|text| text.split_whitespace().next()?.parse().ok());
    Some(nanos.map_or_else(|| start.elapsed(), Duration::from_nanos))
}

/// Looks at the clock while something is judged.
pub struct Watch(());

impl Watch {
    pub fn start() -> Watch {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(100));
                let round = ROUND.load(Ordering::SeqCst);
                let most = Duration::from_millis(MILLISECONDS.load(Ordering::SeqCst));
                let late = run_so_far().is_some_and(|time| time > most);
                if late && round == ROUND.load(Ordering::SeqCst) && COUNTING.load(Ordering::SeqCst) {
                    COUNTING.store(false, Ordering::SeqCst);
                    std::process::exit(TOO_SLOW);
                }
            }
        });
        Watch(())
    }

    /// Within the limits, or the process ends.
    pub fn around<T>(&self, judge: impl FnOnce() -> T) -> T {
        LIVE.store(0, Ordering::SeqCst);
        allow(0);
        COUNTING.store(true, Ordering::SeqCst);
        let judged = judge();
        COUNTING.store(false, Ordering::SeqCst);
        *JUDGING.lock().unwrap_or_else(PoisonError::into_inner) = None;
        ROUND.fetch_add(1, Ordering::SeqCst);
        judged
    }
}
