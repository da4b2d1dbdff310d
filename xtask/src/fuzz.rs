//! `cargo xtask fuzz`: mutated declarations through the compiler. Whatever stands in `network!`, it gives code, or errors
//! with a place; it does not panic, lose a network, or take more than [`limits::SECONDS`] (4 ms for each line of what is
//! declared, if that is more) or [`limits::BYTES`].
//!
//! One process judges mutants one after the other and says before each which it is, so that another knows what ended it: a
//! full stack ends a process, and what takes too long or too much ends it on purpose. A mutant is a function of seed and
//! index. A fault shrinks by itself, and one of each kind is printed.

mod corpus;
mod judge;
pub mod limits;
#[path = "../../codegen/tests/common/mutate.rs"]
mod mutate;
mod rustc;
mod shrink;

use judge::{Fault, Judged};
use mutate::{Dice, Pieces, mutant};
use proc_macro2::TokenStream;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

/// What to try.
#[derive(clap::Args, Clone)]
pub struct Fuzz {
    /// How many mutants
    #[arg(long, default_value_t = 10_000)]
    executions: u64,
    /// Of which series
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the mutant of this number
    #[arg(long)]
    only: Option<u64>,
    /// The first one's number
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Give so many of the accepted ones to rustc
    #[arg(long, default_value_t = 0)]
    rustc: usize,
    /// Do not make what fails smaller
    #[arg(long)]
    as_found: bool,
}

/// What one process does for another; nobody types it.
#[derive(clap::Args, Clone)]
pub struct Worker {
    /// Judge this file alone
    #[arg(long)]
    file: Option<PathBuf>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[arg(long, default_value_t = 0)]
    from: u64,
    #[arg(long, default_value_t = 0)]
    to: u64,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_path_buf()
}

/// Declarations, and what mutants are made of.
struct Series {
    sound: Vec<TokenStream>,
    /// Tests of messages have a mistake each.
    mistaken: Vec<TokenStream>,
    /// Those that compile slowly, which are drawn seldom.
    large: Vec<TokenStream>,
    pieces: Pieces,
    seed: u64,
}

impl Series {
    fn new(seed: u64) -> Result<Series, String> {
        let texts = corpus::corpus(&root())?;
        let all: Vec<TokenStream> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        let pieces = Pieces::of(&all);
        let (large, small): (Vec<_>, Vec<_>) = all.into_iter().partition(corpus::is_large);
        let (sound, mistaken) = small.into_iter().partition(corpus::is_sound);
        Ok(Series { sound, mistaken, large, pieces, seed })
    }

    /// The text of a mutant; `None` if its tokens have none.
    fn text(&self, index: u64) -> Option<String> {
        let mut dice = Dice::new(self.seed, index);
        let from = match dice.below(100) {
            0 => &self.large,
            1..20 => &self.mistaken,
            _ => &self.sound,
        };
        let declaration = from[dice.below(from.len())].clone();
        let text = mutant(declaration, &self.pieces, &mut dice).to_string();
        let sound = text.parse::<TokenStream>().is_ok();
        // Each text that was read stays in memory otherwise.
        proc_macro2::extra::invalidate_current_thread_spans();
        sound.then_some(text)
    }
}

/// Judges a file, or mutants of a series, and says so line by line.
pub fn worker(worker: &Worker) -> Result<(), String> {
    let watch = limits::Watch::start();
    judge::quiet_panics();
    if let Some(file) = &worker.file {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        println!("at 0");
        println!("{}", line(&watch.around(|| judge::judge(&text))));
        return Ok(());
    }
    let series = Series::new(worker.seed)?;
    let mut out = std::io::stdout().lock();
    for index in worker.from..worker.to {
        let Some(text) = series.text(index) else {
            writeln!(out, "at {index}\nis no-tokens").map_err(|e| e.to_string())?;
            continue;
        };
        writeln!(out, "at {index}").map_err(|e| e.to_string())?;
        let start = Instant::now();
        let judged = watch.around(|| judge::judge(&text));
        writeln!(out, "took {}", start.elapsed().as_micros()).map_err(|e| e.to_string())?;
        writeln!(out, "{}", line(&judged)).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// What a worker says of one mutant.
fn line(judged: &Judged) -> String {
    match judged {
        Judged::Accepted => "is accepted".into(),
        Judged::Rejected => "is rejected".into(),
        Judged::Fetches => "is fetches".into(),
        Judged::Faulty(fault) => format!("fault {}", fault.text().replace('\n', "⏎")),
    }
}

/// How a worker ended that did not end by itself.
fn ended(status: ExitStatus) -> Fault {
    match status.code() {
        Some(limits::TOO_SLOW) => Fault::Slow,
        Some(limits::TOO_MUCH) => Fault::Memory,
        _ => Fault::Crash(status.to_string()),
    }
}

/// This program once more, as a worker.
fn spawn(args: &[String]) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.arg("fuzz-worker").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|e| e.to_string())
}

