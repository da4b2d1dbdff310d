//! Plans as Rust: one module per distinct kernel, and the tables of `kiln::plan` that name them.
//!
//! A kernel's text knows no addresses: its pointers come from the launch's argument table, and so do the numbers in which
//! otherwise equal kernels differ. Across programs, layers and variants these are one.

mod body;
pub mod expr;
mod lanes;
mod loops;
mod moments;
mod pixels;
mod rows;
mod scalar;
mod sharing;
mod templates;
mod winograd;

use crate::declaration::Source;
use crate::emit::tables::{self, Kept};
use crate::graph::{Module, Value};
use crate::memory::{Planned, partials};
use crate::schedule::lanes::SMALL_BATCH;
use crate::schedule::verify::demand_pointer;
use crate::schedule::{self, Cost, Form, Kernel, ParamPlan, ProgramKind, Programs, Schedule, Storage, Target, Uses};
use body::{Arg, Args};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use sharing::{Chosen, Kernels, Printed};
use std::collections::{BTreeSet, HashSet};

/// The version of `kiln::plan` that this prints.
const VERSION: u32 = 8;

/// One launch of a kernel, as text.
#[derive(Clone)]
struct Launch {
    name: String,
    args: Vec<Arg>,
    /// Number of tasks, from `batch`.
    tasks: TokenStream,
    /// `Gemm = Gemm { … }`: the static `D` of this kernel.
    descriptor: Option<TokenStream>,
    body: TokenStream,
    /// Floats of scratch per worker, a constant expression.
    scratch: Option<TokenStream>,
}

/// What the writers of kernels read.
struct Writer<'a> {
    s: &'a Schedule,
    uses: &'a Uses,
    kernel: &'a Kernel,
    chunks: usize,
    /// Parameters that are updated by the kernels of their gradients.
    updated: &'a BTreeSet<usize>,
    /// By parameter: whether weight decay applies.
    decays: &'a [bool],
}

