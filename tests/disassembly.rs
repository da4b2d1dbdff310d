//! The machine code of the contraction tiles: nothing in an innermost loop but what it must do. A call there, or an
//! accumulator that went to the stack, costs more than any other mistake in the engine and no other test would see it.
//!
//! What is disassembled is this test's own binary, so it says something about the profile it was built with: at the dev
//! profile of this workspace (`opt-level = 1`), which CI uses, and at release (`cargo test --release --test disassembly`).
//! Skipped, with a message, off x86-64 Linux and where there is no `objdump`.

use kiln::prelude::*;

network! {
    /// Brings the tiles into this binary.
    Small {
        input x: [20];
        target class: class<5>;
        Linear<33>; Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
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

/// What is wrong with the innermost loops that multiply, and how many there are.
fn check(code: &[Line]) -> (usize, Vec<String>) {
    let multiplies = |l: &Line| l.op.starts_with("vfmadd") && l.op.ends_with("ps");
    let all = loops(code);
    let with: Vec<_> = all.iter().filter(|(a, b)| code[*a..=*b].iter().any(multiplies)).collect();
    let innermost = with.iter().filter(|(a, b)| !with.iter().any(|(c, d)| (c, d) != (a, b) && c >= a && d <= b));
    let (mut count, mut wrong) = (0, Vec::new());
    for (start, end) in innermost {
        count += 1;
        for line in &code[*start..=*end] {
            let stack = line.args.contains("[rsp") || line.args.contains("[rbp");
            let vector = ["xmm", "ymm", "zmm"].iter().any(|r| line.args.contains(r));
            if line.op.starts_with("call") || (stack && vector && line.op.starts_with('v')) {
                wrong.push(format!("{:x}: {} {}", line.at, line.op, line.args));
            }
        }
    }
    (count, wrong)
}

#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn tiles_keep_their_accumulators_in_registers() {
    use std::process::Command;
    let model = Small::new(&Device::cpu(), 0).unwrap();
    assert!(model.parameters().count() > 0);
    let binary = std::env::current_exe().unwrap();
    let run = Command::new("objdump").args(["-d", "-C", "-M", "intel", "--no-show-raw-insn"]).arg(&binary).output();
    let Ok(output) = run.inspect_err(|why| eprintln!("skipped: objdump: {why}")) else { return };
    assert!(output.status.success(), "objdump: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut tiles, mut clean, mut wrong) = (0, 0, Vec::new());
    for function in text.split("\n\n") {
        let (head, body) = function.split_once('\n').unwrap_or((function, ""));
        // `kiln::device::cpu::tile::AVX512::run`, one for each shape.
        if !(head.contains("cpu::tile::AVX") && head.contains("::run")) {
            continue;
        }
        tiles += 1;
        let code: Vec<Line> = body.lines().filter_map(parse).collect();
        let (count, faults) = check(&code);
        clean += count;
        wrong.extend(faults.iter().map(|fault| format!("{head}\n    {fault}")));
    }
    assert!(wrong.is_empty(), "{} of these in innermost loops:\n{}", wrong.len(), wrong.join("\n"));
    // 12 tiles of AVX2, 38 of AVX-512; where two are the same code, the linker may keep one.
    assert!(tiles >= 40 && clean >= tiles, "{tiles} tiles found, {clean} loops that multiply");
}

#[test]
fn finds_calls_and_spills() {
    let code = |text: &str| text.lines().filter_map(parse).collect::<Vec<_>>();
    let clean = "  10:\tvmovups zmm0,ZMMWORD PTR [rsi]\n  16:\tvfmadd231ps zmm1,zmm0,DWORD BCST [rdi]\n  1c:\tjne    10 <f+0x10>\n";
    assert_eq!(check(&code(clean)), (1, Vec::new()));
    let spill = clean.replace("[rsi]", "[rsp+0x40]");
    assert_eq!(check(&code(&spill)).1.len(), 1);
    let call = clean.replace("vmovups zmm0,ZMMWORD PTR [rsi]", "call   99 <g>");
    assert_eq!(check(&code(&call)).1.len(), 1);
    // Outside the loop both are allowed.
    let outside = format!("   8:\tcall   99 <g>\n{clean}");
    assert_eq!(check(&code(&outside)), (1, Vec::new()));
}
