//! Launch tables, memory and settings.

use crate::support::*;
use kiln::__private::cuda::{Accelerator, Address, GraphId, KernelId, Node, PRELUDE, Region};
use kiln::__private::plan::Access;
use kiln_emulator::{Emulator, Settings};
use std::collections::BTreeSet;

const WIDTH: usize = 101;
const FLOATS: usize = 13 * WIDTH;

struct Chain {
    emulator: Emulator,
    kernel: KernelId,
    run: Address,
    arrays: Vec<Address>,
}

impl Chain {
    /// `None` where there is no compiler.
    fn new(arrays: usize) -> Option<Chain> {
        if !can_run() {
            return None;
        }
        let emulator = Emulator::new(Settings { checked: true, ..Settings::default() });
        let kernel = emulator.load(&[unit(&map(""))]).unwrap()[0];
        let run = run_values(&emulator);
        let arrays: Vec<_> = (0..arrays).map(|_| place(&emulator, &Values::Unwritten(FLOATS)).0).collect();
        let first = bytes(&whole(FLOATS, 3, 17));
        // SAFETY: allocated with as many bytes.
        unsafe { emulator.upload(arrays[0], &first) }.unwrap();
        Some(Chain { emulator, kernel, run, arrays })
    }

    /// `to = 2 from + 1`
    fn node(&self, from: usize, to: usize, after: &[usize]) -> Node {
        let region = |i: usize, access| Region { name: format!("%{i}"), at: self.arrays[i], bytes: FLOATS * 4, access };
        Node {
            kernel: self.kernel,
            name: format!("{from} to {to}"),
            parts: vec![6],
            args: vec![self.arrays[from], self.arrays[to]],
            run: self.run,
            batch: 13,
            regions: vec![region(from, Access::Read), region(to, Access::Write)],
            after: after.to_vec(),
        }
    }

    fn error(&self, nodes: &[Node]) -> String {
        self.emulator.record(nodes).map(|_| ()).expect_err("a mistake in the table").to_string()
    }
}

#[test]
fn nodes_on_the_same_memory_need_a_path() {
    let Some(chain) = Chain::new(4) else { return };
    // A reader of what another writes; two writers; a writer of what another reads.
    for (a, b) in [((0, 1), (1, 2)), ((0, 2), (1, 2)), ((1, 2), (0, 1))] {
        let error = chain.error(&[chain.node(a.0, a.1, &[]), chain.node(b.0, b.1, &[])]);
        for word in ["no path between two nodes", "node 0 (`", "node 1 (`", "writes `%", "same 5252 bytes"] {
            assert!(error.contains(word), "no `{word}` in: {error}");
        }
        assert!(chain.emulator.record(&[chain.node(a.0, a.1, &[]), chain.node(b.0, b.1, &[0])]).is_ok());
    }
    // A path may have several edges; readers need none.
    let long = [chain.node(0, 1, &[]), chain.node(0, 2, &[0]), chain.node(0, 3, &[1]), chain.node(1, 3, &[2])];
    assert!(chain.emulator.record(&long).is_ok());
    assert!(chain.emulator.record(&[chain.node(0, 1, &[]), chain.node(0, 2, &[])]).is_ok());
    // One float in common is enough.
    let (mut one, mut other) = (chain.node(0, 1, &[]), chain.node(0, 2, &[]));
    // Only that float: what lies behind the array is not known, and may be the array that `one` reads.
    other.regions[1].at = one.regions[1].at + one.regions[1].bytes as u64 - 4;
    other.regions[1].bytes = 4;
    let error = chain.error(&[one.clone(), other.clone()]);
    assert!(error.contains("the same 4 bytes"), "{error}");
    one.regions[1].bytes -= 4;
    assert!(chain.emulator.record(&[one, other]).is_ok());
}

