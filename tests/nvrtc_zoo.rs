//! The zoo on CUDA: how many kernels each network's programs launch, fused and unfused, and these kernels compiled to machine
//! code. The networks are planned while the test runs, in single precision and at the sizes of their papers.
//!
//! `tests/golden/cuda_zoo.txt` has the counts; written by
//!
//!     KILN_BLESS=1 cargo test --test nvrtc_zoo
//!
//! There are some two thousand distinct kernels, which take NVRTC a quarter of an hour of two cores for one architecture: every
//! sixteenth of them is compiled here. All of them, for all that a release is tested on, by
//!
//!     KILN_ZOO_KERNELS=all KILN_ZOO_ARCHITECTURES=sm_80,sm_90,sm_90a cargo test --test nvrtc_zoo -- --nocapture
//!
//! A network's name instead of `all` compiles all kernels of that one.

#[path = "common/recorder.rs"]
mod recorder;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/zoo.rs"]
mod zoo;

use kiln::__private::cuda::{Nvrtc, Resources, TEMPLATES, Unit, store_functor};
use kiln::prelude::*;
use kiln_codegen::declaration::{Fusion, Precision};
use kiln_codegen::emit::cuda::{Kernels, launch_list};
use kiln_codegen::plan;
use kiln_codegen::schedule::{ProgramKind, Target};
use recorder::{in_parallel, units_of};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

const FUSIONS: [Fusion; 2] = [Fusion::On, Fusion::Off];

/// Unless all are asked for, one of so many kernels is compiled.
const SAMPLE: usize = 16;

/// What one block may have on any device that is compiled for, dynamic and static together: an A100's.
const MOST_SHARED: usize = 163 << 10;

network! {
    /// Has what an optimizer's rule looks like to kernels.
    Tiny { input x: [3]; target y: class<2>; Linear<2>; loss: CrossEntropy(_, y); }
}

/// A network of the zoo with all kernels that its programs have on CUDA.
struct Planned {
    name: String,
    /// Launches of a training step and of `forward`, each fused and unfused; the optimizer's own pass over parameters that no
    /// kernel updates is not among them.
    launches: [[usize; 2]; 2],
    /// Fused and unfused.
    units: [Vec<Unit>; 2],
}

/// All of the zoo.
fn zoo_on_cuda() -> Vec<Planned> {
    let rows = Rows::from_vec(vec![0.5; 9]).unwrap();
    let data = Dataset::new(rows, Classes::from_vec(vec![0, 1, 1]).unwrap()).unwrap();
    let units = units_of::<Tiny, _>(Sgd { momentum: 0.9, ..Sgd::default() }, &data);
    let update =
        units.into_iter().find(|unit| unit.optimizer.contains("KilnRule")).expect("a kernel that updates").optimizer;
    let mut found = Vec::new();
    for file in zoo::files() {
        for name in zoo::networks(&file) {
            let constants: &[&str] = if name.starts_with("Vgg") { &["", "<BN = true>"] } else { &[""] };
            found.extend(constants.iter().map(|constants| planned(&file, &format!("{name}{constants}"), &update)));
        }
    }
    found
}

fn planned(file: &str, declared: &str, update: &str) -> Planned {
    let module = zoo::module(file, &format!("pub Declared = {declared};"));
    let mut found = Planned { name: declared.replace(' ', ""), launches: [[0; 2]; 2], units: [Vec::new(), Vec::new()] };
    for (form, fusion) in FUSIONS.into_iter().enumerate() {
        let target = Target::cuda(fusion, Precision::F32);
        let plans = plan(&module, &target);
        let mut kernels = Kernels::default();
        for program in &plans.programs {
            let launches = launch_list(program, &plans.params, &target, &mut kernels).len();
            match program.kind {
                ProgramKind::Step => found.launches[0][form] = launches,
                ProgramKind::Infer => found.launches[1][form] = launches,
                ProgramKind::Evaluate | ProgramKind::Gradients => (),
            }
        }
        for kernel in &kernels.list {
            let unit = |optimizer: String| Unit {
                name: kernel.name.clone(),
                templates: TEMPLATES,
                optimizer,
                text: kernel.text.clone(),
                threads: 256,
                shared: kernel.shared,
            };
            // A gradient's kernel updates its parameter in `train_step`, and stores it for `gradients` and `accumulate`.
            let optimizers =
                if kernel.updates { vec![update.to_owned(), store_functor()] } else { vec![String::new()] };
            found.units[form].extend(optimizers.into_iter().map(unit));
        }
    }
    found
}

