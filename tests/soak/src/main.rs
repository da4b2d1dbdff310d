//! `cargo xtask soak`, which calls this program.

use clap::Parser;
use kiln_soak::crates::{Workshop, root};
use kiln_soak::declared::module;
use kiln_soak::dice::Dice;
use kiln_soak::generate::{BATCHES, Budget, Case, case};
use kiln_soak::reference::Compared;
use kiln_soak::{caught, emulated, interpreter, quiet_panics, shrink};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many declarations a shrinking tries in one crate.
const AT_ONCE: usize = 24;

/// How many networks a thread takes at once, of a stage that takes them by thousands.
const MANY: u64 = 500;

/// A network that takes longer than this to plan and to interpret is a finding.
const SLOW: Duration = Duration::from_secs(4);

/// Random networks through every way in which Kiln computes them, compared.
#[derive(Parser)]
#[command(bin_name = "cargo xtask soak")]
struct Options {
    /// How long; the crate under way is finished
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Chooses the networks; a new one each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// One network, by all stages, in full
    #[arg(long)]
    only: Option<u64>,
    /// The declaration in this file, as it stands in `network!`, instead of generated ones
    #[arg(long)]
    file: Option<PathBuf>,
    /// The first index
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Among interpreter, compiled, cuda
    #[arg(long, value_delimiter = ',', default_value = "interpreter,compiled,cuda")]
    stages: Vec<String>,
    /// Networks of a compiled crate
    #[arg(long, default_value_t = 200)]
    crate_size: usize,
    /// Networks that each stage looks at before it ends, whatever the time
    #[arg(long)]
    networks: Option<u64>,
    /// Threads, each with a crate of its own
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Print the declarations of these indices and do nothing else
    #[arg(long)]
    print: bool,
    /// Differences as they are found, without making them smaller
    #[arg(long)]
    keep: bool,
    /// Where crates are built, from the repository's root
    #[arg(long, default_value = "target/soak")]
    folder: PathBuf,
    /// Where differences are written as tests, from the repository's root
    #[arg(long, default_value = "tests/soak/found")]
    found: PathBuf,
}

/// What a stage has done.
#[derive(Default)]
struct Tally {
    networks: u64,
    programs: usize,
    compared: Compared,
    different: Vec<u64>,
    seconds: f64,
}

struct Soak {
    options: Options,
    seed: u64,
    /// Of `--file`.
    given: Option<String>,
    end: Instant,
    tallies: Mutex<BTreeMap<&'static str, Tally>>,
    /// Messages of differences without their numbers: each kind is made small once.
    kinds: Mutex<Vec<String>>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_secs());
    let seed = options.seed.unwrap_or(now);
    let end = Instant::now() + Duration::from_secs_f64(60.0 * options.minutes);
    let given = match options.file.as_ref().map(|file| (file, fs::read_to_string(file))) {
        None => None,
        Some((_, Ok(text))) => Some(text),
        Some((file, Err(why))) => {
            eprintln!("error: {}: {why}", file.display());
            return ExitCode::FAILURE;
        }
    };
    let soak = Soak { options, seed, given, end, tallies: Mutex::default(), kinds: Mutex::default() };
    println!("seed {seed}");
    // A panic is a difference, and printed as one.
    quiet_panics();
    soak.run();
    let different = soak.report();
    if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Of this thread; other programs do not count. Zero where the system does not tell.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

impl Soak {
    fn wants(&self, stage: &str) -> bool {
        self.options.stages.iter().any(|s| s == stage)
    }

    fn is_over(&self, done: u64) -> bool {
        let most = if self.is_one() { Some(1) } else { self.options.networks };
        done >= most.unwrap_or(u64::MAX) || most.is_none() && Instant::now() >= self.end
    }

    fn is_one(&self) -> bool {
        self.options.only.is_some() || self.given.is_some()
    }

    fn case(&self, index: u64, budget: Budget) -> Case {
        match &self.given {
            None => case(self.seed, index, budget),
            Some(text) => Case { seed: self.seed, index, text: text.clone(), batches: BATCHES.to_vec() },
        }
    }

