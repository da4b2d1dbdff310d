//! Which instruction level this processor has, and which one the user wants.

use std::{fmt, sync::OnceLock};

use crate::plan::Level;

const VARIABLE: &str = "KILN_SIMD";

/// A level that does not exist, or that this processor does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelError {
    Unknown { value: String },
    Unsupported { level: Level, best: Level },
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LevelError::Unknown { value } => {
                write!(f, "{VARIABLE} is `{value}`, expected `portable`, `avx2` or `avx512`")
            }
            LevelError::Unsupported { level, best } => {
                write!(
                    f,
                    "SIMD level `{}` was asked for, but this processor has at most `{}`",
                    level.name(),
                    best.name()
                )
            }
        }
    }
}

impl std::error::Error for LevelError {}

impl Level {
    pub const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];

    /// As in `KILN_SIMD`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = LevelError;

    fn from_str(value: &str) -> Result<Level, LevelError> {
        Level::ALL
            .into_iter()
            .find(|level| level.name() == value)
            .ok_or_else(|| LevelError::Unknown { value: value.to_owned() })
    }
}

/// The best level of this processor.
pub fn best() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        // The AVX-512 entry points may use AVX2 and FMA: `avx512f` implies them, so ask for all.
        if avx2 && is_x86_feature_detected!("avx512f") {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Portable
}

/// `level`, if this processor has it.
pub fn supported(level: Level) -> Result<Level, LevelError> {
    let best = best();
    if level <= best { Ok(level) } else { Err(LevelError::Unsupported { level, best }) }
}

/// The level to run at: `KILN_SIMD` where it is set, else the best. Asked once per process.
pub fn detect() -> Result<Level, LevelError> {
    static LEVEL: OnceLock<Result<Level, LevelError>> = OnceLock::new();
    LEVEL
        .get_or_init(|| match std::env::var_os(VARIABLE) {
            None => Ok(best()),
            Some(value) => value.to_string_lossy().parse().and_then(supported),
        })
        .clone()
}