#[test]
fn tables_that_cannot_be_launched() {
    let Some(chain) = Chain::new(3) else { return };
    let error = chain.error(&[chain.node(0, 1, &[0])]);
    assert!(error.contains("node 0 (`0 to 1`) comes after node 0") && error.contains("expected an earlier"), "{error}");
    let error = chain.error(&[chain.node(0, 1, &[1]), chain.node(0, 2, &[])]);
    assert!(error.contains("comes after node 1 (0 to 2)"), "{error}");
    let mut node = chain.node(0, 1, &[]);
    node.args.push(0);
    let error = chain.error(&[node]);
    assert!(error.contains("expects 2 pointers and 1 parts, found 3 and 1"), "{error}");
    let mut node = chain.node(0, 1, &[]);
    node.kernel = KernelId(7);
    assert!(chain.error(&[node]).contains("KernelId(7), which is not loaded"));

    let graph = chain.emulator.record(&[chain.node(0, 1, &[])]).unwrap();
    chain.emulator.forget(graph);
    for graph in [graph, GraphId(99)] {
        // SAFETY: it is not launched.
        let error = unsafe { chain.emulator.launch(graph) }.unwrap_err().to_string();
        assert!(error.contains("was not recorded, or was forgotten"), "{error}");
    }
    let mut node = chain.node(0, 1, &[]);
    node.regions[0].bytes += 1 << 20;
    let graph = chain.emulator.record(&[node]).unwrap();
    // SAFETY: it is refused.
    let error = unsafe { chain.emulator.launch(graph) }.unwrap_err().to_string();
    assert!(error.contains("region `%0` of node `0 to 1` is in no allocation"), "{error}");
}

#[test]
fn a_graph_runs_in_the_order_of_its_edges() {
    let Some(chain) = Chain::new(5) else { return };
    let nodes = [
        chain.node(0, 1, &[]),
        chain.node(1, 2, &[0]),
        chain.node(0, 3, &[]),
        chain.node(3, 4, &[2]),
        chain.node(2, 0, &[1, 2]),
        chain.node(0, 1, &[4]),
    ];
    let graph = chain.emulator.record(&nodes).unwrap();
    let first = whole(FLOATS, 3, 17);
    let twice = |values: &[f32], times: usize| {
        (0..times).fold(values.to_vec(), |values, _| values.iter().map(|x| 2.0 * x + 1.0).collect())
    };
    for schedule in 0..6 {
        chain.emulator.set_schedule(schedule);
        chain.emulator.set_blocks((schedule > 3).then_some(3));
        // SAFETY: allocated with as many bytes, like all that the graph names.
        unsafe {
            chain.emulator.upload(chain.arrays[0], &bytes(&first)).unwrap();
            chain.emulator.launch(graph).unwrap();
        }
        for (array, times) in [(0, 3), (1, 4), (2, 2), (3, 1), (4, 2)] {
            assert_eq!(fetch(&chain.emulator, chain.arrays[array], FLOATS), twice(&first, times), "%{array}");
        }
    }
}

#[test]
fn what_a_launch_wrote_is_written_until_it_is_poisoned() {
    let Some(chain) = Chain::new(3) else { return };
    let graph = chain.emulator.record(&[chain.node(1, 2, &[])]).unwrap();
    // SAFETY: nothing is freed.
    let launch = || unsafe { chain.emulator.launch(graph) }.map_err(|e| e.to_string());
    assert!(launch().unwrap_err().contains("uninitialised read"));
    let before = chain.emulator.record(&[chain.node(0, 1, &[])]).unwrap();
    // SAFETY: as above.
    unsafe { chain.emulator.launch(before) }.unwrap();
    launch().unwrap();
    // SAFETY: the array has so many words.
    unsafe { chain.emulator.fill(chain.arrays[1], FLOATS, 0x7FC0_0000) }.unwrap();
    assert!(launch().unwrap_err().contains("uninitialised read"));
    // SAFETY: as above.
    unsafe { chain.emulator.fill(chain.arrays[1], FLOATS, 0) }.unwrap();
    launch().unwrap();
    assert_eq!(fetch(&chain.emulator, chain.arrays[2], FLOATS), vec![1.0; FLOATS]);
}

