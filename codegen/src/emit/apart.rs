//! Writing tokens apart from the compiler.
//!
//! Inside of a procedural macro every token tree is the compiler's, and each that is made or read is a call into it: seconds for the
//! plans of a large network. Those name nothing that the user wrote, so they need no places in the source. They are written as
//! tokens of this process, and become the compiler's in one piece, as text.

extern crate proc_macro;

use proc_macro2::{TokenStream, fallback};

/// While it lives, tokens are those of this process.
struct Apart;

impl Apart {
    fn new() -> Apart {
        fallback::force();
        Apart
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        fallback::unforce();
    }
}

/// The tokens that `write` makes, which must take none from outside.
pub fn apart(write: impl FnOnce() -> TokenStream) -> TokenStream {
    if !proc_macro::is_available() {
        return write();
    }
    let text = {
        let _apart = Apart::new();
        write().to_string()
    };
    text.parse().expect("tokens, printed, are tokens")
}
