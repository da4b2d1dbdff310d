//! The typed reader of what stands in `<…>`: every complaint about an argument is made here.

use super::spatial::pair_text;
use crate::diagnostics::{Diagnostic, Errors, Source};
use crate::syntax::constant::{Constants, LARGEST_NUMBER, Number, is_finite};
use crate::syntax::{Argument, ArgumentValue, Call};

pub type Result<T> = std::result::Result<T, Diagnostic>;

/// One argument that a layer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub name: &'static str,
    /// May be given by its place.
    pub positional: bool,
}

pub const fn positional(name: &'static str) -> Slot {
    Slot { name, positional: true }
}

pub const fn named(name: &'static str) -> Slot {
    Slot { name, positional: false }
}

/// What a positional argument too many probably means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surplus {
    Nothing,
    /// PyTorch's first argument is the input's size, which is inferred here.
    First,
    /// PyTorch takes these by place, here they are named.
    Named(&'static [&'static str]),
}

/// The largest extent that may be written.
const LARGEST: i64 = 1 << 24;

/// The arguments of one call.
#[derive(Debug)]
pub struct Args<'a> {
    /// `Conv2d`
    pub layer: String,
    /// The layer's name token.
    pub source: Source,
    usage: &'static str,
    given: Vec<(&'static str, &'a Argument)>,
    constants: &'a Constants,
    /// What `_` stands for.
    channels: Option<usize>,
}

