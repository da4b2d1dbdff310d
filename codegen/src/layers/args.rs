//! The typed reader of what stands in `<…>`: every complaint about an argument is made here.

use super::foreign;
use super::spatial::pair_text;
pub use crate::diagnostics::closest;
use crate::diagnostics::{Diagnostic, Errors, Mistake, Source};
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
        let mut by_name = false;
        for argument in &call.arguments {
            by_name |= argument.name.is_some();
            if argument.name.is_none() && by_name {
                errors.push(behind_a_named_one(call, argument, slots, &given));
                return None;
            }
            if let (None, ArgumentValue::Word(word, own)) = (&argument.name, &argument.value)
                && own.is_empty()
                && constants.get(word).is_none()
                && slots.iter().any(|slot| word == slot.name)
            {
                let message = format!("`{word}` of `{layer}` has no value");
                errors.push(
                    Mistake::new(argument.source, message)
                        .help(format!("write `{word} = …` with its value, such as `true` or a number")),
                );
                return None;
            }
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
                        errors.push(Mistake::new(source, message).help(unknown_help(
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
                errors.push(Mistake::new(argument.source, message).help("keep one of them"));
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
        Mistake::new(self.source, message).help(format!("for example `{}`", self.usage))
    }

    /// A number at an argument, or the channels for `_`.
    fn number(&self, argument: &Argument) -> Result<Number> {
        match &argument.value {
            ArgumentValue::Channels => match self.channels {
                Some(channels) => Ok(Number::Int(channels as i64)),
                None => Err(Mistake::new(argument.source, "`_` is the input's channel count, and there is no input")
                    .help("write the number")),
            },
            _ => self.constants.argument(argument),
        }
    }

    fn whole(&self, name: &str, argument: &Argument, least: i64) -> Result<usize> {
        let word = match &argument.value {
            ArgumentValue::Text(text) => Some(text.clone()),
            ArgumentValue::Word(word, own) if own.is_empty() && self.constants.get(word).is_none() => {
                Some(word.to_string()).filter(|_| name == "padding")
            }
            _ => None,
        };
        let help = match (name, word.as_ref().map(|word| word.to_lowercase()).as_deref()) {
            ("padding", Some("same")) => Some(self.same_padding()),
            ("padding", Some("valid" | "none")) => Some("leave `padding` out: it is 0".to_string()),
            (_, Some(text)) if text.parse::<f64>().is_ok() => Some(format!("write `{text}`, without quotes")),
            _ => matches!(argument.value, ArgumentValue::Text(_)).then(|| format!("write a number{}", self.example())),
        };
        if let (Some(word), Some(help)) = (word, help) {
            let found = if matches!(argument.value, ArgumentValue::Text(_)) {
                format!("{word:?}")
            } else {
                format!("`{word}`")
            };
            let message = format!("`{name}` of `{}` is a number, found {found}", self.layer);
            return Err(Mistake::new(argument.source, message).help(help));
        }
        match self.number(argument)? {
            Number::Int(i) if i >= least && i > LARGEST => {
                let message = format!("`{name}` of `{}` is {i}, but no extent may exceed {LARGEST}", self.layer);
                Err(Mistake::new(argument.source, message).help(format!("write a number up to {LARGEST}")))
            }
            Number::Int(i) if i >= least => Ok(i as usize),
            other => {
                let what = if least > 0 { "a positive whole number" } else { "a whole number from 0" };
                let message = format!("`{name}` of `{}` is {what}, found {}", self.layer, other.text());
                Err(Mistake::new(argument.source, message).help(self.whole_help(name, other, least)))
            }
        }
    }

    /// What may stand where a whole number from `least` on must.
    fn whole_help(&self, name: &str, found: Number, least: i64) -> String {
        match found {
            Number::Float(x) if x >= least as f64 && x < LARGEST as f64 => format!("write `{}`", x.round() as i64),
            Number::Int(_) if matches!(name, "shape" | "size" | "dims") && self.layer == "Reshape" => {
                "every size is written, none is inferred; `Flatten` makes a vector of all".into()
            }
            Number::Int(-1) if name == "axis" => "axes of a sample count from 0, and not from the end".into(),
            Number::Int(_) | Number::Float(_) => format!("the smallest is {least}{}", self.example()),
            Number::Bool(_) => format!("write a number{}", self.example()),
        }
    }

    /// `, as in `Linear<120>``, where the layer has an example.
    fn example(&self) -> String {
        if self.usage.is_empty() { String::new() } else { format!(", as in `{}`", self.usage) }
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
            Mistake::new(argument.source, message).help("write one number, or one for each side")
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
        Mistake::new(argument.source, message).help("write one number, or two: the batch and the channels have none")
    }

    /// A list of sizes that must be there: `[16, 7, 7]`.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        let argument = self.find(name).ok_or_else(|| self.missing(name))?;
        match &argument.value {
            ArgumentValue::List(items) => items.iter().map(|a| self.whole(name, a, 1)).collect(),
            _ => {
                let found = argument.value.text();
                let message = format!("`{name}` of `{}` is a list, found `{found}`", self.layer);
                Err(Mistake::new(argument.source, message).help(format!("write `{}<[{found}]>`", self.layer)))
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
                Err(Mistake::new(argument.source, message).help(format!("write `{name} = [{}, …]`", other.text())))
            }
        }
    }

    /// As `floats`, of numbers of which none is negative: factors that costs are multiplied by.
    pub fn weights(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let Some(weights) = self.floats(name)? else { return Ok(None) };
        if let Some(i) = weights.iter().position(|x| *x < 0.0) {
            let message = format!("`{name}` of `{}` has no negative numbers, found {}", self.layer, weights[i]);
            let help = "0 leaves out, and a cost below zero would have no minimum";
            return Err(Mistake::new(self.item_source(name, i), message).help(help));
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
                return Err(Mistake::new(argument.source, message).help(format!("write a number{}", self.example())));
            }
            _ => self.number(argument)?,
        };
        match number.float() {
            Some(x) if is_finite(x) => Ok(x),
            Some(x) => {
                let message = format!("`{name}` of `{}` is a finite number, found {x:e}", self.layer);
                Err(Mistake::new(argument.source, message).help(LARGEST_NUMBER))
            }
            None => {
                let message = format!("`{name}` of `{}` is a number, found `{}`", self.layer, number.text());
                Err(Mistake::new(argument.source, message).help(format!("write a number{}", self.example())))
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
                Err(Mistake::new(argument.source, message).help("write `none`"))
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
        Err(Mistake::new(self.source(name), message).help(format!("write a number above 0{}", self.example())))
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
            let near = closest(&text, words.iter().copied()).unwrap_or(default);
            Mistake::new(argument.source, message).help(format!("write `{near}`"))
        })
    }

    /// A number in [0, 1).
    pub fn probability_or(&self, name: &str, default: f64) -> Result<f64> {
        let p = self.float_or(name, default)?;
        if (0.0..1.0).contains(&p) {
            return Ok(p);
        }
        let message = format!("`{name}` of `{}` is a probability in [0, 1), found {p}", self.layer);
        let diagnostic = Mistake::new(self.source(name), message);
        Err(if (1.0..=100.0).contains(&p) && p != 1.0 {
            diagnostic.help(format!("{p} percent are `{}`", p / 100.0))
        } else if p == 1.0 {
            diagnostic.help("1 would leave nothing: write less, such as `0.5`")
        } else {
            diagnostic.help("write a share between 0 and 1, such as `0.5`")
        })
    }

    pub fn bool_or(&self, name: &str, default: bool) -> Result<bool> {
        let Some(argument) = self.find(name) else { return Ok(default) };
        match &argument.value {
            ArgumentValue::Word(word, own) if own.is_empty() && (word == "True" || word == "False") => {
                let small = word.to_string().to_lowercase();
                let message = format!("`{name}` of `{}` is `true` or `false`, found `{word}`", self.layer);
                Err(Mistake::new(argument.source, message).help(format!("write `{small}`")))
            }
            ArgumentValue::Word(word, own)
                if own.is_empty() && matches!(word.to_string().as_str(), "yes" | "no" | "on" | "off") =>
            {
                let truth = word == "yes" || word == "on";
                let message = format!("`{name}` of `{}` is `true` or `false`, found `{word}`", self.layer);
                Err(Mistake::new(argument.source, message).help(format!("write `{truth}`")))
            }
            _ => match self.number(argument)? {
                Number::Bool(b) => Ok(b),
                other => {
                    let found = other.text();
                    let message = format!("`{name}` of `{}` is `true` or `false`, found `{found}`", self.layer);
                    let help = match other.float() {
                        Some(0.0) => "write `false`",
                        Some(1.0) => "write `true`",
                        _ => "write `true` or `false`",
                    };
                    Err(Mistake::new(argument.source, message).help(help))
                }
            },
        }
    }
}

