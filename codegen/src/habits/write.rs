//! [`Said`] → lines of the language. What cannot be said in it gives `None`, and the help is in words.

use super::arguments::{argument_text, flattens};
use super::read::{Arg, Call, Expr, Said, is_layer};
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

/// A statement of the language, without its `;`.
struct Piece {
    label: Option<String>,
    text: String,
}

/// Where a value is.
#[derive(Clone)]
pub enum Place {
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
    pub(super) label: Option<String>,
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

    pub(super) fn push(&mut self, text: String) -> Place {
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
    pub(super) fn operands(&mut self, all: &[&Expr]) -> Option<Vec<String>> {
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
        let several = foreign::ours(name).is_some_and(takes_several);
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