    fn first(&self) -> u64 {
        self.options.only.unwrap_or(self.options.from)
    }

    fn run(&self) {
        if self.options.print {
            for index in self.first()..self.first() + self.options.networks.unwrap_or(1) {
                let case = self.case(index, Budget::COMPILED);
                println!("index {index}, batches {:?}\n{}", case.batches, case.text);
            }
            return;
        }
        let next = [const { AtomicU64::new(0) }; 3];
        let unavailable = emulated::available().err().filter(|_| self.wants("cuda"));
        if let Some(why) = &unavailable {
            println!("not emulated: {why}");
        }
        let jobs = if self.is_one() { 1 } else { self.options.jobs.max(1) };
        std::thread::scope(|scope| {
            for slot in 0..jobs {
                let next = &next;
                let cuda = self.wants("cuda") && unavailable.is_none();
                scope.spawn(move || {
                    let mut busy = true;
                    while busy {
                        busy = false;
                        if self.wants("interpreter") {
                            busy |= self.some("interpreter", &next[0], MANY, |case| self.interpret(case));
                        }
                        // The emulator is one device.
                        if cuda && slot == 0 {
                            busy |= self.some("cuda", &next[2], 10, |case| self.emulate(case));
                        }
                        if self.wants("compiled") {
                            busy |= self.compile(slot, &next[1]);
                        }
                    }
                });
            }
        });
    }

    /// The next few indices through a stage that takes them one by one; `false` where there are none left.
    fn some(
        &self,
        stage: &'static str,
        next: &AtomicU64,
        count: u64,
        check: impl Fn(&Case) -> Result<(usize, Compared), String>,
    ) -> bool {
        let start = next.fetch_add(count, Ordering::Relaxed);
        let clock = Instant::now();
        for done in start..start + count {
            if self.is_over(done) {
                return false;
            }
            let case = self.case(self.first() + done, Budget::INTERPRETED);
            let result = caught(|| check(&case));
            let failed = result.is_err();
            self.count(stage, case.index, &result);
            if let Err(why) = result {
                self.difference(stage, &case, &why, |case| Ok(shrink::shrink(case, |c| caught(|| check(c)).is_err())));
            }
            if failed && self.is_one() {
                break;
            }
        }
        self.tally(stage, |tally| {
            tally.seconds += clock.elapsed().as_secs_f64();
            if count == MANY && (start / MANY).is_multiple_of(20) {
                println!("{stage}: {} networks, {} different", tally.networks, tally.different.len());
            }
        });
        true
    }

    fn interpret(&self, case: &Case) -> Result<(usize, Compared), String> {
        let before = processor_time();
        let mut dice = Dice::new(case.seed ^ 1, case.index);
        let count = interpreter::check(&case.text, &mut dice)?;
        let took = processor_time() - before;
        if took > SLOW {
            return Err(format!("it took {:.1} s to plan and interpret", took.as_secs_f64()));
        }
        Ok((count.programs, Compared { values: 0, skipped: count.skipped }))
    }

    fn emulate(&self, case: &Case) -> Result<(usize, Compared), String> {
        let mut dice = Dice::new(case.seed ^ 2, case.index);
        emulated::check(&case.text, &mut dice).map(|compared| (0, compared))
    }

