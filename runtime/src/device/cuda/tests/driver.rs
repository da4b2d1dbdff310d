//! Everything that can be said of the GPU's code without a GPU: what is told where something is missing, and, with the
//! pretended driver `tests/common/driver.c`, what a real one would be asked. Each case runs in a process of its own, because a library is
//! loaded once and environment variables are a process's.

use super::pretended::pretended;
use super::skip::skip;
use crate::device::cuda::{KernelId, Node, Nvrtc, Unit, open};
use std::path::Path;
use std::process::Command;

/// Says what a started process does.
const CASE: &str = "KILN_TEST_DRIVER_CASE";

/// Starts this test binary for one case and gives what it printed.
fn run(case: &str, folder: Option<&Path>, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "device::cuda::tests::driver::started", "--nocapture"]).env(CASE, case);
    command.env_remove("KILN_CUDA");
    if let Some(folder) = folder {
        command.env("LD_LIBRARY_PATH", folder);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case} {variables:?}:\n{text}\n{log}");
    text
}

/// What a process that was started by `run` does.
#[test]
fn started() {
    match std::env::var(CASE).as_deref() {
        Ok("open") => {
            let text = open(0).map_or_else(|e| format!("error: {e}"), |gpu| gpu.name());
            println!("{text}");
        }
        Ok("open 5") => println!("error: {}", open(5).unwrap_err()),
        Ok("copies") => copies(),
        Ok("memory") => println!("{}", open(0).unwrap().allocate(3 << 20).unwrap_err()),
        Ok("graphs") => graphs(),
        other => assert!(other.is_err(), "unknown case {other:?}"),
    }
}

/// As `pretended`, where the case needs the compiler too.
#[track_caller]
fn pretended_with_nvrtc() -> Option<tempfile::TempDir> {
    Nvrtc::find().map_err(|e| skip(&e)).ok()?;
    pretended()
}

#[test]
fn switched_off() {
    let text = run("open", None, &[("KILN_CUDA", "off")]);
    assert!(text.contains("error: cuda:0: KILN_CUDA = off; help: unset it, or use Device::cpu()"), "{text}");
    let text = run("open", None, &[("KILN_CUDA", "maybe")]);
    assert!(text.contains("error: KILN_CUDA must be `off` or `on`, but it is `maybe`"), "{text}");
}

#[test]
fn whatever_is_here_is_an_ordinary_answer() {
    let text = run("open", None, &[]);
    assert!(text.contains("error: cuda:0: ") || text.contains("cuda:0 ("), "{text}");
    if text.contains("no NVIDIA driver") {
        assert!(text.contains("libcuda.so, ") && text.contains("help: install the driver"), "{text}");
    }
}

#[test]
fn machines_that_will_not_do() {
    let Some(folder) = pretended() else { return };
    for (case, variables, expected) in [
        (
            "open",
            [("FAKE_VERSION", "11080")],
            "a driver for CUDA 11.8 is installed, but a driver for CUDA 12.0 or newer is needed",
        ),
        ("open", [("FAKE_INIT", "100")], "the driver does not start: CUDA_ERROR_NO_DEVICE (an explanation)"),
        ("open", [("FAKE_DEVICES", "0")], "cuda:0: the driver knows no device"),
        ("open 5", [("FAKE_DEVICES", "2")], "cuda:5: there is no such device: the driver knows 2, numbered from 0"),
        (
            "open",
            [("FAKE_CAPABILITY", "75")],
            "cuda:0: kernels need compute capability 8.0 or newer, but Fake GPU 0 has 7.5",
        ),
        ("open", [("KILN_NVRTC", "/nowhere")], "cuda:0: NVRTC was not found: KILN_NVRTC = /nowhere is no library"),
    ] {
        let text = run(case, Some(folder.path()), &variables);
        assert!(text.contains(expected), "{variables:?}: {text}");
    }
}