impl<'a> Args<'a> {
    /// Sort the arguments into their slots. `None` if one is too many or unknown, for then none can be trusted.
    pub fn read(
        call: &'a Call,
        slots: &'static [Slot],
        surplus: Surplus,
        usage: &'static str,
        constants: &'a Constants,
        channels: Option<usize>,
        errors: &mut Errors,
    ) -> Option<Args<'a>> {
        let layer = call.name.to_string();
        let mut given: Vec<(&'static str, &'a Argument)> = Vec::new();
        let mut places = slots.iter().filter(|s| s.positional);
        let count = slots.iter().filter(|s| s.positional).count();
        let (mut sound, mut surplus_told) = (true, false);
        for argument in &call.arguments {
            let slot = match &argument.name {
                None => match places.next() {
                    Some(slot) => slot,
                    None => {
                        if !std::mem::replace(&mut surplus_told, true) {
                            errors.push(too_many(call, argument, count, slots, surplus, usage));
                        }
                        sound = false;
                        continue;
                    }
                },
                Some(name) => match slots.iter().find(|s| name == s.name) {
                    Some(slot) => slot,
                    None => {
                        let source = Source::at(name.span());
                        let message = format!("`{layer}` has no argument `{name}`");
                        let names: Vec<&str> = slots.iter().map(|s| s.name).collect();
                        errors.push(Diagnostic::new(source, message).help(unknown_help(
                            &name.to_string(),
                            &names,
                            &layer,
                        )));
                        sound = false;
                        continue;
                    }
                },
            };
            if given.iter().any(|(name, _)| *name == slot.name) {
                let message = format!("`{}` of `{layer}` is given twice", slot.name);
                errors.push(Diagnostic::new(argument.source, message).help("keep one of them"));
                continue;
            }
            given.push((slot.name, argument));
        }
        let source = Source::at(call.name.span());
        sound.then_some(Args { layer, source, usage, given, constants, channels })
    }

    /// Of something that takes none.
    pub fn none(layer: &str, source: Source, constants: &'a Constants) -> Args<'a> {
        Args { layer: layer.to_string(), source, usage: "", given: Vec::new(), constants, channels: None }
    }

    fn find(&self, name: &str) -> Option<&'a Argument> {
        self.given.iter().find(|(own, _)| *own == name).map(|(_, a)| *a)
    }

    /// Where the argument stands, or the layer's name.
    pub fn source(&self, name: &str) -> Source {
        self.find(name).map_or(self.source, |a| a.source)
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn missing(&self, name: &str) -> Diagnostic {
        let message = format!("`{}` needs `{name}`", self.layer);
        Diagnostic::new(self.source, message).help(format!("for example `{}`", self.usage))
    }

    /// A number at an argument, or the channels for `_`.
    fn number(&self, argument: &Argument) -> Result<Number> {
        match &argument.value {
            ArgumentValue::Channels => match self.channels {
                Some(channels) => Ok(Number::Int(channels as i64)),
                None => {
                    Err(Diagnostic::new(argument.source, "`_` is the input's channel count, and there is no input"))
                }
            },
            _ => self.constants.argument(argument),
        }
    }

    fn whole(&self, name: &str, argument: &Argument, least: i64) -> Result<usize> {
        if let ArgumentValue::Text(text) = &argument.value {
            let message = format!("`{name}` of `{}` is a number, found {text:?}", self.layer);
            let help = match (name, text.as_str()) {
                ("padding", "same") => self.same_padding(),
                ("padding", "valid") => "leave `padding` out: it is 0".to_string(),
                _ => format!("for example `{}`", self.usage),
            };
            return Err(Diagnostic::new(argument.source, message).help(help));
        }
        let wrong = |text: String| {
            let what = if least > 0 { "a positive whole number" } else { "a whole number from 0" };
            Diagnostic::new(argument.source, format!("`{name}` of `{}` is {what}, found {text}", self.layer))
        };
        match self.number(argument)? {
            Number::Int(i) if i < least => Err(wrong(i.to_string())),
            Number::Int(i) if i > LARGEST => {
                let message = format!("`{name}` of `{}` is {i}, but no extent may exceed {LARGEST}", self.layer);
                Err(Diagnostic::new(argument.source, message))
            }
            Number::Int(i) => Ok(i as usize),
            other => Err(wrong(other.text())),
        }
    }

    /// What PyTorch's "same" means for this kernel.
    fn same_padding(&self) -> String {
        let (kernel, dilation) = (self.pair("kernel"), self.pair_or("dilation", [1, 1]));
        let (Ok(kernel), Ok(dilation)) = (kernel, dilation) else {
            return "write the number: `padding = 1` keeps the size for kernel 3 and stride 1".into();
        };
        let spread = [dilation[0] * (kernel[0] - 1), dilation[1] * (kernel[1] - 1)];
        if spread.iter().any(|s| !s.is_multiple_of(2)) {
            return "write the number; an even kernel cannot keep the size".into();
        }
        format!("write `padding = {}`", pair_text([spread[0] / 2, spread[1] / 2]))
    }

    /// Complaints about constants only, for a layer whose input is unknown.
    pub fn check_constants(&self, errors: &mut Errors) {
        for (_, argument) in &self.given {
            let asks = match &argument.value {
                ArgumentValue::Expr(_) => true,
                ArgumentValue::Word(word, own) => own.is_empty() && word.to_string().starts_with(char::is_uppercase),
                ArgumentValue::Channels | ArgumentValue::List(_) | ArgumentValue::Text(_) => false,
            };
            if asks && let Err(diagnostic) = self.constants.argument(argument) {
                errors.push(diagnostic);
            }
        }
    }

    /// A size that must be there.
    pub fn size(&self, name: &str) -> Result<usize> {
        let argument = self.find(name).ok_or_else(|| self.missing(name))?;
        self.whole(name, argument, 1)
    }

    pub fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        self.find(name).map_or(Ok(default), |a| self.whole(name, a, 1))
    }

    /// As `size_or`, but 0 is allowed.
    pub fn count_or(&self, name: &str, default: usize) -> Result<usize> {
        self.find(name).map_or(Ok(default), |a| self.whole(name, a, 0))
    }

    /// Numbers that count from 0, if they are there: `1` or `[0, 2]`.
    pub fn indices(&self, name: &str) -> Result<Option<Vec<usize>>> {
        let Some(argument) = self.find(name) else { return Ok(None) };
        match &argument.value {
            ArgumentValue::List(items) => items.iter().map(|a| self.whole(name, a, 0)).collect::<Result<_>>(),
            _ => self.whole(name, argument, 0).map(|n| vec![n]),
        }
        .map(Some)
    }

    /// One number for every side, or one for each of `sides`; 0 is allowed.
    pub fn sides<const N: usize>(&self, name: &str, sides: [&str; N]) -> Result<[usize; N]> {
        let argument = self.find(name).ok_or_else(|| self.missing(name))?;
        let ArgumentValue::List(items) = &argument.value else {
            return self.whole(name, argument, 0).map(|n| [n; N]);
        };
        let numbers: Vec<usize> = items.iter().map(|a| self.whole(name, a, 0)).collect::<Result<_>>()?;
        numbers.try_into().map_err(|found: Vec<usize>| {
            let (layer, sides) = (&self.layer, sides.join(", "));
            let message = format!("`{name}` of `{layer}` is one number or `[{sides}]`, found {} numbers", found.len());
            Diagnostic::new(argument.source, message)
        })
    }

    /// Height and width: `5` or `[1, 7]`.
    pub fn pair(&self, name: &str) -> Result<[usize; 2]> {
        let argument = self.find(name).ok_or_else(|| self.missing(name))?;
        self.two(name, argument, 1)
    }

    pub fn pair_or(&self, name: &str, default: [usize; 2]) -> Result<[usize; 2]> {
        self.find(name).map_or(Ok(default), |a| self.two(name, a, 1))
    }

    /// As `pair_or`, but 0 is allowed.
    pub fn padding(&self, name: &str) -> Result<[usize; 2]> {
        self.find(name).map_or(Ok([0, 0]), |a| self.two(name, a, 0))
    }

    fn two(&self, name: &str, argument: &Argument, least: i64) -> Result<[usize; 2]> {
        match &argument.value {
            ArgumentValue::List(items) => match items.as_slice() {
                [a, b] => Ok([self.whole(name, a, least)?, self.whole(name, b, least)?]),
                _ => Err(self.no_pair(name, argument, items.len())),
            },
            _ => self.whole(name, argument, least).map(|n| [n, n]),
        }
    }

    fn no_pair(&self, name: &str, argument: &Argument, count: usize) -> Diagnostic {
        let message = format!("`{name}` of `{}` is one number or `[height, width]`, found {count} numbers", self.layer);
        Diagnostic::new(argument.source, message)
    }

    /// A list of sizes that must be there: `[16, 7, 7]`.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        let argument = self.find(name).ok_or_else(|| self.missing(name))?;
        match &argument.value {
            ArgumentValue::List(items) => items.iter().map(|a| self.whole(name, a, 1)).collect(),
            _ => {
                let found = argument.value.text();
                let message = format!("`{name}` of `{}` is a list, found `{found}`", self.layer);
                Err(Diagnostic::new(argument.source, message).help(format!("write `{}<[{found}]>`", self.layer)))
            }
        }
    }

    /// A list of numbers, if it is there.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let Some(argument) = self.find(name) else { return Ok(None) };
        match &argument.value {
            ArgumentValue::List(items) => items.iter().map(|a| self.real(name, a)).collect::<Result<_>>().map(Some),
            other => {
                let message = format!("`{name}` of `{}` is a list of numbers, found `{}`", self.layer, other.text());
                Err(Diagnostic::new(argument.source, message))
            }
        }
    }

    /// As `floats`, of numbers of which none is negative: factors that costs are multiplied by.
    pub fn weights(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let Some(weights) = self.floats(name)? else { return Ok(None) };
        if let Some(i) = weights.iter().position(|x| *x < 0.0) {
            let message = format!("`{name}` of `{}` has no negative numbers, found {}", self.layer, weights[i]);
            let help = "0 leaves out, and a cost below zero would have no minimum";
            return Err(Diagnostic::new(self.item_source(name, i), message).help(help));
        }
        Ok(Some(weights))
    }

    /// Where item `i` of a list stands.
    fn item_source(&self, name: &str, i: usize) -> Source {
        match self.find(name).map(|a| &a.value) {
            Some(ArgumentValue::List(items)) if i < items.len() => items[i].source,
            _ => self.source(name),
        }
    }

    fn real(&self, name: &str, argument: &Argument) -> Result<f64> {
        let number = match &argument.value {
            ArgumentValue::Text(text) => {
                let message = format!("`{name}` of `{}` is a number, found {text:?}", self.layer);
                return Err(Diagnostic::new(argument.source, message));
            }
            _ => self.number(argument)?,
        };
        match number.float() {
            Some(x) if is_finite(x) => Ok(x),
            Some(x) => {
                let message = format!("`{name}` of `{}` is a finite number, found {x:e}", self.layer);
                Err(Diagnostic::new(argument.source, message).help(LARGEST_NUMBER))
            }
            None => {
                let message = format!("`{name}` of `{}` is a number, found `{}`", self.layer, number.text());
                Err(Diagnostic::new(argument.source, message))
            }
        }
    }

    pub fn float_or(&self, name: &str, default: f64) -> Result<f64> {
        self.find(name).map_or(Ok(default), |a| self.real(name, a))
    }

    /// A number, or `none`.
    pub fn float_or_none(&self, name: &str, default: f64) -> Result<Option<f64>> {
        let Some(argument) = self.find(name) else { return Ok(Some(default)) };
        match &argument.value {
            ArgumentValue::Word(word, own) if own.is_empty() && word == "none" => Ok(None),
            ArgumentValue::Word(word, own) if own.is_empty() && word == "None" => {
                let message = format!("`{name}` of `{}` is a number or `none`, found `{word}`", self.layer);
                Err(Diagnostic::new(argument.source, message).help("write `none`"))
            }
            _ => self.real(name, argument).map(Some),
        }
    }

    /// A number for each of height and width, if it is there: `2.5` or `[2, 3]`.
    pub fn float_pair(&self, name: &str) -> Result<Option<[f64; 2]>> {
        let Some(argument) = self.find(name) else { return Ok(None) };
        match &argument.value {
            ArgumentValue::List(items) => match items.as_slice() {
                [a, b] => Ok(Some([self.real(name, a)?, self.real(name, b)?])),
                _ => Err(self.no_pair(name, argument, items.len())),
            },
            _ => self.real(name, argument).map(|x| Some([x, x])),
        }
    }

    pub fn float(&self, name: &str) -> Result<f64> {
        let argument = self.find(name).ok_or_else(|| self.missing(name))?;
        self.real(name, argument)
    }

    /// A number above 0.
    pub fn positive_or(&self, name: &str, default: f64) -> Result<f64> {
        let x = self.float_or(name, default)?;
        if x > 0.0 && x.is_finite() {
            return Ok(x);
        }
        let message = format!("`{name}` of `{}` is a positive number, found {x}", self.layer);
        Err(Diagnostic::new(self.source(name), message))
    }

    pub fn is_list(&self, name: &str) -> bool {
        self.find(name).is_some_and(|a| matches!(a.value, ArgumentValue::List(_)))
    }

    /// One of a few words.
    pub fn word_or(&self, name: &str, words: &[&'static str], default: &'static str) -> Result<&'static str> {
        let Some(argument) = self.find(name) else { return Ok(default) };
        let text = match &argument.value {
            ArgumentValue::Text(text) => text.clone(),
            other => other.text(),
        };
        words.iter().find(|w| **w == text).copied().ok_or_else(|| {
            let message = format!("`{name}` of `{}` is {}, found `{text}`", self.layer, either(words));
            Diagnostic::new(argument.source, message)
        })
    }

    /// A number in [0, 1).
    pub fn probability_or(&self, name: &str, default: f64) -> Result<f64> {
        let p = self.float_or(name, default)?;
        if (0.0..1.0).contains(&p) {
            return Ok(p);
        }
        let message = format!("`{name}` of `{}` is a probability in [0, 1), found {p}", self.layer);
        let diagnostic = Diagnostic::new(self.source(name), message);
        Err(if (1.0..=100.0).contains(&p) && p != 1.0 {
            diagnostic.help(format!("{p} percent are `{}`", p / 100.0))
        } else {
            diagnostic
        })
    }

    pub fn bool_or(&self, name: &str, default: bool) -> Result<bool> {
        let Some(argument) = self.find(name) else { return Ok(default) };
        match &argument.value {
            ArgumentValue::Word(word, own) if own.is_empty() && (word == "True" || word == "False") => {
                let small = word.to_string().to_lowercase();
                let message = format!("`{name}` of `{}` is `true` or `false`, found `{word}`", self.layer);
                Err(Diagnostic::new(argument.source, message).help(format!("write `{small}`")))
            }
            _ => match self.number(argument)? {
                Number::Bool(b) => Ok(b),
                other => {
                    let found = other.text();
                    let message = format!("`{name}` of `{}` is `true` or `false`, found `{found}`", self.layer);
                    Err(Diagnostic::new(argument.source, message))
                }
            },
        }
    }
}

