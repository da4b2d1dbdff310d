//! The plan as CUDA C++ and launch tables: text over the templates and the prelude of the device.
//!
//! A launch is a kernel; each of its parts is a phase, written by the module of its form. A phase's text knows no
//! addresses, only numbers of pointers, and its name is a hash of it: kernels with equal text are one, across programs,
//! layers and networks.

mod block;
mod contraction;
mod element;
pub mod expr;
mod gather;
mod index;
mod loops;
mod moments;
mod order;
mod rows;
mod writer;

use super::tables::{self, Kept, Space};
use crate::declaration::Precision;
use crate::graph::Module;
use crate::memory::{Planned, partials};
use crate::schedule::verify::demand_pointer;
use crate::schedule::{Form, Launch, ParamPlan, ProgramKind, Rows, Target, Uses};
use order::Order;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use std::cell::RefCell;
use std::collections::HashMap;
pub use writer::{Access, Work};
use writer::{Arg, Args, Phase, Writer};

/// A kernel of a network.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub name: String,
    /// `fc1, 1 Relu: contract, map, map`, of every launch.
    titles: Vec<String>,
    pub text: String,
    /// Bytes.
    pub shared: usize,
    pub updates: bool,
}

/// Distinct kernels, by their text.
#[derive(Default)]
pub struct Kernels {
    pub list: Vec<Kernel>,
    seen: HashMap<String, usize>,
}

/// A pointer of a launch, placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub space: Space,
    pub offset: usize,
    /// Per sample in the spaces `Batch` and `Port`.
    pub floats: usize,
    pub access: Access,
}

/// What a row of the optimizer's table has: `ROW` of `kiln`'s optimizers.
const HYPERS: usize = 20;

