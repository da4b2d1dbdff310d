//! A family as one const-generic type: the members implement a hidden trait, and the trait `Network` is implemented for
//! whatever has that one. So the message about a non-member comes from here, and lists the members.

use super::Host;
use super::export::unique;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

impl Host<'_> {
    /// `<const H: usize>`, or nothing.
    pub(super) fn generics(&self) -> TokenStream {
        let span = self.ident.span();
        let parameters = self.family.iter().map(|(name, values)| {
            let name = format_ident!("{name}");
            let ty = format_ident!("{}", if values.iter().all(|v| *v >= 0) { "usize" } else { "i64" });
            quote_spanned!(span=> const #name: #ty)
        });
        if self.is_family() { quote_spanned!(span=> <#(#parameters),*>) } else { TokenStream::new() }
    }

    /// `<H>`, or nothing.
    pub(super) fn arguments(&self) -> TokenStream {
        let names = self.family.iter().map(|(name, _)| format_ident!("{name}"));
        if self.is_family() { quote_spanned!(self.ident.span()=> <#(#names),*>) } else { TokenStream::new() }
    }

    /// `Mlp!(f)`: the array `[f::<Mlp<8>>, …]`.
    pub(super) fn sweep(&self) -> TokenStream {
        let members = self.members.iter().map(|member| self.member_type(member));
        self.family_macro(&quote!([#($($f)::+::<#members>),*]))
    }

    /// A macro of the family's name, next to it.
    pub(super) fn family_macro(&self, value: &TokenStream) -> TokenStream {
        let (ident, vis, own) = (&self.ident, self.vis, unique(&self.ident));
        let exported = (vis.to_string() == "pub").then(|| quote!(#[macro_export]));
        let text =
            format!(" `{ident}!(f)` is `[f::<{ident}<…>>, …]`: a generic function for each member of the family.");
        quote! {
            #[doc(hidden)]
            #[allow(unused_macros, non_local_definitions)]
            #exported
            macro_rules! #own {
                ($($f:ident)::+) => { #value };
            }
            #[doc = #text]
            #[allow(unused_imports)]
            #vis use #own as #ident;
        }
    }

    /// The hidden trait, and `Network` for all that have it.
    pub(super) fn family_items(&self) -> TokenStream {
        let (ident, generics, arguments) = (&self.ident, self.generics(), self.arguments());
        let message = format!("`{{Self}}` is not a network: `{ident}` was declared for {}", self.member_list());
        let label = format!("not a member of the family `{ident}`");
        // What only members implement, and nobody outside of this `const _` can name, vouches for the plan. As in `Host::member`, the
        // word `unsafe` stands at the call site.
        let keyword = quote!(unsafe);
        // At the name, which is where notes about the family then point.
        quote_spanned! {ident.span()=>
            #[diagnostic::on_unimplemented(message = #message, label = #label)]
            pub trait __Member {
                type Inputs: ::kiln::__private::Feed;
                type Targets: ::kiln::__private::Feed;
                type Outputs: ::kiln::__private::Receive;
                const NAME: &'static str;
                const PARAMETERS: usize;
                const FORWARD_FLOPS: u64;
                fn plan() -> &'static ::kiln::__private::plan::Plan;
            }

            #[automatically_derived]
            #keyword impl #generics ::kiln::__private::Network for #ident #arguments
            where
                Self: __Member,
            {
                type Inputs = <Self as __Member>::Inputs;
                type Targets = <Self as __Member>::Targets;
                type Outputs = <Self as __Member>::Outputs;
                const NAME: &'static str = <Self as __Member>::NAME;
                const PARAMETERS: usize = <Self as __Member>::PARAMETERS;
                const FORWARD_FLOPS: u64 = <Self as __Member>::FORWARD_FLOPS;

                fn plan() -> &'static ::kiln::__private::plan::Plan {
                    <Self as __Member>::plan()
                }
            }
        }
    }

    /// `H = 8, 32, 128`
    fn member_list(&self) -> String {
        let one = |(name, values): &(String, Vec<i64>)| {
            let values: Vec<String> = values.iter().map(i64::to_string).collect();
            format!("{name} = {}", values.join(", "))
        };
        self.family.iter().map(one).collect::<Vec<_>>().join(" and ")
    }
}