fn too_many(
    call: &Call,
    argument: &Argument,
    count: usize,
    slots: &[Slot],
    surplus: Surplus,
    usage: &str,
) -> Diagnostic {
    let texts: Vec<String> = call.arguments.iter().filter(|a| a.name.is_none()).map(|a| a.value.text()).collect();
    let rest: Vec<String> = call.arguments.iter().filter(|a| a.name.is_some()).map(Argument::text).collect();
    let call_text = |mut own: Vec<String>| {
        own.extend(rest.iter().cloned());
        if own.is_empty() { format!("`{}`", call.name) } else { format!("`{}<{}>`", call.name, own.join(", ")) }
    };
    let takes = match (count, slots.len()) {
        (0, 0) => "no arguments".to_string(),
        (0, _) => "named arguments only".to_string(),
        (1, _) => "1 positional argument".to_string(),
        (n, _) => format!("{n} positional arguments"),
    };
    let message = format!("`{}` takes {takes}, found {}", call.name, texts.len());
    let mut source = argument.source;
    let help = match surplus {
        Surplus::First if texts.len() == count + 1 => {
            // The first is what must go.
            source = call.arguments.iter().find(|a| a.name.is_none()).map_or(source, |a| a.source);
            let name = if count == 1 { "size" } else { "channel count" };
            format!("the input's {name} is inferred: write {}", call_text(texts[1..].to_vec()))
        }
        Surplus::Named(names) if texts.len() <= count + names.len() => {
            let mut own = texts[..count].to_vec();
            own.extend(texts[count..].iter().zip(names).map(|(text, name)| format!("{name} = {text}")));
            format!("write {}", call_text(own))
        }
        _ if slots.is_empty() => format!("write `{}`", call.name),
        _ => format!("for example `{usage}`"),
    };
    Diagnostic::new(source, message).help(help)
}

