//! The compiler behind `network!`: an ordinary library from tokens to tokens.
//!
//! ```text
//! tokens → syntax → graph (+ shapes) → autodiff → schedule → memory → emit (cpu | host) → tokens
//! ```
//!
//! A stage imports only from its left. Order of imports: `diagnostics`, `graph`, `syntax`, `declaration`, `layers`, `habits`,
//! `lower`, `autodiff`, `probe`, `interpret`, `schedule`, `memory`, `emit`, `update`.
//!
//! Mistakes end at the barrier in [`lower::frontend`]: what comes out of it is sound, and nothing after it can fail.

pub mod autodiff;
pub mod declaration;
pub mod diagnostics;
pub mod emit;
pub mod graph;
#[cfg(test)]
#[path = "growth/tests.rs"]
mod growth;
pub mod habits;
pub mod interpret;
pub mod layers;
pub mod lower;
pub mod memory;
pub mod probe;
pub mod schedule;
pub mod syntax;
pub mod update;

use declaration::{Declaration, Dump, Fusion, Member, Source};
use emit::host::MemberPlans;
use graph::Module;
use memory::Planned;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use schedule::{Form, Order, ParamPlan, ProgramKind, Programs, Target};
use std::rc::Rc;

pub use update::update;

/// How much of a network is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Code will be made of it. Otherwise its types and numbers are enough, and it has no plan.
    pub code: bool,
    /// Kernels for CUDA too.
    pub cuda: bool,
}

impl Wanted {
    pub const ALL: Wanted = Wanted { code: true, cuda: true };
}

/// `network! { … }`: every declared network, or its mistakes. With a `use` in it, a call that fetches the block first.
pub fn compile(input: TokenStream) -> TokenStream {
    compile_for(input, Wanted::ALL)
}

/// As [`compile`], with no more than what is wanted.
pub fn compile_for(input: TokenStream, wanted: Wanted) -> TokenStream {
    if syntax::limits::mistake(&input).is_none()
        && let Some(fetch) = syntax::import::next(&input)
    {
        return fetch;
    }
    let front = lower::front(input);
    // Beside a mistake nothing will run: the other networks are there for their uses.
    let sound = front.errors.is_empty();
    let mut mistakes = front.errors.iter();
    let mut tokens = match mistakes.next() {
        Some(first) => emit::host::expand_stubs(&front.stubs, first),
        None => TokenStream::new(),
    };
    tokens.extend(mistakes.map(|mistake| mistake.to_compile_error()));
    tokens.extend(front.declarations.iter().map(|declaration| expand(declaration, sound, wanted)));
    tokens.extend(front.exports.iter().map(emit::host::expand_export));
    tokens
}

