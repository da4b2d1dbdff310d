//! Graphs as stable text, for dumps, goldens and debugging: one line per node.
//!
//! ```text
//! %3 = conv.forward(%0, %1) k=5×5 p=2 : batch × [6, 28, 28]  # features.0
//! %4 = map(%3) max(a0, 0) : batch × [6, 28, 28]  # features.1
//! ```

use super::builder::dims_or_batch;
use super::expr::{Binary, Expr, Id, Scalar, Unary, Uniform};
use super::op::{ConvGeometry, Leaf, MoveOp, Op, WindowAxis};
use super::{DType, Graph, Type, Value, dims_text};
use std::fmt::{self, Display, Formatter};

impl Display for Value {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for value in self.values() {
            writeln!(f, "{}", self.line(value))?;
        }
        Ok(())
    }
}

impl Graph {
    /// The line of one node, without line end.
    pub fn line(&self, value: Value) -> String {
        let node = self.node(value);
        let inputs: Vec<String> = node.inputs.iter().map(Value::to_string).collect();
        let detail = detail(&node.op);
        let space = if detail.is_empty() { "" } else { " " };
        let operands = if matches!(node.op, Op::Leaf(_)) { String::new() } else { format!("({})", inputs.join(", ")) };
        let mut line = format!("{value} = {}{operands}{space}{detail} : {}", node.op.name(), type_text(&node.ty));
        if node.detached {
            line += " detached";
        }
        let layer = &self.layers[value.index()];
        if !layer.is_empty() {
            line += &format!("  # {layer}");
        }
        line
    }
}

fn type_text(ty: &Type) -> String {
    let dtype = match ty.dtype {
        DType::F32 => "",
        DType::I32 => " i32",
        DType::U8 => " u8",
        DType::Bool => " bool",
    };
    format!("{}{dtype}", dims_or_batch(&ty.shape))
}

/// What an operation is besides its name and operands.
fn detail(op: &Op) -> String {
    match op {
        Op::Leaf(Leaf::Input(i) | Leaf::Target(i) | Leaf::Param(i) | Leaf::State(i)) => i.to_string(),
        Op::Map(expr) => expr.to_string(),
        Op::Reduce { axes, batch, .. } => {
            let mut parts: Vec<String> = axes.iter().map(usize::to_string).collect();
            if *batch {
                parts.insert(0, "batch".into());
            }
            format!("over {}", parts.join(", "))
        }
        Op::Contract { lhs, rhs, out } => {
            let names = |list: &[u8]| -> String {
                list.iter().map(|n| if *n == 0 { 'N' } else { char::from(b'a' + (*n - 1) % 26) }).collect()
            };
            format!("{}, {} → {}", names(lhs), names(rhs), names(out))
        }
        Op::Conv { geometry, .. } => conv_text(geometry),
        Op::Window { axes, .. } => {
            let parts: Vec<String> =
                axes.iter().enumerate().filter(|(_, a)| !a.is_trivial()).map(|(i, a)| window_text(i, a)).collect();
            parts.join(", ")
        }
        Op::Table { axis, rows } => format!("axis {axis}, {} rows", rows.len()),
        Op::Move(op) => match op {
            MoveOp::Reshape(_) => String::new(),
            MoveOp::Transpose(perm) => dims_text(perm),
            MoveOp::Slice { axis, start, len } => format!("axis {axis}, {start}..{}", start + len),
            MoveOp::Concat { axis } => format!("axis {axis}"),
            MoveOp::Pad { axis, before, behind } => format!("axis {axis}, {before} before, {behind} behind"),
            MoveOp::Broadcast { .. } => String::new(),
        },
        Op::Gather => String::new(),
        Op::ScatterAdd { extent, .. } => format!("to {extent}"),
        Op::Random { stream } => format!("stream {stream}"),
        Op::Assign { state } => format!("to state {state}"),
    }
}

fn pair(p: [usize; 2]) -> String {
    if p[0] == p[1] { p[0].to_string() } else { format!("{}×{}", p[0], p[1]) }
}

fn conv_text(g: &ConvGeometry) -> String {
    let mut text = format!("k={}×{}", g.kernel[0], g.kernel[1]);
    let groups = [g.groups; 2];
    for (name, value, usual) in
        [("s", g.stride, [1; 2]), ("p", g.padding, [0; 2]), ("d", g.dilation, [1; 2]), ("g", groups, [1; 2])]
    {
        if value != usual {
            text += &format!(" {name}={}", pair(value));
        }
    }
    text
}

fn window_text(axis: usize, a: &WindowAxis) -> String {
    let mut text = format!("axis {axis} {}→{} k={} s={}", a.input, a.output, a.kernel, a.stride);
    if a.padding > 0 {
        text += &format!(" p={}", a.padding);
    }
    if a.dilation > 1 {
        text += &format!(" d={}", a.dilation);
    }
    text
}

