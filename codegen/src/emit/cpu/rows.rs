//! Kernels of rows by number: gathers, their adjoints, tables.

use super::body::Args;
use super::templates::pointer;
use super::{Launch, Writer};
use crate::graph::op::{Op, TableRow};
use crate::graph::{DType, Value};
use crate::schedule::{Rows, Strides};
use proc_macro2::TokenStream;
use quote::quote;

/// Tasks that share the rows of a sum over the batch: each reads all indices, and adds what belongs to its rows.
const SHARES: usize = 32;

pub fn rows(w: &Writer, form: Rows) -> Vec<Launch> {
    let graph = w.s.graph();
    let value = w.kernel.nodes[0];
    let node = graph.node(value);
    let mut args = Args::default();
    let batch = node.ty.shape.batch;
    let tasks = if batch { quote!(batch) } else { quote!(1usize) };
    let samples = |v: Value| if graph.shape(v).batch { quote!(cx.batch) } else { quote!(1usize) };
    match form {
        Rows::Gather { data, index, values } => {
            let descriptor = descriptor(data, index, values);
            let read = index_type(w, node.inputs[1]);
            let (from, from_sample) = pointer(w, node.inputs[0], &mut args);
            let (at, at_sample) = pointer(w, node.inputs[1], &mut args);
            let (to, to_sample) = pointer(w, value, &mut args);
            let body = quote! {
                gather_rows::<S, #read>(
                    s, &D, #from.add(task * #from_sample), #at.add(task * #at_sample), #to.add(task * #to_sample),
                );
            };
            vec![w.launch_with("gather", args, descriptor, tasks, body)]
        }
        Rows::ScatterAdd { data, index, values } => {
            let descriptor = descriptor(data, index, values);
            let read = index_type(w, node.inputs[1]);
            let (from, from_sample) = pointer(w, node.inputs[0], &mut args);
            let (at, at_sample) = pointer(w, node.inputs[1], &mut args);
            let (to, to_sample) = pointer(w, value, &mut args);
            let (tasks, call, own) = if batch {
                let call = quote!(0..D.data.rows, 1usize, #from.add(task * #from_sample), #from_sample,
                    #at.add(task * #at_sample), #at_sample, #to.add(task * #to_sample));
                (tasks, call, data.rows.extent)
            } else {
                let (rows, samples) = (data.rows.extent, samples(node.inputs[0]));
                let share = rows.div_ceil(SHARES);
                let call = quote!(task * #share..(task * #share + #share).min(#rows), #samples, #from, #from_sample,
                    #at, #at_sample, #to);
                let shares = rows.div_ceil(share);
                (quote!(#shares), call, share)
            };
            let floats = own * data.length;
            let body = quote!(scatter_add_rows::<S, #read>(s, &D, #call, cx.scratch(worker)););
            let mut launch = w.launch_with("scatter_add", args, descriptor, tasks, body);
            launch.scratch = Some(quote!(#floats));
            vec![launch]
        }
        Rows::Table { outer, inner } => {
            let Op::Table { axis, rows } = &node.op else { unreachable!("a table") };
            let extent = graph.shape(node.inputs[0]).dims[*axis];
            let rows = table_rows(rows);
            let (from, from_sample) = pointer(w, node.inputs[0], &mut args);
            let (to, to_sample) = pointer(w, value, &mut args);
            let body = quote! {
                static ROWS: &[TableRow] = &[#(#rows),*];
                table_rows(
                    s, ROWS, #extent, #outer, #inner, #from.add(task * #from_sample), #to.add(task * #to_sample),
                );
            };
            vec![w.launch("table", args, tasks, body)]
        }
    }
}

/// Each row as a slice of (source, weight).
pub(super) fn table_rows(rows: &[TableRow]) -> impl Iterator<Item = TokenStream> {
    rows.iter().map(|row| {
        let entries = row.iter().map(|(source, weight)| {
            let weight = f64::from_bits(*weight) as f32;
            quote!((#source, #weight))
        });
        quote!(&[#(#entries),*])
    })
}

fn index_type(w: &Writer, index: Value) -> TokenStream {
    match w.s.graph().ty(index).dtype {
        DType::F32 => quote!(FloatIndex),
        DType::I32 | DType::U8 | DType::Bool => quote!(IntIndex),
    }
}

fn descriptor(data: Strides, index: Strides, values: Strides) -> TokenStream {
    let [data, index, values] = [data, index, values].map(|s| {
        let Strides { rows, length, step } = s;
        let (count, block, outer, inner) = (rows.extent, rows.block, rows.outer, rows.inner);
        quote!(Rows {
            rows: #count, block: #block, outer: #outer, inner: #inner, length: #length, step: #step,
        })
    });
    quote!(Indexed = Indexed { data: #data, index: #index, values: #values })
}