#[test]
fn memory_is_aligned_and_bounded() {
    let emulator = Emulator::new(Settings::default());
    let at: Vec<_> = [1, 256, 1000].iter().map(|&bytes| emulator.allocate(bytes).unwrap()).collect();
    assert!(at.iter().all(|at| at % 256 == 0), "{at:?}");
    assert!(fetch(&emulator, at[2], 250).iter().all(|x| x.is_nan()));
    // SAFETY: refused, for it lies outside.
    let error = unsafe { emulator.upload(at[0], &[0; 512]) }.unwrap_err().to_string();
    assert!(error.contains("an upload of 512 bytes at") && error.contains("in no allocation"), "{error}");
    // SAFETY: allocated above; nothing names it.
    unsafe { emulator.free(at[1], 256) };
    // SAFETY: refused.
    assert!(unsafe { emulator.fill(at[1], 1, 0) }.is_err());
    assert!(emulator.allocate(usize::MAX / 2).is_err());
}

#[test]
fn kernels_load_once_and_say_what_is_wrong_with_their_text() {
    if !can_run() {
        return;
    }
    let emulator = Emulator::new(Settings::default());
    let (one, other) = (unit(&map("")), unit(&softmax("")));
    let mut updates = one.clone();
    updates.optimizer = "struct KilnOptimizer { float rate; };".into();
    let units = [one.clone(), other.clone(), one.clone(), updates.clone()];
    let ids = emulator.load(&units).unwrap();
    assert_eq!(ids[0], ids[2]);
    assert!(ids[0] != ids[1] && ids[0] != ids[3] && ids[1] != ids[3]);
    assert_eq!(emulator.load(&[updates, other]).unwrap(), [ids[3], ids[1]]);

    let mut wrong = one.clone();
    wrong.text = "\nKILN_DEV u32 oops() { return undeclared; }".into();
    let error = emulator.load(&[wrong]).unwrap_err().to_string();
    assert!(error.contains("`map` does not compile") && error.contains("map:2:"), "{error}");
    let mut wrong = one.clone();
    wrong.text = "#include <vector>\n".to_owned() + &wrong.text;
    assert!(emulator.load(&[wrong]).is_err(), "a header in a header-free text");
    let mut wrong = one;
    wrong.threads = 128;
    assert!(emulator.load(&[wrong]).unwrap_err().to_string().contains("has 128 threads, expected 256"));
}

#[test]
fn both_preludes_provide_the_same_names() {
    // Of what is defined: `KILN_DEV u32 kiln_tf32(float value)`.
    let names = |text: &'static str| -> BTreeSet<&'static str> {
        let heads = text.lines().filter_map(|line| line.split_once("KILN_DEV ")).map(|(_, rest)| rest);
        let names = heads.filter_map(|rest| rest.split_once('(')?.0.split(['*', ' ']).next_back());
        names.filter(|name| name.starts_with("kiln_") && !name.starts_with("kiln_emulator_")).collect()
    };
    let own = names(include_str!("../../cxx/prelude.h"));
    let mut other = names(PRELUDE);
    // What the GPU's needs for itself.
    other.retain(|name| !["kiln_follow", "kiln_shared_address"].contains(name));
    assert_eq!(own, other);
    assert!(own.len() > 18, "{own:?}");
}

#[test]
fn emulators_on_several_threads_keep_apart() {
    if !can_run() {
        return;
    }
    let expected = product(&whole(128 * 48, 7, 11), &whole(48 * 128, 5, 13), 128, 128, 48);
    std::thread::scope(|scope| {
        for schedule in 0..4 {
            let expected = &expected;
            scope.spawn(move || {
                let emulator = Emulator::new(Settings { checked: schedule % 2 == 1, schedule, blocks: None });
                for _ in 0..5 {
                    assert_eq!(&run(&emulator, &sgemm("")).unwrap()[2], expected);
                    assert!(run(&emulator, &map("#define TAKES shared.take<u8>(65);")).is_err());
                }
            });
        }
    });
}
