//! Element-wise expressions as calls on the SIMD trait: `let e3 = s.add(e1, e2);`.
//!
//! Every operation is a method of that name. `s` is in scope wherever the statements stand.

use crate::graph::expr::{Binary, Id, Pool, Scalar, Unary, Uniform};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use std::collections::HashMap;

/// Statements that compute `roots`, and the names that hold them. `leaf` gives the vector of an input, index or uniform.
pub fn print(
    pool: &Pool,
    roots: &[Id],
    leaf: &mut dyn FnMut(Scalar) -> TokenStream,
) -> (TokenStream, Vec<TokenStream>) {
    print_branching(pool, roots, leaf, &|_| None)
}

/// As [`print`]. Where `branch` gives the condition of a choice that is the same for all elements, as a `bool`, only the chosen side is
/// computed.
pub fn print_branching(
    pool: &Pool,
    roots: &[Id],
    leaf: &mut dyn FnMut(Scalar) -> TokenStream,
    branch: &dyn Fn(Id) -> Option<TokenStream>,
) -> (TokenStream, Vec<TokenStream>) {
    let needed = pool.reachable(roots);
    // Constants first, so that they are seen to be loop-invariant.
    let is_constant = |id: &&Id| matches!(pool.node(**id), Scalar::Const(_));
    let order: Vec<Id> =
        needed.iter().filter(is_constant).chain(needed.iter().filter(|id| !is_constant(id))).copied().collect();
    let places: HashMap<Id, usize> = order.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let name = |id: Id| format_ident!("e{}", places[&id]);
    let mut statements = TokenStream::new();
    for id in &order {
        let value = match pool.node(*id) {
            Scalar::Const(bits) => {
                let number = number(f64::from_bits(bits));
                quote!(s.splat(#number))
            }
            node @ (Scalar::Input(_) | Scalar::Index(_) | Scalar::Uniform(_)) => leaf(node),
            Scalar::Unary(op, a) => {
                let (method, a) = (unary_method(op), name(a));
                quote!(s.#method(#a))
            }
            Scalar::Binary(op, a, b) => {
                let (method, a, b) = (binary_method(op), name(a), name(b));
                quote!(s.#method(#a, #b))
            }
            Scalar::Select(truth, a, b) => {
                let (a, b) = (name(a), name(b));
                match branch(truth) {
                    Some(truth) => quote!(if #truth { #a } else { #b }),
                    None => {
                        let truth = name(truth);
                        quote!(s.select(#truth, #a, #b))
                    }
                }
            }
        };
        let name = name(*id);
        statements.extend(quote!(let #name = #value;));
    }
    let results = roots.iter().map(|id| name(*id)).map(|name| quote!(#name)).collect();
    (statements, results)
}

/// The vector of a uniform inside a kernel, where `cx` is in scope.
pub fn uniform(uniform: Uniform) -> TokenStream {
    match uniform {
        Uniform::Batch => quote!(s.splat(cx.batch as f32)),
        Uniform::Step => quote!(s.splat(cx.step as f32)),
        Uniform::Counts(i) => {
            let i = Literal::usize_unsuffixed(i as usize);
            quote!(s.splat(cx.counts(#i)))
        }
        Uniform::Hyper(i) => {
            let i = Literal::usize_unsuffixed(i as usize);
            quote!(s.splat(hyper[#i]))
        }
    }
}

/// The nearest `f32` as a literal.
pub fn number(x: f64) -> TokenStream {
    let x = x as f32;
    let literal = |x: f32| Literal::f32_suffixed(x);
    if x.is_nan() {
        quote!(f32::NAN)
    } else if x == f32::INFINITY {
        quote!(f32::INFINITY)
    } else if x == f32::NEG_INFINITY {
        quote!(f32::NEG_INFINITY)
    } else if x < 0.0 {
        let x = literal(-x);
        quote!(-#x)
    } else {
        let x = literal(x);
        quote!(#x)
    }
}

fn unary_method(op: Unary) -> Ident {
    let name = match op {
        Unary::Neg => "neg",
        Unary::Exp => "exp",
        Unary::Expm1 => "expm1",
        Unary::Ln => "ln",
        Unary::Log1p => "log1p",
        Unary::Sqrt => "sqrt",
        Unary::Abs => "abs",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Tanh => "tanh",
        Unary::Sigmoid => "sigmoid",
        Unary::Erf => "erf",
        Unary::Erfc => "erfc",
        Unary::Floor => "floor",
        Unary::Not => "not",
        Unary::Float => "float",
    };
    Ident::new(name, Span::call_site())
}

fn binary_method(op: Binary) -> Ident {
    let name = match op {
        Binary::Add => "add",
        Binary::Sub => "sub",
        Binary::Mul => "mul",
        Binary::Div => "div",
        Binary::Pow => "pow",
        Binary::Min => "min",
        Binary::Max => "max",
        Binary::Lt => "lt",
        Binary::Le => "le",
        Binary::Gt => "gt",
        Binary::Ge => "ge",
        Binary::Eq => "eq",
        Binary::Ne => "ne",
        Binary::And => "and",
        Binary::Or => "or",
    };
    Ident::new(name, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_shared_nodes_once() {
        let mut pool = Pool::default();
        let x = pool.input(0);
        let half = pool.constant(-0.1);
        let scaled = pool.mul(half, x);
        let zero = pool.constant(0.0);
        let truth = pool.binary(Binary::Gt, x, zero);
        let leaky = pool.select(truth, x, scaled);
        let unused = pool.unary(Unary::Exp, x);
        let both = pool.add(leaky, scaled);
        let (text, results) = print(&pool, &[both, leaky], &mut |node| match node {
            Scalar::Input(0) => quote!(x0),
            other => unreachable!("{other:?} {unused:?}"),
        });
        assert_eq!(
            text.to_string().replace(' ', ""),
            "lete0=s.splat(-0.1f32);lete1=s.splat(0f32);lete2=x0;lete3=s.mul(e2,e0);lete4=s.gt(e2,e1);\
             lete5=s.select(e4,e2,e3);lete6=s.add(e3,e5);"
        );
        assert_eq!(results.iter().map(ToString::to_string).collect::<Vec<_>>(), ["e6", "e5"]);
    }
}