/// An expression of type `Cuda`.
pub fn expand(module: &Module, params: &ParamPlan, programs: &[Planned], target: &Target) -> TokenStream {
    let mut kernels = Kernels::default();
    let mut fields = Vec::new();
    for kind in ProgramKind::ALL {
        let name = format_ident!("{}", kind.name());
        let program = programs.iter().find(|p| p.kind == kind);
        let program = program.map(|p| program_table(p, params, target, &mut kernels));
        fields.push(match (kind, program) {
            (ProgramKind::Infer, program) => quote!(#name: #program),
            (_, Some(program)) => quote!(#name: ::core::option::Option::Some(#program)),
            (_, None) => quote!(#name: ::core::option::Option::None),
        });
    }
    let rest = tables::rest(module, params, programs);
    let kernels = kernels.list.iter().map(|k| {
        let (name, text, shared, updates) = (&k.name, k.commented(), k.shared, k.updates);
        quote!(CudaKernel { name: #name, text: #text, threads: 256, shared: #shared, updates: #updates })
    });
    let weights = tables::weights(module, params, programs);
    let precision = match target.precision {
        Precision::F32 => quote!(Precision::F32),
        Precision::Tf32 => quote!(Precision::Tf32),
        Precision::Bf16 => quote!(Precision::Bf16),
    };
    quote! {
        Cuda {
            precision: #precision,
            weights: Weights { #weights },
            kernels: &[#(#kernels),*],
            #(#fields,)*
            rest: &[#(#rest),*],
        }
    }
}

/// The kernels of one program as text, for dumps.
pub fn text(planned: &Planned, params: &ParamPlan, target: &Target) -> String {
    let (launches, kernels) = printed(planned, params, target);
    launches + &kernels.list.iter().map(|k| format!("\n{}", k.commented())).collect::<String>()
}

/// The schedule of one program, and its launches in order.
pub fn table(planned: &Planned, params: &ParamPlan, target: &Target) -> String {
    planned.schedule.text() + &printed(planned, params, target).0
}

fn printed(planned: &Planned, params: &ParamPlan, target: &Target) -> (String, Kernels) {
    let mut kernels = Kernels::default();
    let launches = launch_list(planned, params, target, &mut kernels);
    let mut text = format!("// {} launches\n", launches.len());
    for (i, (launch, parts)) in launches.iter().zip(&planned.launches.list).enumerate() {
        let after: Vec<String> = launch.after.iter().map(usize::to_string).collect();
        let parts: Vec<String> = parts.parts.iter().map(|p| format!("k{}", p.kernel)).collect();
        let kernel = &kernels.list[launch.kernel];
        let (name, after, parts, shared) = (&kernel.name, after.join(", "), parts.join(", "), kernel.shared);
        text += &format!("// {i}: {parts} after [{after}], {shared} bytes shared: {name}\n");
    }
    (text, kernels)
}

/// One entry of the launch table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub kernel: usize,
    layers: String,
    ops: String,
    /// In the order of its pointers.
    pub regions: Vec<Region>,
    /// Of each merged phase.
    pub work: Vec<Work>,
    pub after: Vec<usize>,
}

fn program_table(p: &Planned, params: &ParamPlan, target: &Target, kernels: &mut Kernels) -> TokenStream {
    let launches = launch_list(p, params, target, kernels);
    let launches: Vec<TokenStream> = launches
        .iter()
        .map(|l| {
            let Entry { kernel, layers, ops, regions, work, after } = l;
            let work = work.iter().map(|w| {
                let Work { per_sample, fixed, height, more, width } = w;
                quote! {
                    Work { per_sample: #per_sample, fixed: #fixed, height: #height, more: #more, width: #width }
                }
            });
            let args = regions.iter().map(|r| {
                let (space, offset, floats) = (r.space, r.offset, r.floats);
                let access = format_ident!("{}", format!("{:?}", r.access));
                quote!(CudaArg { space: #space, offset: #offset, floats: #floats, access: Access::#access })
            });
            quote! {
                CudaLaunch {
                    kernel: #kernel, layers: #layers, ops: #ops, args: &[#(#args),*],
                    parts: &[#(#work),*], after: &[#(#after),*],
                }
            }
        })
        .collect();
    let (batch_floats, fixed_floats) = (p.memory.batch_floats, p.memory.fixed_floats);
    let results = tables::results(&p.schedule, &p.memory, params);
    let kept = tables::kept_rows(p, params, &kept(p));
    let variants = target.guards.iter().map(|guard| {
        quote! {
            CudaVariant {
                max_batch: #guard,
                batch_floats: #batch_floats,
                fixed_floats: #fixed_floats,
                launches: &[#(#launches),*],
                #kept
                #results
            }
        }
    });
    quote!(CudaProgram { variants: &[#(#variants),*] })
}

/// What the kernels of a program store, by launches.
pub fn kept(p: &Planned) -> Vec<Kept> {
    let launches = p.launches.list.iter().map(|launch| launch.parts.iter().map(|part| part.kernel));
    tables::kept(&p.schedule, launches)
}

/// The launches of a program in order; their kernels join `kernels`.
pub fn launch_list(p: &Planned, params: &ParamPlan, target: &Target, kernels: &mut Kernels) -> Vec<Entry> {
    let uses = Uses::of(&p.schedule);
    let mut order = Order::default();
    let mut entries: Vec<Entry> = Vec::new();
    for launch in &p.launches.list {
        let mut entry = launch_entry(p, &uses, launch, params, target, kernels);
        entry.after = order.after(&entry.regions);
        entries.push(entry);
    }
    entries
}

fn launch_entry(
    p: &Planned,
    uses: &Uses,
    launch: &Launch,
    params: &ParamPlan,
    target: &Target,
    kernels: &mut Kernels,
) -> Entry {
    let s = &p.schedule;
    let args = RefCell::new(Args::default());
    let updated = &p.launches.updated;
    let (mut phases, mut nodes, mut names, mut updates) = (Vec::new(), Vec::new(), Vec::new(), false);
    for part in &launch.parts {
        let w = Writer::new((s, uses), part.kernel, target.chunks, target.precision, updated, &args);
        updates |= w.updates;
        let phase = write(&w, part.phase);
        names.push(form_name(&w.kernel.form, part.phase));
        nodes.extend(&w.kernel.nodes);
        phases.push(phase);
    }
    let ops: Vec<&str> = nodes.iter().map(|v| s.graph().node(*v).op.name()).collect();
    let (layers, ops) = (s.layers(&nodes), ops.join(", "));
    let list = args.into_inner().list;
    let parts: Vec<_> = launch.parts.iter().map(|part| &s.kernels[part.kernel]).collect();
    for (arg, access) in &list {
        if let Arg::Value(value) = arg {
            demand_pointer(p.kind, (s, uses), &parts, *value, *access != Access::Read);
        }
    }
    let kernel = kernels.add(&names, &phases, list.len(), updates, format!("{layers}: {ops}"));
    let regions = list.iter().map(|(arg, access)| region(p, uses, params, target, *arg, *access)).collect();
    let work = phases.into_iter().map(|phase| phase.work).collect();
    Entry { kernel, layers, ops, regions, work, after: Vec::new() }
}

fn write(w: &Writer, phase: usize) -> Phase {
    match &w.kernel.form {
        Form::Map(iter) => loops::map(w, *iter),
        Form::Row { iter, per_pixel } => loops::row(w, *iter, *per_pixel),
        Form::Column { iter, reduced } => loops::column(w, *iter, *reduced, phase),
        Form::Dense(_) | Form::Conv { .. } | Form::ConvWeight { .. } => contraction::contraction(w, phase),
        Form::Moments { iter, tiled, .. } => moments::moments(w, *iter, *tiled, phase),
        Form::Block(stages) => block::block(w, stages),
        Form::Rows(Rows::ScatterAdd { .. }) => rows::scatter_add(w),
        Form::DenseBackward(_)
        | Form::ConvFlipped { .. }
        | Form::Winograd { .. }
        | Form::WinogradWeights { .. }
        | Form::Window { .. }
        | Form::Rows(_)
        | Form::Scalar
        | Form::Lanes(_) => {
            unreachable!("{} is the CPU's", w.kernel.form.name())
        }
    }
}

fn form_name(form: &Form, phase: usize) -> String {
    let name = form.name().replace(['.', ' '], "_");
    if phase == 0 { name } else { format!("{name}_end") }
}

fn region(p: &Planned, uses: &Uses, params: &ParamPlan, target: &Target, arg: Arg, access: Access) -> Region {
    let s = &p.schedule;
    let (space, offset, floats) = match arg {
        Arg::Value(value) => {
            let (space, offset) = tables::place(s, &p.memory, params, value);
            (space, offset, s.layout(s.base(value)).size)
        }
        Arg::Partials(kernel) => {
            let (_, floats) = partials(s, uses, &s.kernels[kernel], target.chunks).expect("a kernel in parts");
            let (space, offset) = tables::partials(&p.memory, kernel);
            (space, offset, floats)
        }
        Arg::Updated(param) => (Space::Params, params.params[param].offset, params.params[param].layout.size),
        Arg::Remembered(param, i) => {
            (Space::Optimizer(i), params.params[param].offset, params.params[param].layout.size)
        }
        Arg::Hyper(param) => (Space::Hyper, params.params[param].offset, HYPERS),
    };
    Region { space, offset, floats, access }
}

impl Kernels {
    fn add(&mut self, names: &[String], phases: &[Phase], args: usize, updates: bool, title: String) -> usize {
        let parts = phases.len();
        let mut text = format!("using Launch = KilnLaunch<{args}, {parts}>;\n");
        if let [phase] = phases {
            text += &function(phase);
        } else {
            let mut chosen = String::new();
            for (i, phase) in phases.iter().enumerate() {
                text += &format!("namespace p{i} {{\n{}}}\n", function(phase));
                let (first, last) = (format!("launch.first[{i}]"), format!("launch.first[{}]", i + 1));
                let other = if i == 0 { "" } else { "else " };
                chosen += &format!(
                    "{other}if (cta < {last}) p{i}::phase(launch, cta - {first}, {last} - {first}, shared);\n"
                );
            }
            text += &format!("{SIGNATURE}{chosen}}}\n");
        }
        if let Some(known) = self.seen.get(&text) {
            let titles = &mut self.list[*known].titles;
            if !titles.contains(&title) {
                titles.push(title);
            }
            return *known;
        }
        let mut stems: Vec<&str> = names.iter().map(String::as_str).collect();
        stems.dedup();
        stems.truncate(3);
        let name = format!("{}_{:016x}", stems.join("_"), hash(&text));
        let shared = phases.iter().map(|p| p.shared).max().unwrap_or(0);
        let whole = format!("namespace {name} {{\n{text}}}\nKILN_KERNEL({name}, {args}, {parts})\n");
        self.seen.insert(text, self.list.len());
        self.list.push(Kernel { name, titles: vec![title], text: indented(&whole), shared, updates });
        self.list.len() - 1
    }
}

impl Kernel {
    fn commented(&self) -> String {
        let comments: String = self.titles.iter().map(|title| format!("// {title}\n")).collect();
        comments + &self.text
    }
}

const SIGNATURE: &str = "KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {\n";

fn function(phase: &Phase) -> String {
    format!("{}{SIGNATURE}{}}}\n", phase.items, phase.body)
}

/// FNV-1a: short, and the same on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Two spaces for every open brace.
fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0usize;
    for line in text.lines() {
        let closes = line.chars().take_while(|c| *c == '}').count();
        out += &"  ".repeat(depth.saturating_sub(closes));
        out += line;
        out.push('\n');
        let (open, close) = (line.matches('{').count(), line.matches('}').count());
        depth = (depth + open).saturating_sub(close);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_indented_by_braces() {
        assert_eq!(indented("a {\nb{c};\nif (x) {\ny;\n}\n}\n"), "a {\n  b{c};\n  if (x) {\n    y;\n  }\n}\n");
    }

    #[test]
    fn equal_text_has_equal_names() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_ne!(hash("a"), hash("b"));
    }
}