/// `Conv2d<channels = 8, 3>`
fn behind_a_named_one(
    call: &Call,
    argument: &Argument,
    slots: &[Slot],
    given: &[(&'static str, &Argument)],
) -> Diagnostic {
    let message = "a named argument stands before this one, so it is named too";
    let free = slots.iter().find(|slot| !given.iter().any(|(name, _)| *name == slot.name));
    let name = free.map_or("name", |slot| slot.name);
    let help = match free {
        Some(_) => format!("write `{name} = {}`", argument.value.text()),
        None => format!("`{}` has no further argument: remove it", call.name),
    };
    Mistake::new(argument.source, message).help(help)
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
        _ if count > 0 && slots.len() > count => {
            let own: Vec<&str> = slots.iter().filter(|s| s.positional).map(|s| s.name).collect();
            let all = listed(own.into_iter());
            format!(
                "only {all} may stand without a name: write `{}, …>` with `name = value` for the others",
                call_text(texts[..count].to_vec()).trim_matches(['`', '>'])
            )
        }
        _ => format!("for example `{usage}`"),
    };
    Mistake::new(source, message).help(help)
}

/// PyTorch's and Keras' words for arguments that have another name here, or none.
fn unknown_help(name: &str, names: &[&'static str], layer: &str) -> String {
    match name {
        "dim" if names.contains(&"axis") => {
            return "`axis` does not count the batch: PyTorch's `dim = 1` is `axis = 0`".into();
        }
        "activation" => return "write the activation as a layer of its own behind this one".into(),
        name if foreign::is_inferred(name) => return "leave it out: the input's size is inferred".into(),
        _ => {}
    }
    if let Some(ours) = foreign::argument(name, names) {
        return format!("did you mean `{ours}`?");
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