#[test]
fn a_capability_that_the_compiler_does_not_know() {
    let Some(folder) = pretended_with_nvrtc() else { return };
    let text = run("open", Some(folder.path()), &[("FAKE_CAPABILITY", "990")]);
    assert!(text.contains("cannot compile for compute capability 99.0 of Fake GPU 0; help: a newer NVRTC"), "{text}");
    let text = run("open", Some(folder.path()), &[("FAKE_DEVICES", "2")]);
    assert!(text.contains("cuda:0 (Fake GPU 0)"), "{text}");
}

#[test]
fn too_little_memory() {
    let Some(folder) = pretended_with_nvrtc() else { return };
    let text = run("memory", Some(folder.path()), &[("FAKE_MEMORY", "2")]);
    let expected = "not enough memory: 3145728 bytes are wanted, 2097152 of 2097152 are free";
    assert!(text.contains(&format!("cuda:0 (Fake GPU 0): {expected}")), "{text}");
}

#[test]
fn uploads_keep_their_bytes() {
    let Some(folder) = pretended_with_nvrtc() else { return };
    let text = run("copies", Some(folder.path()), &[]);
    assert!(text.contains("copied"), "{text}");
    // Two buffers, two for the pieces of the large uploads, one for results: no more, however much is copied.
    let sizes: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("pinned ")).collect();
    assert_eq!(sizes, ["4194304", "4194304", "33554432", "33554432", "65536"], "{text}");
}

fn copies() {
    let gpu = open(0).unwrap();
    let bytes = 700_001;
    let content = |number: usize, length: usize| -> Vec<u8> {
        (0..length).map(|i| (i * 7 + i / 256 + number * 31) as u8).collect()
    };
    let round = |count: usize, length: usize| {
        let places: Vec<_> = (0..count).map(|_| gpu.allocate(length).unwrap()).collect();
        assert!(places.iter().all(|place| place % 256 == 0));
        for (number, place) in places.iter().enumerate() {
            let mut bytes = content(number, length);
            // SAFETY: the memory was allocated in this size.
            unsafe { gpu.upload(*place, &bytes).unwrap() };
            // The caller's buffer is free again.
            bytes.fill(0);
        }
        for (number, place) in places.iter().enumerate() {
            let mut found = vec![0; length];
            // SAFETY: as above.
            unsafe { gpu.download(*place, &mut found).unwrap() };
            assert!(found == content(number, length), "upload {number} of {length} bytes");
            // SAFETY: as above; it is not used again.
            unsafe { gpu.free(*place, length) };
        }
    };
    round(40, bytes);
    // Larger than the largest buffer.
    round(3, 40 << 20);
    round(100, 12);
    round(40, bytes);

    let words = gpu.allocate(40).unwrap();
    let mut found = [0; 40];
    // SAFETY: as above.
    unsafe {
        gpu.fill(words, 0, 1).unwrap();
        gpu.fill(words, 10, 0x0102_0304).unwrap();
        gpu.download(words, &mut found).unwrap();
        gpu.download(words, &mut []).unwrap();
    }
    assert_eq!(found, [4, 3, 2, 1].repeat(10)[..]);
    println!("copied");
}

