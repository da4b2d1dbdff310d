//! The plan as a tree of stable text: kernels in order, what each computes, reads and stores.

use super::lanes::Step;
use super::winograd::Choice;
use super::{Form, Iter, Rows, Schedule, Storage};
use crate::graph::Value;
use crate::graph::dims_text;
use std::fmt::Write;

impl Schedule {
    /// One block per kernel.
    pub fn text(&self) -> String {
        let mut text = format!("program {}: {} kernels\n", self.program.kind.name(), self.kernels.len());
        for (k, kernel) in self.kernels.iter().enumerate() {
            let choice = kernel.nodes.iter().find_map(|v| self.choices.get(v)).map(estimates).unwrap_or_default();
            writeln!(text, "k{k} {}{choice}  # {}", describe(&kernel.form), self.layers(&kernel.nodes)).expect(STRING);
            for &value in &kernel.nodes {
                let node = self.graph().node(value);
                let inputs: Vec<String> = node.inputs.iter().map(|i| format!("%{}", self.base(*i).0)).collect();
                let batch = if node.ty.shape.batch { "batch × " } else { "" };
                let dims = dims_text(&node.ty.shape.dims);
                let store = if kernel.stores.contains(&value) { self.place(value) } else { String::new() };
                let (name, inputs) = (node.op.name(), inputs.join(", "));
                writeln!(text, "   %{} = {name}({inputs}) : {batch}{dims}{store}", value.0).expect(STRING);
            }
            let reads: Vec<String> = kernel.reads.iter().map(|v| format!("%{}", v.0)).collect();
            writeln!(text, "   reads {}", reads.join(" ")).expect(STRING);
        }
        for (value, part) in &self.within {
            writeln!(text, "%{} lies in %{} from {} on", value.0, part.whole.0, part.at).expect(STRING);
        }
        text
    }

    /// The layers whose nodes these are, in order, without repeats.
    pub fn layers(&self, nodes: &[Value]) -> String {
        let mut seen: Vec<&str> = Vec::new();
        for value in nodes {
            let layer = self.graph().layers[value.index()].as_str();
            if !seen.contains(&layer) {
                seen.push(layer);
            }
        }
        seen.join(", ")
    }

    fn place(&self, value: Value) -> String {
        match self.storage(value) {
            Some(Storage::Batch) => " → batch".into(),
            Some(Storage::Fixed) => " → fixed".into(),
            Some(Storage::Derived) => " → derived".into(),
            Some(Storage::Grad(p)) => format!(" → gradient {p}"),
            Some(Storage::State(i)) => format!(" → state {i}"),
            Some(Storage::Param(p)) => format!(" → parameter {p}"),
            Some(Storage::Port(i)) => format!(" → port {i}"),
            None => String::new(),
        }
    }
}

const STRING: &str = "writing to a string";

/// What the way taken to compute a convolution should take, and the other one.
fn estimates(choice: &Choice) -> String {
    let micro = |nanos: u64| nanos as f64 / 1000.0;
    let Choice { winograd, batch, direct, by_winograd } = *choice;
    let (direct, by_winograd) = (micro(direct), micro(by_winograd));
    if winograd {
        format!(", {by_winograd:.1} µs by winograd for {batch}, directly {direct:.1}")
    } else {
        format!(", {direct:.1} µs directly for {batch}, by winograd {by_winograd:.1}")
    }
}

fn describe(form: &Form) -> String {
    let walk = |i: &Iter| {
        let batch = if i.batch { "batch × " } else { "" };
        format!("{batch}{} channels × {} pixels", i.channels, i.pixels)
    };
    let detail = match form {
        Form::Map(iter) | Form::Row { iter, .. } => walk(iter),
        Form::Moments { iter, tiled, .. } => format!("{}{}", walk(iter), if *tiled { ", from tiles" } else { "" }),
        Form::Column { iter, reduced } => {
            let gone = [("batch", reduced.batch), ("channels", reduced.channels), ("pixels", reduced.pixels)];
            let gone: Vec<&str> = gone.iter().filter(|g| g.1).map(|g| g.0).collect();
            format!("{} over {}", walk(iter), gone.join(", "))
        }
        Form::Dense(d) | Form::DenseBackward(d) => format!("{} → {}", d.channels * d.pixels, d.outputs),
        Form::Conv { geometry: g, planar, .. }
        | Form::ConvFlipped { geometry: g, planar, .. }
        | Form::ConvWeight { geometry: g, planar, .. } => {
            let order = if *planar { "rows" } else { "blocks" };
            format!("{}×{}×{} → {}, {order}", g.channels, g.kernel[0], g.kernel[1], g.outputs)
        }
        Form::Winograd { geometry: g, own, .. } | Form::WinogradWeights { geometry: g, own, .. } => {
            let own = if *own > 0 { format!(", own weights up to batch {own}") } else { String::new() };
            format!("{}×{}×{} → {}{own}", g.channels, g.kernel[0], g.kernel[1], g.outputs)
        }
        Form::Window { axes: [y, x], .. } => format!("{}×{}", y.kernel, x.kernel),
        Form::Block(stages) => stages.iter().map(|stage| stage.form.name()).collect::<Vec<_>>().join(", "),
        Form::Lanes(chain) => {
            let step = |step: &Step| step.stages().map(|stage| stage.form.name()).collect::<Vec<_>>().join(" + ");
            chain.steps.iter().map(step).collect::<Vec<_>>().join(", ")
        }
        Form::Rows(rows) => match rows {
            Rows::Gather { data, index, .. } | Rows::ScatterAdd { data, index, .. } => {
                format!("{} of {} rows of {}", index.rows.extent, data.rows.extent, data.length)
            }
            Rows::Table { outer, inner } => format!("{outer} × {inner}"),
        },
        Form::Scalar => String::new(),
    };
    format!("{} {detail}", form.name()).trim_end().to_string()
}
