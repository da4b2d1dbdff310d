//! A `pub block` as a macro that other `network!`s fetch its text from; `syntax::import` tells how.

use crate::syntax::import::Export;
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The macro, and its name in the module that declares it.
pub fn expand_export(export: &Export) -> TokenStream {
    let (name, vis, docs, own) = (&export.name, &export.vis, &export.docs, unique(&export.name));
    let text = export.text.clone().unwrap_or_else(|| quote!(@broken));
    // What leaves the crate lies at its root; the name in the module is another one.
    let exported = (vis.to_string() == "pub").then(|| quote!(#[macro_export]));
    let signature = format!("```text\n{}\n```\n\nFor `use` in a `network!`.", export.signature);
    quote! {
        #[doc(hidden)]
        #[allow(non_local_definitions)]
        #exported
        macro_rules! #own {
            ([$($back:tt)*] [$($before:tt)*] $($after:tt)*) => {
                $($back)*! { $($before)* { #text } $($after)* }
            };
        }
        #docs
        #[doc = ""]
        #[doc = #signature]
        #[doc(inline)]
        #[allow(unused_imports)]
        #vis use #own as #name;
    }
}

/// A name that no other macro of the crate has: it stands for the place of the declaration.
pub(super) fn unique(name: &Ident) -> Ident {
    let span = name.span();
    let place = format!("{}:{}:{}", span.file(), span.start().line, span.start().column);
    let hash = place
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Ident::new(&format!("__kiln_{name}_{hash:016x}"), span)
}