    fn compile(&self, slot: usize, next: &AtomicU64) -> bool {
        let size = if self.is_one() { 1 } else { self.options.crate_size as u64 };
        let size = size.min(self.options.networks.unwrap_or(u64::MAX));
        let start = next.fetch_add(size, Ordering::Relaxed);
        if self.is_over(start) {
            return false;
        }
        let cases: Vec<Case> = (start..start + size).map(|i| self.case(self.first() + i, Budget::COMPILED)).collect();
        let workshop = Workshop { folder: root().join(&self.options.folder), slot };
        let clock = Instant::now();
        let mut different = Vec::new();
        let results = workshop.check(&cases, |k, result| {
            if let Err(why) = result {
                println!("compiled: seed {} index {}: {why}", self.seed, cases[k].index);
                different.push((k, why.clone()));
            }
            self.count("compiled", cases[k].index, &result.clone().map(|compared| (0, compared)));
        });
        let results = match results {
            Ok(results) => results,
            Err(why) => {
                println!("compiled, indices from {}: {why}", self.first() + start);
                self.tally("compiled", |tally| tally.different.push(self.first() + start));
                return true;
            }
        };
        self.tally("compiled", |tally| tally.seconds += clock.elapsed().as_secs_f64());
        println!(
            "compiled {} networks: {:.2} s each to build, {:.2} s to run",
            cases.len(),
            results.build_seconds / cases.len() as f64,
            results.run_seconds / cases.len() as f64
        );
        for (k, why) in different {
            self.difference("compiled", &cases[k], &why, |case| {
                shrink::shrink_many(case, AT_ONCE, |list| {
                    let results = workshop.check(list, |_, _| ())?;
                    Ok(results.list.iter().map(Result::is_err).collect())
                })
            });
        }
        true
    }

    fn tally(&self, stage: &'static str, change: impl FnOnce(&mut Tally)) {
        change(self.tallies.lock().expect("no thread panics with it").entry(stage).or_default());
    }

    fn count(&self, stage: &'static str, index: u64, result: &Result<(usize, Compared), String>) {
        self.tally(stage, |tally| {
            tally.networks += 1;
            match result {
                Ok((programs, compared)) => {
                    tally.programs += programs;
                    tally.compared += *compared;
                }
                Err(_) => tally.different.push(index),
            }
        });
    }

    /// Prints a difference; one of a new kind is made small and written as a test.
    fn difference(&self, stage: &str, case: &Case, why: &str, smaller: impl Fn(&Case) -> Result<Case, String>) {
        let kind: String = why.chars().filter(|c| !c.is_ascii_digit() && !"-.e".contains(*c)).take(60).collect();
        let is_new = {
            let mut kinds = self.kinds.lock().expect("no thread panics with it");
            let known = kinds.iter().filter(|k| **k == kind).count();
            kinds.push(kind);
            known < 3
        };
        let mut text = format!("\n── {stage}: seed {} index {}: {why}\n{}", self.seed, case.index, case.text);
        if is_new && !self.options.keep {
            match smaller(case) {
                Ok(small) => {
                    let _ = write!(text, "   smallest, batches {:?}:\n{}", small.batches, small.text);
                    match self.write(stage, &small, why) {
                        Ok(path) => drop(writeln!(text, "   written: {}", path.display())),
                        Err(problem) => drop(writeln!(text, "   not written: {problem}")),
                    }
                }
                Err(problem) => drop(writeln!(text, "   not made smaller: {problem}")),
            }
        }
        println!("{text}");
    }

    fn write(&self, stage: &str, case: &Case, why: &str) -> std::io::Result<PathBuf> {
        let folder = root().join(&self.options.found);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("seed_{}_{}_{stage}.rs", case.seed, case.index));
        let why = why.lines().next().unwrap_or("");
        let text = format!(
            "//! Seed {}, index {}, {stage}: {why}\n\n{}\n#[test]\nfn computes_what_it_declares() {{\n    kiln_soak::assert_same(TEXT, plans, &{:?});\n}}\n",
            case.seed,
            case.index,
            module(&case.text),
            case.batches
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Prints what was done; gives the number of differences.
    fn report(&self) -> usize {
        let tallies = self.tallies.lock().expect("all threads are done");
        for (stage, t) in tallies.iter() {
            println!(
                "{stage}: {} networks, {} programs, {} values, {} skipped, {:.1} s ({:.3} s each), {} different",
                t.networks,
                t.programs,
                t.compared.values,
                t.compared.skipped,
                t.seconds,
                t.seconds / t.networks.max(1) as f64,
                t.different.len()
            );
            if !t.different.is_empty() {
                println!("    again: cargo xtask soak --stages {stage} --seed {} --only {:?}", self.seed, t.different);
            }
        }
        tallies.values().map(|t| t.different.len()).sum()
    }
}