impl Writer<'_> {
    /// An expression of type `Gradient`: where finished pieces of this value go.
    fn gradient(&self, value: Value, args: &mut Args) -> TokenStream {
        let to = args.pointer(Arg::Value(value));
        match updates(self.s, self.updated, value) {
            Some(param) => {
                let decay = self.decays[param];
                quote!(Gradient::new(&cx, #to, #decay))
            }
            None => quote!(Gradient::stored(#to)),
        }
    }

    fn launch(&self, name: &str, args: Args, tasks: TokenStream, body: TokenStream) -> Launch {
        Launch { name: name.into(), args: args.list, tasks, descriptor: None, body, scratch: None }
    }

    fn launch_with(
        &self,
        name: &str,
        args: Args,
        descriptor: TokenStream,
        tasks: TokenStream,
        body: TokenStream,
    ) -> Launch {
        Launch { descriptor: Some(descriptor), ..self.launch(name, args, tasks, body) }
    }

    fn write(&self) -> Vec<Launch> {
        match &self.kernel.form {
            Form::Map(iter) => loops::map(self, *iter),
            Form::Row { iter, per_pixel } => loops::row(self, *iter, *per_pixel),
            Form::Column { iter, reduced } => loops::column(self, *iter, *reduced),
            Form::Dense(dense) => templates::dense(self, *dense),
            Form::DenseBackward(dense) => vec![templates::dense_backward(self, *dense)],
            Form::Conv { role, geometry, planar } => templates::conv(self, *role, geometry, *planar),
            Form::ConvWeight { geometry, planar, chunks } => templates::conv_weight(self, geometry, *planar, *chunks),
            Form::ConvFlipped { geometry, planar, dy_planar } => {
                templates::conv_flipped(self, geometry, *planar, *dy_planar)
            }
            Form::Winograd { role, geometry, own } => winograd::winograd(self, *role, geometry, *own),
            Form::WinogradWeights { role, geometry, own } => winograd::weights(self, *role, geometry, *own),
            Form::Window { op, axes, iter } => templates::window(self, *op, axes, *iter),
            Form::Rows(form) => rows::rows(self, *form),
            Form::Scalar => scalar::scalar(self),
            Form::Lanes(chain) => lanes::lanes(self, chain),
            Form::Moments { iter, x, .. } => moments::moments(self, *iter, *x),
            Form::Block(_) => unreachable!("{} is CUDA's", self.kernel.form.name()),
        }
    }
}

/// The parameter whose gradient this is, if its kernel updates it.
fn updates(s: &Schedule, updated: &BTreeSet<usize>, value: Value) -> Option<usize> {
    match s.storage(value) {
        Some(Storage::Grad(param)) if updated.contains(&param) => Some(param),
        _ => None,
    }
}

/// An expression of type `&'static Plan`; `small` are programs for small batches, `cuda` is its other half.
pub fn expand(
    module: &Module,
    originals: &Programs,
    params: &ParamPlan,
    [programs, small]: [&[Planned]; 2],
    target: &Target,
    cuda: &TokenStream,
    source: &Source,
) -> TokenStream {
    let mut kernels = Kernels::default();
    let all = small.iter().chain(programs);
    let written: Vec<Vec<Written>> = all.map(|p| write(p, params, target, &mut kernels)).collect();
    let printed = kernels.print();
    let print = |guard: usize, index: usize, p: &Planned| variant(p, guard, params, &written[index], &printed);
    let mut fields = Vec::new();
    for kind in ProgramKind::ALL {
        let name = format_ident!("{}", kind.name());
        let of_kind = |list: &[Planned]| list.iter().position(|p| p.kind == kind);
        let short = of_kind(small).map(|i| print(SMALL_BATCH, i, &small[i]));
        let large = of_kind(programs).map(|i| print(usize::MAX, small.len() + i, &programs[i]));
        let variants: Vec<_> = short.into_iter().chain(large).collect();
        let single = match schedule::program::single(module, kind) {
            Some(layer) => quote!(::core::option::Option::Some(#layer)),
            None => quote!(::core::option::Option::None),
        };
        let program = (!variants.is_empty()).then(|| quote!(Program { variants: &[#(#variants),*], single: #single }));
        fields.push(match (kind, program) {
            (ProgramKind::Infer, program) => quote!(#name: #program),
            (_, Some(program)) => quote!(#name: ::core::option::Option::Some(#program)),
            (_, None) => quote!(#name: ::core::option::Option::None),
        });
    }
    let rest = tables::rest(module, params, programs);
    let fused = kernel_counts(|kind| programs.iter().find(|p| p.kind == kind).map(|p| p.schedule.kernels.len()));
    let unfused = kernel_counts(|kind| Some(schedule::unfused_kernels(module, params, originals.get(kind)?, target)));
    let name = &module.name;
    let weights = tables::weights(module, params, programs);
    let inputs = module.inputs.iter().map(tables::port);
    let targets = module.targets.iter().map(tables::port);
    let outputs = module.outputs.iter().map(tables::port);
    let layers = module.layers.iter().map(|l| {
        let (path, text, output, parameters, flops) = (&l.path, &l.text, &l.output, l.parameters, l.flops);
        let from = &l.from;
        quote! {
            LayerRow {
                path: #path, text: #text, output: &[#(#output),*], parameters: #parameters, flops: #flops,
                from: &[#(#from),*],
            }
        }
    });
    let returns = &module.returns;
    let counted = tables::counted(module);
    let Source { text, member, unfused: is_unfused } = source;
    let items = &printed.modules;
    quote! {{
        #(#items)*
        use ::kiln::__private::plan::*;
        const _: () = assert!(VERSION == #VERSION, "kiln and kiln-macros are of different versions");
        static PLAN: Plan = Plan {
            version: #VERSION,
            name: #name,
            kernels: #fused,
            unfused: #unfused,
            #weights
            inputs: &[#(#inputs),*],
            targets: &[#(#targets),*],
            outputs: &[#(#outputs),*],
            counted: #counted,
            layers: &[#(#layers),*],
            returns: &[#(#returns),*],
            #(#fields,)*
            rest: &[#(#rest),*],
            source: Source { text: #text, member: #member, unfused: #is_unfused },
            cuda: #cuda,
        };
        &PLAN
    }}
}

/// `kiln::plan::Kernels`.
fn kernel_counts(of: impl Fn(ProgramKind) -> Option<usize>) -> TokenStream {
    let [step, forward] = [ProgramKind::Step, ProgramKind::Infer].map(|kind| of(kind).unwrap_or(0));
    quote!(Kernels { step: #step, forward: #forward })
}

/// The kernels of one program as Rust text, for dumps.
pub fn text(planned: &Planned, params: &ParamPlan) -> String {
    let mut kernels = Kernels::default();
    let target = Target::cpu(crate::declaration::Fusion::On);
    write(planned, params, &target, &mut kernels);
    let mut text = String::new();
    for item in &kernels.print().modules {
        text += &match syn::parse2::<syn::File>(item.clone()) {
            Ok(file) => prettyplease::unparse(&file),
            Err(_) => item.to_string(),
        };
        text.push('\n');
    }
    text
}

/// What each of a kernel's launches costs: a second one adds up the partial results of the first.
fn costs(s: &Schedule, uses: &Uses, kernel: &Kernel, chunks: usize, launches: usize) -> Vec<TokenStream> {
    let mut first = Cost::of(s, uses, kernel);
    let mut list = Vec::new();
    if launches > 1 {
        let partials = partials(s, uses, kernel, chunks).map_or(0, |(_, floats)| floats as u64);
        first.floats += partials;
        list.resize(launches - 1, Cost { flops: partials, floats: partials, ..Cost::default() });
    }
    list.insert(0, first);
    let print = |c: Cost| {
        let Cost { flops_per_sample, flops, floats_per_sample, floats } = c;
        quote! {
            Cost {
                flops_per_sample: #flops_per_sample, flops: #flops, floats_per_sample: #floats_per_sample,
                floats: #floats,
            }
        }
    };
    list.into_iter().map(print).collect()
}

/// A launch whose kernel is known.
struct Written {
    launch: Launch,
    kernel: usize,
    chosen: Chosen,
    cost: TokenStream,
    layers: String,
    ops: String,
}

/// The launches of a program, in order.
fn write(p: &Planned, params: &ParamPlan, target: &Target, kernels: &mut Kernels) -> Vec<Written> {
    let s = &p.schedule;
    let uses = Uses::of(s);
    let mut list = Vec::new();
    for (index, kernel) in s.kernels.iter().enumerate() {
        let own = writer(p, &uses, index, params, target.chunks).write();
        let layers = s.layers(&kernel.nodes);
        let ops: Vec<&str> = kernel.nodes.iter().map(|v| s.graph().node(*v).op.name()).collect();
        let ops = ops.join(", ");
        let costs = costs(s, &uses, kernel, target.chunks, own.len());
        for (launch, cost) in own.into_iter().zip(costs) {
            for arg in &launch.args {
                if let Arg::Value(value) = arg {
                    demand_pointer(p.kind, (s, &uses), &[kernel], *value, false);
                }
            }
            let chosen = kernels.choose(&launch, &format!(" {layers}: {ops}"));
            list.push(Written { launch, kernel: index, chosen, cost, layers: layers.clone(), ops: ops.clone() });
        }
    }
    list
}

fn writer<'a>(p: &'a Planned, uses: &'a Uses, kernel: usize, params: &'a ParamPlan, chunks: usize) -> Writer<'a> {
    let (updated, decays) = (&p.launches.updated, &params.decays[..]);
    Writer { s: &p.schedule, uses, kernel: &p.schedule.kernels[kernel], chunks, updated, decays }
}

/// One way to run a program, for batches up to `guard`.
fn variant(p: &Planned, guard: usize, params: &ParamPlan, written: &[Written], printed: &Printed) -> TokenStream {
    let s = &p.schedule;
    let mut launches = Vec::new();
    let (mut scratch, mut needs) = (Vec::new(), HashSet::new());
    for Written { launch, kernel: index, chosen, cost, layers, ops } in written {
        let derived = s.is_derived(&s.kernels[*index]);
        let (module, numbers) = printed.module(*chosen);
        let numbers = numbers.iter().map(|n| Literal::usize_unsuffixed(*n));
        let name = format!("k{index}_{}", launch.name);
        let args = launch.args.iter().map(|arg| {
            let (space, offset) = match arg {
                Arg::Value(v) => match tables::place(s, &p.memory, params, *v) {
                    (_, offset) if updates(s, &p.launches.updated, *v).is_some() => (tables::Space::Updates, offset),
                    place => place,
                },
                Arg::Partials => tables::partials(&p.memory, *index),
                Arg::PartialsOf(kernel) => tables::partials(&p.memory, *kernel),
            };
            let at = match arg {
                Arg::Value(v) => s.whole(*v).at,
                Arg::Partials | Arg::PartialsOf(_) => 0,
            };
            quote!(Arg { space: #space, offset: #offset, at: #at })
        });
        launches.push(quote! {
            Launch {
                name: #name, layers: #layers, ops: #ops, args: &[#(#args),*], numbers: &[#(#numbers),*],
                tasks: #module::tasks, entry: #module::ENTRY, cost: #cost,
                derived: #derived,
            }
        });
        if let Some(floats) = &launch.scratch
            && needs.insert(floats.to_string())
        {
            scratch.push(floats);
        }
    }
    let results = tables::results(s, &p.memory, params);
    let kept = tables::kept_rows(p, params, &kept_of(p, written));
    let memory = &p.memory;
    let (batch_floats, fixed_floats, derived_floats) =
        (memory.batch_floats, memory.fixed_floats, memory.derived_floats);
    quote! {
        Variant {
            max_batch: #guard,
            batch_floats: #batch_floats,
            fixed_floats: #fixed_floats,
            derived_floats: #derived_floats,
            worker_floats: { use ::kiln::__private::cpu::*; largest(&[#(#scratch),*]) },
            launches: &[#(#launches),*],
            #kept
            #results
        }
    }
}

/// What the kernels of a program store, by launches.
pub fn kept(p: &Planned, params: &ParamPlan, target: &Target) -> Vec<Kept> {
    kept_of(p, &write(p, params, target, &mut Kernels::default()))
}

fn kept_of(p: &Planned, written: &[Written]) -> Vec<Kept> {
    tables::kept(&p.schedule, written.iter().map(|w| [w.kernel]))
}
