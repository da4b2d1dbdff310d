//! `#[…]` on networks, groups and layers.

use super::body::Lowering;
use super::*;
use crate::declaration::{Convolution, DenseBackward, Dump, Fusion, Precision};
use crate::graph::Probe;
use crate::layers::args::closest;
use crate::layers::site::Wish;
use crate::syntax::{parse_arguments, parse_dotted};
use quote::ToTokens;
use syn::{Attribute, Meta};

/// Layers without parameters that do something else in training.
const RANDOM: [&str; 3] = ["Dropout", "Dropout2d", "GaussianNoise"];

/// An `#[init(parameter = …)]` or `#[no_decay(parameter)]` that was met.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub parameter: String,
    pub source: Source,
}

/// `#[frozen(layer1)]` on a network: what is asked for a line by its path.
#[derive(Clone, Debug)]
pub(super) struct AskedOfLine {
    path: String,
    source: Source,
    found: bool,
}

/// The constant that stands for a probe: `features.conv2` is `FEATURES_CONV2`.
pub(crate) fn probe_handle(path: &str) -> String {
    path.replace('.', "_").to_uppercase()
}

/// Where an attribute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    Network,
    Group,
    Layer,
}

/// The attributes that may stand before a network, and before its lines.
const ON_NETWORKS: &[&str] = &["frozen", "init", "no_decay", "probe", "fusion", "cuda", "cpu", "dump"];
const ON_LINES: &[&str] = &["frozen", "init", "no_decay", "probe", "name"];

/// Attributes of Rust that people put before a `struct`.
const OF_RUST: &[&str] = &[
    "derive",
    "must_use",
    "inline",
    "allow",
    "warn",
    "deny",
    "expect",
    "repr",
    "deprecated",
    "non_exhaustive",
    "test",
];

/// Paths of the lines that a network's attributes, or their own, ask to be looked at.
pub(super) fn probes_written(network: &syntax::Network) -> Vec<String> {
    let lists =
        network.attributes.iter().filter(|a| a.path().is_ident("probe")).filter_map(|attribute| {
            match &attribute.meta {
                Meta::List(list) => parse_dotted(list.tokens.clone()).ok(),
                Meta::Path(_) | Meta::NameValue(_) => None,
            }
        });
    let mut paths: Vec<String> = lists.flatten().map(|(path, _, _)| path).collect();
    probed_lines(&network.body, "", &mut paths);
    paths
}

