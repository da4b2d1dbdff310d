//! What runs when: kernels become launches, and independent small ones share a launch.
//!
//! A kernel whose sum is cut into parts has two phases, the second of which adds the parts up in order. Every phase gets
//! the earliest level at which all it depends on is done; phases of one level are independent. A gradient kernel that
//! updates its parameter in place depends on everybody who reads the old value, so that an update never comes before the
//! last reader. On the CPU a kernel is a launch and a level of its own.

use super::form::Form;
use super::{Kernel, Schedule, Storage, Target, Uses, moments};
use crate::graph::Value;
use crate::graph::op::ConvRole;
use std::collections::{BTreeSet, HashMap};

/// A phase of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub kernel: usize,
    pub phase: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub parts: Vec<Part>,
    pub level: usize,
}

/// Order of launches, and what they do to parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launches {
    pub list: Vec<Launch>,
    /// First and last level of each kernel.
    pub levels: Vec<(usize, usize)>,
    /// Parameters whose gradient's kernel updates them.
    pub updated: BTreeSet<usize>,
}

/// Kernels below this many floating-point operations per sample share launches: they are bound by starting.
const SMALL: usize = 4 << 20;

/// What a phase may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Value(Value),
    Stored(Storage),
    Partials(usize),
}

struct Unit {
    part: Part,
    reads: Vec<Place>,
    writes: Vec<Place>,
    level: usize,
}

pub fn launches(s: &Schedule, target: &Target) -> Launches {
    let uses = Uses::of(s);
    if !target.gathers {
        let list = (0..s.kernels.len()).map(|kernel| Launch { parts: vec![Part { kernel, phase: 0 }], level: kernel });
        let levels = (0..s.kernels.len()).map(|k| (k, k)).collect();
        return Launches { list: list.collect(), levels, updated: updated(s, &uses, target) };
    }
    let updated = updated(s, &uses, target);
    let mut units = units(s, &uses, &updated);
    // Of each place, the level behind its latest writer and that behind its latest reader.
    let mut behind: HashMap<Place, [usize; 2]> = HashMap::new();
    for unit in &mut units {
        let after = |place: &Place| behind.get(place).copied().unwrap_or_default();
        let read = unit.reads.iter().map(|place| after(place)[0]);
        let written = unit.writes.iter().map(|place| after(place).into_iter().max().unwrap_or(0));
        unit.level = read.chain(written).max().unwrap_or(0);
        for (i, places) in [&unit.writes, &unit.reads].into_iter().enumerate() {
            for place in places {
                let level = &mut behind.entry(*place).or_default()[i];
                *level = (*level).max(unit.level + 1);
            }
        }
    }
    let mut levels = vec![(usize::MAX, 0); s.kernels.len()];
    for unit in &units {
        let (first, last) = &mut levels[unit.part.kernel];
        (*first, *last) = ((*first).min(unit.level), (*last).max(unit.level));
    }
    units.sort_by_key(|u| u.level);
    let mut list: Vec<Launch> = Vec::new();
    // The launch of small phases of the level that is being filled.
    let mut shared: Option<usize> = None;
    for Unit { part, level, .. } in units {
        let shares = target.fusion && work(&s.kernels[part.kernel]) <= SMALL;
        match shared.filter(|at| shares && list[*at].level == level) {
            Some(at) => list[at].parts.push(part),
            None => {
                if shares {
                    shared = Some(list.len());
                }
                list.push(Launch { parts: vec![part], level });
            }
        }
    }
    Launches { list, levels, updated }
}

/// By parameter: the kernels that read it.
fn parameter_readers(s: &Schedule) -> HashMap<usize, Vec<usize>> {
    let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (k, kernel) in s.kernels.iter().enumerate() {
        for value in &kernel.reads {
            if let Some(Storage::Param(param)) = s.storage(*value) {
                readers.entry(param).or_default().push(k);
            }
        }
    }
    readers
}

