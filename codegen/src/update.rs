//! `update!`: an optimizer's arithmetic on one element, written once for every instruction set and backend.
//!
//! ```text
//! kiln_macros::update! {
//!     /// …
//!     pub(crate) Momentum(p, g; buf; lr, momentum, weight_decay) {
//!         let d = g + weight_decay * p;
//!         buf = momentum * buf + d;
//!         p = p - lr * buf;
//!     }
//! }
//! ```
//!
//! The parameter and its gradient; what is remembered between steps; the hyper-parameters. The body is that of a `fn`
//! with assignments added; an assigned name has its new value from then on. `step` is the number of the step, from 1.
//! It becomes
//!
//! ```text
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! pub(crate) struct Momentum { pub lr: f64, pub momentum: f64, pub weight_decay: f64 }
//!
//! unsafe impl crate::optim::UpdateRule for Momentum {
//!     const STATES: &'static [&'static str] = &["buf"];
//!     type Uniforms = [f32; 3];
//!     fn with(self, lr: Option<f64>, weight_decay: Option<f64>) -> Self { … }
//!     fn uniforms(&self, step: u64) -> [f32; 3] { … }
//!     fn at<S: crate::device::cpu::Simd>(s: S, u: &[f32; 3], p: S::V, g: S::V, states: &mut [S::V]) -> S::V { … }
//!     const CUDA: &'static str = "const float e0 = p; …";
//! }
//! ```
//!
//! A state that is declared as `flushed buf` is 0 where it would be subnormal, as after `torch.set_flush_denormal(True)`.
//!
//! What depends on hyper-parameters and step only is computed once a step, in double precision as PyTorch does it on the
//! host, and reaches the loop as `uniforms`, at most 16 numbers. `CUDA` is the body of
//! `float apply(const float* u, float p, float g, float& s0, float& s1, float& s2)`, the same arithmetic. `with` sets `lr` and
//! `weight_decay`, where there are such, for a group of parameters. The paths are those inside the crate `kiln`, which is the
//! only user.

use crate::diagnostics::{Errors, Mistake, Source};
use crate::emit::{cpu, cuda};
use crate::graph::expr::{Binary, Id, Pool, Scalar, Unary, Uniform};
use crate::syntax::function::write::{Scope, Size, Writer};
use crate::syntax::function::{Block, Statement};
use crate::syntax::limits;
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use std::fmt::Write;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Result, Token, Visibility, parenthesized};

/// Room for `uniforms` in the device's memory: `kiln::device::cuda::Run`.
const UNIFORMS: usize = 16;

mod keyword {
    syn::custom_keyword!(flushed);
}

/// A rule as written.
struct Rule {
    docs: Vec<Attribute>,
    vis: Visibility,
    name: Ident,
    param: Ident,
    gradient: Ident,
    states: Vec<State>,
    hypers: Vec<Ident>,
    body: Block,
}

struct State {
    flushed: bool,
    name: Ident,
}

impl Parse for State {
    fn parse(input: ParseStream) -> Result<Self> {
        let flushed = input.peek2(syn::Ident);
        if flushed {
            input.parse::<keyword::flushed>()?;
        }
        Ok(State { flushed, name: input.parse()? })
    }
}