/// What a worker of its own says of this text.
fn apart(text: &str) -> Result<Option<Fault>, String> {
    let file = root().join(format!("target/fuzz/candidate-{}.txt", std::process::id()));
    write(&file, text)?;
    let mut child = spawn(&["--file".into(), file.display().to_string()])?;
    let mut fault = None;
    for line in lines(&mut child)? {
        if let Some(text) = line?.strip_prefix("fault ") {
            fault = Some(Fault::Said(text.replace('⏎', "\n")));
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok(if status.success() { fault } else { Some(ended(status)) })
}

fn lines(child: &mut Child) -> Result<impl Iterator<Item = Result<String, String>> + use<>, String> {
    let out = child.stdout.take().ok_or("a worker without output")?;
    Ok(BufReader::new(out).lines().map(|line| line.map_err(|e| e.to_string())))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}

#[derive(Default)]
struct Tally {
    tried: u64,
    counts: BTreeMap<String, u64>,
    /// By kind: how many, the first one's number, and the fault.
    faults: BTreeMap<String, (u64, u64, Fault)>,
    slowest: (u128, u64),
    accepted: Vec<u64>,
}

impl Tally {
    fn fault(&mut self, index: u64, fault: Fault) {
        let known = self.faults.len();
        let entry = self.faults.entry(fault.kind()).or_insert((0, index, fault));
        entry.0 += 1;
        if self.faults.len() > known {
            let (_, index, fault) = self.faults.values().find(|(_, first, _)| *first == index).expect("just put there");
            eprintln!("mutant {index}: {}", fault.text());
        }
    }
}

/// Tries all of them, and prints what was found.
pub fn fuzz(fuzz: &Fuzz) -> Result<(), String> {
    let series = Series::new(fuzz.seed)?;
    let counts = [&series.sound, &series.mistaken, &series.large].map(Vec::len);
    println!("seed {}, declarations: {} sound, {} with mistakes, {} large", fuzz.seed, counts[0], counts[1], counts[2]);
    let (first, last) = match fuzz.only {
        Some(index) => (index, index + 1),
        None => (fuzz.first, fuzz.first + fuzz.executions),
    };
    if fuzz.only.is_some() {
        println!("{}", series.text(first).unwrap_or_default());
    }
    let start = Instant::now();
    let tally = run(&series, first, last)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} executions in {seconds:.0} s", tally.tried);
    for (what, count) in &tally.counts {
        println!("  {what}: {count}");
    }
    let (micros, index) = tally.slowest;
    println!("  slowest: {:.3} s, mutant {index}", micros as f64 / 1e6);
    for (kind, (count, index, fault)) in &tally.faults {
        println!("\n{count} × {kind}\nmutant {index}: {}", fault.text());
        let Some(text) = series.text(*index) else { continue };
        let smallest = if fuzz.as_found { text } else { shrink::shrink(&text, kind, &apart)? };
        println!("{smallest}");
    }
    if fuzz.rustc > 0 {
        let texts = tally.accepted.iter().filter_map(|index| Some((*index, series.text(*index)?)));
        rustc::check(&root(), texts, fuzz.rustc)?;
    }
    if tally.faults.is_empty() { Ok(()) } else { Err(format!("{} kinds of faults", tally.faults.len())) }
}

fn is_always_slow(text: &str) -> Result<bool, String> {
    for _ in 0..3 {
        if !matches!(apart(text)?, Some(Fault::Slow)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn run(series: &Series, first: u64, last: u64) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut from = first;
    let mut said = 0;
    while from < last {
        let number = |name: &str, n: u64| [format!("--{name}"), n.to_string()];
        let args: Vec<String> = [number("seed", series.seed), number("from", from), number("to", last)].concat();
        let mut child = spawn(&args)?;
        let mut at = None;
        for line in lines(&mut child)? {
            let line = line?;
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match (word, at) {
                ("at", _) => {
                    at = Some(rest.parse::<u64>().map_err(|e| format!("{line}: {e}"))?);
                    tally.tried += 1;
                }
                ("took", Some(index)) => {
                    tally.slowest = tally.slowest.max((rest.parse().map_err(|e| format!("{line}: {e}"))?, index));
                }
                ("is", Some(index)) => {
                    *tally.counts.entry(rest.to_string()).or_default() += 1;
                    if rest == "accepted" {
                        tally.accepted.push(index);
                    }
                }
                ("fault", Some(index)) => tally.fault(index, Fault::Said(rest.replace('⏎', "\n"))),
                _ => return Err(format!("a worker said {line:?}")),
            }
            if tally.tried / 10_000 > said {
                said = tally.tried / 10_000;
                eprintln!("{} executions, {} kinds of faults", tally.tried, tally.faults.len());
            }
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        if status.success() {
            break;
        }
        let index = at.ok_or_else(|| format!("a worker ended before its first mutant: {status}"))?;
        from = index + 1;
        let fault = ended(status);
        // A machine with other work tells longer times than it took.
        if matches!(fault, Fault::Slow) && !is_always_slow(&series.text(index).unwrap_or_default())? {
            *tally.counts.entry("slow once, but not again".into()).or_default() += 1;
            continue;
        }
        tally.fault(index, fault);
    }
    Ok(tally)
}
