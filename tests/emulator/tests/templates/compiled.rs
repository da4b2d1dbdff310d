//! What NVRTC makes of the templates.

use crate::{contraction, convolution, reduction};
use kiln::__private::cuda::{Nvrtc, Unit};
use std::sync::atomic::{AtomicUsize, Ordering};

const ARCHITECTURES: [&str; 3] = ["sm_80", "sm_90", "sm_90a"];

/// Every template compiles, each form for one of the architectures in turn, and keeps to registers.
#[test]
fn nothing_spills() {
    let nvrtc = match Nvrtc::find() {
        Ok(nvrtc) => nvrtc,
        Err(why) => {
            eprintln!("skipped: {why}");
            return;
        }
    };
    let units: Vec<Unit> = [contraction::units(), convolution::units(), reduction::units()].concat();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(i) else { return };
            let architecture = ARCHITECTURES[i % 3];
            let (cubin, found) = nvrtc.report(unit, architecture).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(&cubin[..4], b"\x7fELF", "machine code of {} for {architecture}", unit.name);
            let outside = [found.spill_stores, found.spill_loads, found.stack];
            assert_eq!(outside, [0; 3], "spills and stack of {} for {architecture}:\n{}", unit.name, unit.text);
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
}
