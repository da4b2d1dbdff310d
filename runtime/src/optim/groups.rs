//! Parameter groups by name pattern: an own learning rate or weight decay, or no update at all.

use crate::error::{Error, Result};
use crate::plan::{Tensor, Weights};

/// Parameter groups of an optimizer, as the parameter groups of `torch.optim`, but by name.
///
/// In a pattern `*` stands for any characters, also none: `layer1.*`, `*.bias`, `fc.weight`. Where several patterns match a
/// parameter, each setting comes from the last of them, so that `.frozen("*").trained("fc.*")` trains the head alone.
///
/// ```
/// use kiln::optim::Groups;
/// let groups = Groups::new().frozen("layer1.*").lr("fc.*", 1e-2).weight_decay("*.bias", 0.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    list: Vec<(String, Setting)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Setting {
    Frozen(bool),
    Lr(f64),
    WeightDecay(f64),
}

/// What the optimizer does differently for a group; `None` is as its configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    pub lr: Option<f64>,
    pub weight_decay: Option<f64>,
    pub frozen: bool,
}

impl Groups {
    pub fn new() -> Self {
        Groups::default()
    }

    /// These parameters stay as they are, and what the optimizer remembers of them too. They do not count in a gradient's
    /// norm. Unlike `#[frozen]` it is decided at run time: their gradients are computed all the same.
    pub fn frozen(self, pattern: impl Into<String>) -> Self {
        self.with(pattern, Setting::Frozen(true))
    }

    /// These are trained, though an earlier pattern froze them.
    pub fn trained(self, pattern: impl Into<String>) -> Self {
        self.with(pattern, Setting::Frozen(false))
    }

    /// These have a learning rate of their own, which a schedule scales like the optimizer's.
    pub fn lr(self, pattern: impl Into<String>, lr: f64) -> Self {
        self.with(pattern, Setting::Lr(lr))
    }

    /// These have a weight decay of their own; none where the declaration says `#[no_decay]`.
    pub fn weight_decay(self, pattern: impl Into<String>, weight_decay: f64) -> Self {
        self.with(pattern, Setting::WeightDecay(weight_decay))
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn with(mut self, pattern: impl Into<String>, setting: Setting) -> Self {
        self.list.push((pattern.into(), setting));
        self
    }

    /// The distinct settings of a network's trainable parameters, those without any first, and which of them each parameter
    /// has: parallel to `weights.params`, 0 for frozen ones.
    pub(crate) fn resolve(&self, network: &str, weights: &Weights) -> Result<(Vec<Settings>, Vec<usize>)> {
        let mut settings = vec![Settings::default()];
        for (pattern, setting) in &self.list {
            let (name, value) = match setting {
                Setting::Frozen(_) => ("frozen", 0.0),
                Setting::Lr(lr) => ("lr", *lr),
                Setting::WeightDecay(weight_decay) => ("weight_decay", *weight_decay),
            };
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::option(format!("Groups::{name}({pattern:?})"), "a number, at least 0", value));
            }
            let mut trainable = weights.params.iter().filter(|t| t.trainable);
            if !trainable.clone().any(|t| matches(pattern, t.name)) {
                let names: Vec<&str> = trainable.map(|t| t.name).collect();
                let expected = format!("a pattern of trainable parameters of {network} ({})", names.join(", "));
                return Err(Error::option(format!("Groups::{name}"), expected, format!("{pattern:?}")));
            }
            if trainable.all(|t| self.of(t).frozen) {
                return Err(Error::option("Groups::frozen", "less than all parameters", format!("{pattern:?}")));
            }
        }
        let group = |tensor: &Tensor| {
            let found = if tensor.trainable { self.of(tensor) } else { Settings::default() };
            settings.iter().position(|known| *known == found).unwrap_or_else(|| {
                settings.push(found);
                settings.len() - 1
            })
        };
        let groups = weights.params.iter().map(group).collect();
        Ok((settings, groups))
    }

    fn of(&self, tensor: &Tensor) -> Settings {
        let mut settings = Settings::default();
        for (_, setting) in self.list.iter().filter(|(pattern, _)| matches(pattern, tensor.name)) {
            match *setting {
                Setting::Frozen(frozen) => settings.frozen = frozen,
                Setting::Lr(lr) => settings.lr = Some(lr),
                Setting::WeightDecay(weight_decay) => settings.weight_decay = Some(weight_decay),
            }
        }
        // Whatever else is said of them, it says nothing.
        if settings.frozen { Settings { frozen: true, ..Settings::default() } } else { settings }
    }
}

/// Whether all of `name` matches a pattern in which `*` stands for any characters.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("fc.*", "fc.weight"),
            ("*", "fc.weight"),
            ("fc.weight", "fc.weight"),
            ("*.bias", "layer1.0.bias"),
            ("layer*.0.*ght", "layer1.0.weight"),
            ("*.0.*", "a.0.0.b"),
            ("fc*", "fc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("fc", "fc.weight"), ("fc.*", "fc1.weight"), ("*.bias", "bias"), ("a*a", "a"), ("*b*c", "cb"), ("", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
