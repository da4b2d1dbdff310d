//! SIGINT and SIGTERM while a training with checkpoints runs: the step is finished, a checkpoint written, training ends.
//!
//! Handlers are there only while such a training runs; afterwards the program's own are back. A handler that the program had
//! before is called too. The first signal puts it back at once, so that a second one does what it always did, which is
//! to end the program unless it has decided otherwise. A signal that the program ignores stays ignored.
//!
//! Elsewhere than on Unix nothing is caught.

#[cfg(unix)]
pub(super) use unix::{Watch, caught};

#[cfg(not(unix))]
pub(super) use other::{Watch, caught};

#[cfg(unix)]
mod unix {
    use std::cell::UnsafeCell;
    use std::mem::{MaybeUninit, zeroed};
    use std::ptr;
    use std::sync::atomic::{AtomicI32, Ordering};
    use std::sync::{Mutex, PoisonError};

    const SIGNALS: [(libc::c_int, &str); 2] = [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM")];

    /// The last signal that came; 0 where none did.
    static CAUGHT: AtomicI32 = AtomicI32::new(0);

    /// How many trainings watch.
    static WATCHING: Mutex<usize> = Mutex::new(0);

    /// What the program had before, for each of `SIGNALS`.
    static BEFORE: [Before; SIGNALS.len()] = [const { Before(UnsafeCell::new(MaybeUninit::zeroed())) }; SIGNALS.len()];

    struct Before(UnsafeCell<MaybeUninit<libc::sigaction>>);

    // SAFETY: written under the lock of `WATCHING` and only while the handler, the one reader without it, is not installed.
    unsafe impl Sync for Before {}

    /// Catches signals until it is dropped.
    pub(in super::super) struct Watch(());

    impl Watch {
        pub fn begin() -> Self {
            let mut watching = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
            if *watching == 0 {
                CAUGHT.store(0, Ordering::SeqCst);
                (0..SIGNALS.len()).for_each(install);
            }
            *watching += 1;
            Watch(())
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            let mut watching = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
            *watching -= 1;
            if *watching == 0 {
                (0..SIGNALS.len()).for_each(restore);
            }
        }
    }

    /// The signal that came since watching began.
    pub(in super::super) fn caught() -> Option<&'static str> {
        let caught = CAUGHT.load(Ordering::SeqCst);
        SIGNALS.iter().find(|(signal, _)| *signal == caught).map(|(_, name)| *name)
    }

    fn install(place: usize) {
        let signal = SIGNALS[place].0;
        // SAFETY: `sigaction` is plain data, for which zeros are a value; both pointers are to such data. The handler does
        // only what a handler may: atomics, `sigaction` and what the program's own handler does. It is not installed
        // while `BEFORE` is written, because `begin` does so for the first watch alone.
        unsafe {
            let before = BEFORE[place].0.get().cast::<libc::sigaction>();
            if libc::sigaction(signal, ptr::null(), before) != 0 || (*before).sa_sigaction == libc::SIG_IGN {
                return;
            }
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler();
            // Reads and writes that are under way in other threads go on.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | ((*before).sa_flags & libc::SA_ONSTACK);
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }

    /// Puts back what was there, unless the program has put in something else meanwhile.
    fn restore(place: usize) {
        // SAFETY: as in `install`; `BEFORE` was filled there.
        unsafe {
            let mut now: libc::sigaction = zeroed();
            if libc::sigaction(SIGNALS[place].0, ptr::null(), &mut now) == 0 && now.sa_sigaction == handler() {
                libc::sigaction(SIGNALS[place].0, BEFORE[place].0.get().cast(), ptr::null_mut());
            }
        }
    }

    fn handler() -> libc::sighandler_t {
        on_signal as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) as libc::sighandler_t
    }

    extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        CAUGHT.store(signal, Ordering::SeqCst);
        let Some(place) = SIGNALS.iter().position(|(known, _)| *known == signal) else { return };
        // SAFETY: this handler was installed after `BEFORE` was filled, which holds an action that was in force: its handler
        // takes one argument or, where its flags say so, three.
        unsafe {
            let before = BEFORE[place].0.get().cast::<libc::sigaction>();
            libc::sigaction(signal, before, ptr::null_mut());
            let before = *before;
            if before.sa_sigaction == libc::SIG_DFL || before.sa_sigaction == libc::SIG_IGN {
                return;
            }
            if before.sa_flags & libc::SA_SIGINFO != 0 {
                type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                std::mem::transmute::<libc::sighandler_t, Handler>(before.sa_sigaction)(signal, info, context);
            } else {
                type Handler = extern "C" fn(libc::c_int);
                std::mem::transmute::<libc::sighandler_t, Handler>(before.sa_sigaction)(signal);
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    pub(in super::super) struct Watch(());

    impl Watch {
        pub fn begin() -> Self {
            Watch(())
        }
    }

    pub(in super::super) fn caught() -> Option<&'static str> {
        None
    }
}
