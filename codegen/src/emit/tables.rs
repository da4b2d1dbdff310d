//! Tables of `kiln::plan` that both halves of a plan have: where values lie, in which order, what goes in and comes out.

use crate::graph::{Counted, DType, Init, Module, Port, PortKind, Value};
use crate::memory::{Memory, Planned, Tenant};
use crate::schedule::params::Slot;
use crate::schedule::{Form, Layout, ParamPlan, ProgramKind, Schedule, Storage};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use std::collections::HashSet;
use std::fmt::Write;

/// `kiln::plan::Space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    Batch,
    Fixed,
    Derived,
    Port,
    Params,
    Grads,
    Updates,
    State,
    Optimizer(usize),
    Hyper,
}

impl ToTokens for Space {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Space::Batch => quote!(Space::Batch),
            Space::Fixed => quote!(Space::Fixed),
            Space::Derived => quote!(Space::Derived),
            Space::Port => quote!(Space::Port),
            Space::Params => quote!(Space::Params),
            Space::Grads => quote!(Space::Grads),
            Space::Updates => quote!(Space::Updates),
            Space::State => quote!(Space::State),
            Space::Optimizer(i) => quote!(Space::Optimizer(#i)),
            Space::Hyper => quote!(Space::Hyper),
        });
    }
}

/// Parameters on which the loss depends, if a network of these programs is trained.
fn with_gradient(programs: &[Planned]) -> Vec<usize> {
    let step = programs.iter().find(|p| p.kind == ProgramKind::Step);
    step.map_or_else(Vec::new, |step| step.schedule.program.roots.gradients.iter().map(|(p, _)| *p).collect())
}

