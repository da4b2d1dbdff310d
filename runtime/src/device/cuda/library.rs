//! Finding NVRTC, CUDA's compiler library, at run time.
//!
//! The library is opened by its own path, and its functions are looked up here: cudarc would ask the loader for
//! `libnvrtc.so` again and might get another version than the one that was chosen, panics where a library or a function
//! is missing, and knows no later major version than it was written for.

use libloading::Library;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Names the library itself, or the folder that it lies in; then nothing else is tried.
const VARIABLE: &str = "KILN_NVRTC";

/// Major versions in the order they are tried.
const MAJORS: [u32; 2] = [13, 12];

/// An opened library, and where it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub library: Library,
    pub path: PathBuf,
}

/// Where libraries may lie. Tests make their own; a program's is [`Places::of_this_machine`].
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The value of `KILN_NVRTC`.
    pub chosen: Option<PathBuf>,
    /// Whether the loader may look where it always looks.
    pub loader: bool,
    /// Folders in order, with what named them.
    pub folders: Vec<(String, PathBuf)>,
}

impl Places {
    pub fn of_this_machine() -> Places {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(chosen) = variable(VARIABLE) {
            return Places { chosen: Some(chosen), ..Places::default() };
        }
        let mut places = Places { loader: true, ..Places::default() };
        for name in ["CUDA_HOME", "CUDA_PATH"] {
            places.toolkit(name, variable(name));
        }
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            places.python(name, variable(name));
        }
        // Where a `python3` is called from its folder, its packages lie beside that folder.
        let searched = env::var_os("PATH").unwrap_or_default();
        for folder in env::split_paths(&searched).filter(|folder| folder.join("python3").exists()) {
            places.python("PATH", folder.parent().map(Path::to_path_buf));
        }
        places.python("HOME", variable("HOME").map(|home| home.join(".local")));
        for prefix in ["/usr/local", "/usr", "/opt/conda"] {
            places.python(prefix, Some(prefix.into()));
        }
        for parent in ["/usr/local", "/opt"] {
            for folder in below(Path::new(parent), |name| name.starts_with("cuda")) {
                places.toolkit(parent, Some(folder));
            }
        }
        for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"] {
            places.add(folder, folder.into());
        }
        places
    }

    /// A folder of CUDA's own layout.
    fn toolkit(&mut self, origin: &str, root: Option<PathBuf>) {
        let Some(root) = root else { return };
        for inner in ["lib64", "lib", "bin", ""] {
            self.add(origin, root.join(inner));
        }
        for target in below(&root.join("targets"), |_| true) {
            self.add(origin, target.join("lib"));
        }
    }

    /// The packages `nvidia-cuda-nvrtc` and `nvidia-cuda-nvrtc-cu12` under a prefix of Python.
    fn python(&mut self, origin: &str, prefix: Option<PathBuf>) {
        let Some(prefix) = prefix else { return };
        for version in below(&prefix.join("lib"), |name| name.starts_with("python3")) {
            for packages in ["site-packages", "dist-packages"] {
                for inner in ["cu13/lib", "cuda_nvrtc/lib"] {
                    self.add(origin, version.join(packages).join("nvidia").join(inner));
                }
            }
        }
        self.add(origin, prefix.join("lib"));
    }

    /// What is not there need not be tried, nor told.
    fn add(&mut self, origin: &str, folder: PathBuf) {
        if folder.is_dir() && !self.folders.iter().any(|(_, known)| *known == folder) {
            self.folders.push((origin.to_owned(), folder));
        }
    }

    /// Opens the first library that can be opened. `driver` is the major version of the driver, which runs kernels of its
    /// own and earlier versions.
    ///
    /// # Errors
    /// A text that says what was looked for, where, and what stood in the way.
    pub fn open(&self, driver: Option<u32>) -> Result<Found, String> {
        let majors: Vec<u32> =
            MAJORS.into_iter().filter(|major| driver.is_none_or(|driver| *major <= driver)).collect();
        let names: Vec<String> = majors.iter().map(|major| file_name(*major)).collect();
        let mut tried = Vec::new();
        if let Some(chosen) = &self.chosen {
            let paths = if chosen.is_dir() { libraries_in(chosen, &names) } else { vec![chosen.clone()] };
            if let Some(found) = paths.iter().find_map(|path| attempt(&mut tried, VARIABLE, path)) {
                return Ok(found);
            }
            let found = if paths.is_empty() {
                format!("a folder without {}", names.join(" or "))
            } else {
                format!("no library that can be opened:\n  {}", tried.join("\n  "))
            };
            return Err(format!("NVRTC was not found: {VARIABLE} = {} is {found}", chosen.display()));
        }
        if self.loader
            && let Some(found) = names.iter().find_map(|name| attempt(&mut tried, "the loader's path", Path::new(name)))
        {
            return Ok(found);
        }
        for (origin, folder) in &self.folders {
            let paths = libraries_in(folder, &names);
            if let Some(found) = paths.iter().find_map(|path| attempt(&mut tried, origin, path)) {
                return Ok(found);
            }
            if paths.is_empty() {
                let folder = folder.display().to_string();
                tried.push(if *origin == folder { folder } else { format!("{origin}: {folder}") });
            }
        }
        Err(format!(
            "NVRTC ({}) was not found; looked in\n  {}\nhelp: pip install nvidia-cuda-nvrtc, or set {VARIABLE} to the library \
             or its folder",
            names.join(" or "),
            tried.join("\n  ")
        ))
    }
}