/// PyTorch's and Keras' words for arguments that have another name here, or none.
fn unknown_help(name: &str, names: &[&str], layer: &str) -> String {
    let replacement = match name {
        "kernel_size" => "kernel",
        "strides" => "stride",
        "pad" => "padding",
        "use_bias" => "bias",
        "negative_slope" | "alpha" => "slope",
        "rate" | "p" => "p",
        "units" | "out_features" => "size",
        "out_channels" | "filters" => "channels",
        "epsilon" => "eps",
        "in_channels" | "in_features" | "num_features" => {
            return "leave it out: the input's size is inferred".into();
        }
        "dim" if names.contains(&"axis") => {
            return "`axis` does not count the batch: PyTorch's `dim = 1` is `axis = 0`".into();
        }
        "activation" => return "write the activation as a layer of its own behind this one".into(),
        other => other,
    };
    if names.contains(&replacement) {
        return format!("did you mean `{replacement}`?");
    }
    match closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("`{layer}` has no arguments"),
        None => format!("`{layer}` knows {}", listed(names.iter().copied())),
    }
}

/// `a`, `b` and `c`
pub fn listed<'s>(names: impl Iterator<Item = &'s str>) -> String {
    let quoted: Vec<String> = names.map(|n| format!("`{n}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// `a`, `b` or `c`
fn either(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|n| format!("`{n}`")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The name that was probably meant.
pub fn closest<'s>(word: &str, names: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let small = word.to_lowercase();
    names
        .map(|name| (distance(&small, &name.to_lowercase()), name))
        .filter(|(d, name)| *d <= name.len().max(word.len()) / 3)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// How many letters to insert, remove, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
