//! A body → nodes of an expression [`Pool`], with names, kinds and counts checked.

use super::{Ast, BINARY, Block, FOREIGN, Function, Kind, Statement, UNARY, is_builtin};
use crate::diagnostics::{Errors, Mistake, Source};
use crate::graph::expr::{Binary, Id, Pool, Unary, fold_binary};
use crate::syntax::limits::{MOST_NESTED, MOST_OPERATIONS};
use proc_macro2::Ident;

/// What a name stands for, innermost last.
pub(crate) struct Scope {
    pub constants: Vec<(String, f64)>,
    pub names: Vec<(String, Id)>,
}

impl Scope {
    pub(crate) fn new(constants: &[(String, f64)]) -> Self {
        Scope { constants: constants.to_vec(), names: Vec::new() }
    }
}

/// A number, or a truth value and whether it is known at expansion.
#[derive(Clone, Copy)]
enum Written {
    Number(Id),
    Truth(Id, Option<bool>),
}

pub(crate) struct Writer<'a> {
    pub others: &'a [Function],
    pub pool: &'a mut Pool,
    pub errors: &'a mut Errors,
    /// Functions being written, outermost first.
    pub calls: Vec<String>,
    /// Operations written so far, and those around the present one.
    pub size: Size,
}

/// How large what is written has become.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    operations: usize,
    depth: usize,
}

