//! The machine code of the contraction tiles: nothing in an innermost loop but what it must do. A call there, or an
//! accumulator that goes to the stack, costs more than any other mistake in the engine, and no other test would see it.
//!
//! What is disassembled is the library as a release build has it, whatever this test was built as: the tiles are compiled in
//! `kiln`, not in the crate of a network. The build shares Cargo's target directory, so it costs time once.
//!
//! Skipped, with a message, where there is no `objdump`; absent off x86-64 Linux.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::process::Command;

/// The library, built in release mode.
fn library() -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--lib", "--message-format=json"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let file = messages.split('"').find(|text| text.ends_with("libkiln.rlib"));
    file.expect("cargo tells what it has built").to_owned()
}

/// One instruction: address, mnemonic, operands.
#[derive(Debug)]
struct Line {
    at: u64,
    op: String,
    args: String,
}

fn parse(line: &str) -> Option<Line> {
    let (at, rest) = line.trim_start().split_once(":\t")?;
    let (op, args) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    Some(Line { at: u64::from_str_radix(at, 16).ok()?, op: op.into(), args: args.trim().into() })
}

/// Jumps backwards within the function, as (first, last) line: loops.
fn loops(code: &[Line]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (end, line) in code.iter().enumerate().filter(|(_, l)| l.op.starts_with('j')) {
        let target = line.args.split_whitespace().next().and_then(|a| u64::from_str_radix(a, 16).ok());
        if let Some(start) = target.and_then(|t| code[..=end].iter().position(|l| l.at == t)) {
            found.push((start, end));
        }
    }
    found
}

/// What the innermost loops that multiply hold.
#[derive(Debug, Default, PartialEq)]
struct Found {
    loops: usize,
    calls: Vec<String>,
    spills: Vec<String>,
}

fn check(code: &[Line]) -> Found {
    let multiplies = |l: &Line| l.op.starts_with("vfmadd") && l.op.ends_with("ps");
    let all = loops(code);
    let with: Vec<_> = all.iter().filter(|(a, b)| code[*a..=*b].iter().any(multiplies)).collect();
    let innermost = with.iter().filter(|(a, b)| !with.iter().any(|(c, d)| (c, d) != (a, b) && c >= a && d <= b));
    let mut found = Found::default();
    for (start, end) in innermost {
        found.loops += 1;
        for line in &code[*start..=*end] {
            let text = || format!("{:x}: {} {}", line.at, line.op, line.args);
            if line.op.starts_with("call") {
                found.calls.push(text());
            }
            // Vector instructions start with `v`; rbp is a register like others in optimised code.
            if line.op.starts_with('v') && line.args.contains("[rsp") {
                found.spills.push(text());
            }
        }
    }
    found
}

#[test]
fn tiles_keep_their_accumulators_in_registers() {
    let objdump = || Command::new("objdump");
    if let Err(why) = objdump().arg("--version").output() {
        return eprintln!("skipped: objdump: {why}");
    }
    let output = objdump().args(["-d", "-C", "-M", "intel", "--no-show-raw-insn"]).arg(library()).output().unwrap();
    assert!(output.status.success(), "objdump: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut tiles, mut lane_tiles, mut loops, mut calls, mut spills) = (0, 0, 0, Vec::new(), Vec::new());
    for function in text.split("\n\n") {
        let (head, body) = function.split_once('\n').unwrap_or((function, ""));
        // `kiln::device::cpu::tile::AVX512::run`, `kiln::device::cpu::lane_tile::OUTER_AVX2::run`, one for each shape.
        let of_lanes = head.contains("cpu::lane_tile::") && head.contains("_AVX");
        if !((head.contains("cpu::tile::AVX") || of_lanes) && head.contains("::run")) {
            continue;
        }
        *(if of_lanes { &mut lane_tiles } else { &mut tiles }) += 1;
        let found = check(&body.lines().filter_map(parse).collect::<Vec<_>>());
        loops += found.loops;
        calls.extend(found.calls.iter().map(|line| format!("{head} {line}")));
        if !found.spills.is_empty() {
            spills.push(format!("{head}\n    {}", found.spills.join("\n    ")));
        }
    }
    // 10 tiles of AVX2, 38 of AVX-512.
    assert!(tiles >= 48, "{tiles} tiles found");
    // 8 of AVX2, 44 of AVX-512.
    assert!(lane_tiles >= 52, "{lane_tiles} tiles with samples in the lanes found");
    assert!(loops >= tiles + lane_tiles, "{loops} loops that multiply in {} tiles", tiles + lane_tiles);
    assert!(calls.is_empty(), "calls in innermost loops:\n{}", calls.join("\n"));
    assert!(spills.is_empty(), "tiles spill in their innermost loops:\n{}", spills.join("\n"));
}

#[test]
fn finds_calls_and_spills() {
    let code = |text: &str| text.lines().filter_map(parse).collect::<Vec<_>>();
    let load = "vmovups zmm0,ZMMWORD PTR [rsi]";
    let clean = format!("  10:\t{load}\n  16:\tvfmadd231ps zmm1,zmm0,DWORD BCST [rdi]\n  1c:\tjne    10 <f+0x10>\n");
    assert_eq!(check(&code(&clean)), Found { loops: 1, ..Found::default() });
    assert_eq!(check(&code(&clean.replace("[rsi]", "[rsp+0x40]"))).spills.len(), 1);
    assert_eq!(check(&code(&clean.replace(load, "call   99 <g>"))).calls.len(), 1);
    // Outside the loop both are allowed.
    let outside = format!("   8:\tcall   99 <g>\n{clean}");
    assert_eq!(check(&code(&outside)), Found { loops: 1, ..Found::default() });
}
