//! Every CUDA kernel of the examples' networks and of the optimizers, as a model asks its device for them, compiled to
//! machine code. Skips where there is no NVRTC, and says so.
//!
//! `tests/golden/cuda_resources.txt` says what each kernel occupies, so that a change which costs registers is seen; written by
//!
//!     KILN_BLESS=1 cargo test --test nvrtc

#[path = "../examples/networks/mod.rs"]
mod networks;
#[path = "common/recorder.rs"]
mod recorder;
#[path = "common/skip.rs"]
mod skip;
#[path = "../examples/networks/tensor_cores.rs"]
mod tensor_cores;

use kiln::__private::cuda::{Cache, Nvrtc, Resources, Unit};
use kiln::prelude::*;
use networks::*;
use recorder::{in_parallel, units_of};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tensor_cores::*;

const ARCHITECTURES: [&str; 3] = ["sm_80", "sm_90", "sm_90a"];

/// Of an A100 and of an H100: what one block may have, dynamic and static together.
const MOST_SHARED: [usize; 3] = [163 << 10, 227 << 10, 227 << 10];

fn rows() -> Dataset<Rows<784>, Classes<10>> {
    Dataset::new(Rows::from_vec(vec![0.5; 3 * 784]).unwrap(), Classes::from_vec(vec![1, 2, 3]).unwrap()).unwrap()
}

fn alone() -> Dataset<Rows<784>, ()> {
    Dataset::new(Rows::from_vec(vec![0.5; 3 * 784]).unwrap(), ()).unwrap()
}

fn images() -> Dataset<Images<1, 28, 28>, Classes<10>> {
    Dataset::new(Images::from_vec(vec![0.5; 3 * 784]).unwrap(), Classes::from_vec(vec![1, 2, 3]).unwrap()).unwrap()
}

/// The kernels of each network, by a name without blanks.
fn networks() -> Vec<(&'static str, Vec<Unit>)> {
    macro_rules! units {
        ($optimizer:expr, $batch:expr, $($network:ident)*) => {
            vec![$((stringify!($network), units_of::<$network, _>($optimizer, &$batch))),*]
        };
    }
    let (sgd, adam) = (|| Sgd { momentum: 0.9, ..Sgd::default() }, Adam::default);
    [
        units!(sgd(), rows(), Mlp MlpUnfused MlpTf32 MlpTf32Unfused MlpBf16 MlpBf16Unfused),
        units!(adam(), images(), LeNet5 LeNet5Unfused LeNet5Tf32 LeNet5Tf32Unfused LeNet5Bf16 LeNet5Bf16Unfused),
        units!(
            adam(),
            alone(),
            Autoencoder AutoencoderUnfused AutoencoderTf32 AutoencoderTf32Unfused AutoencoderBf16 AutoencoderBf16Unfused
        ),
        units!(
            adam(),
            images(),
            MnistBnCnn MnistBnCnnUnfused MnistBnCnnTf32 MnistBnCnnTf32Unfused MnistBnCnnBf16 MnistBnCnnBf16Unfused
        ),
    ]
    .concat()
}

/// A kernel that was compiled for all architectures.
struct Compiled {
    cubins: [Vec<u8>; 3],
    resources: [Resources; 3],
}

struct All {
    networks: Vec<(&'static str, Vec<Unit>)>,
    /// Each kernel once, in order: equal kernels of several networks are one.
    units: Vec<Unit>,
    /// Parallel to `units`.
    compiled: Vec<Compiled>,
}

impl All {
    fn each(&self) -> impl Iterator<Item = (&Unit, &Compiled)> {
        self.units.iter().zip(&self.compiled)
    }
}

/// All of them, compiled once for all tests of this file; `None` without a compiler.
fn all() -> Option<&'static All> {
    static ALL: OnceLock<Option<All>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let nvrtc = Nvrtc::find().ok()?;
        let networks = networks();
        let mut units: Vec<Unit> = Vec::new();
        for unit in networks.iter().flat_map(|(_, units)| units) {
            if !units.contains(unit) {
                units.push(unit.clone());
            }
        }
        let compiled = in_parallel(units.len(), |index| {
            let [a, b, c] = ARCHITECTURES.map(|architecture| nvrtc.report(&units[index], architecture).unwrap());
            Compiled { cubins: [a.0, b.0, c.0], resources: [a.1, b.1, c.1] }
        });
        Some(All { networks, units, compiled })
    });
    if all.is_none() {
        skip::skip(&Nvrtc::find().expect_err("nothing was compiled"));
    }
    all.as_ref()
}