/// A formula of `a0`, `a1`, … What is used more than once and is no leaf gets a name: `let t0 = …; …`.
impl Display for Expr {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let mut uses = vec![0; self.nodes().len()];
        for node in self.nodes() {
            match *node {
                Scalar::Input(_) | Scalar::Const(_) | Scalar::Index(_) | Scalar::Uniform(_) => {}
                Scalar::Unary(_, a) => uses[a.0 as usize] += 1,
                Scalar::Binary(_, a, b) => {
                    uses[a.0 as usize] += 1;
                    uses[b.0 as usize] += 1;
                }
                Scalar::Select(c, a, b) => [c, a, b].iter().for_each(|id| uses[id.0 as usize] += 1),
            }
        }
        // Text and binding strength of every node.
        let mut texts: Vec<(String, u8)> = Vec::with_capacity(uses.len());
        let mut names = 0;
        for (i, node) in self.nodes().iter().enumerate() {
            let (text, strength) = formula(*node, &texts);
            if uses[i] > 1 && strength < ATOM {
                write!(f, "let t{names} = {text}; ")?;
                texts.push((format!("t{names}"), ATOM));
                names += 1;
            } else {
                texts.push((text, strength));
            }
        }
        f.write_str(&texts[texts.len() - 1].0)
    }
}

const ATOM: u8 = 9;

fn formula(node: Scalar, texts: &[(String, u8)]) -> (String, u8) {
    let plain = |id: Id| texts[id.0 as usize].0.as_str();
    let within = |id: Id, least: u8| {
        let (text, strength) = &texts[id.0 as usize];
        if *strength < least { format!("({text})") } else { text.clone() }
    };
    let call = |name: &str, args: &[Id]| {
        let args: Vec<&str> = args.iter().map(|a| plain(*a)).collect();
        // A call is written out once, but it is no leaf: shared calls get a name.
        (format!("{name}({})", args.join(", ")), ATOM - 1)
    };
    match node {
        Scalar::Input(i) => (format!("a{i}"), ATOM),
        Scalar::Const(bits) => {
            let x = f64::from_bits(bits);
            (format!("{x}"), if x < 0.0 { 6 } else { ATOM })
        }
        Scalar::Index(axis) => (format!("index({axis})"), ATOM),
        Scalar::Uniform(Uniform::Batch) => ("batch".into(), ATOM),
        Scalar::Uniform(Uniform::Step) => ("step".into(), ATOM),
        Scalar::Uniform(Uniform::Counts(i)) => (format!("counts({i})"), ATOM),
        Scalar::Uniform(Uniform::Hyper(i)) => (format!("hyper({i})"), ATOM),
        Scalar::Unary(Unary::Neg, a) => (format!("-{}", within(a, 6)), 6),
        Scalar::Unary(Unary::Not, a) => (format!("!{}", within(a, 6)), 6),
        Scalar::Unary(op, a) => call(&format!("{op:?}").to_lowercase(), &[a]),
        Scalar::Binary(op @ (Binary::Pow | Binary::Min | Binary::Max), a, b) => {
            call(&format!("{op:?}").to_lowercase(), &[a, b])
        }
        Scalar::Binary(op, a, b) => {
            let (sign, strength) = match op {
                Binary::Add => ("+", 4),
                Binary::Sub => ("-", 4),
                Binary::Mul => ("*", 5),
                Binary::Div => ("/", 5),
                Binary::Lt => ("<", 3),
                Binary::Le => ("<=", 3),
                Binary::Gt => (">", 3),
                Binary::Ge => (">=", 3),
                Binary::Eq => ("==", 3),
                Binary::Ne => ("!=", 3),
                Binary::And => ("&&", 2),
                Binary::Or => ("||", 1),
                Binary::Pow | Binary::Min | Binary::Max => unreachable!("written as calls"),
            };
            (format!("{} {sign} {}", within(a, strength), within(b, strength + 1)), strength)
        }
        Scalar::Select(truth, a, b) => call("select", &[truth, a, b]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas() {
        let relu = Expr::build(2, |p, a| {
            let sum = p.add(a[0], a[1]);
            let zero = p.constant(0.0);
            p.binary(Binary::Max, sum, zero)
        });
        assert_eq!(relu.to_string(), "max(a0 + a1, 0)");
        let shared = Expr::build(3, |p, a| {
            let difference = p.sub(a[0], a[1]);
            let exp = p.unary(Unary::Exp, difference);
            let rest = p.sub(a[2], exp);
            let product = p.mul(exp, rest);
            p.sub(a[0], product)
        });
        assert_eq!(shared.to_string(), "let t0 = exp(a0 - a1); a0 - t0 * (a2 - t0)");
    }
}
