//! NVIDIA's driver as `driver.c` pretends it: for processes that are started with this folder in `LD_LIBRARY_PATH`.

use super::skip::skip;
use std::path::Path;
use std::process::Command;

/// A folder with the pretended driver, or a note that the test cannot run.
pub fn pretended() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/driver.c");
    let library = folder.path().join("libcuda.so");
    let output =
        Command::new("cc").args(["-std=gnu11", "-O1", "-shared", "-fPIC", "-o"]).arg(library).arg(source).output();
    match output {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(e) => {
            skip(&format!("no C compiler `cc`: {e}"));
            return None;
        }
    }
    Some(folder)
}