/// Whether it is one of the matrix products, which must not keep sums anywhere but in registers.
fn contracts(unit: &Unit) -> bool {
    ["KilnF32", "KilnTf32", "KilnBf16"].iter().any(|precision| unit.text.contains(precision))
}

#[test]
fn contraction_kernels_do_not_spill() {
    let Some(all) = all() else { return };
    assert!(all.units.iter().filter(|unit| contracts(unit)).count() > 20);
    let mut wrong = String::new();
    for (unit, compiled) in all.each().filter(|(unit, _)| contracts(unit)) {
        for (resources, architecture) in compiled.resources.iter().zip(ARCHITECTURES) {
            // No spills, and no array in local memory for another reason.
            if (resources.spill_stores, resources.spill_loads, resources.stack) != (0, 0, 0) {
                writeln!(wrong, "{} for {architecture}: {resources:?}", unit.name).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_kernel_fits_its_device() {
    let Some(all) = all() else { return };
    for (unit, compiled) in all.each() {
        for (most, resources) in MOST_SHARED.iter().zip(&compiled.resources) {
            let shared = resources.shared + unit.shared;
            assert!(shared <= *most, "{}: {shared} bytes shared", unit.name);
            // A multiprocessor has 65536 registers.
            assert!(resources.registers * unit.threads <= 65536, "{}: {resources:?}", unit.name);
        }
        assert!(compiled.cubins.iter().all(|cubin| cubin.starts_with(b"\x7fELF")));
    }
}

#[test]
fn resources_as_recorded() {
    let Some(all) = all() else { return };
    let nvrtc = Nvrtc::find().unwrap();
    if nvrtc.version() != (13, 0) {
        return skip::skip(&format!("the table was written with NVRTC 13.0, this is {nvrtc:?}"));
    }
    let found = table(all);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cuda_resources.txt");
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let differences: Vec<String> =
        (golden.lines().filter(|line| !found.contains(line)).map(|line| format!("- {line}")))
            .chain(found.lines().filter(|line| !golden.contains(line)).map(|line| format!("+ {line}")))
            .collect();
    assert!(
        golden == found,
        "tests/golden/cuda_resources.txt differs; KILN_BLESS=1 cargo test --test nvrtc writes it anew\n{}",
        differences.join("\n")
    );
}

/// A line for each distinct kernel, under the first network that has it. Hashes are left out of names: the text is compared
/// elsewhere.
fn table(all: &All) -> String {
    let mut text = String::from(
        "# Registers per thread, spills (bytes stored and loaded per thread) and dynamic shared memory (bytes per block) by NVRTC 13.0.\n\
         # network               kernel                                    sm_80  sm_90  sm_90a  spills  shared\n",
    );
    let mut told = 0;
    for (network, of_network) in &all.networks {
        for unit in of_network {
            let place = all.units.iter().position(|other| other == unit).expect("it is one of them");
            if place < told {
                continue;
            }
            told = place + 1;
            let [a, b, c] = &all.compiled[place].resources;
            let spills = [a, b, c].iter().map(|r| r.spill_stores + r.spill_loads).max().unwrap_or(0);
            let form = match unit.name.rsplit_once('_') {
                Some((form, hash)) if hash.len() == 16 => form,
                _ => &unit.name,
            };
            let update = if unit.optimizer.contains("KilnRule") { " + update" } else { "" };
            writeln!(
                text,
                "{network:<24}{:<42}{:>5}  {:>5}  {:>6}  {spills:>6}  {:>6}",
                format!("{form}{update}"),
                a.registers,
                b.registers,
                c.registers,
                unit.shared,
            )
            .unwrap();
        }
    }
    text
}

/// NVIDIA's disassembler: `KILN_NVDISASM`, else beside NVRTC's wheel, else on the path.
fn disassembler() -> Option<PathBuf> {
    let beside = std::env::var_os("KILN_NVRTC").map(|library| Path::new(&library).join("../bin/nvdisasm"));
    let candidates = [std::env::var_os("KILN_NVDISASM").map(PathBuf::from), beside, Some("nvdisasm".into())];
    candidates.into_iter().flatten().find(|path| Command::new(path).arg("--version").output().is_ok())
}

#[test]
fn products_are_where_the_plan_says() {
    let Some(all) = all() else { return };
    let Some(nvdisasm) = disassembler() else {
        return skip::skip(&"no nvdisasm: KILN_NVDISASM, or pip install nvidia-cuda-nvdisasm");
    };
    // The disassembler takes half a second each: one architecture, and only what multiplies matrices.
    let products: Vec<_> = all.each().filter(|(unit, _)| contracts(unit)).collect();
    let codes = in_parallel(products.len(), |index| {
        let (unit, compiled) = products[index];
        (unit, disassembled(&nvdisasm, &compiled.cubins[2]))
    });
    let mut seen = BTreeMap::new();
    for (unit, code) in &codes {
        let has = |instruction: &str| code.contains(instruction);
        for (precision, instruction) in
            [("KilnTf32", "HMMA.1688.F32.TF32"), ("KilnBf16", "HMMA.16816.F32.BF16"), ("KilnF32", "FFMA")]
        {
            if unit.text.contains(precision) {
                assert!(has(instruction), "{}: no {instruction}", unit.name);
                *seen.entry(precision).or_insert(0) += 1;
            }
        }
        let tensor = unit.text.contains("KilnTf32") || unit.text.contains("KilnBf16");
        assert!(tensor || !has("HMMA"), "{}: exact, but on tensor cores", unit.name);
    }
    assert!(seen.len() == 3 && seen.values().all(|count| *count >= 10), "{seen:?}");
}

fn disassembled(nvdisasm: &Path, cubin: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cubin).unwrap();
    let output = Command::new(nvdisasm).arg("-c").arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn nothing_but_the_precision_differs() {
    fn same<A: Network, B: Network>() {
        let layers = |plan: &kiln::__private::plan::Plan| {
            let row = |l: &kiln::__private::plan::LayerRow| (l.path, l.output, l.parameters, l.flops);
            plan.layers.iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(layers(A::plan()), layers(B::plan()), "{} and {}", A::NAME, B::NAME);
        assert_eq!((A::PARAMETERS, A::FORWARD_FLOPS), (B::PARAMETERS, B::FORWARD_FLOPS));
        assert_ne!(A::plan().cuda.precision, B::plan().cuda.precision, "{} and {}", A::NAME, B::NAME);
    }
    same::<Mlp, MlpTf32>();
    same::<Mlp, MlpBf16>();
    same::<LeNet5, LeNet5Tf32>();
    same::<LeNet5, LeNet5Bf16>();
    same::<Autoencoder, AutoencoderTf32>();
    same::<Autoencoder, AutoencoderBf16>();
    same::<MnistBnCnn, MnistBnCnnTf32>();
    same::<MnistBnCnn, MnistBnCnnBf16>();
}

#[test]
fn equal_kernels_are_compiled_once() {
    let Some(all) = all() else { return };
    let nvrtc = Nvrtc::find().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let units = &all.networks[0].1;
    let cache = Cache::at(folder.path());
    let first = kiln::__private::cuda::compile_all(nvrtc, &cache, units, "sm_80").unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), units.len());
    assert!(first == kiln::__private::cuda::compile_all(nvrtc, &cache, units, "sm_80").unwrap());
}
