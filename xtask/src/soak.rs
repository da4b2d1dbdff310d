//! The soak is a program of its own (`tests/soak`), so that it is optimised and this one is built quickly.

use std::process::Command;

/// Runs it with these arguments.
pub fn soak(arguments: &[String]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--package", "kiln-soak", "--"]).args(arguments);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the soak ended with {status}")),
        Err(why) => Err(format!("cargo: {why}")),
    }
}
