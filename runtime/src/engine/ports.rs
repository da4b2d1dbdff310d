//! What a caller's batch must be before a kernel may read it.
//!
//! [`Feed`](crate::data::Feed) is a safe trait that anybody may implement, so nothing of it is believed: each run asks it once for its
//! slices, and what a kernel then reads are those slices, compared here with the plan. A kernel reads as many values as the plan says
//! for each sample, and takes integers for indices without a further look.

use super::{Feeding, Role};
use crate::data::PortValues;
use crate::error::{Error, Result};
use crate::plan::{Plan, Port, PortKind};

/// Calls `f` with the number and the bytes of each port that `role` reads, in the plan's order: inputs, then targets.
///
/// # Errors
/// Where `feed` gives other ports than the plan has, or in one of them not the values of `batch` samples.
pub(super) fn each<'a>(
    plan: &'static Plan,
    role: Role,
    batch: usize,
    feed: Feeding<'_, 'a>,
    mut f: impl FnMut(usize, &'a [u8]) -> Result<()>,
) -> Result<()> {
    let all = plan.inputs.len() + plan.targets.len();
    let least = if role == Role::Infer { plan.inputs.len() } else { all };
    let (mut found, mut result) = (0, Ok(()));
    feed(&mut |values| {
        let port = plan.inputs.iter().chain(plan.targets).take(least).nth(found);
        if let (Some(port), true) = (port, result.is_ok()) {
            result = bytes(plan, port, batch, values).and_then(|bytes| f(found, bytes));
        }
        found += 1;
    });
    result?;
    // Without targets, or with all of them.
    if found != least && found != all {
        return Err(Error::data(format!("what {} is fed with", plan.name), format!("{least} ports"), found));
    }
    Ok(())
}

/// Floats, or integers of the same size, of one sample.
pub(super) fn sample_size(kind: &PortKind) -> usize {
    match kind {
        PortKind::Dense { dims } | PortKind::Ids { dims, .. } => dims.iter().product(),
        PortKind::Class { .. } => 1,
    }
}

/// The memory of the values, if they are `batch` samples of such a port.
fn bytes<'a>(plan: &Plan, port: &Port, batch: usize, values: PortValues<'a>) -> Result<&'a [u8]> {
    let wrong = |expected: String, found: String| {
        Err(Error::data(format!("the values of `{}` of {}", port.name, plan.name), expected, found))
    };
    let (word, below) = match port.kind {
        PortKind::Dense { .. } => ("floats", None),
        PortKind::Class { classes } => ("integers", Some(classes)),
        PortKind::Ids { below, .. } => ("integers", Some(below)),
    };
    let (bytes, length, found) = match (values, below) {
        (PortValues::Floats(floats), None) => (of_floats(floats), floats.len(), "floats"),
        (PortValues::Integers(integers), Some(below)) => {
            if let Some(strange) = first_not_below(integers, below) {
                return wrong(format!("integers in 0..{below}"), strange.to_string());
            }
            (of_integers(integers), integers.len(), "integers")
        }
        (PortValues::Floats(_), Some(_)) => return wrong(word.into(), "floats".into()),
        (PortValues::Integers(_), None) => return wrong(word.into(), "integers".into()),
    };
    // A product that does not fit is no length of a slice.
    if batch.checked_mul(sample_size(&port.kind)) != Some(length) {
        let expected = format!("{} {word} for each of {batch} samples", sample_size(&port.kind));
        return wrong(expected, format!("{length} {found}"));
    }
    Ok(bytes)
}

/// An integer outside of `0..below`.
fn first_not_below(integers: &[i32], below: usize) -> Option<i32> {
    // As unsigned numbers, negative ones are the largest; no `i32` reaches a `below` that an `i32` cannot hold.
    let limit = u32::try_from(below).unwrap_or(u32::MAX).min(1 << 31);
    // Without an early exit these are a few vector instructions.
    let most = integers.iter().fold(0, |most, &integer| most.max(integer as u32));
    if most < limit || integers.is_empty() {
        return None;
    }
    integers.iter().copied().find(|&integer| integer as u32 >= limit)
}

fn of_floats(floats: &[f32]) -> &[u8] {
    // SAFETY: the same memory for the same time; every byte of a float is initialised, and a byte needs no alignment.
    unsafe { std::slice::from_raw_parts(floats.as_ptr().cast(), size_of_val(floats)) }
}

fn of_integers(integers: &[i32]) -> &[u8] {
    // SAFETY: as for floats.
    unsafe { std::slice::from_raw_parts(integers.as_ptr().cast(), size_of_val(integers)) }
}
