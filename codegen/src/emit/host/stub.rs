//! What stands for a network with mistakes, so that its uses elsewhere stay quiet.
//!
//! Its types and numbers are the mistake itself: rustc says nothing about what is computed from an error, and says the
//! same error at the same place once. So no shape is guessed, which might be wrong.

use super::{Host, functions};
use crate::diagnostics::Diagnostic;
use crate::lower::Stub;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

/// The type, its unfused twin and the names of its structs. `mistake` is any that was reported.
pub fn expand_stub(stub: &Stub, mistake: &Diagnostic) -> TokenStream {
    let (ident, vis, error) = (&stub.ident, &stub.vis, mistake.to_compile_error());
    let family: Vec<(String, Vec<i64>)> = stub.family.iter().map(|name| (name.clone(), Vec::new())).collect();
    let unknown = unknown(&error);
    let structs = stub.structs.iter().map(|side| {
        let name = format_ident!("{ident}{side}", span = ident.span());
        quote!(#[allow(dead_code)] #vis type #name = #unknown;)
    });
    let mut tokens: TokenStream = structs.collect();
    let mut host = Host::new(ident, vis, &family, &[]);
    tokens.extend(broken(&host, &error));
    if stub.twin {
        host.ident = format_ident!("{ident}Unfused", span = ident.span());
        tokens.extend(broken(&host, &error));
    }
    tokens
}

/// A type of which nothing is known. `compile_error!` as a type is `()`, so it stands where a number would: what is
/// projected from an array of unknown length is no type at all to rustc, and fits everywhere.
fn unknown(error: &TokenStream) -> TokenStream {
    quote!(<[(); #error] as ::core::ops::Deref>::Target)
}

fn broken(host: &Host, error: &TokenStream) -> TokenStream {
    let (ident, generics, arguments) = (&host.ident, host.generics(), host.arguments());
    let item = host.item(&quote!(#[doc = " This network has mistakes."]));
    let functions = functions();
    let unknown = unknown(error);
    let sweep = (!host.family.is_empty()).then(|| host.family_macro(error));
    quote! {
        #item
        #sweep

        #[allow(clippy::all, clippy::pedantic, unused_qualifications)]
        const _: () = {
            type __Unknown = #unknown;

            impl #generics #ident #arguments {
                pub const PARAMETERS: usize = #error;
                pub const FORWARD_FLOPS: u64 = #error;
                pub const TRAINING_BYTES_PER_SAMPLE: usize = #error;
                #functions
            }

            #[automatically_derived]
            unsafe impl #generics ::kiln::__private::Network for #ident #arguments {
                type Inputs = __Unknown;
                type Targets = __Unknown;
                type Outputs = __Unknown;
                const NAME: &'static str = #error;
                const PARAMETERS: usize = #error;
                const FORWARD_FLOPS: u64 = #error;

                fn plan() -> &'static ::kiln::__private::plan::Plan {
                    &::kiln::__private::NO_PLAN
                }
            }
        };
    }
}
