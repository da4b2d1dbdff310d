//! Element-wise expressions as C++: `const float e3 = e1 * 0.5f;`.
//!
//! Single precision, in the order in which the expression was written. Compilers must not contract `a * b + c`
//! (`--fmad=false`, `-ffp-contract=off`): the same rule gives the same bits wherever it is inlined, and those of the CPU
//! where no function is called.

use crate::graph::expr::{Binary, Id, Pool, Scalar, Unary, Uniform};
use std::collections::HashMap;

/// Statements that compute `roots`, one a line, and the names (or literals) that hold them. `leaf` gives the text of an
/// input, index or uniform; it is evaluated once.
pub fn print(pool: &Pool, roots: &[Id], leaf: &mut dyn FnMut(Scalar) -> String) -> (String, Vec<String>) {
    let mut names: HashMap<Id, String> = HashMap::new();
    let mut statements = String::new();
    let mut count = 0;
    for id in pool.reachable(roots) {
        let node = pool.node(id);
        let name = |id: Id| names[&id].as_str();
        let (kind, value) = match node {
            Scalar::Const(bits) => {
                names.insert(id, number(f64::from_bits(bits)));
                continue;
            }
            Scalar::Input(_) | Scalar::Index(_) | Scalar::Uniform(_) => ("float", leaf(node)),
            Scalar::Unary(op, a) => (if op == Unary::Not { "bool" } else { "float" }, unary(op, name(a))),
            Scalar::Binary(op, a, b) => (if op.is_truth() { "bool" } else { "float" }, binary(op, name(a), name(b))),
            Scalar::Select(truth, a, b) => ("float", format!("{} ? {} : {}", name(truth), name(a), name(b))),
        };
        statements += &format!("const {kind} e{count} = {value};\n");
        names.insert(id, format!("e{count}"));
        count += 1;
    }
    (statements, roots.iter().map(|id| names[id].clone()).collect())
}

/// A uniform inside a kernel, where `launch` is in scope.
pub fn uniform(uniform: Uniform) -> String {
    match uniform {
        Uniform::Batch => "static_cast<float>(launch.batch)".into(),
        Uniform::Step => "static_cast<float>(launch.run->step)".into(),
        Uniform::Counts(i) => format!("kiln_counts(*launch.run, {i}u)"),
        Uniform::Hyper(i) => format!("hyper[{i}]"),
    }
}

/// The nearest `f32` as a literal.
pub fn number(x: f64) -> String {
    let x = x as f32;
    if x.is_nan() {
        "kiln_nan()".into()
    } else if x.is_infinite() {
        if x > 0.0 { "kiln_infinity()".into() } else { "-kiln_infinity()".into() }
    } else {
        // The shortest decimal of the float, unless a compiler that reads it in double precision first would miss it.
        let short = format!("{x:?}");
        if short.parse().is_ok_and(|double: f64| double as f32 == x) {
            format!("{short}f")
        } else {
            format!("{:?}f", f64::from(x))
        }
    }
}

fn unary(op: Unary, a: &str) -> String {
    match op {
        Unary::Neg => format!("-{a}"),
        Unary::Exp => format!("expf({a})"),
        Unary::Expm1 => format!("expm1f({a})"),
        Unary::Ln => format!("logf({a})"),
        Unary::Log1p => format!("log1pf({a})"),
        Unary::Sqrt => format!("sqrtf({a})"),
        Unary::Abs => format!("fabsf({a})"),
        Unary::Sin => format!("sinf({a})"),
        Unary::Cos => format!("cosf({a})"),
        Unary::Tanh => format!("tanhf({a})"),
        Unary::Sigmoid => format!("kiln_sigmoid({a})"),
        Unary::Erf => format!("erff({a})"),
        Unary::Erfc => format!("erfcf({a})"),
        Unary::Floor => format!("floorf({a})"),
        Unary::Not => format!("!{a}"),
        Unary::Float => format!("{a} ? 1.0f : 0.0f"),
    }
}

fn binary(op: Binary, a: &str, b: &str) -> String {
    let infix = |sign: &str| format!("{a} {sign} {b}");
    match op {
        Binary::Add => infix("+"),
        Binary::Sub => infix("-"),
        Binary::Mul => infix("*"),
        Binary::Div => infix("/"),
        Binary::Pow => format!("powf({a}, {b})"),
        // A NaN of either side goes on, which `fminf` and `fmaxf` would drop.
        Binary::Min => format!("{a} < {b} || {a} != {a} ? {a} : {b}"),
        Binary::Max => format!("{a} > {b} || {a} != {a} ? {a} : {b}"),
        Binary::Lt => infix("<"),
        Binary::Le => infix("<="),
        Binary::Gt => infix(">"),
        Binary::Ge => infix(">="),
        Binary::Eq => infix("=="),
        Binary::Ne => infix("!="),
        Binary::And => infix("&&"),
        Binary::Or => infix("||"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_shared_nodes_once_and_constants_in_place() {
        let mut pool = Pool::default();
        let x = pool.input(0);
        let half = pool.constant(-0.1);
        let scaled = pool.mul(half, x);
        let zero = pool.constant(0.0);
        let truth = pool.binary(Binary::Gt, x, zero);
        let leaky = pool.select(truth, x, scaled);
        let unused = pool.unary(Unary::Exp, x);
        let both = pool.binary(Binary::Max, leaky, scaled);
        let (text, results) = print(&pool, &[both, zero], &mut |node| match node {
            Scalar::Input(0) => "x[at]".into(),
            other => unreachable!("{other:?} {unused:?}"),
        });
        let expected = "const float e0 = x[at];\nconst float e1 = e0 * -0.1f;\nconst bool e2 = e0 > 0.0f;\n\
                        const float e3 = e2 ? e0 : e1;\nconst float e4 = e3 > e1 || e3 != e3 ? e3 : e1;\n";
        assert_eq!(text, expected);
        assert_eq!(results, ["e4", "0.0f"]);
    }

    #[test]
    fn literals_are_exact() {
        let texts = [1.0, 1e-8, -2.5, 1e30, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(number);
        let expected = ["1.0f", "1e-8f", "-2.5f", "1e30f", "kiln_infinity()", "-kiln_infinity()", "kiln_nan()"];
        assert_eq!(texts, expected);
        // Every exponent: a reader in single precision and one in double precision see the same float.
        for exponent in 1..255u32 {
            for mantissa in [0, 1, 0x2AAAAA, 0x55_5555, 0x7F_FFFF] {
                let x = f32::from_bits(exponent << 23 | mantissa);
                let text = number(f64::from(x));
                let text = text.trim_end_matches('f');
                assert_eq!((text.parse::<f32>().unwrap(), text.parse::<f64>().unwrap() as f32), (x, x), "{text}");
            }
        }
    }
}
