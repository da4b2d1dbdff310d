//! `loss:`: weighted terms, what each compares with, what it is divided by, and the count of right answers.

use super::body::{LossValue, Lowering};
use super::calls::shape_text;
use super::names::{FactKind, trail};
use super::*;
use crate::graph::builder::Builder;
use crate::graph::expr::{Binary, Id, Pool, Unary, Uniform};
use crate::graph::op::{Leaf, Op, ReduceOp};
use crate::graph::{Mean, dims_text};
use crate::layers::args::{Args, Surplus};
use crate::layers::site::{Site, Trail, Wishes};
use crate::layers::{self, Average, Loss, Truth};
use crate::syntax::constant::{LARGEST_NUMBER, is_finite};
use crate::syntax::{Call, Operand, Term};

impl Lowering<'_> {
    pub fn loss_line(&mut self, terms: &[Term], source: Source) {
        if self.loss.is_some() || !self.calls.is_empty() {
            let message = if self.loss.is_some() { "the loss is already given" } else { "a block has no `loss:`" };
            self.errors.push(Mistake::new(source, message).help("one line adds all terms: `loss: A(…) + 0.3 * B(…);`"));
            return;
        }
        let mut lost =
            LossValue { total: None, means: Vec::new(), correct: None, counted: None, predictions: Vec::new(), source };
        let mut weighted: Vec<Option<(f64, Average)>> = Vec::new();
        for term in terms {
            let weight = self.term_weight(term);
            let value = self.term(&term.call, &mut lost);
            weighted.push(weight.zip(value));
        }
        if let Some(terms) = weighted.into_iter().collect::<Option<Vec<_>>>() {
            let (total, means) = self.total(&terms, source);
            (lost.total, lost.means) = (Some(total), means);
        }
        self.loss = Some(lost);
    }

    /// All terms added up, and the means that they are, unless samples are all that any is divided by.
    fn total(&mut self, terms: &[(f64, Average)], source: Source) -> (Value, Vec<Mean>) {
        let weights = self.weights(terms);
        let several = weights.len() > 1;
        let mut b = Builder { graph: &mut self.graph, source, layer: "loss".into() };
        let mut values: Vec<(f64, Value, usize)> = Vec::new();
        for (factor, term) in terms {
            // What is the same for any batch joins the first mean.
            let mean = weights.iter().position(|(_, members)| members.contains(&values.len())).unwrap_or(0);
            // Left out by a choice, not by a factor: where a part of a batch has no weight, its mean is no number.
            let counted = |p: &mut Pool, value: Id, otherwise: f64| {
                if !several {
                    return value;
                }
                let (counts, zero) = (p.uniform(Uniform::Counts(mean as u32)), p.constant(0.0));
                let truth = p.binary(Binary::Gt, counts, zero);
                let otherwise = p.constant(otherwise);
                p.select(truth, value, otherwise)
            };
            let value = match *term {
                Average::OverSamples(value) if !several => value,
                Average::OverSamples(value) => b.map1(value, |p, value| counted(p, value, 0.0)),
                Average::Weighted { sum, weight } => b.map2(sum, weight, |p, sum, weight| {
                    let (sum, weight) = (counted(p, sum, 0.0), counted(p, weight, 1.0));
                    p.div(sum, weight)
                }),
            };
            values.push((*factor, value, mean));
        }
        let mut sum = |terms: &[(f64, Value, usize)]| match terms {
            [(1.0, value, _)] => *value,
            _ => {
                let operands: Vec<Value> = terms.iter().map(|(_, value, _)| *value).collect();
                b.map(&operands, |p, v| {
                    let parts: Vec<_> = v.iter().zip(terms).map(|(v, (factor, ..))| p.scale(*factor, *v)).collect();
                    parts[1..].iter().fold(parts[0], |a, b| p.add(a, *b))
                })
            }
        };
        let total = sum(&values);
        let means = match weights.as_slice() {
            [] | [(None, _)] => Vec::new(),
            [(weight, _)] => vec![Mean { value: total, weight: *weight }],
            several => {
                let own = |mean: usize| values.iter().copied().filter(|(.., of)| *of == mean).collect::<Vec<_>>();
                let each = several.iter().enumerate();
                each.map(|(mean, (weight, _))| Mean { value: sum(&own(mean)), weight: *weight }).collect()
            }
        };
        (total, means)
    }

    /// What terms are divided by (`None` is the number of samples), each with the terms that are.
    fn weights(&self, terms: &[(f64, Average)]) -> Vec<(Option<Value>, Vec<usize>)> {
        let mut weights: Vec<(Option<Value>, Vec<usize>)> = Vec::new();
        for (number, (_, term)) in terms.iter().enumerate() {
            let weight = match *term {
                Average::OverSamples(value) if !self.graph.depends_on_batch(value) => continue,
                Average::OverSamples(_) => None,
                Average::Weighted { weight, .. } => Some(weight),
            };
            let same = |other: &Option<Value>| match (*other, weight) {
                (Some(a), Some(b)) => self.graph.alike(a, b),
                (a, b) => a == b,
            };
            match weights.iter_mut().find(|(other, _)| same(other)) {
                Some((_, members)) => members.push(number),
                None => weights.push((weight, vec![number])),
            }
        }
        weights
    }

    fn term_weight(&mut self, term: &Term) -> Option<f64> {
        let sign = if term.negative { -1.0 } else { 1.0 };
        let Some(weight) = &term.weight else { return Some(sign) };
        match self.constants.argument(weight).map(|number| (number, number.float())) {
            Ok((_, Some(value))) if is_finite(value) => Some(sign * value),
            Ok((_, Some(value))) => {
                let message = format!("the weight of a loss term is a finite number, found {value:e}");
                self.errors.push(Mistake::new(weight.source, message).help(LARGEST_NUMBER));
                None
            }
            Ok((number, None)) => {
                let message = format!("the weight of a loss term is a number, found {}", number.text());
                self.errors.push(Mistake::new(weight.source, message).help("write a number, as in `0.3 * Mse(_, y)`"));
                None
            }
            Err(diagnostic) => {
                self.errors.push(diagnostic);
                None
            }
        }
    }

    fn unknown_loss(&self, call: &Call) -> Diagnostic {
        let name = call.name.to_string();
        let mut source = Source::at(call.name.span());
        if let Some((first, _)) = &call.qualifier {
            source.first = first.span();
        }
        let diagnostic = if layers::find(&name).is_some() {
            Mistake::new(source, format!("`{name}` is a layer, not a loss"))
        } else {
            Mistake::new(source, format!("there is no loss `{name}`"))
        };
        let names = || layers::LOSSES.iter().map(|l| l.name);
        match foreign::ours(&name).filter(|ours| layers::find_loss(ours).is_some()) {
            Some(ours) => diagnostic.help(match habits::loss(call) {
                Some(term) => format!("write `{term}`"),
                None => format!("write `{ours}`"),
            }),
            None => match crate::layers::args::closest(&name, names()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("losses are {}", listed(names()))),
            },
        }
    }

    fn term(&mut self, call: &Call, lost: &mut LossValue) -> Option<Average> {
        let name_source = Source::at(call.name.span());
        let known = layers::find_loss(&call.name.to_string()).filter(|_| call.qualifier.is_none());
        let Some(loss) = known else {
            let diagnostic = self.unknown_loss(call);
            self.errors.push(diagnostic);
            lost.predictions.push(None);
            return None;
        };
        let constants = self.constants.clone();
        let operands = call.operands.as_deref().unwrap_or_default();
        if let Some(diagnostic) = self.no_operands(loss, call, operands) {
            self.errors.push(diagnostic);
            lost.predictions.push(None);
            return None;
        }
        let args = Args::read(call, loss.arguments, Surplus::Nothing, loss.usage, &constants, None, self.errors);
        let (prediction_operand, truth_operand) = match (operands, loss.truth) {
            ([value], Truth::Nothing) => (value, None),
            ([prediction, truth], Truth::Class | Truth::Dense) => (prediction, Some(truth)),
            (_, truth) => {
                let takes = if truth == Truth::Nothing { "a value" } else { "a prediction and a truth" };
                let message = format!("`{}` takes {takes}, found {}", loss.name, counted(operands.len(), "value"));
                self.errors.push(Mistake::new(name_source, message).help(format!("`{}`", loss.usage)));
                lost.predictions.push(None);
                return None;
            }
        };
        let prediction = self.operand(prediction_operand);
        lost.predictions.push(prediction.map(|value| {
            let name = match prediction_operand {
                Operand::Path(path) => path.segments.last().map(Ident::to_string),
                _ => None,
            };
            (name.unwrap_or_else(|| "output".into()), value)
        }));
        let truth = truth_operand.map(|operand| self.truth(operand, loss).map(|truth| (truth, operand)));
        let (args, prediction) = (args?, prediction?);
        let mut inputs = vec![prediction];
        let mut class_truth = None;
        if let Some(truth) = truth {
            let ((truth, class), operand) = truth?;
            if self.refuses_ids(&[prediction, truth], loss.name, name_source) {
                return None;
            }
            if !self.graph.shape(prediction).batch {
                let message = "the prediction does not depend on any input";
                let help = "compare what is computed from an input: `_` is the last line's value; a penalty on parameters \
                            is `Mean(square(w))` with `fn square(x) { x * x }`";
                self.errors.push(Mistake::new(prediction_operand.source(), message).help(help));
                return None;
            }
            self.check_shapes(loss, (prediction, prediction_operand), (truth, class, operand), name_source)?;
            self.check_producer(loss, prediction, name_source)?;
            inputs.push(truth);
            class_truth = class.and(Some(truth));
        }
        let facts = &self.facts;
        let trail = || trail(facts, prediction);
        let wishes = Wishes::default();
        let mut site = Site {
            args,
            inputs,
            b: Builder { graph: &mut self.graph, source: name_source, layer: "loss".into() },
            tables: self.tables,
            path: String::new(),
            training: self.training,
            wishes: &wishes,
            used: &mut self.used_wishes,
            trail: Trail::told_by(&trail),
            ids: None,
        };
        let value = match (loss.lower)(&mut site) {
            Ok(value) => value,
            Err(diagnostic) => {
                self.errors.push(diagnostic);
                return None;
            }
        };
        if let (Some(truth), None) = (class_truth, lost.correct) {
            lost.correct = Some(self.correct(prediction, truth, name_source));
            if let Op::Leaf(Leaf::Target(target)) = self.graph.node(truth).op {
                lost.counted = Some(Counted { target, scores: prediction });
            }
        }
        Some(value)
    }

    /// Operands that are none, too few, or in the wrong order, where it is known what was meant.
    fn no_operands(&self, loss: &Loss, call: &Call, operands: &[Operand]) -> Option<Diagnostic> {
        let arguments = crate::syntax::arguments_text(&call.arguments);
        for operand in operands {
            let Operand::Other(tokens) = operand else { continue };
            let (source, message) = habits::odd_operand(tokens)?;
            let help =
                habits::loss(call).map_or(format!("for example `{}`", loss.usage), |term| format!("write `{term}`"));
            return Some(Mistake::new(source, message).help(help));
        }
        let target = |operand: &Operand| match operand {
            Operand::Path(path) if path.segments.len() == 1 => {
                self.targets.iter().any(|port| path.segments[0] == port.name)
            }
            _ => false,
        };
        if let [first, second] = operands
            && target(first)
            && !target(second)
        {
            let message = format!("`{}` takes the prediction first, then the truth", loss.name);
            let help = format!(
                "write `{}{arguments}({}, {})`",
                loss.name,
                habits::operand_text(second),
                habits::operand_text(first)
            );
            return Some(Mistake::new(first.source(), message).help(help));
        }
        let values = call.arguments.iter().filter(|a| a.name.is_none()).collect::<Vec<_>>();
        if let ([], [first, _]) = (operands, values.as_slice()) {
            let named: Vec<Argument> = call.arguments.iter().filter(|a| a.name.is_some()).cloned().collect();
            let texts: Vec<String> = values.iter().map(|a| a.value.text()).collect();
            let message = format!("values of `{}` stand in `(…)`", loss.name);
            let help = format!("write `{}{}({})`", loss.name, crate::syntax::arguments_text(&named), texts.join(", "));
            return Some(Mistake::new(first.source, message).help(help));
        }
        if let ([] | [Operand::Current(_)], [target], true) =
            (operands, self.targets.as_slice(), loss.truth != Truth::Nothing)
        {
            let message =
                format!("`{}` takes a prediction and a truth, found {}", loss.name, counted(operands.len(), "value"));
            let help = format!("write `{}{arguments}(_, {})`", loss.name, target.name);
            return Some(Mistake::new(Source::at(call.name.span()), message).help(help));
        }
        if let ([Operand::Path(path)], true) = (operands, loss.truth != Truth::Nothing)
            && path.segments.last().is_some_and(|last| last == "weight" || last == "bias")
        {
            let message =
                format!("`{}` compares a prediction with a truth, and `{}` is a parameter", loss.name, path.text());
            let help = "weights are kept small by the optimizer's `weight_decay`";
            return Some(Mistake::new(path.source(), message).help(help));
        }
        None
    }

    /// The value compared with, and the number of classes if it is a class.
    fn truth(&mut self, operand: &Operand, loss: &Loss) -> Option<(Value, Option<usize>)> {
        match operand {
            Operand::Call(call) if call.name == "one_hot" => Some((self.one_hot(call)?, None)),
            Operand::Path(path) => {
                let value = self.resolve(path)?;
                match self.facts.get(&value).map(|f| f.kind.clone()) {
                    Some(FactKind::Class(classes)) if loss.truth == Truth::Dense => {
                        let name = path.text();
                        let message =
                            format!("`{}` compares with dense values, but `{name}` is class<{classes}>", loss.name);
                        let help = format!("write `one_hot({name})`, or use `CrossEntropy`");
                        self.errors.push(Mistake::new(path.source(), message).help(help));
                        None
                    }
                    Some(FactKind::Class(classes)) => Some((value, Some(classes))),
                    _ => Some((value, None)),
                }
            }
            _ => self.operand(operand).map(|value| (value, None)),
        }
    }

    fn check_shapes(
        &mut self,
        loss: &Loss,
        (prediction, at): (Value, &Operand),
        (truth, class, truth_at): (Value, Option<usize>, &Operand),
        source: Source,
    ) -> Option<()> {
        let dims = self.graph.shape(prediction).dims.clone();
        let source = match at {
            Operand::Current(_) => source,
            other => other.source(),
        };
        let truth_text = match truth_at {
            Operand::Path(path) => format!("`{}`", path.text()),
            Operand::Call(call) => format!("`{}(…)`", call.name),
            _ => "the truth".into(),
        };
        let diagnostic = match (loss.truth, class) {
            (Truth::Class, Some(1)) => {
                let message = format!("{truth_text} has 1 class, so there is nothing to learn");
                let help = "two classes are `class<2>`; a yes or no is `target y: [1];` with `BceWithLogits`";
                Mistake::new(truth_at.source(), message).help(help)
            }
            (Truth::Class, None) => {
                let message = format!(
                    "`{}` compares with a class, but {truth_text} has shape {}",
                    loss.name,
                    shape_text(self, truth)
                );
                let help = match truth_at {
                    Operand::Path(path) => {
                        format!(
                            "`target {}: class<{}>;`, or a loss of dense values such as `Mse`",
                            path.text(),
                            dims.first().unwrap_or(&1)
                        )
                    }
                    _ => "write the class target itself".into(),
                };
                Mistake::new(truth_at.source(), message).help(help)
            }
            (Truth::Class, Some(classes)) if dims != [classes] => {
                let message = format!(
                    "{truth_text} has {classes} classes, but the prediction has shape {}, not [{classes}]",
                    dims_text(&dims)
                );
                let help = if dims.len() == 1 {
                    format!("end with `Linear<{classes}>;`, or declare `class<{}>`", dims[0])
                } else {
                    format!("end with `Flatten; Linear<{classes}>;`")
                };
                Mistake::new(source, message).help(help).trail(self.trail(prediction))
            }
            (Truth::Dense, _) if self.graph.shape(truth).dims != dims => {
                let message = format!(
                    "the prediction has shape {}, but {truth_text} has {}",
                    dims_text(&dims),
                    shape_text(self, truth)
                );
                let help = "both must have the same shape";
                Mistake::new(source, message).help(help).trail(self.trail(prediction))
            }
            _ => return Some(()),
        };
        self.errors.push(diagnostic);
        None
    }

    /// (Log)Softmax into `CrossEntropy`, `Nll` without `LogSoftmax`, …
    fn check_producer(&mut self, loss: &Loss, prediction: Value, source: Source) -> Option<()> {
        let producer = self.facts.get(&prediction).map(|f| f.layer.clone()).unwrap_or_default();
        let Some(wrong) = layers::misfit::misfit(loss.name, &producer) else { return Some(()) };
        let source = if wrong.at_layer { self.graph.sources[prediction.index()] } else { source };
        self.errors.push(Mistake::new(source, wrong.message).help(wrong.help));
        None
    }

    /// How many samples have their largest score at the class.
    fn correct(&mut self, prediction: Value, label: Value, source: Source) -> Value {
        let mut b = Builder { graph: &mut self.graph, source, layer: "correct".into() };
        let best = b.reduce(ReduceOp::ArgMax, prediction, &[0], false);
        let hit = b.map2(best, label, |p, best, label| {
            let hit = p.binary(Binary::Eq, best, label);
            p.unary(Unary::Float, hit)
        });
        let sum = b.sum(hit, &[], true);
        b.reshape(sum, &[])
    }
}