fn probed_lines(lines: &[Line], prefix: &str, paths: &mut Vec<String>) {
    for line in lines {
        let name = line.label.as_ref().or(line.alias.as_ref());
        let path = name.map(|name| if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") });
        if let Some(path) = path.as_ref().filter(|_| line.attributes.iter().any(|a| a.path().is_ident("probe"))) {
            paths.push(path.clone());
        }
        let inner = path.as_deref().unwrap_or(prefix);
        match &line.kind {
            syntax::Kind::Group { body, .. }
            | syntax::Kind::Residual { body, .. }
            | syntax::Kind::Repeat { body, .. } => {
                probed_lines(body, inner, paths);
            }
            syntax::Kind::Concat { branches } => probed_lines(branches, inner, paths),
            syntax::Kind::If { then, otherwise, .. } => {
                probed_lines(then, inner, paths);
                probed_lines(otherwise, inner, paths);
            }
            _ => {}
        }
    }
}

/// The network's own attributes; those of its layers are read with the lines.
pub(super) fn declaration(network: &syntax::Network, errors: &mut Errors) -> Declaration {
    let mut declaration = Declaration {
        text: String::new(),
        ident: network.name.clone(),
        vis: network.vis.clone(),
        docs: TokenStream::new(),
        family: Vec::new(),
        members: Vec::new(),
        fusion: Fusion::On,
        precision: Precision::F32,
        convolution: Convolution::Cheapest,
        dense_backward: DenseBackward::BySize,
        dumps: Vec::new(),
    };
    for attribute in &network.attributes {
        let source = Source::of(attribute.path());
        match word(attribute).as_str() {
            "doc" => declaration.docs.extend(attribute.to_token_stream()),
            "fusion" => match one_word(attribute).as_deref() {
                Some("off") => declaration.fusion = Fusion::Off,
                Some("both") => declaration.fusion = Fusion::Both,
                _ => {
                    let message = match one_word(attribute) {
                        Some(found) => format!("`fusion` is `off` or `both`, found `{found}`"),
                        None => "`fusion` is `off` or `both`".to_string(),
                    };
                    errors.push(Mistake::new(inside(attribute, source), message).help("write `off`; without the attribute kernels are fused"));
                }
            },
            "cuda" => match key_value(attribute) {
                Some((key, value)) if key == "precision" && value == "f32" => declaration.precision = Precision::F32,
                Some((key, value)) if key == "precision" && value == "tf32" => declaration.precision = Precision::Tf32,
                Some((key, value)) if key == "precision" && value == "bf16" => declaration.precision = Precision::Bf16,
                Some((key, value)) if key == "precision" => {
                    let near = if value.ends_with("16") { "bf16" } else { "tf32" };
                    let message = format!("`precision` is `f32`, `tf32` or `bf16`, found `{value}`");
                    errors.push(Mistake::new(last_inside(attribute, source), message).help(format!("write `{near}`")));
                }
                _ => errors.push(
                    Mistake::new(inside(attribute, source), "`cuda` takes a precision")
                        .help("`#[cuda(precision = tf32)]` lets products round to tf32; `f32` and `bf16` are the others"),
                ),
            },
            "cpu" => match key_value(attribute) {
                Some((key, value)) if key == "conv" && value == "direct" => {
                    declaration.convolution = Convolution::Direct;
                }
                Some((key, value)) if key == "conv" && value == "winograd" => {
                    declaration.convolution = Convolution::Winograd;
                }
                Some((key, value)) if key == "dense" && value == "streamed" => {
                    declaration.dense_backward = DenseBackward::Streamed;
                }
                Some((key, value)) if key == "dense" && value == "apart" => {
                    declaration.dense_backward = DenseBackward::Apart;
                }
                _ => errors.push(
                    Mistake::new(source, "`cpu` takes an algorithm")
                        .help("write `#[cpu(conv = direct)]`, `#[cpu(conv = winograd)]`, `#[cpu(dense = streamed)]` or `#[cpu(dense = apart)]`; without the attribute the cheaper one is taken"),
                ),
            },
            "dump" => dumps(attribute, &mut declaration, errors),
            _ => {}
        }
    }
    declaration
}

fn dumps(attribute: &Attribute, declaration: &mut Declaration, errors: &mut Errors) {
    const WORDS: [(&str, Dump); 5] = [
        ("graph", Dump::Graph),
        ("schedule", Dump::Schedule),
        ("memory", Dump::Memory),
        ("cuda", Dump::Cuda),
        ("cpu", Dump::Cpu),
    ];
    for argument in arguments(attribute, errors) {
        let text = argument.value.text();
        match WORDS.iter().find(|(word, _)| *word == text && argument.name.is_none()) {
            Some((_, dump)) => declaration.dumps.push(*dump),
            None => {
                let message = format!("`{text}` is no stage to dump");
                let help = format!("`dump` knows {}", listed(WORDS.iter().map(|(word, _)| *word)));
                errors.push(Mistake::new(argument.source, message).help(help));
            }
        }
    }
}

/// `frozen` of `#[frozen]`.
fn word(attribute: &Attribute) -> String {
    attribute.path().get_ident().map(Ident::to_string).unwrap_or_default()
}

/// The arguments in the parentheses of an attribute.
fn arguments(attribute: &Attribute, errors: &mut Errors) -> Vec<Argument> {
    let tokens = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
    };
    parse_arguments(tokens).unwrap_or_else(|e| {
        errors.push(syntax::diagnostic(e));
        Vec::new()
    })
}

/// What stands in the parentheses of an attribute, or its name.
fn inside(attribute: &Attribute, name: Source) -> Source {
    match &attribute.meta {
        Meta::List(list) if !list.tokens.is_empty() => Source::of(&list.tokens),
        Meta::List(_) | Meta::Path(_) | Meta::NameValue(_) => name,
    }
}

/// The last token there.
fn last_inside(attribute: &Attribute, name: Source) -> Source {
    let inside = inside(attribute, name);
    Source::at(inside.last)
}

fn one_word(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::List(list) => Some(list.tokens.to_string()),
        Meta::Path(_) | Meta::NameValue(_) => None,
    }
}

fn key_value(attribute: &Attribute) -> Option<(String, String)> {
    let mut ignored = Errors::default();
    let arguments = arguments(attribute, &mut ignored);
    ignored.discard();
    match arguments.as_slice() {
        [argument] => Some((argument.name.as_ref()?.to_string(), argument.value.text())),
        _ => None,
    }
}

