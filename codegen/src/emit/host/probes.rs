//! Handles of probes: `LeNet5::CONV2`, one constant each, with the programs behind it.

use super::{Host, ports};
use crate::declaration::Member;
use crate::graph::{PortKind, dims_text};
use crate::lower::probe_handle;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

/// The constants of one member. `plans` are parallel to its probes.
pub(super) fn handles(host: &Host, member: &Member, plans: &[(TokenStream, Option<TokenStream>)]) -> Vec<TokenStream> {
    let module = &member.module;
    let one = |(index, (activations, excite)): (usize, &(TokenStream, Option<TokenStream>))| {
        let probe = &module.probes[index];
        let dims = &module.evaluation.graph.shape(module.evaluation.probes[index]).dims;
        let handle = format_ident!("{}", probe_handle(&probe.name), span = probe.source.first);
        let value = ports::kind_type(&PortKind::Dense(dims.clone()));
        let own = host.member_type(member);
        let text = format!(" `{}`, {}, to look at with `activations` and `excite`.", probe.name, dims_text(dims));
        let name = &probe.name;
        let excite = match excite {
            Some(plan) => quote!(::core::option::Option::Some(#plan)),
            None => quote!(::core::option::Option::None),
        };
        quote! {
            #[doc = #text]
            pub const #handle: ::kiln::Probe<#own, #value> =
                // SAFETY: both plans are those of this expansion.
                unsafe { ::kiln::__private::probe(#name, &[#(#dims),*], #activations, #excite) };
        }
    };
    plans.iter().enumerate().map(one).collect()
}
