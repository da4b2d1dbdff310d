use super::skip::skip;
use crate::device::cuda::{Cache, Nvrtc, TEMPLATES, Unit, compile_all};
use std::process::Command;

const ARCHITECTURES: [&str; 3] = ["sm_80", "sm_90", "sm_90a"];

/// Doubles, or whatever `factor` says.
fn unit(name: &str, factor: &str) -> Unit {
    let text = format!(
        "// Multiplies.\nextern \"C\" __global__ void {name}(float* x) {{\n  x[threadIdx.x] *= {factor};\n}}\n"
    );
    Unit { name: name.to_owned(), templates: "", optimizer: String::new(), text, threads: 256, shared: 0 }
}

/// The compiler, or a note that the test cannot run.
#[track_caller]
fn compiler() -> Option<&'static Nvrtc> {
    Nvrtc::find().map_err(|e| skip(&e)).ok()
}

#[test]
fn machine_code_for_each_architecture() {
    let Some(nvrtc) = compiler() else { return };
    assert!(nvrtc.version() >= (12, 0));
    let architecture = |major, minor| nvrtc.architecture(major, minor).unwrap_or_default();
    assert_eq!(architecture(8, 0), "sm_80");
    assert_eq!(architecture(9, 0), "sm_90a");
    // Unknown ones run what is made for the nearest before them, but not for another major version.
    assert_eq!(architecture(8, 11), architecture(8, 9));
    assert_eq!(architecture(3, 0), "");
    for architecture in ARCHITECTURES {
        let (cubin, resources) = nvrtc.report(&unit("twice", "2.0f"), architecture).unwrap();
        assert_eq!(cubin[..4], *b"\x7fELF", "{architecture}");
        assert!((2..32).contains(&resources.registers), "{architecture}: {resources:?}");
        assert_eq!((resources.spill_stores, resources.spill_loads, resources.stack, resources.shared), (0, 0, 0, 0));
        assert_eq!(nvrtc.compile(&unit("twice", "2.0f"), architecture).unwrap()[..4], *b"\x7fELF");
    }
}

#[test]
fn a_kernel_over_all_templates() {
    let Some(nvrtc) = compiler() else { return };
    let text = "
        namespace ones_f00d {
        KILN_DEV void phase(const KilnLaunch<1, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
            for (u32 i = cta * KILN_THREADS + kiln_thread(); i < launch.batch * 5; i += ctas * KILN_THREADS)
                launch.arg[0][i] = 1.0f;
        }
        }
        KILN_KERNEL(ones_f00d, 1, 1)";
    let ones = Unit { name: "ones_f00d".to_owned(), templates: TEMPLATES, text: text.to_owned(), ..unit("", "") };
    for architecture in ARCHITECTURES {
        let (cubin, resources) = nvrtc.report(&ones, architecture).unwrap();
        // The function is found by this very name.
        assert!(cubin.windows(11).any(|window| window == b"\0ones_f00d\0"), "{architecture}");
        assert!(resources.registers <= 32 && resources.spill_stores == 0, "{architecture}: {resources:?}");
    }
}

#[test]
fn shared_memory_and_spills_are_reported() {
    let Some(nvrtc) = compiler() else { return };
    let mut wide = unit("wide", "1.0f");
    wide.text = r#"
        extern "C" __global__ void __launch_bounds__(1024) wide(float* x, int n) {
            __shared__ float tile[1024];
            float sum[200];
            #pragma unroll
            for (int i = 0; i < 200; i++) sum[i] = x[i * n];
            tile[threadIdx.x] = x[threadIdx.x];
            __syncthreads();
            for (int k = 0; k < n; k++)
                #pragma unroll
                for (int i = 0; i < 200; i++) sum[i] = fmaf(sum[i], tile[k], sum[(i + 1) % 200]);
            #pragma unroll
            for (int i = 0; i < 200; i++) x[i * n] = sum[i];
        }"#
    .to_owned();
    let (_, resources) = nvrtc.report(&wide, "sm_80").unwrap();
    assert_eq!((resources.registers, resources.shared), (64, 4096));
    assert!(resources.spill_stores > 0 && resources.spill_loads > 0 && resources.stack > 0, "{resources:?}");
}

#[test]
fn sums_are_fused_only_where_the_text_says_so() {
    let Some(nvrtc) = compiler() else { return };
    let count = |sum: &str| {
        let mut unit = unit("sum", "1.0f");
        unit.text = format!("extern \"C\" __global__ void sum(float* x) {{ x[0] = {sum}; }}");
        nvrtc.compile(&unit, "sm_80").unwrap()
    };
    // Different machine code, and the plain sum is the one of the explicitly unfused functions.
    assert_ne!(count("x[1] * x[2] + x[3]"), count("fmaf(x[1], x[2], x[3])"));
    assert_eq!(count("x[1] * x[2] + x[3]"), count("__fadd_rn(__fmul_rn(x[1], x[2]), x[3])"));
}

