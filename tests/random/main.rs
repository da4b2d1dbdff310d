//! Random networks compiled for real: what the kernels compute against the interpreter, at each SIMD level. The networks
//! are those of `codegen/tests/common/declarations.rs`, committed as source.

#[path = "../parity/check.rs"]
mod check;
#[path = "../common/skip.rs"]
mod skip;

use check::parity;

/// As `parity!`, without the unfused twin.
macro_rules! fused {
    ($test:ident $name:ident { $($body:tt)* }) => {
        kiln::network! { pub $name { $($body)* } }

        #[test]
        fn $test() {
            crate::check::check::<$name>(concat!("pub ", stringify!($name), " { ", stringify!($($body)*), " }"));
        }
    };
}

include!("networks.rs");