/// Parameters whose gradient's kernel may apply the optimizer's rule at once, instead of storing the gradient. That takes that
///
/// 1. the kernel hands finished pieces of the gradient over;
/// 2. nobody reads the old parameter afterwards, except a kernel that reads each piece before it hands it over;
/// 3. nobody reads the gradient: it lies nowhere then. Another parameter may have the same gradient (the two sides of a sum), and
///    the gradient of a normalisation's scale is a sum that its input gradient needs as well.
fn updated(s: &Schedule, uses: &Uses, target: &Target) -> BTreeSet<usize> {
    if !target.updates {
        return BTreeSet::new();
    }
    let readers = parameter_readers(s);
    let eligible = |(param, gradient): &(usize, Value)| {
        let made = uses.maker(s.base(*gradient))?;
        let updates = target.gathers || hands_over(&s.kernels[made], s.base(*gradient));
        let mut readers = readers.get(param).into_iter().flatten();
        let late = readers.any(|k| *k >= made && !reads_first(&s.kernels[*k]));
        (updates && !late && !is_read(uses, s.base(*gradient))).then_some(*param)
    };
    s.program.roots.gradients.iter().filter_map(eligible).collect()
}

/// Whether a kernel, or another root of the program, needs this gradient in memory.
fn is_read(uses: &Uses, gradient: Value) -> bool {
    uses.roots(gradient) > 1 || uses.is_read(gradient)
}

/// Whether this kernel's template reads each piece of a weight before it hands over the piece's gradient.
fn reads_first(kernel: &Kernel) -> bool {
    matches!(kernel.form, Form::DenseBackward(_))
}

/// Whether the CPU's template hands finished pieces of this gradient over, instead of storing them itself.
fn hands_over(kernel: &Kernel, gradient: Value) -> bool {
    match &kernel.form {
        Form::Dense(d) => d.role == ConvRole::Weight && kernel.nodes.contains(&gradient),
        Form::DenseBackward(_) => true,
        Form::ConvWeight { chunks, .. } => *chunks > 1,
        _ => false,
    }
}

fn units(s: &Schedule, uses: &Uses, updated: &BTreeSet<usize>) -> Vec<Unit> {
    let place = |value: Value| match s.storage(value) {
        Some(storage @ (Storage::Param(_) | Storage::State(_) | Storage::Grad(_) | Storage::Port(_))) => {
            Place::Stored(storage)
        }
        Some(Storage::Batch | Storage::Fixed | Storage::Derived) | None => Place::Value(s.base(value)),
    };
    let mut units = Vec::new();
    for (kernel, k) in s.kernels.iter().enumerate() {
        let phases = phases(k);
        for phase in 0..phases {
            let mut reads: Vec<Place> = k.reads.iter().map(|v| place(*v)).collect();
            let mut writes: Vec<Place> = Vec::new();
            if phase > 0 || moments::producer(uses, k).is_some() {
                reads.push(Place::Partials(kernel));
            }
            if let Some((served, _)) = moments::served(uses, k) {
                writes.push(Place::Partials(served));
            }
            if phase + 1 < phases {
                writes.push(Place::Partials(kernel));
            } else {
                for value in &k.stores {
                    writes.push(place(*value));
                    if let Some(Storage::Grad(p)) = s.storage(*value)
                        && updated.contains(&p)
                    {
                        writes.push(Place::Stored(Storage::Param(p)));
                    }
                }
            }
            units.push(Unit { part: Part { kernel, phase }, reads, writes, level: 0 });
        }
    }
    units
}

/// How many launches a CUDA kernel takes.
pub fn phases(kernel: &Kernel) -> usize {
    match &kernel.form {
        Form::Column { iter, reduced } if reduced.batch && chunked(iter, reduced) => 2,
        Form::ConvWeight { chunks, .. } if *chunks > 1 => 2,
        Form::Moments { iter, tiled: false, .. } if iter.pixels >= 64 => 2,
        _ => 1,
    }
}

/// Whether a sum over the batch has so many terms per sample that parts of it are added by different blocks.
fn chunked(iter: &super::Iter, reduced: &super::Reduced) -> bool {
    let pixels = if reduced.pixels { iter.pixels } else { 1 };
    let channels = if reduced.channels { iter.channels } else { 1 };
    pixels * channels >= 64
}