#[test]
fn graphs_as_the_driver_sees_them() {
    let Some(folder) = pretended_with_nvrtc() else { return };
    let cache = tempfile::tempdir().unwrap();
    let cache = ("KILN_CACHE", cache.path().to_str().unwrap());
    let text = run("graphs", Some(folder.path()), &[cache]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("running") && !line.is_empty()).collect();
    let from = lines.iter().position(|line| line.starts_with("load")).expect("kernels are loaded");
    let to = lines.iter().position(|line| line.starts_with("no graph")).expect("the case ends");
    let programmatic = "(port 1 to 0, type 1)";
    assert_eq!(
        lines[from..=to],
        [
            "load small".to_owned(),
            "load large".to_owned(),
            // More than 48 KiB must be allowed (attribute 8).
            "attribute 8 of large: 65536".to_owned(),
            // Refused below, for its threads; one with too much shared memory is refused before it is loaded.
            "load wide".to_owned(),
            "node 0 small grid 4 1 1 block 256 1 1 shared 0 after parameters 1000 2000 7 4".to_owned(),
            format!(
                "node 1 large grid 2112 1 1 block 128 1 1 shared 65536 after 0 {programmatic} parameters 1000 2000 7 840"
            ),
            format!("node 2 small grid 1 1 1 block 256 1 1 shared 0 after 1 {programmatic} parameters 1000 2000 7 1"),
            "node 3 small grid 1 1 1 block 256 1 1 shared 0 after 2 parameters 1000 2000 7 1".to_owned(),
            "node 4 small grid 1 1 1 block 256 1 1 shared 0 after 2 parameters 1000 2000 7 1".to_owned(),
            "node 5 small grid 1 1 1 block 256 1 1 shared 0 after 3 4 parameters 1000 2000 7 1".to_owned(),
            "graph of 6".to_owned(),
            "launch 6".to_owned(),
            "launch 6".to_owned(),
            "launch 6".to_owned(),
            "1.5 ms".to_owned(),
            "drop 6".to_owned(),
            "no graph: cuda:0 (Fake GPU 0): there is no graph 0".to_owned(),
        ]
    );

    // Older devices and older drivers have no programmatic edges.
    for older in [("FAKE_CAPABILITY", "80"), ("FAKE_VERSION", "12020")] {
        let text = run("graphs", Some(folder.path()), &[cache, older]);
        if older.0 == "FAKE_CAPABILITY" {
            assert!(text.contains("graph of 6"), "{text}");
        } else {
            // Only a compiler of version 12 can be used with a driver of version 12.
            assert!(text.contains("graph of 6") || text.contains("NVRTC"), "{text}");
        }
        assert!(!text.contains("port"), "{older:?}: {text}");
    }
}

fn graphs() {
    let gpu = match open(0) {
        Ok(gpu) => gpu,
        Err(e) => return println!("{e}"),
    };
    let unit = |name: &str, threads: usize, shared: usize| Unit {
        name: name.to_owned(),
        templates: "",
        optimizer: String::new(),
        text: format!("extern \"C\" __global__ void {name}(float* x) {{ *x = 1; }}"),
        threads,
        shared,
    };
    let units = [unit("small", 256, 0), unit("large", 128, 64 << 10), unit("small", 256, 0)];
    let ids = gpu.load(&units).unwrap();
    assert_eq!(ids, [KernelId(0), KernelId(1), KernelId(0)]);
    assert_eq!(gpu.load(&units[1..]).unwrap(), ids[1..]);
    let text = gpu.load(&[unit("huge", 256, 200 << 10)]).unwrap_err().to_string();
    let expected = "kernel `huge` wants 204800 bytes of shared memory per block, but the device has 102400";
    assert!(text.ends_with(expected), "{text}");
    let text = gpu.load(&[unit("wide", 2048, 0)]).unwrap_err().to_string();
    assert!(text.ends_with("kernel `wide` has blocks of 2048 threads, but can have 1024 here"), "{text}");

    let node = |kernel: KernelId, work: usize, after: &[usize]| Node {
        kernel,
        name: "k".to_owned(),
        parts: vec![work],
        args: vec![0x1000],
        run: 0x2000,
        batch: 7,
        regions: Vec::new(),
        after: after.to_vec(),
    };
    let (small, large) = (ids[0], ids[1]);
    let nodes = [
        node(small, 4, &[]),
        node(large, 5000, &[0]),
        node(small, 0, &[1]),
        node(small, 1, &[2]),
        node(small, 1, &[2]),
        node(small, 1, &[3, 4]),
    ];
    let graph = gpu.record(&nodes).unwrap();
    // SAFETY: nothing is run, so nothing is touched.
    unsafe {
        gpu.launch(graph).unwrap();
        println!("{} ms", gpu.time(graph, 2).unwrap().unwrap());
        gpu.forget(graph);
        println!("no graph: {}", gpu.launch(graph).unwrap_err());
    }
    let text = gpu.record(&[node(KernelId(9), 1, &[])]).unwrap_err().to_string();
    assert!(text.ends_with("`k`: there is no kernel 9"), "{text}");
    assert!(gpu.record(&[node(small, 1, &[0])]).is_err());
}