/// Opens a library; if it cannot, notes why.
fn attempt(tried: &mut Vec<String>, origin: &str, path: &Path) -> Option<Found> {
    match open(path) {
        Ok(library) => Some(Found { library, path: path.to_path_buf() }),
        Err(problem) => {
            tried.push(format!("{origin}: {problem}"));
            None
        }
    }
}

#[cfg(not(windows))]
fn file_name(major: u32) -> String {
    format!("libnvrtc.so.{major}")
}

#[cfg(windows)]
fn file_name(major: u32) -> String {
    format!("nvrtc64_{major}0_0.dll")
}

/// The libraries of a folder, in the order of `names`.
fn libraries_in(folder: &Path, names: &[String]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// Folders whose names pass, in reverse order: higher versions first.
fn below(folder: &Path, passes: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&passes))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found.reverse();
    found
}

fn open(path: &Path) -> Result<Library, String> {
    // NVRTC asks the loader for its second half by name alone. The loader does not look beside the first half, but it
    // knows what is open already.
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if is_builtins(&name) {
                // SAFETY: a library of NVIDIA's; opening it runs no code but its initialisers.
                if let Ok(library) = unsafe { Library::new(entry.path()) } {
                    std::mem::forget(library);
                }
            }
        }
    }
    // SAFETY: this is NVRTC itself, or what `KILN_NVRTC` names in its place; opening it runs its initialisers.
    unsafe { Library::new(path) }.map_err(|e| {
        // The loader's message begins with the name that it was asked for.
        let text = e.to_string();
        if text.contains(&*path.to_string_lossy()) { text } else { format!("{}: {text}", path.display()) }
    })
}

fn is_builtins(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let named = name.starts_with("libnvrtc-builtins.so.") || name.starts_with("nvrtc-builtins64_");
    named && !name.contains(".alt.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_every_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut places = Places { loader: true, ..Places::default() };
        places.add("CUDA_HOME", folder.path().to_path_buf());
        places.add("CUDA_HOME", folder.path().join("absent"));
        assert_eq!(places.folders.len(), 1);
        // No machine has a driver of version 1, so no name is even tried.
        let text = places.open(Some(1)).unwrap_err();
        assert!(text.contains(&format!("CUDA_HOME: {}", folder.path().display())), "{text}");
        assert!(text.contains("help: pip install nvidia-cuda-nvrtc, or set KILN_NVRTC"), "{text}");
    }

    #[test]
    fn a_chosen_path_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let chosen = Places { chosen: Some(folder.path().to_path_buf()), ..Places::default() };
        let text = chosen.open(None).unwrap_err();
        assert!(text.contains("is a folder without"), "{text}");
        assert!(text.contains(&folder.path().display().to_string()), "{text}");

        let file = folder.path().join(file_name(13));
        std::fs::write(&file, "not a library").unwrap();
        for chosen in [folder.path(), &file] {
            let text = Places { chosen: Some(chosen.to_path_buf()), ..Places::default() }.open(None).unwrap_err();
            assert!(text.contains("no library that can be opened"), "{text}");
            assert!(text.contains(&file.display().to_string()), "{text}");
        }
        // A driver of version 12 cannot run what a compiler of version 13 makes.
        let text =
            Places { chosen: Some(folder.path().to_path_buf()), ..Places::default() }.open(Some(12)).unwrap_err();
        assert!(text.contains(&format!("a folder without {}", file_name(12))), "{text}");
    }

    #[test]
    fn packages_of_python_are_found() {
        let prefix = tempfile::tempdir().unwrap();
        let package = prefix.path().join("lib/python3.11/site-packages/nvidia/cu13/lib");
        std::fs::create_dir_all(&package).unwrap();
        let mut places = Places::default();
        places.python("VIRTUAL_ENV", Some(prefix.path().to_path_buf()));
        assert_eq!(places.folders[0], ("VIRTUAL_ENV".to_owned(), package));
    }
}