/// Floating-point operations per sample, about.
pub fn work(kernel: &Kernel) -> usize {
    match &kernel.form {
        Form::Dense(d) => 2 * d.outputs * d.channels * d.pixels,
        Form::DenseBackward(d) => 4 * d.outputs * d.channels * d.pixels,
        Form::Conv { geometry: g, .. } | Form::ConvWeight { geometry: g, .. } => {
            let taps = g.kernel[0] * g.kernel[1];
            match &kernel.form {
                Form::Conv { role: ConvRole::Input, .. } => 2 * g.channels * g.input[0] * g.input[1] * taps * g.outputs,
                _ => 2 * g.outputs * g.output[0] * g.output[1] * taps * g.channels,
            }
        }
        Form::Map(i) | Form::Row { iter: i, .. } | Form::Column { iter: i, .. } | Form::Moments { iter: i, .. } => {
            i.channels * i.pixels * kernel.nodes.len()
        }
        // As long as its convolutions, and started once.
        Form::Block(_) | Form::Lanes(_) => 0,
        Form::ConvFlipped { .. }
        | Form::Winograd { .. }
        | Form::WinogradWeights { .. }
        | Form::Window { .. }
        | Form::Rows(_)
        | Form::Scalar => usize::MAX,
    }
}

impl Launches {
    /// What must hold whatever ordered the launches: phases of a kernel in order, readers behind whoever stores, and no
    /// parameter updated before, or at the level of, a reader of its old value.
    pub fn verify(&self, s: &Schedule) -> Result<(), String> {
        let (uses, readers) = (Uses::of(s), parameter_readers(s));
        for (k, kernel) in s.kernels.iter().enumerate() {
            let (first, last) = self.levels[k];
            for read in &kernel.reads {
                if let Some(maker) = uses.maker(*read).filter(|maker| *maker != k && self.levels[*maker].1 >= first) {
                    return Err(format!(
                        "kernel {k} reads {read} at level {first}, before kernel {maker} has stored it"
                    ));
                }
            }
            for value in &kernel.stores {
                let Some(Storage::Grad(param)) = s.storage(*value) else { continue };
                if !self.updated.contains(&param) {
                    continue;
                }
                if is_read(&uses, s.base(*value)) {
                    return Err(format!(
                        "kernel {k} hands the gradient of parameter {param} over, and somebody reads it"
                    ));
                }
                let early = |j: usize| self.levels[j].1 < last || (j == k && reads_first(kernel));
                if let Some(reader) = readers.get(&param).into_iter().flatten().find(|j| !early(**j)) {
                    return Err(format!("kernel {k} updates parameter {param} before kernel {reader} has read it"));
                }
            }
        }
        let mut seen = vec![0; s.kernels.len()];
        for part in self.list.iter().flat_map(|launch| &launch.parts) {
            if part.phase != seen[part.kernel] {
                return Err(format!("phase {} of kernel {} is launched out of turn", part.phase, part.kernel));
            }
            seen[part.kernel] += 1;
        }
        let missing = |k: &usize| s.order == super::Order::ChannelsLast && seen[*k] != phases(&s.kernels[*k]);
        match (0..s.kernels.len()).find(missing) {
            Some(k) => Err(format!("kernel {k} is launched {} of {} times", seen[k], phases(&s.kernels[k]))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::{Fusion, Precision};
    use crate::graph::op::{Leaf, Op};
    use crate::schedule::{ParamPlan, ProgramKind, program, schedule};

    fn step() -> (Schedule, Launches) {
        step_for(&Target::cuda(Fusion::On, Precision::F32))
    }

    fn step_for(target: &Target) -> (Schedule, Launches) {
        let text = "pub Net { input x: [1, 6, 6]; target c: class<3>;
            Conv2d<5, 3>; BatchNorm; Relu; Flatten; Linear<20>; Relu; Linear<3>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        let s = schedule(module, &ParamPlan::new(module, target.order), &program, target);
        let l = launches(&s, target);
        (s, l)
    }

    #[test]
    fn the_cpu_updates_weights_behind_their_last_reader() {
        let (s, mut l) = step_for(&Target::cpu(Fusion::On));
        assert_eq!(l.verify(&s), Ok(()));
        // The weights of both dense layers; the chain of the convolution, biases and normalisation are left to the pass.
        let weights = |p: &usize| {
            s.graph().nodes.iter().any(|n| matches!(n.op, Op::Leaf(Leaf::Param(q)) if q == *p && n.ty.shape.rank() > 1))
        };
        assert_eq!(l.updated.iter().filter(|p| weights(p)).count(), 2, "{:?}", l.updated);
        // The update of the last layer's weight, before its input gradient has read the old one.
        let with = |role: ConvRole| {
            s.kernels.iter().position(|k| matches!(&k.form, Form::Dense(d) if d.role == role)).unwrap()
        };
        let (reader, update) = (with(ConvRole::Input), with(ConvRole::Weight));
        assert!(reader < update);
        l.levels.swap(reader, update);
        let found = l.verify(&s).unwrap_err();
        assert!(found.contains(&format!("kernel {update} updates parameter")), "{found}");
        let (_, apart) = step_for(&Target { updates: false, ..Target::cpu(Fusion::On) });
        assert!(apart.updated.is_empty());
    }

    #[test]
    fn parameters_are_updated_where_their_gradients_are_made() {
        let (s, l) = step();
        assert_eq!(l.verify(&s), Ok(()));
        // All but BatchNorm's weight, which the kernel of its gradient reads for the input gradient.
        assert!(l.updated.iter().eq(&[0, 1, 3, 4, 5, 6, 7]));
        assert_eq!(s.program.roots.gradients.len(), 8);
        assert!(l.list.len() < s.kernels.len(), "small kernels share launches");
    }

    /// The two sides of a sum have one gradient: what makes it stores it for the second side, and updates neither.
    #[test]
    fn a_gradient_that_somebody_reads_is_stored() {
        let text =
            "pub Net { input x: [3]; target t: [2]; a: Linear<2>; from x; b: Linear<2>; Add(a, b); loss: Mse(_, t); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        for target in [Target::cpu(Fusion::On), Target::cuda(Fusion::On, Precision::F32)] {
            let s = schedule(module, &ParamPlan::new(module, target.order), &program, &target);
            let mut l = launches(&s, &target);
            assert_eq!(l.verify(&s), Ok(()));
            let one = s
                .program
                .roots
                .gradients
                .iter()
                .find(|(_, v)| is_read(&Uses::of(&s), s.base(*v)))
                .expect("one is copied");
            assert!(!l.updated.contains(&one.0));
            l.updated.insert(one.0);
            assert!(l.verify(&s).unwrap_err().contains("and somebody reads it"));
        }
    }

    #[test]
    fn planted_violations_are_refused() {
        let refused = |expected: &str, plant: &dyn Fn(&Schedule, &mut Launches)| {
            let (s, mut l) = step();
            plant(&s, &mut l);
            let found = l.verify(&s).expect_err(expected);
            assert!(found.contains(expected), "{found}");
        };
        refused("before kernel", &|s, l| {
            let reads = |k: &Kernel| k.reads.iter().any(|v| s.storage(*v) == Some(Storage::Batch));
            let reader = s.kernels.iter().rposition(reads).unwrap();
            l.levels[reader] = (0, l.levels[reader].1);
        });
        refused("updates parameter", &|s, l| {
            // The input gradient of the last layer reads the weight that the kernel behind it updates.
            let input = |k: &Kernel| matches!(&k.form, Form::Dense(d) if d.role == ConvRole::Input);
            let reader = s.kernels.iter().position(input).unwrap();
            l.levels[reader].1 = usize::MAX;
        });
        refused("out of turn", &|_, l| {
            let split = l.list.iter_mut().find(|launch| launch.parts.iter().any(|p| p.phase == 1)).unwrap();
            split.parts.iter_mut().for_each(|p| p.phase += 1);
        });
        refused("is launched 0 of", &|_, l| {
            l.list.retain(|launch| launch.parts.iter().all(|p| p.kernel != 0));
        });
    }
}
