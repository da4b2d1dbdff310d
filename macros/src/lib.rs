//! The proc-macros of Kiln: a doorway to `kiln-codegen`.

use proc_macro::TokenStream;

/// Declares networks; see the language reference in this crate's documentation.
#[proc_macro]
pub fn network(input: TokenStream) -> TokenStream {
    kiln_codegen::compile(input.into()).into()
}

/// An optimizer's arithmetic on one element, for `kiln` itself.
#[doc(hidden)]
#[proc_macro]
pub fn update(input: TokenStream) -> TokenStream {
    kiln_codegen::update::update(input.into()).into()
}