#[test]
fn counts_as_recorded() {
    let mut found = String::from(
        "# Launches on CUDA, fused and unfused, and distinct kernels of all programs.\n\
         # network               step  unfused  forward  unfused  kernels  unfused\n",
    );
    let all = zoo_on_cuda();
    for network in &all {
        let [[step, step_unfused], [forward, forward_unfused]] = network.launches;
        let [fused, unfused] = network.units.each_ref().map(|units| {
            let texts: HashSet<&str> = units.iter().map(|unit| unit.text.as_str()).collect();
            texts.len()
        });
        writeln!(
            found,
            "{:<24}{step:>5}{step_unfused:>9}{forward:>9}{forward_unfused:>9}{fused:>9}{unfused:>9}",
            network.name
        )
        .unwrap();
        assert!(step < step_unfused && forward < forward_unfused, "{}: fusion saves launches", network.name);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cuda_zoo.txt");
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        golden, found,
        "tests/golden/cuda_zoo.txt differs; KILN_BLESS=1 cargo test --test nvrtc_zoo writes it anew"
    );
}

/// Whether it is one of the matrix products, which must not keep sums anywhere but in registers.
fn contracts(unit: &Unit) -> bool {
    unit.text.contains("KilnF32")
}

/// Spilled bytes are an array's in local memory, too.
fn spilled(resources: &Resources) -> usize {
    resources.spill_stores + resources.spill_loads + resources.stack
}

#[test]
fn kernels_compile() {
    let nvrtc = match Nvrtc::find() {
        Ok(nvrtc) => nvrtc,
        Err(why) => return skip::skip(&why),
    };
    let mut networks = zoo_on_cuda();
    let every = match std::env::var("KILN_ZOO_KERNELS").as_deref() {
        Err(_) => SAMPLE,
        Ok("all") => 1,
        Ok(name) => {
            networks.retain(|network| network.name == name);
            assert_eq!(networks.len(), 1, "KILN_ZOO_KERNELS is `all` or a network of the zoo; it is {name:?}");
            1
        }
    };
    let architectures = std::env::var("KILN_ZOO_ARCHITECTURES").unwrap_or_else(|_| "sm_90a".to_owned());
    // Equal kernels of several networks once.
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut units: Vec<&Unit> = Vec::new();
    for unit in networks.iter().flat_map(|network| network.units.iter().flatten()) {
        places.entry((&unit.text, &unit.optimizer)).or_insert_with(|| {
            units.push(unit);
            units.len() - 1
        });
    }
    let chosen: Vec<&Unit> = units.iter().copied().step_by(every).collect();
    println!("{} of {} kernels, by {nvrtc:?}", chosen.len(), units.len());
    let mut failed = false;
    for architecture in architectures.split(',') {
        let start = Instant::now();
        let compiled = in_parallel(chosen.len(), |index| nvrtc.report(chosen[index], architecture));
        for (unit, result) in chosen.iter().zip(&compiled) {
            let wrong = match result {
                Err(why) => why.to_string(),
                Ok((_, resources)) => {
                    let shared = resources.shared + unit.shared;
                    // A multiprocessor has 65536 registers.
                    let fits = shared <= MOST_SHARED && resources.registers * unit.threads <= 65536;
                    match spilled(resources) {
                        _ if !fits => format!("does not fit: {resources:?}"),
                        0 => continue,
                        _ if contracts(unit) => format!("spills: {resources:?}"),
                        // What has no sums to keep may have an array in local memory.
                        _ => continue,
                    }
                }
            };
            eprintln!("{} for {architecture}: {wrong}", unit.name);
            failed = true;
        }
        println!("{architecture}: {} kernels in {:.0} s", chosen.len(), start.elapsed().as_secs_f64());
        if every == 1 {
            networks.iter().for_each(|network| tell(network, &places, &compiled));
        }
    }
    assert!(!failed, "kernels that are told above");
}

/// What the compiler made of a network's kernels, fused and unfused: kernels, bytes of machine code, most registers, how many
/// spill.
fn tell(network: &Planned, places: &HashMap<(&str, &str), usize>, compiled: &[kiln::Result<(Vec<u8>, Resources)>]) {
    print!("{:<24}", network.name);
    for units in &network.units {
        let found = units.iter().map(|unit| &compiled[places[&(unit.text.as_str(), unit.optimizer.as_str())]]);
        let sound: Vec<_> = found.filter_map(|result| result.as_ref().ok()).collect();
        let bytes: usize = sound.iter().map(|(cubin, _)| cubin.len()).sum();
        let registers = sound.iter().map(|(_, resources)| resources.registers).max().unwrap_or(0);
        let spilling = sound.iter().filter(|(_, resources)| spilled(resources) > 0).count();
        print!("{:>6} of {:>4}{:>9} kB{registers:>5}{spilling:>5}", sound.len(), units.len(), bytes >> 10);
    }
    println!();
}