impl Writer<'_> {
    fn report<T>(&mut self, source: Source, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.errors.push(Mistake::new(source, message).help(help));
        None
    }

    pub(super) fn number_of_block(&mut self, block: &Block, scope: &mut Scope) -> Option<Id> {
        match self.block(block, scope)? {
            Written::Number(id) => Some(id),
            Written::Truth(..) => self.needs_number(block.value.as_ref()?),
        }
    }

    fn block(&mut self, block: &Block, scope: &mut Scope) -> Option<Written> {
        let depth = scope.names.len();
        let mut complete = true;
        for statement in &block.statements {
            let (Statement::Let(name, value) | Statement::Assign(name, value)) = statement;
            match self.number(value, scope) {
                Some(id) => scope.names.push((name.to_string(), id)),
                None => {
                    // Later uses of the name must not become errors of their own.
                    complete = false;
                    let poison = self.pool.constant(0.0);
                    scope.names.push((name.to_string(), poison));
                }
            }
        }
        let value = block.value.as_ref().and_then(|v| self.value(v, scope));
        scope.names.truncate(depth);
        value.filter(|_| complete)
    }

    fn needs_number<T>(&mut self, ast: &Ast) -> Option<T> {
        self.report(ast.source, "expected a number, found a truth value", "choose with it: `if … { 1 } else { 0 }`")
    }

    pub(crate) fn number(&mut self, ast: &Ast, scope: &mut Scope) -> Option<Id> {
        match self.value(ast, scope)? {
            Written::Number(id) => Some(id),
            Written::Truth(..) => self.needs_number(ast),
        }
    }

    fn truth(&mut self, ast: &Ast, scope: &mut Scope) -> Option<(Id, Option<bool>)> {
        match self.value(ast, scope)? {
            Written::Truth(id, known) => Some((id, known)),
            Written::Number(_) => {
                self.report(ast.source, "expected a truth value, found a number", "compare it, as in `x > 0`")
            }
        }
    }

    fn value(&mut self, ast: &Ast, scope: &mut Scope) -> Option<Written> {
        self.size.operations += 1;
        if self.size.operations > MOST_OPERATIONS {
            // Said once: what is left has no value either.
            if self.size.operations > MOST_OPERATIONS + 1 {
                return None;
            }
            let message = format!("a `fn` of more than {MOST_OPERATIONS} operations, those that it calls written out");
            return self.report(ast.source, message, "let it call fewer, or compute a part of it on a line of its own");
        }
        if self.size.depth == MOST_NESTED {
            self.size.operations = MOST_OPERATIONS + 1;
            let message =
                format!("more than {MOST_NESTED} operations in one another, those of called `fn`s written out");
            return self.report(ast.source, message, "compute a part of it on a line of its own");
        }
        self.size.depth += 1;
        let value = self.value_within(ast, scope);
        self.size.depth -= 1;
        value
    }

    fn value_within(&mut self, ast: &Ast, scope: &mut Scope) -> Option<Written> {
        Some(match &ast.kind {
            Kind::Number(x) => Written::Number(self.pool.constant(*x)),
            Kind::Name(name) => Written::Number(self.name(name, scope)?),
            Kind::Neg(inner) => {
                let inner = self.number(inner, scope)?;
                Written::Number(self.pool.neg(inner))
            }
            Kind::Not(inner) => {
                let (inner, known) = self.truth(inner, scope)?;
                Written::Truth(self.pool.unary(Unary::Not, inner), known.map(|k| !k))
            }
            Kind::Binary(op @ (Binary::And | Binary::Or), a, b) => {
                let (a, b) = (self.truth(a, scope), self.truth(b, scope));
                let ((a, x), (b, y)) = (a?, b?);
                let decisive = *op == Binary::Or;
                let known = match (x, y) {
                    (Some(x), _) if x == decisive => Some(decisive),
                    (_, Some(y)) if y == decisive => Some(decisive),
                    (Some(_), Some(_)) => Some(!decisive),
                    _ => None,
                };
                Written::Truth(self.pool.binary(*op, a, b), known)
            }
            Kind::Binary(op, a, b) => {
                let (a, b) = (self.number(a, scope), self.number(b, scope));
                let (a, b) = (a?, b?);
                let id = self.pool.binary(*op, a, b);
                if !op.is_truth() {
                    return Some(Written::Number(id));
                }
                let known = match (self.pool.value(a), self.pool.value(b)) {
                    (Some(x), Some(y)) => Some(fold_binary(*op, x, y) != 0.0),
                    _ => None,
                };
                Written::Truth(id, known)
            }
            Kind::If(condition, yes, no) => {
                let condition = self.truth(condition, scope);
                let (yes, no) = (self.number_of_block(yes, scope), self.number_of_block(no, scope));
                let ((truth, known), yes, no) = (condition?, yes?, no?);
                Written::Number(match known {
                    Some(true) => yes,
                    Some(false) => no,
                    None => self.pool.select(truth, yes, no),
                })
            }
            Kind::Call { name, constants, args } => {
                let written: Vec<Option<Id>> = args.iter().map(|a| self.number(a, scope)).collect();
                let numbers: Vec<Option<Id>> = constants.iter().map(|c| self.number(c, scope)).collect();
                let written = written.into_iter().collect::<Option<Vec<Id>>>()?;
                let numbers = numbers.into_iter().collect::<Option<Vec<Id>>>()?;
                Written::Number(self.call(ast, name, constants, &numbers, &written)?)
            }
        })
    }

    fn name(&mut self, name: &Ident, scope: &Scope) -> Option<Id> {
        let text = name.to_string();
        if let Some((_, id)) = scope.names.iter().rev().find(|(n, _)| *n == text) {
            return Some(*id);
        }
        if let Some((_, x)) = scope.constants.iter().rev().find(|(n, _)| *n == text) {
            return Some(self.pool.constant(*x));
        }
        let source = Source::at(name.span());
        if is_builtin(&text) || self.others.iter().any(|f| f.name == text) {
            return self.report(source, format!("`{text}` is a function"), format!("call it: `{text}(…)`"));
        }
        let known: Vec<&str> = scope
            .names
            .iter()
            .map(|(n, _)| n.as_str())
            .chain(scope.constants.iter().map(|(n, _)| n.as_str()))
            .collect();
        let help = match nearest(&text, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", list(&known)),
        };
        self.report(source, format!("`{text}` is not defined"), help)
    }

    fn call(&mut self, ast: &Ast, name: &Ident, constants: &[Ast], numbers: &[Id], args: &[Id]) -> Option<Id> {
        let text = name.to_string();
        let takes = |n: usize| format!("`{text}` takes {}, got {}", count(n, "argument"), args.len());
        if let Some((_, op)) = UNARY.iter().find(|(n, _)| *n == text) {
            return match args {
                [a] => Some(self.pool.unary(*op, *a)),
                _ => self.report(ast.source, takes(1), format!("`{text}(x)`")),
            };
        }
        if let Some((_, op)) = BINARY.iter().find(|(n, _)| *n == text) {
            return match args {
                [a, b] => Some(self.pool.binary(*op, *a, *b)),
                _ => self.report(ast.source, takes(2), format!("`{text}(a, b)`")),
            };
        }
        let source = Source::at(name.span());
        if self.calls.contains(&text) {
            let mut path = self.calls.clone();
            path.push(text.clone());
            let path: Vec<String> = path.iter().map(|n| format!("`{n}`")).collect();
            return self.report(
                source,
                format!("`{text}` calls itself: {}", path.join(" → ")),
                "a function is written out at every call, so it cannot be recursive",
            );
        }
        let others = self.others;
        let Some(function) = others.iter().find(|f| f.name == text) else {
            let known: Vec<String> = UNARY
                .iter()
                .map(|(n, _)| n.to_string())
                .chain(BINARY.iter().map(|(n, _)| n.to_string()))
                .chain(self.others.iter().map(|f| f.name.to_string()))
                .collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let help = match (FOREIGN.iter().find(|(n, _)| *n == text), nearest(&text, &known)) {
                (Some((_, ours)), _) => format!("write {ours}"),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => format!("known here: {}", list(&known)),
            };
            return self.report(source, format!("`{text}` is no function"), help);
        };
        let params: Vec<String> = function.params.iter().map(Ident::to_string).collect();
        if params.len() != args.len() {
            return self.report(ast.source, takes(params.len()), format!("`{text}({})`", params.join(", ")));
        }
        if function.constants.len() != numbers.len() {
            let names: Vec<String> = function.constants.iter().map(Ident::to_string).collect();
            let expected = count(names.len(), "constant");
            return self.report(
                source,
                format!("`{text}` takes {expected} in `<…>`, got {}", numbers.len()),
                format!("`{text}<{}>({})`", names.join(", "), params.join(", ")),
            );
        }
        let mut scope = Scope::new(&[]);
        for ((name, number), ast) in function.constants.iter().zip(numbers).zip(constants) {
            match self.pool.value(*number) {
                Some(x) => scope.constants.push((name.to_string(), x)),
                None => {
                    return self.report(
                        ast.source,
                        format!("constant `{name}` of `{text}` is not known at compile time"),
                        "what differs by element goes in `(…)`",
                    );
                }
            }
        }
        scope.names.extend(params.into_iter().zip(args.iter().copied()));
        // What comes from elsewhere has names of its own, which may be the same as names here.
        let outer = (self.others, self.calls.clone());
        if let Some(own) = &function.own {
            self.others = own;
            self.calls.clear();
        }
        self.calls.push(text);
        let result = self.number_of_block(&function.body, &mut scope);
        (self.others, self.calls) = outer;
        result
    }
}

/// `1 operand`, `2 operands`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The candidate that differs least, if it differs little.
fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| {
        let (a, b): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut corner = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let cost = (corner + usize::from(!x.eq_ignore_ascii_case(y))).min(row[j] + 1).min(row[j + 1] + 1);
                corner = row[j + 1];
                row[j + 1] = cost;
            }
        }
        row[b.len()]
    };
    candidates.iter().map(|c| (distance(c), *c)).min().filter(|(d, c)| *d <= 1.max(c.len() / 3)).map(|(_, c)| c)
}
