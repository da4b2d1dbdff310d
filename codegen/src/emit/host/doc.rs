//! Rustdoc of what is generated: a network's table, and an item per label for the pointer to hover over.

use crate::declaration::Member;
use crate::graph::{Label, Module, dims_text};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// All values that files hold as parameters, frozen ones too.
pub(super) fn parameters(module: &Module) -> usize {
    module.params.iter().map(|p| p.dims.iter().product::<usize>()).sum()
}

/// The table below the user's own words.
pub(super) fn network(ident: &Ident, members: &[Member]) -> String {
    let mut text = String::from("\n");
    let Some(first) = members.first() else { return text };
    if !first.values.is_empty() {
        text += "| member | parameters |\n|---|---:|\n";
        for member in members {
            let values: Vec<String> = member.values.iter().map(i64::to_string).collect();
            text += &format!("| `{ident}<{}>` | {} |\n", values.join(", "), grouped(parameters(&member.module)));
        }
        text += "\n";
        return text;
    }
    text += "| layer | | output | parameters |\n|---|---|---|---:|\n";
    for row in &first.module.layers {
        let (path, layer, output) = (&row.path, cell(&row.text), dims_text(&row.output));
        text += &format!("| {path} | `{layer}` | `{output}` | {} |\n", grouped(row.parameters));
    }
    text += &format!("| | | | **{}** |\n", grouped(parameters(&first.module)));
    text
}

/// One item a label, each in a scope of its own, with the label's span.
pub(super) fn labels(module: &Module) -> TokenStream {
    module.labels.iter().map(label).collect()
}

fn label(label: &Label) -> TokenStream {
    let Ok(mut ident) = syn::parse_str::<Ident>(&label.name) else { return TokenStream::new() };
    ident.set_span(label.source.first);
    let parameters = match label.parameters {
        0 => String::new(),
        1 => ", 1 parameter".to_owned(),
        many => format!(", {} parameters", grouped(many)),
    };
    let text = format!(" `{}`: {} → `{}`{parameters}", label.path, code(&label.text), dims_text(&label.output));
    quote! {
        const _: () = {
            #[doc = #text]
            #[allow(dead_code, non_upper_case_globals)]
            const #ident: () = ();
        };
    }
}

fn code(text: &str) -> String {
    if text.is_empty() { "group".to_owned() } else { format!("`{text}`") }
}

/// Markdown tables end a cell at `|`.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// `61 706`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
