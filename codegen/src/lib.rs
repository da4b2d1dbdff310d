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
pub mod habits;
pub mod interpret;
pub mod layers;
pub mod lower;
pub mod memory;
pub mod probe;
pub mod schedule;
pub mod syntax;
pub mod update;

use declaration::{Declaration, Dump, Fusion, Source};
use emit::host::MemberPlans;
use graph::Module;
use memory::Planned;
use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use schedule::{Form, Order, ParamPlan, ProgramKind, Target};

pub use update::update;

/// `network! { … }`: every declared network, or its mistakes. With a `use` in it, a call that fetches the block first.
pub fn compile(input: TokenStream) -> TokenStream {
    if syntax::limits::mistake(&input).is_none()
        && let Some(fetch) = syntax::import::next(&input)
    {
        return fetch;
    }
    let front = lower::front(input);
    let mut mistakes = front.errors.iter();
    let mut tokens = match mistakes.next() {
        Some(first) => emit::host::expand_stubs(&front.stubs, first),
        None => TokenStream::new(),
    };
    tokens.extend(mistakes.map(|mistake| mistake.to_compile_error()));
    tokens.extend(front.declarations.iter().map(expand));
    tokens.extend(front.exports.iter().map(emit::host::expand_export));
    tokens
}

/// A sound declaration: its type, and with `#[fusion(both)]` the unfused twin.
fn expand(declaration: &Declaration) -> TokenStream {
    let twin = format_ident!("{}Unfused", declaration.ident);
    let versions: Vec<(Ident, Fusion)> = match declaration.fusion {
        Fusion::Both => vec![(declaration.ident.clone(), Fusion::On), (twin, Fusion::Off)],
        one => vec![(declaration.ident.clone(), one)],
    };
    let mut tokens = TokenStream::new();
    for (ident, fusion) in versions {
        let mut version = declaration.clone();
        version.ident = ident;
        let target = Target::cpu_for(declaration, fusion);
        let cuda = Target::cuda(fusion, declaration.precision);
        let mut plans = Vec::new();
        let unfused = version.ident != declaration.ident;
        for (index, member) in version.members.iter_mut().enumerate() {
            member.module.name = version.ident.to_string();
            let planned = plan(&member.module, &target);
            let on_cuda = plan(&member.module, &cuda);
            if !declaration.dumps.is_empty() {
                eprint!("{}", planned.dump(&member.module, &declaration.dumps));
                eprint!("{}", on_cuda.dump(&member.module, &declaration.dumps));
            }
            let source = Source { text: declaration.text.clone(), member: index, unfused };
            let both = |module: &Module| plan(module, &target).expand(module, &plan(module, &cuda), &Source::default());
            let probes = (0..member.module.probes.len()).map(|index| {
                let programs = probe::programs(&member.module, index);
                (both(&programs.activations), programs.excite.as_ref().map(both))
            });
            plans.push(MemberPlans {
                network: planned.expand(&member.module, &on_cuda, &source),
                probes: probes.collect(),
            });
        }
        tokens.extend(if version.ident == declaration.ident {
            emit::host::expand(declaration, &plans)
        } else {
            emit::host::expand_unfused(declaration, &plans)
        });
    }
    tokens
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
    pub params: ParamPlan,
    pub programs: Vec<Planned>,
    /// Programs for batches up to [`schedule::lanes::SMALL_BATCH`], where they differ.
    pub small: Vec<Planned>,
}

/// Schedule and place every program of a network.
pub fn plan(module: &Module, target: &Target) -> Plans {
    let params = ParamPlan::new(module, target.order);
    let planned = |kind: ProgramKind, target: &Target| {
        let program = schedule::program::program(module, kind)?;
        let schedule = schedule::schedule(module, &params, &program, target);
        let launches = schedule::launches::launches(&schedule, target);
        schedule::verify::demand(kind, launches.verify(&schedule));
        let memory = memory::plan(&schedule, &launches, target.chunks);
        schedule::verify::demand(kind, memory.verify(&schedule, &launches, target.chunks));
        Some(Planned { kind, schedule, launches, memory })
    };
    let mut programs: Vec<Planned> = ProgramKind::ALL.into_iter().filter_map(|kind| planned(kind, target)).collect();
    let blocks = Target { lanes: false, ..target.clone() };
    let chained = programs.iter().filter(|p| p.schedule.kernels.iter().any(|k| matches!(k.form, Form::Lanes(_))));
    let mut small: Vec<Planned> = chained.filter_map(|p| planned(p.kind, &blocks)).collect();
    // What the optimizer's own pass is left with must not depend on the batch.
    for small in &mut small {
        let large = programs
            .iter_mut()
            .find(|p| p.kind == small.kind)
            .expect("programs for small batches are of the same kinds");
        small.launches.updated.retain(|p| large.launches.updated.contains(p));
        large.launches.updated.retain(|p| small.launches.updated.contains(p));
    }
    Plans { target: target.clone(), params, programs, small }
}

impl Plans {
    /// An expression of type `&'static kiln::plan::Plan`; `self` is for the CPU, `cuda` its other half.
    pub fn expand(&self, module: &Module, cuda: &Plans, source: &Source) -> TokenStream {
        emit::apart::apart(|| {
            let half = emit::cuda::expand(module, &cuda.params, &cuda.programs, &cuda.target);
            emit::cpu::expand(module, &self.params, [&self.programs, &self.small], &self.target, &half, source)
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
