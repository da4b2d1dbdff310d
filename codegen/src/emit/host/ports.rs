//! Host types of ports: `[1, 28, 28]` is `Images<1, 28, 28>`. Several ports are a struct with the declared names.

use super::side_of;
use crate::declaration::Member;
use crate::graph::{Port, PortKind, dims_text};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Inputs,
    Targets,
    Outputs,
}

/// The type of one side of a member.
pub(super) fn ty(stem: &Ident, members: &[Member], member: &Member, side: Side) -> TokenStream {
    match side_of(member, side) {
        [] => quote!(()),
        [port] => port_type(port),
        _ => {
            let name = struct_name(stem, members, member, side);
            quote!(#name)
        }
    }
}

/// The structs that the members of a declaration need: one where their ports are the same.
pub(super) fn structs(stem: &Ident, vis: &TokenStream, members: &[Member], side: Side) -> TokenStream {
    let mut written: Vec<Ident> = Vec::new();
    let mut tokens = TokenStream::new();
    for member in members {
        if side_of(member, side).len() < 2 {
            continue;
        }
        let name = struct_name(stem, members, member, side);
        if !written.contains(&name) {
            // A gradient with respect to the inputs has their type.
            let probed = side == Side::Inputs && members.iter().any(|m| !m.module.probes.is_empty());
            tokens.extend(port_struct(stem, &name, vis, side_of(member, side), side, probed));
            written.push(name);
        }
    }
    tokens
}

/// `LeNet5Inputs`; where the members of a family differ in their ports, `MlpInputs8`.
fn struct_name(stem: &Ident, members: &[Member], member: &Member, side: Side) -> Ident {
    let word = match side {
        Side::Inputs => "Inputs",
        Side::Targets => "Targets",
        Side::Outputs => "Outputs",
    };
    let same = members.iter().all(|other| side_of(other, side) == side_of(member, side));
    let values: Vec<String> = member.values.iter().map(|v| v.to_string().replace('-', "m")).collect();
    let suffix = if same { String::new() } else { values.join("x") };
    format_ident!("{stem}{word}{suffix}", span = stem.span())
}

fn port_struct(stem: &Ident, name: &Ident, vis: &TokenStream, ports: &[Port], side: Side, probed: bool) -> TokenStream {
    let fields = field_names(ports);
    let types: Vec<TokenStream> = ports.iter().map(port_type).collect();
    let docs = ports.iter().map(port_doc);
    let text = match side {
        Side::Inputs => format!(" What [`{stem}`] takes, batch first."),
        Side::Targets => format!(" What the loss of [`{stem}`] compares with, batch first."),
        Side::Outputs => format!(" What [`{stem}`] returns, batch first."),
    };
    let implementation = match side {
        Side::Inputs if probed && ports.iter().all(|port| matches!(port.kind, PortKind::Dense(_))) => {
            let (feed, receive) = (feed(name, &fields, &types), receive(name, &fields, &types));
            quote!(#feed #receive)
        }
        Side::Inputs | Side::Targets => feed(name, &fields, &types),
        Side::Outputs => receive(name, &fields, &types),
    };
    quote! {
        #[doc = #text]
        #[allow(dead_code)]
        #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq)]
        #vis struct #name {
            #(#[doc = #docs] pub #fields: #types,)*
        }

        #[allow(clippy::all, clippy::pedantic, unused_qualifications)]
        const _: () = {
            #implementation
        };
    }
}

fn feed(name: &Ident, fields: &[Ident], types: &[TokenStream]) -> TokenStream {
    let feed = quote!(::kiln::__private::Feed);
    let first = &fields[0];
    let (owner, words) = (name.to_string(), fields.iter().map(Ident::to_string));
    quote! {
        #[automatically_derived]
        impl #feed for #name {
            fn empty() -> Self {
                Self { #(#fields: <#types as #feed>::empty(),)* }
            }

            fn len(&self) -> usize {
                #feed::len(&self.#first)
            }

            fn gather_into(&self, rows: &[usize], out: &mut Self) {
                #(#feed::gather_into(&self.#fields, rows, &mut out.#fields);)*
            }

            fn each_port<'a>(&'a self, f: &mut dyn ::core::ops::FnMut(::kiln::__private::PortValues<'a>)) {
                #(#feed::each_port(&self.#fields, f);)*
            }

            fn check(&self) -> ::core::result::Result<(), ::kiln::__private::Error> {
                #(#feed::check(&self.#fields)?;)*
                ::kiln::__private::same_lengths(#owner, &[#((#words, #feed::len(&self.#fields)),)*])
            }
        }
    }
}

fn receive(name: &Ident, fields: &[Ident], types: &[TokenStream]) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl ::kiln::__private::Receive for #name {
            fn from_buffers(samples: usize, buffers: ::std::vec::Vec<::std::vec::Vec<f32>>) -> Self {
                let mut buffers = buffers.into_iter();
                Self { #(#fields: ::kiln::__private::receive_one::<#types>(samples, &mut buffers),)* }
            }

            fn buffers(&mut self, f: &mut dyn ::core::ops::FnMut(&mut ::std::vec::Vec<f32>)) {
                #(::kiln::__private::Receive::buffers(&mut self.#fields, f);)*
            }
        }
    }
}

/// Declared names as fields: `features.low` is `features_low`.
fn field_names(ports: &[Port]) -> Vec<Ident> {
    let mut names: Vec<String> = Vec::new();
    for port in ports {
        let mut name: String = port.name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') || name == "_" {
            name = format!("output_{name}");
        }
        while names.contains(&name) {
            name.push('_');
        }
        names.push(name);
    }
    let ident = |(name, port): (&String, &Port)| match syn::parse_str::<Ident>(name) {
        Ok(mut ident) => {
            ident.set_span(port.source.first);
            ident
        }
        // A keyword, which was written as a raw name.
        Err(_) => format_ident!("{name}_", span = port.source.first),
    };
    names.iter().zip(ports).map(ident).collect()
}

fn port_doc(port: &Port) -> String {
    match &port.kind {
        PortKind::Dense(dims) => format!(" `{}`", dims_text(dims)),
        PortKind::Class(classes) => format!(" `class<{classes}>`"),
        PortKind::Ids(dims, below) => format!(" `ids<{}, {below}>`", dims_text(dims)),
    }
}

fn port_type(port: &Port) -> TokenStream {
    kind_type(&port.kind)
}

/// The host type of such values.
pub(super) fn kind_type(kind: &PortKind) -> TokenStream {
    let literals = |numbers: &[usize]| numbers.iter().map(|n| Literal::usize_unsuffixed(*n)).collect::<Vec<_>>();
    match kind {
        PortKind::Dense(dims) => {
            let extents = literals(dims);
            match dims.len() {
                0 => quote!(::kiln::__private::Rows<1>),
                1 => quote!(::kiln::__private::Rows<#(#extents),*>),
                2 => quote!(::kiln::__private::Sequences<#(#extents),*>),
                3 => quote!(::kiln::__private::Images<#(#extents),*>),
                // No type of its own: the values in row-major order.
                _ => {
                    let size = Literal::usize_unsuffixed(dims.iter().product());
                    quote!(::kiln::__private::Rows<#size>)
                }
            }
        }
        PortKind::Class(classes) => {
            let classes = Literal::usize_unsuffixed(*classes);
            quote!(::kiln::__private::Classes<#classes>)
        }
        PortKind::Ids(dims, below) => {
            let extents = literals(dims);
            let below = Literal::usize_unsuffixed(*below);
            quote!(::kiln::__private::Ids<#(#extents,)* #below>)
        }
    }
}
