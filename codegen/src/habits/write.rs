//! [`Said`] → lines of the language. What cannot be said in it gives `None`, and the help is in words.

use super::read::{Arg, Call, Expr, Said, is_layer};
use crate::layers::args::{Slot, Surplus};
use crate::layers::foreign;
use crate::layers::{self, Operands};

/// Modules of other languages: what stands before the dot is no value.
const MODULES: &[&str] = &[
    "nn",
    "F",
    "torch",
    "tf",
    "keras",
    "layers",
    "functional",
    "jax",
    "jnp",
    "np",
    "numpy",
    "tch",
    "burn",
    "candle_nn",
    "candle",
    "flax",
    "linen",
    "hk",
    "eqx",
    "optim",
    "activation",
    "activations",
    "losses",
    "tensor",
    "ops",
    "kiln",
    "mx",
    "paddle",
];

/// Words that make a layer in other languages and say nothing here.
const MAKERS: &[&str] = &[
    "new",
    "init",
    "build",
    "default",
    "to",
    "cuda",
    "cpu",
    "contiguous",
    "clone",
    "unwrap",
    "compile",
    "create",
    "into",
    "detach",
    "eval",
    "train",
    "as_ref",
    "borrow",
    "iter",
    "collect",
];

/// What Rust puts around values.
const WRAPPERS: &[&str] = &["Box", "Arc", "Rc", "Some", "Ok", "RefCell", "Cell", "Mutex"];

/// Words that apply a layer which stands before them.
const APPLIES: &[&str] = &["forward", "apply", "call", "__call__", "forward_t", "pipe"];

