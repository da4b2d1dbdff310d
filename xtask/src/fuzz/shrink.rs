//! A faulty text made smaller, as long as its fault stays: tokens are left out and brackets opened.

use super::judge::Fault;
use proc_macro2::{Group, TokenStream, TokenTree};
use std::time::{Duration, Instant};

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);

type Judge<'a> = &'a dyn Fn(&str) -> Result<Option<Fault>, String>;

struct Shrinking<'a> {
    kind: &'a str,
    judge: Judge<'a>,
    start: Instant,
    smallest: String,
}

impl Shrinking<'_> {
    /// Whether this still has the fault; then it is the smallest.
    fn keeps(&mut self, tokens: &[TokenTree]) -> Result<bool, String> {
        let text = TokenStream::from_iter(tokens.iter().cloned()).to_string();
        if self.start.elapsed() > PATIENCE || text.parse::<TokenStream>().is_err() {
            return Ok(false);
        }
        let keeps = (self.judge)(&text)?.is_some_and(|fault| fault.kind() == self.kind);
        if keeps {
            self.smallest = text;
        }
        Ok(keeps)
    }

    /// `list` with as much left out as can be. `whole` puts it where it stands.
    fn list(
        &mut self,
        mut list: Vec<TokenTree>,
        whole: &dyn Fn(&[TokenTree]) -> Vec<TokenTree>,
    ) -> Result<Vec<TokenTree>, String> {
        let mut size = list.len();
        while size > 0 {
            let mut at = 0;
            while at < list.len() {
                let mut fewer = list.clone();
                fewer.drain(at..(at + size).min(list.len()));
                if self.keeps(&whole(&fewer))? {
                    list = fewer;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        let mut at = 0;
        while at < list.len() {
            let TokenTree::Group(group) = list[at].clone() else {
                at += 1;
                continue;
            };
            let mut opened = list.clone();
            opened.splice(at..=at, group.stream());
            if self.keeps(&whole(&opened))? {
                list = opened;
                continue;
            }
            let placed = |inner: &[TokenTree]| {
                let mut all = list.clone();
                all[at] = Group::new(group.delimiter(), inner.iter().cloned().collect()).into();
                all
            };
            let inner = self.list(group.stream().into_iter().collect(), &|inner| whole(&placed(inner)))?;
            list = placed(&inner);
            at += 1;
        }
        Ok(list)
    }
}

/// The smallest text with a fault of this kind that was found in time.
pub fn shrink(text: &str, kind: &str, judge: Judge) -> Result<String, String> {
    let mut shrinking = Shrinking { kind, judge, start: Instant::now(), smallest: text.to_string() };
    loop {
        let before = shrinking.smallest.clone();
        let tokens: TokenStream = before.parse().map_err(|e| format!("{e}"))?;
        shrinking.list(tokens.into_iter().collect(), &|list| list.to_vec())?;
        if shrinking.smallest == before {
            return Ok(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fault_needs_stays() {
        let judge = |text: &str| {
            let faulty = text.contains("bad") && text.contains('7');
            Ok(faulty.then(|| Fault::Said("a fault\nsomewhere".into())))
        };
        let text = "pub N { input x: [1, 7, 3]; Relu; g: { Residual { bad; Tanh; } } loss: Mse(_, y); }";
        assert_eq!(shrink(text, "a fault", &judge), Ok("7 bad".into()));
        // As it stands, or as tokens print, which is up to `proc-macro2`.
        let kept = shrink(text, "another", &judge).unwrap();
        assert_eq!(kept.replace(' ', ""), text.replace(' ', ""));
    }
}