/// A sound declaration: its type, and with `#[fusion(both)]` the unfused twin. It may stand among others that are not `sound`.
fn expand(declaration: &Declaration, sound: bool, wanted: Wanted) -> TokenStream {
    let twin = format_ident!("{}Unfused", declaration.ident);
    let versions: Vec<(Ident, Fusion)> = match declaration.fusion {
        Fusion::Both => vec![(declaration.ident.clone(), Fusion::On), (twin, Fusion::Off)],
        one => vec![(declaration.ident.clone(), one)],
    };
    let mut tokens = TokenStream::new();
    if !sound || !wanted.code && declaration.dumps.is_empty() {
        for (ident, fusion) in versions {
            let target = Target::cpu_for(declaration, fusion);
            let bytes = |member: &Member| if sound { training_bytes(&member.module, &target) } else { 0 };
            let plans: Vec<_> =
                declaration.members.iter().map(|m| MemberPlans::none(bytes(m), m.module.probes.len())).collect();
            tokens.extend(of_version(declaration, &ident, &plans));
        }
        return tokens;
    }
    let programs: Vec<Rc<Programs>> =
        declaration.members.iter().map(|member| Rc::new(Programs::of(&member.module))).collect();
    for (ident, fusion) in versions {
        let mut version = declaration.clone();
        version.ident = ident;
        let target = Target::cpu_for(declaration, fusion);
        let cuda = Target::cuda(fusion, declaration.precision);
        let mut plans = Vec::new();
        let unfused = version.ident != declaration.ident;
        for (index, member) in version.members.iter_mut().enumerate() {
            member.module.name = version.ident.to_string();
            let planned = plan_programs(&member.module, programs[index].clone(), &target);
            let on_cuda = wanted.cuda.then(|| plan_programs(&member.module, programs[index].clone(), &cuda));
            if !declaration.dumps.is_empty() {
                eprint!("{}", planned.dump(&member.module, &declaration.dumps));
                on_cuda.iter().for_each(|plans| eprint!("{}", plans.dump(&member.module, &declaration.dumps)));
            }
            let source = Source { text: declaration.text.clone(), member: index, unfused };
            let both = |module: &Module| {
                let programs = Rc::new(Programs::of(module));
                let on_cuda = wanted.cuda.then(|| plan_programs(module, programs.clone(), &cuda));
                plan_programs(module, programs, &target).expand(module, on_cuda.as_ref(), &Source::default())
            };
            let probes = (0..member.module.probes.len()).map(|index| {
                let programs = probe::programs(&member.module, index);
                (both(&programs.activations), programs.excite.as_ref().map(both))
            });
            plans.push(MemberPlans {
                network: planned.expand(&member.module, on_cuda.as_ref(), &source),
                training_bytes: None,
                probes: probes.collect(),
            });
        }
        tokens.extend(of_version(declaration, &version.ident, &plans));
    }
    tokens
}

/// The types of a declaration, or of its unfused twin.
fn of_version(declaration: &Declaration, ident: &Ident, plans: &[MemberPlans]) -> TokenStream {
    if *ident == declaration.ident {
        emit::host::expand(declaration, plans)
    } else {
        emit::host::expand_unfused(declaration, plans)
    }
}

/// What `training_bytes` of `kiln` finds in a plan, of which only the one program is made.
fn training_bytes(module: &Module, target: &Target) -> usize {
    let originals = Rc::new(Programs::of(module));
    let kind = [ProgramKind::Step, ProgramKind::Infer].into_iter().find(|kind| originals.get(*kind).is_some());
    let plans = plan_some(module, originals, target, kind.as_slice());
    let floats = plans.programs.iter().chain(&plans.small).map(|p| p.memory.batch_floats).max();
    floats.unwrap_or(0) * size_of::<f32>()
}

/// The network that `source` tells of, lowered and planned once more: for the CPU, and for CUDA where `cuda`.
///
/// # Errors
/// Where the text gives no such network: it was not written by this version of the compiler.
pub fn replan(source: &Source, cuda: bool) -> Result<(Module, Plans), String> {
    let Source { text, member, unfused } = source;
    let tokens: TokenStream = text.parse().map_err(|why| format!("the declaration's text cannot be read: {why}"))?;
    let mut front = lower::front(tokens);
    let mistake = front.errors.iter().next().map(|mistake| mistake.text());
    front.errors.discard();
    if let Some(why) = mistake {
        return Err(format!("the declaration's text has a mistake: {why}"));
    }
    let Some(declaration) = front.declarations.pop() else { return Err("the text declares no network".into()) };
    let fusion = match declaration.fusion {
        Fusion::Both if *unfused => Fusion::Off,
        Fusion::Both => Fusion::On,
        one => one,
    };
    let target = if cuda { Target::cuda(fusion, declaration.precision) } else { Target::cpu_for(&declaration, fusion) };
    let Some(found) = declaration.members.get(*member) else { return Err(format!("there is no member {member}")) };
    let mut module = found.module.clone();
    if *unfused {
        module.name += "Unfused";
    }
    let plans = plan(&module, &target);
    Ok((module, plans))
}

/// Everything decided about one network for one target.
pub struct Plans {
    pub target: Target,
    /// What was planned.
    pub originals: Rc<Programs>,
    pub params: ParamPlan,
    pub programs: Vec<Planned>,
    /// Programs for batches up to [`schedule::lanes::SMALL_BATCH`], where they differ.
    pub small: Vec<Planned>,
}