/// What PyTorch takes by place where we take it by name or infer it (`""`).
const PLACES: &[(&str, &[&str])] = &[
    ("Conv2d", &["", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias"]),
    ("Conv1d", &["", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias"]),
    ("ConvTranspose2d", &["", "channels", "kernel", "stride", "padding", "output_padding", "groups", "bias"]),
    ("Linear", &["", "size", "bias"]),
    ("Embedding", &["", "size"]),
    ("GroupNorm", &["num_groups", "", "eps"]),
];

/// A statement of the language, without its `;`.
struct Piece {
    label: Option<String>,
    text: String,
}

/// Where a value is.
#[derive(Clone)]
enum Place {
    /// The current value at the start.
    Start,
    /// What the last piece gave.
    Last,
    Named(String),
}

/// What was written, and what must be declared for it.
pub struct Written {
    /// Lines with their `;`.
    pub lines: String,
    /// `fn half(x) { 0.5 * x }`
    pub function: Option<String>,
}

#[derive(Default)]
pub struct Writer {
    pieces: Vec<Piece>,
    function: Option<String>,
    /// A name that became a label: Keras's `name = "conv1"`.
    label: Option<String>,
    /// What the line assigns to: an operand of this name is the current value of other languages.
    assigned: Option<String>,
    /// Names of values, and of lines that may be applied again.
    named: Vec<String>,
    /// In `loss:`, where a name means a loss.
    loss: bool,
}

/// The line as it should be written, where the lines before it have `named` some values.
pub fn line(said: &Said, named: &[String]) -> Option<Written> {
    let mut writer = Writer { named: named.to_vec(), ..Writer::default() };
    let label = said.label.clone().map(|label| label.replace(['-', ' ', '/'], "_"));
    if label.as_deref() == Some("loss") {
        let terms = writer.terms(&said.value)?;
        return Some(Written { lines: format!("loss: {terms};"), function: None });
    }
    // `x = f(x)`, and `x = f(x)` in a place where `x` is the current value.
    writer.assigned.clone_from(&label);
    if let (Some(label), Expr::Braces(_)) = (&label, &said.value) {
        return Some(Written { lines: format!("{label}: {{ … }}"), function: None });
    }
    let place = writer.value(&said.value)?;
    let label = label.or(writer.label.take());
    match place {
        Place::Last => {
            let last = writer.pieces.last_mut()?;
            // `x = f(x)` goes on with the current value, under a name that is taken.
            let again = |label: &String| mentions(&said.value, label) || named.contains(label);
            if let Some(label) = label.filter(|label| !again(label)) {
                last.label = Some(label);
            }
            if let Some(alias) = &said.alias {
                last.text += &format!(" as {alias}");
            }
        }
        Place::Named(name) => writer.pieces.push(Piece { label: None, text: format!("from {name}") }),
        Place::Start => return None,
    }
    Some(writer.written())
}

fn mentions(value: &Expr, name: &str) -> bool {
    let within = |args: &[Arg]| args.iter().any(|arg| mentions(&arg.value, name));
    match value {
        Expr::Path(path) => path.len() == 1 && path[0] == name,
        Expr::Call(call) => {
            call.receiver.as_ref().is_some_and(|receiver| mentions(receiver, name))
                || call.given.iter().any(|args| within(args))
        }
        Expr::Chain(all) => all.iter().any(|one| mentions(one, name)),
        Expr::List(items) => within(items),
        Expr::Operation(_, a, b) | Expr::Range(a, b) => mentions(a, name) || mentions(b, name),
        Expr::Number(_) | Expr::Text(_) | Expr::Braces(_) | Expr::Odd => false,
    }
}

impl Writer {
    fn written(self) -> Written {
        let lines = self.pieces.iter().map(|piece| {
            let end = if piece.text.ends_with('}') { "" } else { ";" };
            match &piece.label {
                Some(label) => format!("{label}: {}{end}", piece.text),
                None => format!("{}{end}", piece.text),
            }
        });
        Written { lines: lines.collect::<Vec<_>>().join(" "), function: self.function }
    }

    fn push(&mut self, text: String) -> Place {
        self.pieces.push(Piece { label: None, text });
        Place::Last
    }

    /// Lines that give the value, and where it is then.
    fn value(&mut self, value: &Expr) -> Option<Place> {
        match value {
            Expr::Path(path) if path.len() == 1 && path[0] == "_" => Some(Place::Start),
            Expr::Path(path) => {
                let path: Vec<&str> = path.iter().map(String::as_str).skip_while(|word| *word == "self").collect();
                let name = *path.last()?;
                let module = path[..path.len() - 1].iter().any(|word| MODULES.contains(word));
                if is_layer(name) || module {
                    return self.layer(name, &[], &[], module);
                }
                if self.assigned.as_deref() == Some(name) && path.len() == 1 {
                    return Some(if self.pieces.is_empty() { Place::Start } else { Place::Last });
                }
                Some(Place::Named(path.join(".")))
            }
            Expr::Call(call) => self.call(call),
            Expr::Chain(all) => {
                let mut place = None;
                for one in all {
                    place = Some(self.value(one)?);
                }
                place
            }
            Expr::List(items) => {
                let mut place = None;
                for item in items {
                    place = Some(self.value(&item.value)?);
                }
                place.filter(|_| {
                    items.iter().all(|item| matches!(&item.value, Expr::Call(_)) || is_layer_path(&item.value))
                })
            }
            Expr::Operation(sign, a, b) => self.operation(*sign, a, b),
            Expr::Number(_) | Expr::Text(_) | Expr::Range(..) | Expr::Braces(_) | Expr::Odd => None,
        }
    }

    fn operation(&mut self, sign: char, a: &Expr, b: &Expr) -> Option<Place> {
        let mut all = Vec::new();
        flat(sign, a, &mut all);
        flat(sign, b, &mut all);
        let numbers = all.iter().any(|one| matches!(one, Expr::Number(_) | Expr::Operation(..)));
        if matches!(sign, '+' | '*') && !numbers {
            let name = if sign == '+' { "Add" } else { "Mul" };
            let operands: Vec<String> = self.operands(&all)?;
            return Some(self.push(format!("{name}({})", operands.join(", "))));
        }
        if sign == '@' || sign == '%' || sign == '^' {
            return None;
        }
        // Anything else is element-wise, and a `fn`.
        let mut names: Vec<String> = Vec::new();
        let whole = Expr::Operation(sign, Box::new(a.clone()), Box::new(b.clone()));
        let body = formula(&whole, &mut names, 0)?;
        let parameters: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(i, _)| ["x", "y", "z", "w"].get(i).map(|n| n.to_string()))
            .collect::<Option<_>>()?;
        let name = match (sign, parameters.len()) {
            ('-', 2) => "difference",
            ('/', 2) => "quotient",
            ('*', 1) => "scaled",
            ('+' | '-', 1) => "shifted",
            _ => "combined",
        };
        self.function = Some(format!("fn {name}({}) {{ {body} }}", parameters.join(", ")));
        let current = names.len() == 1 && (names[0] == "_" || self.assigned.as_ref() == Some(&names[0]));
        Some(self.push(if current { name.to_string() } else { format!("{name}({})", names.join(", ")) }))
    }

    /// Operands of a layer of several values, after the lines that give them.
    fn operands(&mut self, all: &[&Expr]) -> Option<Vec<String>> {
        let mut places = Vec::new();
        for one in all {
            let place = match one {
                Expr::Path(path) if path.len() == 1 && path[0] == "_" => Place::Start,
                other => self.value(other)?,
            };
            if let (Place::Last, true) = (&place, all.iter().filter(|e| gives_lines(e)).count() > 1) {
                let name = ["a", "b", "c", "d"].get(self.pieces.len() - 1)?.to_string();
                let last = self.pieces.last_mut()?;
                last.label = Some(name.clone());
                places.push(Place::Named(name));
                continue;
            }
            places.push(place);
        }
        let made = !self.pieces.is_empty();
        places
            .into_iter()
            .map(|place| match place {
                Place::Named(name) => Some(name),
                Place::Last => Some("_".into()),
                Place::Start => (!made).then(|| "_".into()),
            })
            .collect()
    }

    fn call(&mut self, call: &Call) -> Option<Place> {
        if call.body && matches!(call.name.as_str(), "Residual" | "Concat") && call.given.is_empty() {
            return Some(self.push(format!("{} {{ … }}", call.name)));
        }
        if call.body || call.name == "[]" {
            return None;
        }
        // What `self` has is a line of this network, if there is such a line.
        let of_self = matches!(&call.receiver, Some(Expr::Path(path)) if path.iter().all(|word| word == "self"));
        if of_self && !self.named.iter().any(|own| own == &call.name) {
            return None;
        }
        if let (true, None, [one]) = (WRAPPERS.contains(&call.name.as_str()), &call.receiver, call.given.as_slice()) {
            return self.value(&one.first()?.value);
        }
        // A module before the dot is no value.
        let receiver = call.receiver.as_ref().filter(|receiver| !is_module(receiver));
        let own: Vec<&Arg> = call.given.iter().flatten().collect();
        let name = call.name.as_str();
        if let Some(receiver) = receiver {
            if MAKERS.contains(&name) {
                // `Linear::new(20, 16)`, `LinearConfig::new(20, 16).init(device)`
                return match receiver {
                    Expr::Path(path) => {
                        let made = path.last()?;
                        if WRAPPERS.contains(&made.as_str()) {
                            return self.value(&own.first()?.value);
                        }
                        if !is_layer(made) {
                            return self.value(receiver);
                        }
                        let made = made.strip_suffix("Config").unwrap_or(made);
                        let (fixed, operands) = self.split(made, &call.fixed, &call.given);
                        self.layer(made, &fixed, &operands, false)
                    }
                    other => self.value(other),
                };
            }
            if let (Some(argument), Expr::Call(made)) = (name.strip_prefix("with_"), receiver) {
                // `Conv2dConfig::new([1, 8], [3, 3]).with_stride([2, 2])`
                let mut made = (**made).clone();
                if let Some(arg) = own.first() {
                    let given = made.given.first_mut()?;
                    given.push(Arg { name: Some(argument.to_string()), ..(*arg).clone() });
                }
                return self.call(&made);
            }
            if matches!(name, "add" | "push" | "append" | "insert" | "add_module")
                && own.len() == 1
                && gives_lines(&own[0].value)
            {
                // `model.add(Dense(10))`
                return self.value(&own[0].value);
            }
            if APPLIES.contains(&name) {
                let applied = match receiver {
                    Expr::Path(path) if is_layer(path.last()?) || self.named.contains(path.last()?) => {
                        path.last()?.clone()
                    }
                    Expr::Call(made) => {
                        let mut made = (**made).clone();
                        made.given.extend(call.given.iter().cloned());
                        return self.call(&made);
                    }
                    _ => return None,
                };
                let operands: Vec<&Expr> = own.iter().map(|arg| &arg.value).collect();
                return self.layer(&applied, &[], &operands, false);
            }
            // `x.relu()`, `Linear<3>.relu()`
            let (fixed, mut operands) = self.split(name, &call.fixed, &call.given);
            let receiver = match receiver {
                Expr::Path(path) if path.first().is_some_and(|word| word == "self") => Expr::Path(path[1..].to_vec()),
                other => other.clone(),
            };
            if matches!(&receiver, Expr::Path(path) if path.is_empty()) {
                return self.layer(name, &fixed, &operands, true);
            }
            operands.insert(0, &receiver);
            return self.layer(name, &fixed, &operands, true);
        }
        let (fixed, operands) = self.split(name, &call.fixed, &call.given);
        self.layer(name, &fixed, &operands, call.receiver.is_some())
    }

    /// What of a call is fixed, and what are values.
    fn split<'e>(&self, name: &str, fixed: &'e [Arg], given: &'e [Vec<Arg>]) -> (Vec<&'e Arg>, Vec<&'e Expr>) {
        let mut arguments: Vec<&Arg> = fixed.iter().collect();
        let mut operands: Vec<&Expr> = Vec::new();
        let several = foreign::ours(name).is_some_and(|ours| takes_several(ours));
        for arg in given.iter().flatten() {
            match (&arg.name, &arg.value) {
                // `x.size(0)` and `x.shape[0]` are the batch, which is not written.
                (_, Expr::Call(call))
                    if matches!(call.name.as_str(), "size" | "shape" | "len" | "dim" | "[]" | "default") => {}
                (None, Expr::List(items)) if several => operands.extend(items.iter().map(|item| &item.value)),
                (None, value) if is_value(value) => operands.push(value),
                (Some(name), value)
                    if is_value(value)
                        && matches!(
                            name.as_str(),
                            "input"
                                | "inputs"
                                | "x"
                                | "tensor"
                                | "tensors"
                                | "other"
                                | "prediction"
                                | "target"
                                | "truth"
                                | "labels"
                                | "logits"
                        ) =>
                {
                    operands.push(value);
                }
                _ => arguments.push(arg),
            }
        }
        (arguments, operands)
    }

    /// `Layer<…>(…)`, after the lines that give its operands.
    fn layer(&mut self, name: &str, fixed: &[&Arg], operands: &[&Expr], method: bool) -> Option<Place> {
        let stem = name.strip_suffix("Config").unwrap_or(name);
        let stem = if stem == "mean" && !self.loss { "Average" } else { stem };
        let ours = foreign::ours(stem)
            .filter(|ours| layers::find(ours).is_some() || (self.loss && layers::find_loss(ours).is_some()));
        if matches!(stem, "Sequential" | "sequential" | "ModuleList" | "Chain" | "serial") {
            let mut place = None;
            for one in fixed.iter().map(|arg| &arg.value).chain(operands.iter().copied()) {
                place = Some(self.value(one)?);
            }
            return place;
        }
        if foreign::missing(stem).is_some() && ours.is_none() {
            return None;
        }
        let ours = match ours {
            // A line of the network goes before a foreign name.
            _ if self.named.iter().any(|own| own == name) => name,
            Some("Reshape") if flattens(fixed) => "Flatten",
            Some(ours) => ours,
            None if stem == "Residual" || method && !self.named.iter().any(|own| own == stem) => return None,
            None => stem,
        };
        if ours == "Permute" {
            return self.permuted(fixed, operands);
        }
        let texts = self.operands(operands)?;
        let (arguments, behind) = match foreign::arguments(ours) {
            Some(slots) => self.arguments(ours, slots, fixed)?,
            None => (fixed.iter().map(|arg| argument_text(arg)).collect::<Option<Vec<_>>>()?, Vec::new()),
        };
        let mut text = ours.to_string();
        // Keras's windows are of 2 where nothing is said.
        let window = arguments.is_empty() && matches!(ours, "MaxPool2d" | "AvgPool2d" | "MaxPool1d" | "AvgPool1d");
        if window {
            text += "<2>";
        } else if !arguments.is_empty() {
            text += &format!("<{}>", arguments.join(", "));
        }
        let one = !takes_several(ours);
        let current = one && texts.len() == 1 && texts[0] == "_";
        if !texts.is_empty() && !current {
            text += &format!("({})", texts.join(", "));
        } else if texts.is_empty() && takes_several(ours) {
            return None;
        }
        let mut place = self.push(text);
        for layer in behind {
            place = self.push(layer.to_string());
        }
        Some(place)
    }

    /// `permute(0, 2, 3, 1)`, which counts the batch.
    fn permuted(&mut self, fixed: &[&Arg], operands: &[&Expr]) -> Option<Place> {
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
    fn arguments(&mut self, layer: &str, slots: &[Slot], fixed: &[&Arg]) -> Option<(Vec<String>, Vec<&'static str>)> {
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

    /// `loss:`'s terms.
    fn terms(&mut self, value: &Expr) -> Option<String> {
        self.loss = true;
        match value {
            Expr::Operation(sign @ ('+' | '-'), a, b) => Some(format!("{} {sign} {}", self.terms(a)?, self.terms(b)?)),
            Expr::Operation('*', a, b) => match (&**a, &**b) {
                (Expr::Number(weight), term) | (term, Expr::Number(weight)) => {
                    Some(format!("{weight} * {}", self.terms(term)?))
                }
                _ => None,
            },
            Expr::Operation('/', a, b) => match &**b {
                Expr::Number(number) => {
                    let number: f64 = number.parse().ok()?;
                    Some(format!("{:?} * {}", 1.0 / number, self.terms(a)?))
                }
                _ => None,
            },
            Expr::Call(call) => {
                let (fixed, operands) = self.split(&call.name, &call.fixed, &call.given);
                let ours = foreign::ours(&call.name).filter(|ours| layers::find_loss(ours).is_some())?;
                let texts: Vec<String> = operands.iter().map(|operand| operand_text(operand)).collect::<Option<_>>()?;
                let (arguments, _) = self.arguments(ours, foreign::arguments(ours)?, &fixed)?;
                let arguments =
                    if arguments.is_empty() { String::new() } else { format!("<{}>", arguments.join(", ")) };
                (texts.len() == 2).then(|| format!("{ours}{arguments}({})", texts.join(", ")))
            }
            _ => None,
        }
    }
}

/// `a + b + c` as its parts.
fn flat<'e>(sign: char, value: &'e Expr, all: &mut Vec<&'e Expr>) {
    match value {
        Expr::Operation(own, a, b) if *own == sign => {
            flat(sign, a, all);
            flat(sign, b, all);
        }
        other => all.push(other),
    }
}

/// An element-wise formula over `names`.
fn formula(value: &Expr, names: &mut Vec<String>, strength: u8) -> Option<String> {
    match value {
        Expr::Number(number) => Some(number.clone()),
        Expr::Path(path) => {
            let name = path.iter().skip_while(|word| *word == "self").cloned().collect::<Vec<_>>().join(".");
            if is_layer(&name) {
                return None;
            }
            let at = names.iter().position(|own| *own == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            ["x", "y", "z", "w"].get(at).map(|name| name.to_string())
        }
        Expr::Operation(sign, a, b) => {
            let own = if matches!(sign, '*' | '/') { 2 } else { 1 };
            let text = format!("{} {sign} {}", formula(a, names, own)?, formula(b, names, own + 1)?);
            Some(if own < strength { format!("({text})") } else { text })
        }
        _ => None,
    }
}

fn is_layer_path(value: &Expr) -> bool {
    matches!(value, Expr::Path(path) if path.last().is_some_and(|name| is_layer(name)))
}

/// Whether the expression becomes lines of its own.
fn gives_lines(value: &Expr) -> bool {
    matches!(value, Expr::Call(_) | Expr::Operation(..) | Expr::Chain(_)) || is_layer_path(value)
}

/// Whether an argument in parentheses is a value of the network and not a number.
fn is_value(value: &Expr) -> bool {
    match value {
        Expr::Path(path) => {
            let name = path.last().map_or("", String::as_str);
            let constant =
                !name.is_empty() && name.chars().all(|c| c.is_uppercase() || c.is_numeric() || c == '_') && name != "_";
            !constant && !matches!(name, "None" | "none" | "device" | "dev" | "vs" | "same" | "valid")
        }
        Expr::Call(call) => is_layer(&call.name) || call.receiver.is_some() || !call.given.is_empty(),
        Expr::Operation(_, a, b) => is_value(a) || is_value(b),
        Expr::Chain(_) => true,
        Expr::Number(_) | Expr::Text(_) | Expr::List(_) | Expr::Range(..) | Expr::Braces(_) | Expr::Odd => false,
    }
}

fn is_module(value: &Expr) -> bool {
    match value {
        Expr::Path(path) => {
            path.iter().any(|word| MODULES.contains(&word.as_str())) && !path.iter().any(|word| is_layer(word))
        }
        _ => false,
    }
}

fn takes_several(ours: &str) -> bool {
    layers::find(ours).is_some_and(|layer| matches!(layer.operands, Operands::Two | Operands::AtLeastTwo))
}

/// `view(-1, 784)`, `View<[-1, 784]>`, `reshape(x.size(0), -1)`
fn flattens(fixed: &[&Arg]) -> bool {
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

fn operand_text(value: &Expr) -> Option<String> {
    match value {
        Expr::Path(path) => {
            let path: Vec<&str> = path.iter().map(String::as_str).skip_while(|word| *word == "self").collect();
            Some(path.join("."))
        }
        Expr::Call(call) if call.name == "one_hot" => {
            let arg = call.given.first()?.first()?;
            Some(format!("one_hot({})", operand_text(&arg.value)?))
        }
        _ => None,
    }
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
