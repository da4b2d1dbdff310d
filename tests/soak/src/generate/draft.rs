//! A declaration while it is being written: its text so far, and what the next line finds.

use crate::dice::Dice;
use std::collections::BTreeSet;

/// Channels around what fills a vector, a block, and half of one.
pub const CHANNELS: [usize; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 17, 20, 31, 32, 33, 40];

/// Extents of images and sequences: even and odd, below and above a kernel, beyond a vector.
pub const EXTENTS: [usize; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 17];

/// How large a network may grow.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Elements of any value of a sample.
    pub elements: usize,
    /// Multiply-adds of any layer.
    pub products: usize,
}

impl Budget {
    /// For the interpreter, at a few samples.
    pub const INTERPRETED: Budget = Budget { elements: 700, products: 30_000 };
    /// For compiled networks.
    pub const COMPILED: Budget = Budget { elements: 1_500, products: 50_000 };
}

/// A declaration under way.
pub struct Draft {
    pub dice: Dice,
    pub budget: Budget,
    /// `input`, `target` and `param` lines at the top, and layers that are not part of the main line.
    pub header: String,
    pub body: String,
    /// Of the current value.
    pub shape: Vec<usize>,
    /// Whether a gradient that arrives at the current value reaches a parameter.
    pub trains: bool,
    /// `fn`s and blocks in use.
    pub items: BTreeSet<&'static str>,
    pub depth: usize,
    names: usize,
    /// Values of the main line that later lines may use, and their extents.
    values: Vec<(String, Vec<usize>)>,
    /// Labelled lines, what they take and give, and the depth at which they stand.
    labels: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Constants of a family: name and members.
    pub family: Option<(&'static str, [usize; 2])>,
    pub probes: usize,
}

impl Draft {
    pub fn new(dice: Dice, budget: Budget) -> Draft {
        Draft {
            dice,
            budget,
            header: String::new(),
            body: String::new(),
            shape: Vec::new(),
            trains: false,
            items: BTreeSet::new(),
            depth: 0,
            names: 0,
            values: Vec::new(),
            labels: Vec::new(),
            family: None,
            probes: 0,
        }
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// A name that nothing else has.
    pub fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A line that gives this shape; none if the value would be too large.
    pub fn line(&mut self, text: &str, shape: Vec<usize>) -> bool {
        if shape.contains(&0) || shape.iter().product::<usize>() > self.budget.elements {
            return false;
        }
        let indent = "    ".repeat(self.depth + 2);
        self.body += &format!("{indent}{text}\n");
        self.shape = shape;
        true
    }

    /// A line that keeps the shape.
    pub fn same(&mut self, text: &str) -> bool {
        let shape = self.shape.clone();
        self.line(text, shape)
    }

    /// A line of a layer with parameters: sometimes labelled, frozen or looked into, sometimes applied again later.
    pub fn layer(&mut self, call: &str, shape: Vec<usize>) -> bool {
        if shape.iter().product::<usize>() > self.budget.elements {
            return false;
        }
        let from = self.shape.clone();
        let (label, frozen) = (self.dice.chance(30), self.dice.chance(6));
        let mut text = String::new();
        if frozen {
            text += "#[frozen] ";
        } else if self.dice.chance(5) {
            text += self.dice.pick(&["#[no_decay] ", "#[init(weight = Normal<0, 0.2>)] "]);
        }
        let renamed = label && self.depth == 0 && self.dice.chance(8);
        if label {
            let name = self.name("l");
            if self.probes == 0 && self.depth == 0 && self.dice.chance(15) {
                self.probes += 1;
                text = format!("#[probe] {text}");
            }
            if renamed {
                text = format!("#[name = \"parts.{name}\"] {text}");
            }
            text += &format!("{name}: ");
            if !frozen {
                self.labels.push((name, from, shape.clone()));
            }
        }
        self.trains |= !frozen;
        self.line(&format!("{text}{call};"), shape)
    }

    /// The current value gets a name, by a line that changes nothing.
    pub fn named(&mut self) -> String {
        let name = self.name("v");
        let line = if self.dice.chance(70) {
            self.items.insert(super::functions::SAME);
            format!("same as {name};")
        } else {
            format!("Tanh as {name};")
        };
        self.same(&line);
        self.values.push((name.clone(), self.shape.clone()));
        name
    }

    /// An earlier value of these extents.
    pub fn earlier(&mut self, shape: &[usize]) -> Option<String> {
        self.earlier_that(|own| own == shape)
    }

    /// An earlier value that broadcasts to these extents.
    pub fn earlier_to_broadcast(&mut self, shape: &[usize]) -> Option<String> {
        self.earlier_that(|own| own.len() == shape.len() && own.iter().zip(shape).all(|(a, b)| a == b || *a == 1))
    }

    fn earlier_that(&mut self, fits: impl Fn(&[usize]) -> bool) -> Option<String> {
        let fitting: Vec<usize> = (0..self.values.len()).filter(|i| fits(&self.values[*i].1)).collect();
        if fitting.is_empty() {
            return None;
        }
        let chosen = self.dice.pick(&fitting);
        Some(self.values[chosen].0.clone())
    }

    /// A labelled line that takes the current value.
    pub fn again(&mut self) -> Option<(String, Vec<usize>)> {
        let fitting: Vec<usize> = (0..self.labels.len()).filter(|i| self.labels[*i].1 == self.shape).collect();
        if fitting.is_empty() {
            return None;
        }
        let (name, _, to) = self.labels[self.dice.pick(&fitting)].clone();
        Some((name, to))
    }

    /// Another labelled line, of a group.
    pub fn remember(&mut self, label: String, from: Vec<usize>) {
        self.labels.push((label, from, self.shape.clone()));
    }

    /// What `work` writes, or nothing of it where it says that nothing fits.
    pub fn attempt(&mut self, work: impl FnOnce(&mut Draft) -> bool) -> bool {
        let (body, header) = (self.body.len(), self.header.len());
        let (values, labels) = (self.values.len(), self.labels.len());
        let (shape, items) = (self.shape.clone(), self.items.clone());
        let (trains, depth, probes) = (self.trains, self.depth, self.probes);
        let done = work(self);
        if !done {
            self.body.truncate(body);
            self.header.truncate(header);
            self.values.truncate(values);
            self.labels.truncate(labels);
            (self.shape, self.items) = (shape, items);
            (self.trains, self.depth, self.probes) = (trains, depth, probes);
        }
        done
    }

    /// `open` … `}` around what `inner` writes; names in it are not visible behind it.
    pub fn braces(&mut self, open: &str, inner: impl FnOnce(&mut Draft) -> bool) -> bool {
        self.attempt(|d| {
            let (values, labels) = (d.values.len(), d.labels.len());
            let indent = "    ".repeat(d.depth + 2);
            d.body += &format!("{indent}{open} {{\n");
            d.depth += 1;
            let done = inner(d);
            d.depth -= 1;
            d.body += &format!("{indent}}}\n");
            d.values.truncate(values);
            d.labels.truncate(labels);
            done
        })
    }

    /// A value from outside of the main line with extents that broadcast to the current ones: all of them, those of a
    /// channel, of a position, or one number.
    pub fn broadcastable(&mut self) -> Vec<usize> {
        let mut dims = self.shape.clone();
        match self.dice.below(5) {
            0 => dims.fill(1),
            1 => dims[1..].fill(1),
            2 => dims[0] = 1,
            3 => {
                for d in &mut dims {
                    if self.dice.chance(40) {
                        *d = 1;
                    }
                }
            }
            _ => {}
        }
        dims
    }

    /// A `param` of these extents, at its place in the body.
    pub fn param(&mut self, dims: &[usize]) -> String {
        let name = self.name("p");
        let start = self.dice.pick(&["Zeros", "Constant<0.5>", "Ones", "Normal<0, 0.5>"]);
        self.same(&format!("param {name}: {dims:?} = {start};"));
        self.trains = true;
        name
    }

    /// Another input of these extents.
    pub fn input(&mut self, dims: &[usize]) -> String {
        let name = self.name("x");
        self.header += &format!("        input {name}: {dims:?};\n");
        name
    }
}
