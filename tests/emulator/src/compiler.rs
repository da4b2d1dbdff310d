//! The C++ compiler of this machine, and what it made before.
//!
//! Shared objects lie in the target folder under a hash of all that they were made of. They are written elsewhere and
//! renamed, so that whoever finds one finds all of it; a file lock keeps two processes from making the same one twice.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A compiler that answered.
pub struct Compiler {
    /// `$CXX` may be several words: `ccache g++`.
    words: Vec<String>,
    version: String,
}

impl Compiler {
    /// `$CXX`, or the first of g++ and clang++ that can be run.
    pub fn find() -> Result<&'static Compiler, String> {
        static FOUND: OnceLock<Result<Compiler, String>> = OnceLock::new();
        FOUND.get_or_init(|| Compiler::search(std::env::var("CXX").ok())).as_ref().map_err(Clone::clone)
    }

    fn search(variable: Option<String>) -> Result<Compiler, String> {
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            return Err("the CUDA emulator switches threads on x86-64 Linux only".into());
        }
        let named = variable.filter(|name| !name.trim().is_empty());
        let candidates = match &named {
            Some(name) => vec![name.as_str()],
            None => vec!["g++", "clang++"],
        };
        for program in &candidates {
            let words: Vec<String> = program.split_whitespace().map(str::to_string).collect();
            let Ok(output) = command(&words).arg("--version").output() else { continue };
            if output.status.success() {
                return Ok(Compiler { words, version: String::from_utf8_lossy(&output.stdout).into_owned() });
            }
        }
        Err(match named {
            Some(name) => format!("no C++ compiler: `{name}` (from $CXX) cannot be run"),
            None => "no C++ compiler: neither g++ nor clang++ is on the PATH, and $CXX is not set".into(),
        })
    }

    fn is_clang(&self) -> bool {
        self.version.contains("clang")
    }

    /// Options of everything: the instructions of a program in the order of its text, as all targets have them.
    fn common(&self) -> Vec<&'static str> {
        let mut options = vec!["-std=c++17", "-g1", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden"];
        if !self.is_clang() {
            // Otherwise statics of templates are one across objects.
            options.push("-fno-gnu-unique");
        }
        options
    }

    fn kernel_options(&self, checked: bool) -> Vec<&'static str> {
        let mut options = self.common();
        // Texts of kernels have no headers; NVRTC has none to give.
        options.extend(["-O1", "-w", "-nostdinc", "-nostdinc++"]);
        if !self.is_clang() {
            // A store made of two would be misaligned, which is a mistake on a GPU.
            options.push("-fno-store-merging");
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("fma") {
            // The same bits as the library's `fmaf`, at the price of one instruction.
            options.push("-mfma");
        }
        if checked {
            options.extend(["-fsanitize=thread", "-DKILN_EMULATOR_CHECKED"]);
        }
        options
    }

    /// The runtime as a shared object, of sources by name: all are written, `.cpp` are compiled.
    pub fn runtime(&self, sources: &[(&str, &str)]) -> Result<PathBuf, String> {
        let mut options = self.common();
        options.push("-O2");
        let key = hash(&(&self.words, &self.version, &options, sources));
        let soname = format!("-Wl,-soname,libkiln-emulator-{key}.so");
        cached(&cache(), &key, |folder| {
            let mut compile = command(&self.words);
            compile.current_dir(folder).args(&options).args(["-shared", "-Wl,-z,defs", &soname, "-o", "made.so"]);
            for (name, text) in sources {
                write(&folder.join(name), text)?;
                if name.ends_with(".cpp") {
                    compile.arg(name);
                }
            }
            run(&mut compile, "the emulator's runtime")
        })
    }

    /// Kernels as a shared object that calls the runtime.
    pub fn kernels(&self, text: &str, checked: bool, runtime: &Path, what: &str) -> Result<PathBuf, String> {
        let options = self.kernel_options(checked);
        let key = hash(&(&self.words, &self.version, &options, runtime.file_name(), text));
        cached(&cache(), &key, |folder| {
            write(&folder.join("kernels.cpp"), text)?;
            let mut compile = command(&self.words);
            compile.current_dir(folder).args(&options).args(["-c", "kernels.cpp", "-o", "kernels.o"]);
            run(&mut compile, what)?;
            // A step of its own: with the sanitizer's option it would bring the sanitizer's library.
            let mut link = command(&self.words);
            link.current_dir(folder).args(["-shared", "-Wl,-z,defs", "kernels.o"]).arg(runtime);
            link.args(["-lm", "-o", "made.so"]);
            run(&mut link, what)
        })
    }
}

/// Where in the source an instruction of a shared object comes from, if binutils can tell: `gemm:12`.
pub fn place(object: &Path, address: u64) -> Option<String> {
    let output = Command::new("addr2line").arg("-e").arg(object).arg(format!("{address:#x}")).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.split(" (discriminator").next()?;
    let (file, number) = line.rsplit_once(':')?;
    let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
    let file = Path::new(file).file_name()?.to_str()?;
    Some(format!("{file}:{number}"))
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn run(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{:?} cannot be run: {e}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let first: Vec<&str> = errors.lines().take(30).collect();
    Err(format!("{what} does not compile:\n{}", first.join("\n")))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// 128 bits, the same in every process.
fn hash(value: &impl Hash) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

/// The target folder's corner for shared objects.
fn cache() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("emulator")
}

/// The object of this key; `make` makes it as `made.so` in an empty folder, if it is not there yet.
fn cached(cache: &Path, key: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let object = cache.join(format!("libkiln-emulator-{key}.so"));
    if object.exists() {
        return Ok(object);
    }
    let failed = |e: std::io::Error| format!("{}: {e}", cache.display());
    let folder = cache.join(key);
    fs::create_dir_all(cache).map_err(failed)?;
    let lock = fs::File::create(cache.join(format!("{key}.lock"))).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if object.exists() {
        return Ok(object);
    }
    // Left by a process that was killed.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).map_err(failed)?;
    let made = make(&folder).and_then(|()| fs::rename(folder.join("made.so"), &object).map_err(failed));
    let _ = fs::remove_dir_all(&folder);
    made.map(|()| object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn an_unknown_compiler_is_named() {
        let error = Compiler::search(Some("no-such-compiler --fast".into())).err().unwrap();
        assert_eq!(error, "no C++ compiler: `no-such-compiler --fast` (from $CXX) cannot be run");
    }

    #[test]
    fn an_object_is_made_once_and_whole() {
        let cache = cache().join(format!("test-{}", std::process::id()));
        let makes = AtomicUsize::new(0);
        let make = |folder: &Path| {
            makes.fetch_add(1, Ordering::Relaxed);
            write(&folder.join("made.so"), "whole")
        };
        // A failure leaves nothing.
        assert_eq!(cached(&cache, "k", |_| Err("no".into())).unwrap_err(), "no");
        let objects: Vec<_> = std::thread::scope(|scope| {
            let started: Vec<_> = (0..4).map(|_| scope.spawn(|| cached(&cache, "k", make).unwrap())).collect();
            started.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(makes.load(Ordering::Relaxed), 1);
        assert!(objects.iter().all(|object| fs::read_to_string(object).unwrap() == "whole"));
        assert_ne!(cached(&cache, "other", make).unwrap(), objects[0]);
        fs::remove_dir_all(&cache).unwrap();
    }
}
