//! What the compiler decides about a few networks, word for word: a change of lowering, autodiff, fusion, memory or emission
//! shows as a difference to read. `tests/golden/NETWORK/net.txt` is the inside of a `network!`; the other files there are
//! written by
//!
//!     KILN_BLESS=1 cargo test -p kiln-codegen --test golden

use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::emit::{cpu, cuda};
use kiln_codegen::lower::frontend;
use kiln_codegen::memory::Planned;
use kiln_codegen::schedule::{ProgramKind, Target};
use kiln_codegen::{Plans, plan};
use std::fmt::Write;
use std::path::Path;

/// Head of the emitted Rust.
const GENERATED: &str = "// What `network!` emits for the CPU, written and compared by codegen/tests/golden.rs: as long as its kernels are.\n\n";

const BLESS: &str = "KILN_BLESS=1 cargo test -p kiln-codegen --test golden";

/// Whose code is compared too: networks short enough to be read.
struct Code {
    cpu: bool,
    cuda: bool,
}

/// Compares the dumps of a network.
fn check(name: &str, code: Code) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
    let text = std::fs::read_to_string(folder.join("net.txt")).unwrap();
    let (declarations, _, errors) = frontend(text.parse().unwrap());
    let mistakes: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n\n"));
    let module = &declarations[0].members[0].module;
    let plans = plan(module, &Target::cpu(Fusion::On));
    let mut files = vec![
        ("graph.txt", programs(&plans, |p| p.schedule.graph().to_string())),
        ("schedule.txt", programs(&plans, |p| p.schedule.text())),
        ("memory.txt", programs(&plans, |p| p.memory.text())),
    ];
    let step = |plans: &Plans| plans.programs.iter().position(|p| p.kind == ProgramKind::Step).unwrap();
    if code.cpu {
        let text = cpu::text(&plans.programs[step(&plans)], &plans.params);
        files.push(("cpu.rs", format!("{GENERATED}{text}")));
    }
    let target = Target::cuda(Fusion::On, Precision::F32);
    let plans = plan(module, &target);
    files.push(("launches.txt", programs(&plans, |p| cuda::table(p, &plans.params, &target))));
    if code.cuda {
        let step = &plans.programs[step(&plans)];
        files.push(("cuda.cu", cuda::text(step, &plans.params, &target)));
    }
    let mut failures = String::new();
    for (file, found) in files {
        let path = folder.join(file);
        if std::env::var_os("KILN_BLESS").is_some() {
            std::fs::write(&path, &found).unwrap();
            continue;
        }
        let shown = format!("tests/golden/{name}/{file}");
        match std::fs::read_to_string(&path) {
            Ok(golden) if golden == found => {}
            Ok(golden) => failures += &difference(&shown, &golden, &found),
            Err(why) => writeln!(failures, "{shown}: {why}").unwrap(),
        }
    }
    assert!(failures.is_empty(), "{failures}\nIf this is what you want: {BLESS}");
}

/// The programs without much repetition: `evaluate` is `infer` with a loss, `gradients` is `step` without assignments.
fn programs(plans: &Plans, text: impl Fn(&Planned) -> String) -> String {
    let chosen = plans.programs.iter().filter(|p| matches!(p.kind, ProgramKind::Infer | ProgramKind::Step));
    chosen.map(|p| format!("── {}\n{}", p.kind.name(), text(p))).collect()
}

/// A unified diff with three lines of context.
fn difference(name: &str, golden: &str, found: &str) -> String {
    const CONTEXT: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), found.lines().collect());
    // `longest[i][j]`: lines that old[i..] and new[j..] have in common.
    let mut longest = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] =
                if old[i] == new[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines: Vec<(char, &str, usize)> = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i], i));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(('-', old[i], i));
            i += 1;
        } else {
            lines.push(('+', new[j], i));
            j += 1;
        }
    }
    let mut text = format!("--- {name}\n+++ found\n");
    let mut last = None;
    for (k, (sign, line, at)) in lines.iter().enumerate() {
        let near = k.saturating_sub(CONTEXT)..(k + CONTEXT + 1).min(lines.len());
        if lines[near].iter().any(|l| l.0 != ' ') {
            if k == 0 || last != Some(k - 1) {
                writeln!(text, "@@ line {} @@", at + 1).unwrap();
            }
            writeln!(text, "{sign}{line}").unwrap();
            last = Some(k);
        }
    }
    if last.is_none() {
        text += "only the ends of lines differ\n";
    }
    text
}

#[test]
fn lenet5() {
    check("lenet5", Code { cpu: true, cuda: true });
}

#[test]
fn mlp() {
    check("mlp", Code { cpu: false, cuda: false });
}

#[test]
fn mnist_bn_cnn() {
    check("mnist_bn_cnn", Code { cpu: false, cuda: false });
}

#[test]
fn autoencoder() {
    check("autoencoder", Code { cpu: false, cuda: false });
}

#[test]
fn residual() {
    check("residual", Code { cpu: false, cuda: true });
}

#[test]
fn differences_are_shown_with_context() {
    let golden = "a\nb\nc\nd\ne\nf\n";
    assert_eq!(
        difference("x", golden, "a\nb\nc\nd\nE\nf\n"),
        "--- x\n+++ found\n@@ line 2 @@\n b\n c\n d\n-e\n+E\n f\n"
    );
    assert_eq!(difference("x", "a\n", "a\nb\n"), "--- x\n+++ found\n@@ line 1 @@\n a\n+b\n");
}