/// Expand `update! { … }`.
pub fn update(tokens: TokenStream) -> TokenStream {
    if let Some(mistake) = limits::mistake(&tokens) {
        return mistake.to_compile_error();
    }
    let rule = match parse.parse2(tokens) {
        Ok(rule) => rule,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let written = write(&rule, &mut errors);
    match written {
        Some((pool, results)) if errors.is_empty() => expand(&rule, pool, &results),
        _ => errors.to_compile_errors(),
    }
}

fn parse(input: ParseStream) -> Result<Rule> {
    let docs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let name = input.parse()?;
    let content;
    parenthesized!(content in input);
    let param = content.parse()?;
    content.parse::<Token![,]>()?;
    let gradient = content.parse()?;
    content.parse::<Token![;]>()?;
    let states = names(&content)?;
    content.parse::<Token![;]>()?;
    let hypers = names(&content)?;
    let body = Block::parse_braced(input, true)?;
    Ok(Rule { docs, vis, name, param, gradient, states, hypers, body })
}

fn names<T: Parse>(input: ParseStream) -> Result<Vec<T>> {
    let mut list = Vec::new();
    while input.peek(syn::Ident) {
        list.push(input.parse()?);
        if !input.peek(Token![,]) {
            break;
        }
        input.parse::<Token![,]>()?;
    }
    Ok(list)
}

/// The new values of the parameter and of each state.
fn write(rule: &Rule, errors: &mut Errors) -> Option<(Pool, Vec<Id>)> {
    let mut pool = Pool::default();
    let mut scope = Scope::new(&[]);
    let elements: Vec<&Ident> =
        [&rule.param, &rule.gradient].into_iter().chain(rule.states.iter().map(|state| &state.name)).collect();
    for (i, name) in elements.iter().enumerate() {
        scope.names.push((name.to_string(), pool.input(i)));
    }
    for (i, name) in rule.hypers.iter().enumerate() {
        scope.names.push((name.to_string(), pool.uniform(Uniform::Hyper(i as u32))));
    }
    scope.names.push(("step".into(), pool.uniform(Uniform::Step)));
    let targets: Vec<&Ident> =
        std::iter::once(&rule.param).chain(rule.states.iter().map(|state| &state.name)).collect();
    let mut results: Vec<Option<Id>> = vec![None; targets.len()];
    let mut writer = Writer { others: &[], pool: &mut pool, errors, calls: Vec::new(), size: Size::default() };
    for statement in &rule.body.statements {
        let (name, value) = match statement {
            Statement::Let(name, value) => (name, writer.number(value, &mut scope)?),
            Statement::Assign(name, value) => {
                let value = writer.number(value, &mut scope)?;
                let Some(place) = targets.iter().position(|t| *t == name) else {
                    let known: Vec<String> = targets.iter().map(|t| format!("`{t}`")).collect();
                    let message = format!("`{name}` cannot be assigned");
                    let help = format!("an update assigns {}; other values are `let {name} = …;`", known.join(", "));
                    errors.push(Mistake::new(Source::at(name.span()), message).help(help));
                    return None;
                };
                let value = if place > 0 && rule.states[place - 1].flushed { flush(writer.pool, value) } else { value };
                results[place] = Some(value);
                (name, value)
            }
        };
        scope.names.push((name.to_string(), value));
    }
    for (name, result) in targets.iter().zip(&results) {
        if result.is_none() {
            let message = format!("`{name}` is never assigned");
            errors.push(Mistake::new(Source::at(name.span()), message).help(format!("`{name} = …;`")));
        }
    }
    results.into_iter().collect::<Option<Vec<Id>>>().map(|results| (pool, results))
}

/// Zero in place of a subnormal number. What an optimizer remembers of a weight whose gradient has become zero shrinks by a
/// factor a step; it would end among the subnormal numbers, never reach zero, and make every step slower.
fn flush(pool: &mut Pool, x: Id) -> Id {
    let (size, least, zero) = (pool.unary(Unary::Abs, x), pool.constant(f32::MIN_POSITIVE.into()), pool.constant(0.0));
    let subnormal = pool.binary(Binary::Lt, size, least);
    pool.select(subnormal, zero, x)
}

fn expand(rule: &Rule, pool: Pool, results: &[Id]) -> TokenStream {
    let (body, roots, uniform) = split(&pool, results);
    let count = uniform.len();
    if count > UNIFORMS {
        let message = format!("`{}` has {count} numbers that are the same for every element", rule.name);
        let help = format!("a device has room for {UNIFORMS} of them");
        let mut errors = Errors::default();
        errors.push(Mistake::new(Source::at(rule.name.span()), message).help(help));
        return errors.to_compile_errors();
    }
    let Rule { docs, vis, name, hypers, .. } = rule;
    let states: Vec<String> = rule.states.iter().map(|state| state.name.to_string()).collect();
    let own: Vec<&Ident> = hypers.iter().filter(|h| *h == "lr" || *h == "weight_decay").collect();
    let rest = (own.len() < hypers.len()).then(|| quote!(..self));
    let (host, host_results) = host(&pool, &uniform, hypers);
    let inputs = 2 + rule.states.len();
    let uniform_number = |input: u32| {
        let i = Literal::usize_unsuffixed((input as usize).checked_sub(inputs)?);
        Some(quote!(u[#i]))
    };
    let (statements, values) = cpu::expr::print_branching(
        &body,
        &roots,
        &mut |node| match node {
            Scalar::Input(0) => quote!(p),
            Scalar::Input(1) => quote!(g),
            Scalar::Input(i) => match uniform_number(i) {
                Some(number) => quote!(s.splat(#number)),
                None => {
                    let i = Literal::usize_unsuffixed(i as usize - 2);
                    quote!(states[#i])
                }
            },
            other => unreachable!("{other:?} is no leaf of an update"),
        },
        // As `split` writes a truth that is the same for every element.
        &|truth| {
            let Scalar::Binary(Binary::Ne, number, zero) = body.node(truth) else { return None };
            let (Scalar::Input(i), Scalar::Const(0)) = (body.node(number), body.node(zero)) else { return None };
            uniform_number(i).map(|number| quote!(#number != 0.0))
        },
    );
    let (param, new_states) = values.split_first().expect("the parameter is assigned");
    let places = (0..states.len()).map(Literal::usize_unsuffixed);
    let cuda = cuda_text(&body, &roots, inputs);
    quote! {
        #(#docs)*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #vis struct #name { #(pub #hypers: f64),* }

        unsafe impl crate::optim::UpdateRule for #name {
            const STATES: &'static [&'static str] = &[#(#states),*];
            type Uniforms = [f32; #count];

            #[allow(unused_variables)]
            fn with(
                self,
                lr: ::core::option::Option<f64>,
                weight_decay: ::core::option::Option<f64>,
            ) -> Self {
                Self { #(#own: #own.unwrap_or(self.#own),)* #rest }
            }

            fn uniforms(&self, step: u64) -> [f32; #count] {
                let step = step as f64;
                #host
                [#(#host_results as f32),*]
            }

            #[inline(always)]
            fn at<S: crate::device::cpu::Simd>(
                s: S,
                u: &[f32; #count],
                p: S::V,
                g: S::V,
                states: &mut [S::V],
            ) -> S::V {
                #statements
                #(states[#places] = #new_states;)*
                #param
            }

            const CUDA: &'static str = #cuda;
        }
    }
}

/// The body of `float apply(const float* u, float p, float g, float& s0, float& s1, float& s2)`.
fn cuda_text(body: &Pool, roots: &[Id], inputs: usize) -> String {
    let (mut text, values) = cuda::expr::print(body, roots, &mut |node| match node {
        Scalar::Input(0) => "p".into(),
        Scalar::Input(1) => "g".into(),
        Scalar::Input(i) if (i as usize) < inputs => format!("s{}", i - 2),
        Scalar::Input(i) => format!("u[{}]", i as usize - inputs),
        other => unreachable!("{other:?} is no leaf of an update"),
    });
    for (i, state) in values[1..].iter().enumerate() {
        let _ = writeln!(text, "s{i} = {state};");
    }
    let _ = writeln!(text, "return {};", values[0]);
    text
}

/// Take what is the same for every element out of the expressions: it becomes operands behind the states. Returns the
/// new pool and roots, and the nodes taken out.
fn split(pool: &Pool, results: &[Id]) -> (Pool, Vec<Id>, Vec<Id>) {
    let mut split =
        Split { pool, body: Pool::default(), place: Vec::new(), uniform: Vec::new(), inputs: results.len() + 1 };
    let roots = results.iter().map(|id| split.copy(*id)).collect();
    (split.body, roots, split.uniform)
}

struct Split<'p> {
    pool: &'p Pool,
    body: Pool,
    place: Vec<(Id, Id)>,
    uniform: Vec<Id>,
    /// Parameter, gradient and states.
    inputs: usize,
}

impl Split<'_> {
    fn is_uniform(&self, id: Id) -> bool {
        match self.pool.node(id) {
            Scalar::Input(_) | Scalar::Index(_) => false,
            Scalar::Const(_) | Scalar::Uniform(_) => true,
            Scalar::Unary(_, a) => self.is_uniform(a),
            Scalar::Binary(_, a, b) => self.is_uniform(a) && self.is_uniform(b),
            Scalar::Select(c, a, b) => self.is_uniform(c) && self.is_uniform(a) && self.is_uniform(b),
        }
    }

    fn copy(&mut self, id: Id) -> Id {
        if let Some((_, done)) = self.place.iter().find(|(from, _)| *from == id) {
            return *done;
        }
        let node = self.pool.node(id);
        let done = if let Scalar::Const(bits) = node {
            self.body.constant(f64::from_bits(bits))
        } else if self.is_uniform(id) {
            let number = self.body.input(self.inputs + self.uniform.len());
            self.uniform.push(id);
            if is_truth(node) {
                let zero = self.body.constant(0.0);
                self.body.binary(Binary::Ne, number, zero)
            } else {
                number
            }
        } else {
            match node {
                Scalar::Input(i) => self.body.input(i as usize),
                Scalar::Index(axis) => self.body.index(axis as usize),
                Scalar::Const(bits) => self.body.constant(f64::from_bits(bits)),
                Scalar::Uniform(uniform) => self.body.uniform(uniform),
                Scalar::Unary(op, a) => {
                    let a = self.copy(a);
                    self.body.unary(op, a)
                }
                Scalar::Binary(op, a, b) => {
                    let (a, b) = (self.copy(a), self.copy(b));
                    self.body.binary(op, a, b)
                }
                Scalar::Select(c, a, b) => {
                    let (c, a, b) = (self.copy(c), self.copy(a), self.copy(b));
                    self.body.select(c, a, b)
                }
            }
        };
        self.place.push((id, done));
        done
    }
}

fn is_truth(node: Scalar) -> bool {
    match node {
        Scalar::Unary(op, _) => op == Unary::Not,
        Scalar::Binary(op, ..) => op.is_truth(),
        Scalar::Input(_) | Scalar::Const(_) | Scalar::Index(_) | Scalar::Uniform(_) | Scalar::Select(..) => false,
    }
}

/// Plain Rust over `self` and `step` in double precision.
fn host(pool: &Pool, roots: &[Id], hypers: &[Ident]) -> (TokenStream, Vec<TokenStream>) {
    let mut statements = TokenStream::new();
    let mut done: Vec<Id> = Vec::new();
    for root in roots {
        host_node(pool, *root, hypers, &mut done, &mut statements);
    }
    let results = roots
        .iter()
        .map(|root| {
            let name = format_ident!("h{}", root.0);
            if is_truth(pool.node(*root)) { quote!(f64::from(#name)) } else { quote!(#name) }
        })
        .collect();
    (statements, results)
}

fn host_node(pool: &Pool, id: Id, hypers: &[Ident], done: &mut Vec<Id>, statements: &mut TokenStream) {
    if done.contains(&id) {
        return;
    }
    done.push(id);
    let mut operand = |id: Id| {
        host_node(pool, id, hypers, done, statements);
        format_ident!("h{}", id.0)
    };
    let value = match pool.node(id) {
        Scalar::Const(bits) => {
            let x = Literal::f64_suffixed(f64::from_bits(bits).abs());
            if f64::from_bits(bits) < 0.0 { quote!(-#x) } else { quote!(#x) }
        }
        Scalar::Uniform(Uniform::Hyper(i)) => {
            let name = &hypers[i as usize];
            quote!(self.#name)
        }
        Scalar::Uniform(Uniform::Step) => quote!(step),
        Scalar::Uniform(Uniform::Batch | Uniform::Counts(_)) | Scalar::Input(_) | Scalar::Index(_) => {
            unreachable!("not a uniform of updates")
        }
        Scalar::Unary(op, a) => {
            let a = operand(a);
            match op {
                Unary::Neg => quote!(-#a),
                Unary::Exp => quote!(#a.exp()),
                Unary::Expm1 => quote!(#a.exp_m1()),
                Unary::Ln => quote!(#a.ln()),
                Unary::Log1p => quote!(#a.ln_1p()),
                Unary::Sqrt => quote!(#a.sqrt()),
                Unary::Abs => quote!(#a.abs()),
                Unary::Sin => quote!(#a.sin()),
                Unary::Cos => quote!(#a.cos()),
                Unary::Tanh => quote!(#a.tanh()),
                Unary::Sigmoid => quote!(1.0 / (1.0 + (-#a).exp())),
                Unary::Erf | Unary::Erfc => {
                    quote!(compile_error!("erf and erfc of hyper-parameters are not supported"))
                }
                Unary::Floor => quote!(#a.floor()),
                Unary::Not => quote!(!#a),
                Unary::Float => quote!(f64::from(#a)),
            }
        }
        Scalar::Binary(op, a, b) => {
            let (a, b) = (operand(a), operand(b));
            match op {
                Binary::Add => quote!(#a + #b),
                Binary::Sub => quote!(#a - #b),
                Binary::Mul => quote!(#a * #b),
                Binary::Div => quote!(#a / #b),
                Binary::Pow => quote!(#a.powf(#b)),
                Binary::Min => quote!(#a.min(#b)),
                Binary::Max => quote!(#a.max(#b)),
                Binary::Lt => quote!(#a < #b),
                Binary::Le => quote!(#a <= #b),
                Binary::Gt => quote!(#a > #b),
                Binary::Ge => quote!(#a >= #b),
                Binary::Eq => quote!(#a == #b),
                Binary::Ne => quote!(#a != #b),
                Binary::And => quote!(#a && #b),
                Binary::Or => quote!(#a || #b),
            }
        }
        Scalar::Select(truth, a, b) => {
            let (truth, a, b) = (operand(truth), operand(a), operand(b));
            quote!(if #truth { #a } else { #b })
        }
    };
    let name = format_ident!("h{}", id.0);
    statements.extend(quote!(let #name = #value;));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgd() {
        let text = update(quote! {
            /// Stochastic gradient descent.
            pub(crate) Sgd(p, g; buf; lr, momentum, weight_decay) {
                let d = if weight_decay == 0 { g } else { g + weight_decay * p };
                buf = if step == 1 { d } else { momentum * buf + d };
                p = p - lr * buf;
            }
        });
        let file = syn::parse2(text).expect("items");
        let expected = r#"/// Stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sgd {
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
}
unsafe impl crate::optim::UpdateRule for Sgd {
    const STATES: &'static [&'static str] = &["buf"];
    type Uniforms = [f32; 5usize];
    #[allow(unused_variables)]
    fn with(
        self,
        lr: ::core::option::Option<f64>,
        weight_decay: ::core::option::Option<f64>,
    ) -> Self {
        Self {
            lr: lr.unwrap_or(self.lr),
            weight_decay: weight_decay.unwrap_or(self.weight_decay),
            ..self
        }
    }
"#;
        let printed = prettyplease::unparse(&file);
        assert!(printed.starts_with(expected), "{printed}");
        for line in ["let h4 = self.momentum;", "let e12 = states[0];", "states[0] = e16;"] {
            assert!(printed.contains(line), "{line} in\n{printed}");
        }
    }

    #[test]
    fn the_same_rule_for_cuda() {
        let text = update(quote! {
            Rule(p, g; m; lr, decay) {
                m = if step == 1 { g } else { m + decay * g };
                p = p - lr * max(m, 0.5);
            }
        });
        let file: syn::File = syn::parse2(text).expect("items");
        let consts = file.items.iter().filter_map(|item| match item {
            syn::Item::Impl(item) => Some(&item.items),
            _ => None,
        });
        let cuda = consts.flatten().find_map(|item| match item {
            syn::ImplItem::Const(item) if item.ident == "CUDA" => Some(item.expr.clone()),
            _ => None,
        });
        let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(cuda), .. })) = cuda else { panic!("CUDA") };
        let expected = [
            "const float e0 = p;",
            "const float e1 = u[0];",
            "const float e2 = u[1];",
            "const bool e3 = e2 != 0.0f;",
            "const float e4 = g;",
            "const float e5 = s0;",
            "const float e6 = u[2];",
            "const float e7 = e4 * e6;",
            "const float e8 = e5 + e7;",
            "const float e9 = e3 ? e4 : e8;",
            "const float e10 = e9 > 0.5f || e9 != e9 ? e9 : 0.5f;",
            "const float e11 = e1 * e10;",
            "const float e12 = e0 - e11;",
            "s0 = e9;",
            "return e12;",
        ];
        assert_eq!(cuda.value().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn mistakes() {
        let message = |tokens: TokenStream| update(tokens).to_string();
        assert!(message(quote!(A(p, g; b; lr) { p = p - lr * g; })).contains("`b` is never assigned"));
        assert!(message(quote!(A(p, g; ; lr) { g = p; p = g; })).contains("`g` cannot be assigned"));
        let many = quote!(A(p, g; ; a) {
            p = p + g * a + p * (a + 1) + p * (a + 2) + p * (a + 3) + p * (a + 4) + p * (a + 5) + p * (a + 6)
                + p * (a + 7) + p * (a + 8) + p * (a + 9) + p * (a + 10) + p * (a + 11) + p * (a + 12) + p * (a + 13)
                + p * (a + 14) + p * (a + 15) + p * (a + 16);
        });
        assert!(message(many).contains("`A` has 17 numbers that are the same for every element"));
        assert!(message(quote!(A(p, g; ; lr) { p = p - lt * g; })).contains("did you mean `lr`?"));
    }
}
