//! After the last line: outputs, unused values, duplicate names, and what the loss reaches.

use super::body::{Computed, Current, Lowering, OutputValue};
use super::calls::INPUTS;
use super::*;
use crate::graph::derivative::reached;
use crate::graph::op::{Leaf, Op};
use crate::graph::{DType, PortKind};
use std::collections::{HashMap, HashSet};

impl Lowering<'_> {
    /// The mode and its outputs, or nothing after a mistake.
    pub fn finish(&mut self, network: &syntax::Network) -> Option<(Mode, Vec<Port>)> {
        let name_source = Source::at(network.name.span());
        if self.errors.is_empty() {
            self.check_parameter_names();
            self.check_attributes();
        }
        let outputs = self.final_outputs(name_source);
        let loss = self.loss.clone();
        if !self.errors.is_empty() {
            return None;
        }
        let outputs: Vec<(Port, Value)> = outputs?
            .into_iter()
            .filter_map(|o| {
                let value = o.value?;
                let kind = PortKind::Dense(self.graph.shape(value).dims.clone());
                Some((Port { name: o.name, kind, source: o.source }, value))
            })
            .collect();
        let (ports, values): (Vec<Port>, Vec<Value>) = outputs.into_iter().unzip();
        if !network.intact {
            // What a line that could not be read would use is not known.
            return None;
        }
        self.check_outputs(&ports, &values);
        self.check_unused(&values);
        self.check_loss_reaches();
        if !self.errors.is_empty() {
            return None;
        }
        self.number_rows(&values);
        let mode = Mode {
            graph: std::mem::take(&mut self.graph),
            outputs: values,
            loss: loss.as_ref().and_then(|l| l.total),
            means: loss.as_ref().map_or_else(Vec::new, |l| l.means.clone()),
            correct: loss.as_ref().and_then(|l| l.correct),
            counted: loss.as_ref().and_then(|l| l.counted),
            assigns: std::mem::take(&mut self.tables.assigns),
            single: std::mem::take(&mut self.tables.single),
            probes: self.probes.iter().map(|(_, value)| *value).collect(),
        };
        Some((mode, ports))
    }

    /// Rows behind inputs, now that all of these are known.
    fn number_rows(&mut self, outputs: &[Value]) {
        let inputs = self.inputs.len();
        let known = |number: usize| if number < INPUTS { number } else { number - INPUTS + inputs };
        self.layers.iter_mut().flat_map(|row| &mut row.from).for_each(|from| *from = known(*from));
        let givers = outputs.iter().map(|v| self.giver(*v).map_or(0, |giver| known(self.numbered(giver))));
        self.returns = givers.collect();
    }

    fn final_outputs(&mut self, name_source: Source) -> Option<Vec<OutputValue>> {
        if let Some(outputs) = self.outputs.take() {
            return Some(outputs);
        }
        let (name, value, source) = match &self.loss {
            Some(loss) => match loss.predictions.as_slice() {
                [prediction] => {
                    let (name, value) = prediction.clone()?;
                    (name, value, loss.source)
                }
                _ if !self.errors.is_empty() => return None,
                several => {
                    let names: Vec<&str> = several.iter().flatten().map(|(name, _)| name.as_str()).collect();
                    let message = format!("the loss has {} terms, so `forward` has no default result", several.len());
                    // A prediction of no name is called `output`.
                    let help = match names.iter().find(|name| **name != "output") {
                        Some(name) => format!("say what it returns: `output {name};`"),
                        None => "name the line that gives it and say so: `logits: …; output logits;`".to_string(),
                    };
                    self.errors.push(Mistake::new(loss.source, message).help(help));
                    return None;
                }
            },
            None => match self.current {
                Current::Is(value) => ("output".into(), value, name_source),
                Current::Poisoned => return None,
                Current::Nothing => {
                    if !std::mem::replace(&mut self.complained, true) {
                        let message = format!("the network `{}` computes nothing", self.constants.owner);
                        self.errors.push(Mistake::new(name_source, message).help("add a layer"));
                    }
                    return None;
                }
            },
        };
        Some(vec![OutputValue { name, value: Some(value), source }])
    }

    fn check_outputs(&mut self, ports: &[Port], values: &[Value]) {
        for (port, value) in ports.iter().zip(values) {
            if !self.graph.shape(*value).batch || self.graph.ty(*value).dtype != DType::F32 {
                let message = format!("`{}` does not depend on any input", port.name);
                self.errors.push(Mistake::new(port.source, message).help("an output is computed from an input"));
                continue;
            }
            let needed = self.graph.reachable(&[*value]);
            let target = self.graph.values().find_map(|v| match self.graph.node(v).op {
                Op::Leaf(Leaf::Target(i)) if needed[v.index()] => Some(i),
                _ => None,
            });
            if let Some(target) = target {
                let name = &self.targets[target].name;
                let message = format!("`{}` depends on the target `{name}`, which `forward` does not get", port.name);
                let help = "say what it returns: `output scores;`, or declare the target as an `input`";
                self.errors.push(Mistake::new(port.source, message).help(help));
            }
        }
    }

    /// A dead value is reported where the dead part ends: what leads there is silent.
    fn check_unused(&mut self, outputs: &[Value]) {
        let mut roots = outputs.to_vec();
        roots.extend(self.loss.iter().flat_map(|l| l.total));
        roots.extend(self.computed.iter().filter(|c| c.exempt).map(|c| c.value));
        roots.extend(self.probes.iter().map(|(_, value)| *value));
        for (i, port) in self.inputs.iter().enumerate() {
            let value = self.graph.leaf(Leaf::Input(i)).unwrap_or(Value(0));
            let what = format!("the input `{}`", port.name);
            self.computed.push(Computed { value, source: port.source, what, exempt: port.name.starts_with('_') });
        }
        for (i, port) in self.targets.iter().enumerate() {
            let value = self.graph.leaf(Leaf::Target(i)).unwrap_or(Value(0));
            let what = format!("the target `{}`", port.name);
            self.computed.push(Computed { value, source: port.source, what, exempt: port.name.starts_with('_') });
        }
        let alive = self.graph.reachable(&roots);
        // Of each dead value its first place, and the last line that has it: a group rather than its last layer.
        let mut dead: Vec<Value> = Vec::new();
        let (mut lasts, mut seen) = (HashMap::new(), HashSet::new());
        for c in self.computed.iter().filter(|c| !alive[c.value.index()]) {
            lasts.insert(c.value, c);
            if !c.exempt && seen.insert(c.value) {
                dead.push(c.value);
            }
        }
        let taken: Vec<Value> = dead.iter().flat_map(|v| self.graph.node(*v).inputs.clone()).collect();
        let leads_on = self.graph.reachable(&taken);
        for value in dead.iter().filter(|v| !leads_on[v.index()]) {
            let last: &Computed = lasts[value];
            let message = format!("{} reaches no output and no loss", last.what);
            let help = if last.what.starts_with("the input") || last.what.starts_with("the target") {
                "use it, remove it, or let its name begin with `_`"
            } else {
                "use it, remove it, add it to `output`, or let its name begin with `_`"
            };
            self.errors.push(Mistake::new(last.source, message).help(help));
        }
    }

    fn check_parameter_names(&mut self) {
        let params = self.tables.params.iter().map(|p| (&p.name, p.source));
        let states = self.tables.states.iter().map(|s| (&s.name, s.source));
        let mut seen: std::collections::HashMap<&str, Source> = std::collections::HashMap::new();
        let mut layers: Vec<String> = Vec::new();
        for (name, source) in params.chain(states) {
            let Some(first) = seen.insert(name, source) else { continue };
            // One message per layer.
            let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer).to_string();
            if layers.contains(&layer) {
                continue;
            }
            let message = format!("two parameters are named `{name}`");
            let one_line = format!("{:?}", first.first) == format!("{:?}", source.first);
            let help = if one_line {
                "its line is there more than once: leave out its label, or give each use of its block one: `name: …`"
            } else {
                "give one of the lines around them a label: `name: …`"
            };
            self.errors.push(Mistake::new(source, message).help(help));
            layers.push(layer);
        }
    }

    fn check_loss_reaches(&mut self) {
        let Some((total, source)) = self.loss.as_ref().and_then(|l| Some((l.total?, l.source))) else { return };
        let trains = |found: Vec<bool>| {
            self.graph.values().any(|v| match self.graph.node(v).op {
                Op::Leaf(Leaf::Param(i)) => found[v.index()] && !self.tables.params[i].frozen,
                _ => false,
            })
        };
        if !trains(reached(&self.graph, total)) {
            let frozen = self.tables.params.iter().any(|p| p.frozen);
            let help = if trains(self.graph.reachable(&[total])) {
                "what it reaches stands before something without a slope, such as `Step`"
            } else if frozen {
                "everything it reaches is `#[frozen]`"
            } else {
                "add a layer with parameters, such as `Linear`"
            };
            self.errors.push(Mistake::new(source, "the loss reaches no trainable parameter").help(help));
        }
    }
}