impl Lowering<'_> {
    /// `#[name = "encoder.0"]`: what parameter names say instead of the label or the position.
    pub fn renamed(&mut self, attributes: &[Attribute]) -> Option<String> {
        let attribute = attributes.iter().find(|a| a.path().is_ident("name"))?;
        let source = match &attribute.meta {
            Meta::NameValue(pair) => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                    let name = text.value();
                    let sound = name
                        .split('.')
                        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
                    if !sound {
                        let message = format!("{name:?} is no parameter name");
                        let help = "letters, digits and `_`, joined by dots: `\"encoder.0\"`";
                        self.errors.push(Mistake::new(Source::at(text.span()), message).help(help));
                    }
                    return sound.then_some(name);
                }
                other => {
                    let text = syntax::constant::tokens_text(other);
                    let help = format!("write `\"{text}\"`");
                    self.complain(Source::of(other), format!("`name` takes a text in quotes, found `{text}`"), help);
                    return None;
                }
            },
            Meta::Path(_) | Meta::List(_) => Source::of(attribute.path()),
        };
        self.errors.push(Mistake::new(source, "`name` takes a text").help("write `#[name = \"encoder.0\"]`"));
        None
    }

    /// Complains about attributes that ask for something of parameters where a line has none. Before it `met` parameters and
    /// states were known.
    pub fn attributes_without_meaning(&mut self, line: &Line, met: (usize, usize)) {
        let what = match &line.kind {
            syntax::Kind::Input { .. } => "an `input`".to_string(),
            syntax::Kind::Target { .. } => "a `target`".to_string(),
            syntax::Kind::Loss(_) => "a `loss:`".to_string(),
            syntax::Kind::Output(_) => "an `output`".to_string(),
            syntax::Kind::From(_) => "a `from`".to_string(),
            syntax::Kind::Call(call) if self.tables.met() == met && self.current.value().is_some() => {
                format!("`{}`, which has no parameters", call.name)
            }
            _ => return,
        };
        let layer = matches!(line.kind, syntax::Kind::Call(_));
        // What is frozen does as in evaluation: it drops nothing and adds no noise. A block may hold either.
        let does_otherwise = match &line.kind {
            syntax::Kind::Call(call) => {
                let name = call.name.to_string();
                !crate::layers::ALL.iter().any(|layer| layer.name == name) || RANDOM.contains(&name.as_str())
            }
            _ => false,
        };
        let asks = |attribute: &&Attribute| {
            let word = word(attribute);
            word == "no_decay"
                || (word == "frozen" && !does_otherwise)
                || (!layer && matches!(word.as_str(), "probe" | "name" | "init"))
        };
        if let Some(attribute) = line.attributes.iter().find(asks) {
            let message = format!("`#[{}]` means nothing on {what}", word(attribute));
            let help = "remove it, or move it before a layer with parameters";
            self.complain(Source::of(attribute.path()), message, help);
        }
    }

    /// Run `inside` with what the attributes ask for.
    pub fn around(&mut self, attributes: &[Attribute], stands: Stands, inside: impl FnOnce(&mut Self)) {
        if attributes.is_empty() {
            return inside(self);
        }
        let outer = self.wishes.clone();
        for attribute in attributes {
            self.attribute(attribute, stands);
        }
        inside(self);
        self.wishes = outer;
    }

    fn attribute(&mut self, attribute: &Attribute, stands: Stands) {
        let network = stands == Stands::Network;
        let source = Source::of(attribute.path());
        let name = word(attribute);
        match name.as_str() {
            "doc" => {}
            "frozen" => match &attribute.meta {
                Meta::Path(_) => self.wishes.frozen = true,
                Meta::List(_) | Meta::NameValue(_) if network => {
                    let lines = self.lines_named(attribute, source);
                    self.frozen_lines.extend(lines);
                }
                Meta::List(_) | Meta::NameValue(_) => {
                    let message = "`#[frozen(…)]` with the names of lines stands on the network";
                    self.errors.push(Mistake::new(source, message).help("write `#[frozen]` on the group or layer"));
                }
            },
            "no_decay" => match &attribute.meta {
                Meta::Path(_) => {
                    let id = self.ask(String::new(), source);
                    self.used_wishes.push(id);
                    self.wishes.no_decay.push((String::new(), id));
                }
                Meta::List(_) | Meta::NameValue(_) => {
                    for AskedOfLine { path, source, .. } in self.lines_named(attribute, source) {
                        let id = self.ask(path.clone(), source);
                        self.wishes.no_decay.push((path, id));
                    }
                }
            },
            "init" => self.init_attribute(attribute, source, stands),
            "name" if network => {
                let message = "`name` stands on a group or a layer, not on the network";
                self.errors.push(Mistake::new(source, message).help("move it before the line whose name it is"));
            }
            "name" => {}
            "fusion" | "cuda" | "cpu" | "dump" if network => {}
            "fusion" | "cuda" | "cpu" | "dump" => {
                let message = format!("`{name}` stands on the network, not on a line of it");
                self.errors.push(Mistake::new(source, message).help("move it before `pub`"));
            }
            "probe" => match &attribute.meta {
                // Read where the line has its value.
                Meta::Path(_) if !network => {}
                Meta::List(_) if network => {
                    let lines = self.lines_named(attribute, source);
                    self.probed_lines.extend(lines);
                }
                Meta::Path(_) | Meta::List(_) | Meta::NameValue(_) => {
                    let help = "`#[probe]` stands on a line with a label, `#[probe(conv2, layer1.0)]` on the network";
                    self.errors.push(Mistake::new(source, "this `#[probe]` names no line").help(help));
                }
            },
            "cfg" | "cfg_attr" => {
                let message =
                    format!("`#[{name}]` cannot stand in `network!`: a macro does not know the configuration");
                let help = "a constant of the network and `if`: `<BIG = true>`, `if BIG { … }`";
                self.errors.push(Mistake::new(source, message).help(help));
            }
            other => {
                let other =
                    if other.is_empty() { attribute.path().to_token_stream().to_string() } else { other.into() };
                let mistake = Mistake::new(source, format!("there is no attribute `{other}`"));
                let (known, place) = if network { (ON_NETWORKS, "a network") } else { (ON_LINES, "a line") };
                let all = listed(known.iter().copied());
                self.errors.push(match closest(&other, known.iter().copied()) {
                    Some(near) => mistake.help(format!("did you mean `{near}`?")),
                    None if OF_RUST.contains(&other.as_str()) => mistake.help(format!(
                        "remove it: attributes of Rust stand beside the macro; before {place} stand {all}"
                    )),
                    None => mistake.help(format!("before {place} stand {all}")),
                });
            }
        }
    }

    /// The dotted names in the parentheses of an attribute.
    fn lines_named(&mut self, attribute: &Attribute, source: Source) -> Vec<AskedOfLine> {
        let name = word(attribute);
        let entries = self.entries(attribute);
        if entries.is_empty() {
            let help = format!("write `#[{name}(layer1, fc.bias)]` or `#[{name}]`");
            self.errors.push(Mistake::new(source, format!("`{name}` names nothing")).help(help));
        }
        let mut lines = Vec::new();
        for (path, value, source) in entries {
            if let Some(value) = value {
                let message = format!("`{name}` takes names, found `{path} = {}`", value.text());
                self.errors.push(Mistake::new(source, message).help(format!("write `#[{name}({path})]`")));
            } else {
                lines.push(AskedOfLine { path, source, found: false });
            }
        }
        lines
    }

    fn entries(&mut self, attribute: &Attribute) -> Vec<(String, Option<Argument>, Source)> {
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
        };
        parse_dotted(tokens).unwrap_or_else(|e| {
            self.errors.push(syntax::diagnostic(e));
            Vec::new()
        })
    }

    /// A number for something asked of parameters, to know in the end whether it found one.
    fn ask(&mut self, parameter: String, source: Source) -> usize {
        self.asked.push(Asked { parameter, source });
        self.asked.len() - 1
    }

    /// Whether the network's attributes ask for the line at this path.
    pub fn frozen_by_path(&mut self, path: &str) -> bool {
        let mut asked = false;
        for line in self.frozen_lines.iter_mut().filter(|line| line.path == path) {
            line.found = true;
            asked = true;
        }
        if !(self.frozen_lines.is_empty() && self.probed_lines.is_empty()) {
            self.paths.push(path.to_string());
        }
        asked
    }

    /// Keeps the value of a line that is to be looked at.
    pub fn probe(&mut self, line: &Line, path: &str, value: Option<Value>) {
        let own = line.attributes.iter().find(|a| a.path().is_ident("probe"));
        let mut source = own.map(|a| Source::of(a.path()));
        for asked in self.probed_lines.iter_mut().filter(|asked| asked.path == path) {
            asked.found = true;
            source = Some(asked.source);
        }
        let (Some(source), Some(value)) = (source, value) else { return };
        let handle = probe_handle(path);
        let complaint = if !handle.starts_with(|c: char| c.is_alphabetic()) {
            Some((format!("`{path}` is no name for a probe"), "give the line a label: `name: …`".to_string()))
        } else if ["PARAMETERS", "FORWARD_FLOPS", "TRAINING_BYTES_PER_SAMPLE"].contains(&handle.as_str()) {
            Some((format!("`{handle}` is taken: every network has it"), "give the line another label".to_string()))
        } else if self.probes.iter().any(|(other, _)| probe_handle(&other.name) == handle) {
            Some((format!("two probes are named `{handle}`"), "give one of the lines another label".to_string()))
        } else if !self.graph.shape(value).batch {
            Some((format!("`{path}` does not depend on any input"), "a probe looks at what samples do".to_string()))
        } else {
            None
        };
        if let Some((message, help)) = complaint {
            self.errors.push(Mistake::new(source, message).help(help));
            return;
        }
        self.probes.push((Probe { name: path.to_string(), source }, value));
    }

    /// For lines that have no place of their own among the names.
    pub fn no_probe(&mut self, attributes: &[Attribute]) {
        if let Some(attribute) = attributes.iter().find(|a| a.path().is_ident("probe")) {
            let message = "this `#[probe]` names no line";
            self.errors
                .push(Mistake::new(Source::of(attribute.path()), message).help("give the line a label: `name: …`"));
        }
    }

    fn init_attribute(&mut self, attribute: &Attribute, source: Source, stands: Stands) {
        let before = self.errors.len();
        let entries = self.entries(attribute);
        if entries.is_empty() && self.errors.len() == before {
            let help = "write `#[init(weight = KaimingNormal<mode = fan_out>, bias = Zeros)]`";
            self.errors.push(Mistake::new(source, "`init` names no parameter").help(help));
        }
        for (parameter, value, source) in entries {
            let Some(value) = value else {
                let message = format!("`{parameter}` is for no parameter");
                self.errors.push(Mistake::new(source, message).help(format!("write `weight = {parameter}`")));
                continue;
            };
            let dotted = parameter.contains('.');
            if dotted && stands != Stands::Network {
                let message = format!("`{parameter}` is the name of a parameter of the network");
                let help = "move the attribute to the network, or leave out the path: `weight = …`";
                self.errors.push(Mistake::new(source, message).help(help));
                continue;
            }
            let id = self.ask(parameter.clone(), source);
            let Some(init) = self.init(&value) else {
                self.used_wishes.push(id);
                continue;
            };
            let own = stands == Stands::Layer || dotted;
            self.wishes.inits.push(Wish { parameter, init, source: value.source, own, id });
        }
    }

    /// `#[init(wieght = …)]`, `#[frozen(layr1)]`: a name that nothing in the network has.
    pub fn check_attributes(&mut self) {
        if !self.training {
            return;
        }
        // A line that is applied again asks again, and finds its parameters there.
        let used: Vec<Source> = self.used_wishes.iter().map(|id| self.asked[*id].source).collect();
        for asked in &self.asked {
            if used.contains(&asked.source) {
                continue;
            }
            let message = format!("nothing here has a parameter `{}`", asked.parameter);
            let diagnostic = Mistake::new(asked.source, message);
            let names = self.tables.params.iter().flat_map(|p| {
                let (layer, own) = p.name.rsplit_once('.').unwrap_or(("", &p.name));
                [own, p.name.as_str(), layer]
            });
            let near = closest(&asked.parameter, names.filter(|name| !name.is_empty()));
            self.errors.push(match near.filter(|near| *near != asked.parameter) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("remove it"),
            });
        }
        for line in self.frozen_lines.iter().chain(&self.probed_lines).filter(|line| !line.found) {
            let diagnostic = Mistake::new(line.source, format!("no line of the network is named `{}`", line.path));
            self.errors.push(match closest(&line.path, self.paths.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => {
                    let tops: BTreeSet<&str> =
                        self.paths.iter().filter(|p| !p.contains('.')).map(String::as_str).collect();
                    diagnostic.help(format!("lines are {}", listed(tops.into_iter())))
                }
            });
        }
    }
}