/// Schedule and place every program of a network.
pub fn plan(module: &Module, target: &Target) -> Plans {
    plan_programs(module, Rc::new(Programs::of(module)), target)
}

/// As [`plan`], for a network whose programs are there.
pub fn plan_programs(module: &Module, originals: Rc<Programs>, target: &Target) -> Plans {
    plan_some(module, originals, target, &ProgramKind::ALL)
}

/// As [`plan_programs`], of programs of these kinds.
fn plan_some(module: &Module, originals: Rc<Programs>, target: &Target, kinds: &[ProgramKind]) -> Plans {
    let params = ParamPlan::new(module, target.order);
    let planned = |kind: ProgramKind, target: &Target| {
        let program = originals.get(kind)?;
        let schedule = schedule::schedule(module, &params, program, target);
        let launches = schedule::launches::launches(&schedule, target);
        schedule::verify::demand(kind, launches.verify(&schedule));
        let memory = memory::plan(&schedule, &launches, target.chunks);
        schedule::verify::demand(kind, memory.verify(&schedule, &launches, target.chunks));
        Some(Planned { kind, schedule, launches, memory })
    };
    // A step that assigns no statistics is the gradients' program by another name.
    let steps = originals.get(ProgramKind::Step).is_some_and(|step| step.roots.assigns.is_empty());
    let planned = |kind: ProgramKind, others: &[Planned], target: &Target| {
        let gradients = others.iter().find(|p| steps && kind == ProgramKind::Step && p.kind == ProgramKind::Gradients);
        gradients.map(|same| same.named(kind)).or_else(|| planned(kind, target))
    };
    let mut programs: Vec<Planned> = Vec::new();
    for kind in kinds.iter().copied() {
        programs.extend(planned(kind, &programs, target));
    }
    let blocks = Target { lanes: false, ..target.clone() };
    let mut small: Vec<Planned> = Vec::new();
    for large in &programs {
        if large.schedule.kernels.iter().any(|k| matches!(k.form, Form::Lanes(_))) {
            small.extend(planned(large.kind, &small, &blocks));
        }
    }
    // What the optimizer's own pass is left with must not depend on the batch.
    for small in &mut small {
        let large = programs
            .iter_mut()
            .find(|p| p.kind == small.kind)
            .expect("programs for small batches are of the same kinds");
        small.launches.updated.retain(|p| large.launches.updated.contains(p));
        large.launches.updated.retain(|p| small.launches.updated.contains(p));
    }
    Plans { target: target.clone(), originals, params, programs, small }
}

impl Plans {
    /// An expression of type `&'static kiln::plan::Plan`; `self` is for the CPU, `cuda` its other half, if it has one.
    pub fn expand(&self, module: &Module, cuda: Option<&Plans>, source: &Source) -> TokenStream {
        emit::apart::apart(|| {
            let half = match cuda {
                Some(cuda) => emit::cuda::expand(module, &cuda.params, &cuda.programs, &cuda.target),
                None => quote!(Cuda::NONE),
            };
            emit::cpu::expand(
                module,
                &self.originals,
                &self.params,
                [&self.programs, &self.small],
                &self.target,
                &half,
                source,
            )
        })
    }

    /// The chosen stages of every program as text: `cuda` of a plan for CUDA, everything else of one for the CPU.
    pub fn dump(&self, module: &Module, stages: &[Dump]) -> String {
        let mut text = String::new();
        for planned in &self.programs {
            let title = format!("{} {}", module.name, planned.kind.name());
            for stage in stages.iter().filter(|s| (**s == Dump::Cuda) == (self.target.order == Order::ChannelsLast)) {
                let (stage, body) = match stage {
                    Dump::Graph => ("graph", planned.schedule.graph().to_string()),
                    Dump::Schedule => ("schedule", planned.schedule.text()),
                    Dump::Memory => ("memory", planned.memory.text()),
                    Dump::Cpu => ("cpu", emit::cpu::text(planned, &self.params)),
                    Dump::Cuda => ("cuda", emit::cuda::text(planned, &self.params, &self.target)),
                };
                text += &format!("── {title}: {stage}\n{body}");
            }
        }
        text
    }
}
