//! Arguments of other languages as ours: by place, by name, inferred, or a layer of their own.

use super::read::{Arg, Expr};
use super::write::{Place, Writer};
use crate::layers::args::{Slot, Surplus};
use crate::layers::{self, foreign};

/// What PyTorch takes by place where we take it by name or infer it (`""`).
const PLACES: &[(&str, &[&str])] = &[
    ("Conv2d", &["", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias"]),
    ("Conv1d", &["", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias"]),
    ("ConvTranspose2d", &["", "channels", "kernel", "stride", "padding", "output_padding", "groups", "bias"]),
    ("Linear", &["", "size", "bias"]),
    ("Embedding", &["", "size"]),
    ("GroupNorm", &["num_groups", "", "eps"]),
];

impl Writer {
    /// `permute(0, 2, 3, 1)`, which counts the batch.
    pub(super) fn permuted(&mut self, fixed: &[&Arg], operands: &[&Expr]) -> Option<Place> {
        let values: Vec<&Expr> = match fixed {
            [Arg { value: Expr::List(items), .. }] => items.iter().map(|item| &item.value).collect(),
            all => all.iter().map(|arg| &arg.value).collect(),
        };
        let axes: Vec<i64> = values
            .into_iter()
            .map(|value| match value {
                Expr::Number(number) => number.parse().ok(),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let batch = axes.len() > 2 && axes[0] == 0;
        let axes: Vec<String> =
            axes.iter().skip(usize::from(batch)).map(|axis| (axis - i64::from(batch)).to_string()).collect();
        let texts = self.operands(operands)?;
        let operand =
            if texts.is_empty() || texts == ["_"] { String::new() } else { format!("({})", texts.join(", ")) };
        Some(self.push(format!("Permute<[{}]>{operand}", axes.join(", "))))
    }

    /// The arguments as ours, and the layers that one of them asked for.
    pub(super) fn arguments(
        &mut self,
        layer: &str,
        slots: &[Slot],
        fixed: &[&Arg],
    ) -> Option<(Vec<String>, Vec<&'static str>)> {
        let names: Vec<&'static str> = slots.iter().map(|slot| slot.name).collect();
        let positional: Vec<&'static str> = slots.iter().filter(|slot| slot.positional).map(|slot| slot.name).collect();
        let mut given: Vec<(&'static str, &Expr)> = Vec::new();
        let mut behind = Vec::new();
        let mut axes = None;
        let by_place: Vec<&&Arg> = fixed.iter().filter(|arg| arg.name.is_none()).collect();
        // `Conv2d(1, 6, kernel_size = 5)`: what is given by name is not given by place too.
        let by_name = fixed.iter().filter_map(|arg| foreign::argument(arg.name.as_ref()?, &names));
        let twice = by_name.filter(|name| positional.iter().take(by_place.len()).any(|own| own == name)).count() > 0;
        let places: Vec<&str> =
            match (PLACES.iter().find(|(own, _)| *own == layer), layers::find(layer).map(|l| l.surplus)) {
                (Some((_, places)), _)
                    if by_place.len() > positional.len() || twice || (layer == "GroupNorm" && by_place.len() > 1) =>
                {
                    places.to_vec()
                }
                (_, Some(Surplus::Named(more))) => positional.iter().copied().chain(more.iter().copied()).collect(),
                (_, Some(Surplus::First)) if by_place.len() > positional.len() => {
                    std::iter::once("").chain(positional.iter().copied()).collect()
                }
                _ => positional.clone(),
            };
        let mut place = 0;
        for arg in fixed {
            if let (Expr::Range(start, end), true) = (&arg.value, names.contains(&"start")) {
                given.extend([("start", &**start), ("end", &**end)]);
                continue;
            }
            let name = match &arg.name {
                None => {
                    // What is behind the known places is left out, and what was named before too.
                    while places.get(place).is_some_and(|name| given.iter().any(|(own, _)| own == name)) {
                        place += 1;
                    }
                    place += 1;
                    match places.get(place - 1) {
                        Some(name) => names.iter().find(|own| *own == name).copied(),
                        None => None,
                    }
                }
                Some(name) if name == "name" => {
                    if let Expr::Text(text) = &arg.value {
                        self.label = Some(text.clone());
                    }
                    None
                }
                Some(name) if name == "activation" => {
                    let word = match &arg.value {
                        Expr::Text(text) => text.clone(),
                        Expr::Path(path) => path.last()?.clone(),
                        Expr::Call(call) => call.name.clone(),
                        _ => return None,
                    };
                    if !matches!(word.as_str(), "None" | "none" | "linear") {
                        behind.push(foreign::ours(&word).filter(|ours| layers::find(ours).is_some())?);
                    }
                    None
                }
                Some(name) => foreign::argument(name, &names),
            };
            let Some(name) = name else { continue };
            // PyTorch counts the batch among the axes.
            if let (Some("dim"), Expr::Number(axis)) = (arg.name.as_deref(), &arg.value) {
                axes = axis.parse::<i64>().ok().filter(|axis| *axis > 0).map(|axis| format!("axis = {}", axis - 1));
                axes.as_ref()?;
                continue;
            }
            if !given.iter().any(|(own, _)| *own == name) {
                given.push((name, &arg.value));
            }
        }
        // By place as far as may be.
        let mut texts = Vec::new();
        let mut at_place = true;
        for slot in &positional {
            match given.iter().find(|(own, _)| own == slot) {
                Some((_, value)) if at_place => texts.push(value_text(slot, value)?),
                Some((_, value)) => texts.push(format!("{slot} = {}", value_text(slot, value)?)),
                None => at_place = false,
            }
        }
        let kernel = given.iter().find(|(own, _)| *own == "kernel").map(|(_, value)| (*value).clone());
        for (name, value) in given.iter().filter(|(own, _)| !positional.contains(own)) {
            let said = match value {
                Expr::Text(text) => Some(text.to_lowercase()),
                Expr::Path(path) => path.last().map(|word| word.to_lowercase()),
                _ => None,
            };
            match (*name, said.as_deref()) {
                (_, Some("none")) | ("padding", Some("valid")) => {}
                ("padding", Some("same")) => {
                    let kernel: usize = match kernel.as_ref().and_then(|kernel| value_text("kernel", kernel)) {
                        Some(text) => text.parse().ok()?,
                        None => return None,
                    };
                    texts.push(format!("padding = {}", kernel.checked_sub(1)? / 2));
                }
                _ => texts.push(format!("{name} = {}", value_text(name, value)?)),
            }
        }
        texts.extend(axes);
        Some((texts, behind))
    }
}

/// `view(-1, 784)`, `View<[-1, 784]>`, `reshape(x.size(0), -1)`
pub fn flattens(fixed: &[&Arg]) -> bool {
    let negative = |value: &Expr| matches!(value, Expr::Number(number) if number.starts_with('-'));
    let items = match fixed {
        [one] => match &one.value {
            Expr::List(items) => items.iter().map(|item| &item.value).collect(),
            other => vec![other],
        },
        all => all.iter().map(|arg| &arg.value).collect::<Vec<_>>(),
    };
    items.len() <= 2 && items.iter().any(|item| negative(item))
}

pub fn argument_text(arg: &Arg) -> Option<String> {
    let value = value_text(arg.name.as_deref().unwrap_or(""), &arg.value)?;
    Some(match &arg.name {
        Some(name) => format!("{name} = {value}"),
        None => value,
    })
}

/// What stands in `<…>`.
pub fn value_text(name: &str, value: &Expr) -> Option<String> {
    match value {
        Expr::Number(number) => Some(number.clone()),
        Expr::Text(text) => Some(text.clone()),
        Expr::Path(path) => {
            let word = path.last()?;
            Some(if matches!(word.as_str(), "None" | "NONE") { "none".into() } else { word.clone() })
        }
        Expr::List(items) => {
            let texts: Vec<String> = items.iter().map(|item| value_text("", &item.value)).collect::<Option<_>>()?;
            let sides = ["kernel", "stride", "padding", "dilation", "scale_factor", "output_padding"];
            if sides.contains(&name) && texts.windows(2).all(|pair| pair[0] == pair[1]) {
                return texts.first().cloned();
            }
            if matches!(name, "size" | "channels") {
                // burn's `[in, out]`
                return texts.last().cloned();
            }
            Some(format!("[{}]", texts.join(", ")))
        }
        Expr::Operation(..) => Some(format!("{{{}}}", number_text(value)?)),
        Expr::Braces(tokens) => Some(format!("{{{}}}", crate::syntax::constant::tokens_text(tokens))),
        Expr::Call(call) if call.given.is_empty() => {
            let texts: Vec<String> = call.fixed.iter().map(argument_text).collect::<Option<_>>()?;
            Some(format!("{}<{}>", call.name, texts.join(", ")))
        }
        Expr::Call(call) if matches!(call.name.as_str(), "min" | "max") => Some(format!("{{{}}}", number_text(value)?)),
        Expr::Call(_) | Expr::Chain(_) | Expr::Range(..) | Expr::Odd => None,
    }
}

/// An expression of numbers.
fn number_text(value: &Expr) -> Option<String> {
    match value {
        Expr::Number(number) => Some(number.clone()),
        Expr::Path(path) => path.last().cloned(),
        Expr::Operation('/', a, b) => Some(format!("{} / {}", number_text(a)?, number_text(b)?)),
        Expr::Operation(sign @ ('+' | '-' | '*' | '%'), a, b) => {
            Some(format!("{} {sign} {}", number_text(a)?, number_text(b)?))
        }
        Expr::Call(call) => {
            let texts: Vec<String> =
                call.given.iter().flatten().map(|arg| number_text(&arg.value)).collect::<Option<_>>()?;
            Some(format!("{}({})", call.name, texts.join(", ")))
        }
        _ => None,
    }
}