#[test]
fn an_error_names_kernel_and_line() {
    let Some(nvrtc) = compiler() else { return };
    let text = nvrtc.compile(&unit("thrice", "three"), "sm_90").unwrap_err().to_string();
    for part in ["sm_90: kernel `thrice` does not compile", "thrice(3): error", "\"three\"", "x[threadIdx.x] *= three;"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    // Each part of the source has its own lines.
    let mut wrong = unit("twice", "2.0f");
    wrong.optimizer = "struct KilnOptimizer {\n  Missing member;\n};".to_owned();
    let text = nvrtc.compile(&wrong, "sm_90").unwrap_err().to_string();
    assert!(text.contains("optimizer(2): error") && text.contains("Missing member;"), "{text}");

    wrong.text = "\0".to_owned();
    let text = nvrtc.compile(&wrong, "sm_90").unwrap_err().to_string();
    assert!(text.contains("`twice`: its text holds a NUL"), "{text}");
    let text = nvrtc.compile(&unit("twice", "2.0f"), "sm_1").unwrap_err().to_string();
    assert!(text.contains("sm_1: kernel `twice` does not compile"), "{text}");
}

#[test]
fn warnings_are_no_errors() {
    let Some(nvrtc) = compiler() else { return };
    let mut wrong = unit("twice", "missing");
    wrong.optimizer = "static void unused() { int never; }".to_owned();
    let text = nvrtc.compile(&wrong, "sm_80").unwrap_err().to_string();
    assert!(text.contains("missing") && !text.contains("never"), "{text}");
    wrong.text = unit("twice", "2.0f").text;
    assert!(nvrtc.compile(&wrong, "sm_80").is_ok());
}

#[test]
fn units_are_compiled_at_once_and_kept_in_order() {
    let Some(nvrtc) = compiler() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let units: Vec<Unit> = (0..6).map(|i| unit(&format!("kernel{i}"), &format!("{i}.5f"))).collect();
    let entries = || std::fs::read_dir(folder.path()).unwrap().count();

    let fresh = compile_all(nvrtc, &Cache::none(), &units, "sm_90a").unwrap();
    let stored = compile_all(nvrtc, &cache, &units, "sm_90a").unwrap();
    let cached = compile_all(nvrtc, &cache, &units, "sm_90a").unwrap();
    assert!(fresh == stored && stored == cached);
    assert_eq!(entries(), 6);
    for (cubin, unit) in fresh.iter().zip(&units) {
        assert!(cubin.windows(unit.name.len()).any(|window| window == unit.name.as_bytes()), "{}", unit.name);
    }
    // Architecture, text and optimizer are in the key.
    compile_all(nvrtc, &cache, &units[..1], "sm_80").unwrap();
    assert_eq!(entries(), 7);
    let other = Unit { optimizer: "struct KilnOptimizer {};".to_owned(), ..units[0].clone() };
    compile_all(nvrtc, &cache, &[unit("kernel0", "7.5f"), other], "sm_80").unwrap();
    assert_eq!(entries(), 9);

    assert!(compile_all(nvrtc, &cache, &[], "sm_80").unwrap().is_empty());
    let text = compile_all(nvrtc, &cache, &[unit("good", "2.0f"), unit("bad", "none")], "sm_80").unwrap_err();
    assert!(text.to_string().contains("kernel `bad`"), "{text}");
}

#[test]
fn an_entry_is_used_and_a_damaged_one_rebuilt() {
    let Some(nvrtc) = compiler() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let units = [unit("kept", "2.0f")];
    let cubin = compile_all(nvrtc, &cache, &units, "sm_80").unwrap();
    let entry = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let sound = std::fs::read(&entry).unwrap();
    let modified = || std::fs::metadata(&entry).unwrap().modified().unwrap();
    let before = modified();
    assert_eq!(compile_all(nvrtc, &cache, &units, "sm_80").unwrap(), cubin);
    assert_eq!(modified(), before, "a hit writes nothing");
    let mut flipped = sound.clone();
    *flipped.last_mut().unwrap() ^= 0x10;
    for damaged in [&sound[..sound.len() / 2], &flipped, &[]] {
        std::fs::write(&entry, damaged).unwrap();
        assert_eq!(compile_all(nvrtc, &cache, &units, "sm_80").unwrap(), cubin);
        assert_eq!(std::fs::read(&entry).unwrap(), sound);
    }
}

/// Starts itself several times, each filling the same cache.
#[test]
fn processes_share_a_cache() {
    const FOLDER: &str = "KILN_TEST_SHARED_CACHE";
    let Some(nvrtc) = compiler() else { return };
    let units: Vec<Unit> = (0..4).map(|i| unit(&format!("shared{i}"), &format!("{i}.5f"))).collect();
    if let Some(folder) = std::env::var_os(FOLDER) {
        let cached = compile_all(nvrtc, &Cache::at(folder), &units, "sm_80").unwrap();
        assert_eq!(cached, compile_all(nvrtc, &Cache::none(), &units, "sm_80").unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "device::cuda::tests::nvrtc::processes_share_a_cache"])
            .env(FOLDER, folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..3).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), units.len());
}
