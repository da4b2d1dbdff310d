//! What stands for networks with mistakes, so that their uses elsewhere stay quiet.
//!
//! The mistake is the value of one constant, and all types and numbers of the networks are computed from it: rustc says
//! nothing about what is computed from an error. So each mistake is told once, and no shape is guessed, which might be
//! wrong.

use super::export::unique;
use super::{Host, functions};
use crate::diagnostics::Diagnostic;
use crate::lower::{Stub, probe_handle};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// The types, their unfused twins and the names of their structs. `mistake` is any that was found; it is told here, and
/// nowhere else.
pub fn expand_stubs(stubs: &[Stub], mistake: &Diagnostic) -> TokenStream {
    let error = mistake.to_compile_error();
    let Some(first) = stubs.first() else { return error };
    let constant = format_ident!("{}_MISTAKE", unique(&first.ident));
    let all = stubs.iter().map(|stub| one(stub, &constant));
    quote! {
        #[doc(hidden)]
        #[allow(dead_code, non_upper_case_globals)]
        const #constant: usize = #error;
        #(#all)*
    }
}

fn one(stub: &Stub, mistake: &Ident) -> TokenStream {
    let (ident, vis) = (&stub.ident, &stub.vis);
    let family: Vec<(String, Vec<i64>)> = stub.family.iter().map(|name| (name.clone(), Vec::new())).collect();
    let unknown = unknown(mistake);
    let structs = stub.structs.iter().map(|side| {
        let name = format_ident!("{ident}{side}", span = ident.span());
        quote!(#[allow(dead_code)] #vis type #name = #unknown;)
    });
    let mut tokens: TokenStream = structs.collect();
    let mut host = Host::new(ident, vis, &family, &[]);
    tokens.extend(broken(&host, stub, mistake));
    if stub.twin {
        host.ident = format_ident!("{ident}Unfused", span = ident.span());
        tokens.extend(broken(&host, stub, mistake));
    }
    tokens
}

/// A type of which nothing is known: what is projected from an array of unknown length is no type at all to rustc, and
/// fits everywhere.
fn unknown(mistake: &Ident) -> TokenStream {
    quote!(<[(); #mistake] as ::core::ops::Deref>::Target)
}

fn broken(host: &Host, stub: &Stub, mistake: &Ident) -> TokenStream {
    let (ident, generics, arguments) = (&host.ident, host.generics(), host.arguments());
    let item = host.item(&quote!(#[doc = " This network has mistakes."]));
    let functions = functions();
    let unknown = unknown(mistake);
    // A sweep over members of which none is known gives something of which nothing is known.
    let members = host.family.iter().map(|_| quote!(0));
    let value = quote!({
        fn unknown<T>() -> T {
            loop {}
        }
        unknown::<<#ident<#(#members),*> as ::kiln::__private::Network>::Outputs>()
    });
    let sweep = (!host.family.is_empty()).then(|| host.family_macro(&value));
    let mut handles: Vec<String> = stub.probes.iter().map(|path| probe_handle(path)).collect();
    handles.retain(|handle| handle.starts_with(char::is_alphabetic));
    handles.sort();
    handles.dedup();
    let probes = handles.iter().map(|handle| {
        let handle = format_ident!("{handle}", span = ident.span());
        quote!(pub const #handle: __Unknown = loop {};)
    });
    quote! {
        #item
        #sweep

        #[allow(clippy::all, clippy::pedantic, unused_qualifications)]
        const _: () = {
            type __Unknown = #unknown;

            impl #generics #ident #arguments {
                pub const PARAMETERS: usize = #mistake;
                pub const FORWARD_FLOPS: u64 = #mistake as u64;
                pub const TRAINING_BYTES_PER_SAMPLE: usize = #mistake;
                #(#probes)*
                #functions
            }

            #[automatically_derived]
            unsafe impl #generics ::kiln::__private::Network for #ident #arguments {
                type Inputs = __Unknown;
                type Targets = __Unknown;
                type Outputs = __Unknown;
                const NAME: &'static str = "";
                const PARAMETERS: usize = #mistake;
                const FORWARD_FLOPS: u64 = #mistake as u64;

                fn plan() -> &'static ::kiln::__private::plan::Plan {
                    &::kiln::__private::NO_PLAN
                }
            }
        };
    }
}
