//! What a program sees of a network: the type with its constants, `impl Network`, the structs of several ports, and one
//! documented item per label.
//!
//! All paths are absolute, and what nobody names lies in `const _`, so that neither the user's names nor ours can clash.
//! Deliberately absent: kernels and plans, which come as one expression per member.

mod doc;
mod export;
mod family;
mod ports;
mod probes;
mod stub;
#[cfg(test)]
mod tests;

pub use export::expand_export;
pub use stub::expand_stubs;

use crate::declaration::{Declaration, Member};
use crate::graph::Port;
use ports::Side;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

/// `&'static Plan` expressions of one member.
pub struct MemberPlans {
    pub network: TokenStream,
    /// Where the plan does not tell.
    pub training_bytes: Option<usize>,
    /// Of each probe: its value, and its gradient where an input has one.
    pub probes: Vec<(TokenStream, Option<TokenStream>)>,
}

impl MemberPlans {
    /// Of a member that never runs, with so many probes.
    pub fn none(training_bytes: usize, probes: usize) -> MemberPlans {
        let none = quote!(&::kiln::__private::NO_PLAN);
        let probes = vec![(none.clone(), Some(none.clone())); probes];
        MemberPlans { network: none, training_bytes: Some(training_bytes), probes }
    }
}

/// The types of a declaration. `plans` are those of each member.
pub fn expand(declaration: &Declaration, plans: &[MemberPlans]) -> TokenStream {
    let host = Host::new(&declaration.ident, &declaration.vis, &declaration.family, &declaration.members);
    let docs = &declaration.docs;
    let table = doc::network(&declaration.ident, &declaration.members);
    let item = host.item(&quote!(#docs #[doc = #table]));
    let ports = host.port_structs();
    let implementations = host.implementations(plans);
    let labels = declaration.members.first().map(|m| doc::labels(&m.module));
    quote!(#item #ports #implementations #labels)
}

/// `NameUnfused` of `#[fusion(both)]`: another type over the same host types.
pub fn expand_unfused(declaration: &Declaration, plans: &[MemberPlans]) -> TokenStream {
    let mut host = Host::new(&declaration.ident, &declaration.vis, &declaration.family, &declaration.members);
    let fused = host.ident.clone();
    host.ident = format_ident!("{}Unfused", fused, span = fused.span());
    let text = format!(" [`{fused}`] with one kernel per primitive.");
    let item = host.item(&quote!(#[doc = #text]));
    let implementations = host.implementations(plans);
    quote!(#item #implementations)
}

/// One declaration on its way to tokens.
struct Host<'a> {
    /// The type's name.
    ident: Ident,
    /// What the port structs' names begin with.
    stem: &'a Ident,
    vis: &'a TokenStream,
    family: &'a [(String, Vec<i64>)],
    members: &'a [Member],
}

impl<'a> Host<'a> {
    fn new(ident: &'a Ident, vis: &'a TokenStream, family: &'a [(String, Vec<i64>)], members: &'a [Member]) -> Self {
        Host { ident: ident.clone(), stem: ident, vis, family, members }
    }

    fn is_family(&self) -> bool {
        !self.family.is_empty()
    }

    /// The struct itself.
    fn item(&self, docs: &TokenStream) -> TokenStream {
        let (vis, ident, generics) = (self.vis, &self.ident, self.generics());
        let named = quote_spanned!(ident.span()=> struct #ident #generics;);
        quote! {
            #docs
            #[allow(dead_code)]
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #vis #named
        }
    }

    /// `Mlp<8>`
    fn member_type(&self, member: &Member) -> TokenStream {
        let ident = &self.ident;
        let values = member.values.iter().map(|value| {
            let mut value = Literal::i64_unsuffixed(*value);
            value.set_span(ident.span());
            value
        });
        if self.is_family() { quote_spanned!(ident.span()=> #ident<#(#values),*>) } else { quote!(#ident) }
    }

    /// `Mlp<8>`, as text.
    fn member_name(&self, member: &Member) -> String {
        let values: Vec<String> = member.values.iter().map(i64::to_string).collect();
        if self.is_family() { format!("{}<{}>", self.ident, values.join(", ")) } else { self.ident.to_string() }
    }

    fn port_structs(&self) -> TokenStream {
        let all = [Side::Inputs, Side::Targets, Side::Outputs];
        all.into_iter().flat_map(|side| ports::structs(self.stem, self.vis, self.members, side)).collect()
    }

    fn implementations(&self, plans: &[MemberPlans]) -> TokenStream {
        let members = self.members.iter().zip(plans).enumerate().map(|(i, (m, plan))| self.member(i, m, plan));
        let family = self.is_family().then(|| self.family_items());
        let sweep = self.is_family().then(|| self.sweep());
        quote! {
            #sweep

            #[allow(clippy::all, clippy::pedantic, unused_qualifications)]
            const _: () = {
                #family
                #(#members)*
            };
        }
    }

    /// The constants and the plan of one member.
    fn member(&self, index: usize, member: &Member, plans: &MemberPlans) -> TokenStream {
        let module = &member.module;
        let own = self.member_type(member);
        let plan_const = format_ident!("PLAN_{}", index, span = Span::mixed_site());
        let parameters = Literal::usize_unsuffixed(doc::parameters(module));
        let flops = Literal::u64_unsuffixed(module.layers.iter().map(|l| l.flops).sum());
        let name = self.member_name(member);
        let types =
            [(Side::Inputs, "Inputs"), (Side::Targets, "Targets"), (Side::Outputs, "Outputs")].map(|(side, word)| {
                let ty = ports::ty(self.stem, self.members, member, side);
                let word = format_ident!("{word}");
                quote!(type #word = #ty;)
            });
        let functions = functions();
        let plan = &plans.network;
        let bytes = match plans.training_bytes {
            Some(bytes) => quote!(#bytes),
            None => quote!(::kiln::__private::training_bytes(#plan_const)),
        };
        let probes = probes::handles(self, member, &plans.probes);
        let span = self.ident.span();
        // The word `unsafe` stands at the call site, not at the name: so the compiler knows that the macro wrote it, and
        // `#![forbid(unsafe_code)]` of the user's crate concerns what the user wrote. A plan makes `Network` unsafe to implement.
        let (implemented, keyword) = match self.is_family() {
            true => (quote_spanned!(span=> __Member), TokenStream::new()),
            false => (quote!(::kiln::__private::Network), quote!(unsafe)),
        };
        let header = quote_spanned!(span=> #[automatically_derived] #keyword impl #implemented for #own);
        quote! {
            const #plan_const: &'static ::kiln::__private::plan::Plan = #plan;

            impl #own {
                /// Trainable and frozen values, without running statistics.
                pub const PARAMETERS: usize = #parameters;
                /// Floating-point operations of the forward pass of one sample; a multiply-add counts as two.
                pub const FORWARD_FLOPS: u64 = #flops;
                /// Memory that a training step needs for each sample of its batch, beside the sample itself.
                pub const TRAINING_BYTES_PER_SAMPLE: usize = #bytes;
                #(#probes)*
                #functions
            }

            #header {
                #(#types)*
                const NAME: &'static str = #name;
                const PARAMETERS: usize = #parameters;
                const FORWARD_FLOPS: u64 = #flops;

                fn plan() -> &'static ::kiln::__private::plan::Plan {
                    #plan_const
                }
            }
        }
    }
}

/// `new`, `open`, `summary` and `diagram` without the trait in scope. On the members of a family only: a non-member is then told what
/// the members are, once.
fn functions() -> TokenStream {
    quote! {
        /// A model with initial weights. Same seed, same bits.
        pub fn new(
            device: &::kiln::__private::Device,
            seed: u64,
        ) -> ::kiln::__private::Result<::kiln::__private::Model<Self>> {
            <Self as ::kiln::__private::Network>::new(device, seed)
        }

        /// A model with the weights of a safetensors file.
        pub fn open(
            file: impl ::core::convert::AsRef<::std::path::Path>,
            device: &::kiln::__private::Device,
        ) -> ::kiln::__private::Result<::kiln::__private::Model<Self>> {
            <Self as ::kiln::__private::Network>::open(file, device)
        }

        /// A drawing of the layers, their shapes and branches, as SVG.
        pub fn diagram() -> ::kiln::__private::Diagram {
            <Self as ::kiln::__private::Network>::diagram()
        }

        /// A table: layers, shapes, parameters, FLOPs, and the kernel each was fused into.
        pub fn summary() -> ::kiln::__private::Summary {
            <Self as ::kiln::__private::Network>::summary()
        }
    }
}

/// Ports of one side of a member.
fn side_of(member: &Member, side: Side) -> &[Port] {
    match side {
        Side::Inputs => &member.module.inputs,
        Side::Targets => &member.module.targets,
        Side::Outputs => &member.module.outputs,
    }
}