/// Trainable ranges with a gradient that no kernel of the training step updates: the optimizer's own pass does.
pub fn rest(module: &Module, params: &ParamPlan, programs: &[Planned]) -> Vec<TokenStream> {
    let step = programs.iter().find(|p| p.kind == ProgramKind::Step);
    let updated = |param: &usize| step.is_some_and(|step| step.launches.updated.contains(param));
    let left = with_gradient(programs).into_iter().filter(|p| !updated(p));
    left.map(|p| {
        let (slot, decay) = (&params.params[p], !module.params[p].no_decay);
        let (offset, floats) = (slot.offset, slot.layout.size);
        quote!(Range { offset: #offset, floats: #floats, decay: #decay })
    })
    .collect()
}

/// The fields that `Plan` and `Weights` have in common.
pub fn weights(module: &Module, params: &ParamPlan, programs: &[Planned]) -> TokenStream {
    let learning: HashSet<usize> = with_gradient(programs).into_iter().collect();
    let tensors = module.params.iter().zip(&params.params).enumerate().map(|(i, (p, slot))| {
        let fans = (p.fan_in, p.fan_out);
        tensor(&p.name, &p.dims, slot, p.init, fans, [!p.frozen, learning.contains(&i), !p.no_decay])
    });
    let states = module
        .states
        .iter()
        .zip(&params.states)
        .map(|(st, slot)| tensor(&st.name, &st.dims, slot, st.init, (0, 0), [false; 3]));
    let (param_floats, trainable_floats, state_floats) =
        (params.param_floats, params.trainable_floats, params.state_floats);
    quote! {
        params: &[#(#tensors),*],
        param_floats: #param_floats,
        trainable_floats: #trainable_floats,
        states: &[#(#states),*],
        state_floats: #state_floats,
    }
}

/// The fields `outputs`, `loss`, `means` and `correct` of a variant.
pub fn results(s: &Schedule, memory: &Memory, params: &ParamPlan) -> TokenStream {
    let stored = |v| {
        let (space, offset) = place(s, memory, params, v);
        let layout = layout(s.layout(v));
        let sample = s.sample_stride(v);
        quote!(Stored { space: #space, offset: #offset, layout: #layout, sample: #sample })
    };
    let optional = |v: Option<_>| match v.map(stored) {
        Some(stored) => quote!(::core::option::Option::Some(#stored)),
        None => quote!(::core::option::Option::None),
    };
    let roots = &s.program.roots;
    let outputs = roots.outputs.iter().map(|v| stored(*v));
    let (loss, correct) = (optional(roots.loss), optional(roots.correct));
    let means = roots.means.iter().map(|mean| {
        let (value, weight) = (stored(mean.value), optional(mean.weight));
        quote!(Mean { value: #value, weight: #weight })
    });
    quote!(outputs: &[#(#outputs),*], loss: #loss, means: &[#(#means),*], correct: #correct,)
}

/// `Plan::counted`.
pub fn counted(module: &Module) -> TokenStream {
    let mode = &module.evaluation;
    let Some(Counted { target, scores }) = mode.counted else { return quote!(::core::option::Option::None) };
    let PortKind::Class(classes) = module.targets[target].kind else { return quote!(::core::option::Option::None) };
    let output = mode.outputs.iter().position(|v| *v == scores).unwrap_or(mode.outputs.len());
    quote!(::core::option::Option::Some(Counted { target: #target, output: #output, classes: #classes }))
}

/// A value that a kernel leaves in memory: a row of `kiln::plan::Kept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The launch with which it is finished.
    pub launch: usize,
    pub kernel: usize,
    pub value: Value,
}

/// What the kernels of a program store, in the order of the launches, of whose kernels here is the list; a kernel has stored with
/// its last launch. Weights that a kernel has turned for another one lie in no layout, and are left out.
pub fn kept<L: IntoIterator<Item = usize>>(s: &Schedule, launches: impl Iterator<Item = L>) -> Vec<Kept> {
    let mut last: Vec<Option<usize>> = vec![None; s.kernels.len()];
    for (launch, kernels) in launches.enumerate() {
        kernels.into_iter().for_each(|kernel| last[kernel] = Some(launch));
    }
    let mut rows = Vec::new();
    for (kernel, k) in s.kernels.iter().enumerate() {
        if matches!(k.form, Form::ConvFlipped { .. } | Form::WinogradWeights { .. }) {
            continue;
        }
        let launch = last[kernel].expect("every kernel is launched");
        rows.extend(k.stores.iter().map(|value| Kept { launch, kernel, value: *value }));
    }
    rows.sort_by_key(|row| row.launch);
    rows
}

/// The field `kept` of a variant, in the form that `kiln::plan::Kept::rows` reads: a row is a line, and its fields are apart by
/// tabs. As text it is one token, where tables would be a fourth of all that a user's crate compiles. Only programs whose
/// numbers somebody may want to follow have rows: those with a loss that run while a network is trained.
pub fn kept_rows(p: &Planned, params: &ParamPlan, rows: &[Kept]) -> TokenStream {
    let s = &p.schedule;
    let shared = shared_by_chains(s);
    let mut text = String::new();
    for row in rows.iter().filter(|_| matches!(p.kind, ProgramKind::Evaluate | ProgramKind::Step)) {
        let Kept { launch, value, .. } = *row;
        let ty = s.graph().ty(value);
        let (layer, op) = (&s.graph().layers[value.index()], s.graph().node(value).op.name());
        let dims = listed(&ty.shape.dims, ",");
        let batch = if ty.shape.batch { "batch" } else { "fixed" };
        let number = if ty.dtype == DType::F32 { "float" } else { "integer" };
        let (space, offset) = place(s, &p.memory, params, value);
        let (at, sample, layout) = (s.whole(value).at, s.sample_stride(value), s.layout(value));
        let order = if shared.contains(&value) { "lanes" } else { "samples" };
        let axes: Vec<String> =
            layout.axes.iter().map(|a| listed(&[a.extent, a.block, a.outer, a.inner], ":")).collect();
        let (axes, size, value) = (axes.join(","), layout.size, value.0);
        writeln!(
            text,
            "{launch}\t{value}\t{layer}\t{op}\t{dims}\t{batch}\t{number}\t{space:?}\t{offset}\t{at}\t{sample}\t{order}\t{size}\t{axes}"
        )
        .expect("writing to a string");
    }
    quote!(kept: #text,)
}

/// Values that chains leave to each other as they work on them, the samples of a group in lanes.
fn shared_by_chains(s: &Schedule) -> HashSet<Value> {
    let chains = s.kernels.iter().filter_map(|kernel| match &kernel.form {
        Form::Lanes(chain) => Some(chain),
        _ => None,
    });
    chains.flat_map(|chain| chain.shared.iter().copied()).collect()
}

fn listed(numbers: &[usize], between: &str) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(between)
}

/// The space and offset of the partial results of a kernel.
pub fn partials(memory: &Memory, kernel: usize) -> (Space, usize) {
    let place = memory.place(Tenant::Partials(kernel));
    (if place.storage == Storage::Batch { Space::Batch } else { Space::Fixed }, place.offset)
}

/// The space and offset of a stored value.
pub fn place(s: &Schedule, memory: &Memory, params: &ParamPlan, value: Value) -> (Space, usize) {
    let base = s.base(value);
    match s.storage(value).expect("a stored value") {
        Storage::Port(i) => (Space::Port, i),
        Storage::Param(p) => (Space::Params, params.params[p].offset),
        Storage::State(i) => (Space::State, params.states[i].offset),
        Storage::Grad(p) => (Space::Grads, params.params[p].offset),
        Storage::Batch => (Space::Batch, memory.offset(Tenant::Value(s.whole(base).whole))),
        Storage::Fixed => (Space::Fixed, memory.offset(Tenant::Value(base))),
        Storage::Derived => (Space::Derived, memory.offset(Tenant::Value(base))),
    }
}

fn layout(layout: &Layout) -> TokenStream {
    let size = layout.size;
    let axes = layout.axes.iter().map(|a| {
        let (extent, block, outer, inner) = (a.extent, a.block, a.outer, a.inner);
        quote!(Axis { extent: #extent, block: #block, outer: #outer, inner: #inner })
    });
    quote!(Layout { axes: &[#(#axes),*], size: #size })
}

fn tensor(
    name: &str,
    dims: &[usize],
    slot: &Slot,
    start: Init,
    (fan_in, fan_out): (usize, usize),
    [trainable, gradient, decay]: [bool; 3],
) -> TokenStream {
    let (layout, offset, start) = (layout(&slot.layout), slot.offset, init(start));
    quote! {
        Tensor {
            name: #name, dims: &[#(#dims),*], layout: #layout, offset: #offset, init: #start,
            fan_in: #fan_in, fan_out: #fan_out, trainable: #trainable, gradient: #gradient, decay: #decay,
        }
    }
}

fn init(start: Init) -> TokenStream {
    match start {
        Init::Zeros => quote!(Init::Zeros),
        Init::Ones => quote!(Init::Ones),
        Init::Constant(x) => quote!(Init::Constant(#x)),
        Init::Uniform { low, high } => quote!(Init::Uniform { low: #low, high: #high }),
        Init::Normal { mean, std } => quote!(Init::Normal { mean: #mean, std: #std }),
        Init::TruncatedNormal { mean, std, low, high } => {
            quote!(Init::TruncatedNormal { mean: #mean, std: #std, low: #low, high: #high })
        }
        Init::Orthogonal { gain } => quote!(Init::Orthogonal { gain: #gain }),
        Init::Identity { shape: None } => quote!(Init::Identity { shape: ::core::option::Option::None }),
        Init::Identity { shape: Some([rows, columns]) } => {
            quote!(Init::Identity { shape: ::core::option::Option::Some([#rows, #columns]) })
        }
        Init::Dirac { groups } => quote!(Init::Dirac { groups: #groups }),
        Init::NormalBut { first, count } => quote!(Init::NormalBut { first: #first, count: #count }),
        Init::KaimingUniform { gain, fan_out } => quote!(Init::KaimingUniform { gain: #gain, fan_out: #fan_out }),
        Init::KaimingNormal { gain, fan_out } => quote!(Init::KaimingNormal { gain: #gain, fan_out: #fan_out }),
        Init::XavierUniform { gain } => quote!(Init::XavierUniform { gain: #gain }),
        Init::XavierNormal { gain } => quote!(Init::XavierNormal { gain: #gain }),
    }
}

pub fn port(port: &Port) -> TokenStream {
    let name = &port.name;
    let kind = match &port.kind {
        PortKind::Dense(dims) => quote!(PortKind::Dense { dims: &[#(#dims),*] }),
        PortKind::Class(classes) => quote!(PortKind::Class { classes: #classes }),
        PortKind::Ids(dims, below) => quote!(PortKind::Ids { dims: &[#(#dims),*], below: #below }),
    };
    quote!(Port { name: #name, kind: #kind })
}
