//! Optimizers with options by chance, and their rules once more in double precision, from PyTorch's documentation.

use crate::dice::Dice;
use kiln::optim::{Adagrad, Adam, AdamW, NAdam, RmsProp, Sgd};
use kiln_codegen::graph::Module;

/// How a network is trained.
#[derive(Clone, Debug)]
pub struct Training {
    pub rule: Rule,
    pub clip: Clip,
    /// Steps are taken with what `accumulate` has gathered, of parts of the batch where samples do not see each other.
    pub gathers: bool,
}

/// What becomes of gradients before the optimizer sees them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    None,
    Value(f64),
    Norm(f64),
}

/// An optimizer with its options.
#[derive(Clone, Debug)]
pub enum Rule {
    Sgd(Sgd),
    Adagrad(Adagrad),
    RmsProp(RmsProp),
    Adam(Adam),
    AdamW(AdamW),
    NAdam(NAdam),
}

impl Training {
    pub fn any(dice: &mut Dice) -> Training {
        let rule = Rule::any(dice);
        let clip = match dice.below(5) {
            0 => Clip::Value(dice.pick(&[0.01, 0.2])),
            1 => Clip::Norm(dice.pick(&[0.05, 0.5])),
            _ => Clip::None,
        };
        Training { rule, clip, gathers: dice.chance(25) }
    }
}

impl Clip {
    /// As `torch.nn.utils` has it, over the gradients of all parameters together.
    pub fn clip(self, gradients: &mut [Vec<f64>]) {
        let all = gradients.iter_mut().flatten();
        match self {
            Clip::None => {}
            Clip::Value(limit) => all.for_each(|g| *g = g.clamp(-limit, limit)),
            Clip::Norm(most) => {
                let norm = all.map(|g| *g * *g).sum::<f64>().sqrt();
                let scale = most / (norm + 1e-6);
                // What is no number stays none, which `min` would not leave.
                let scale = if scale > 1.0 { 1.0 } else { scale };
                gradients.iter_mut().flatten().for_each(|g| *g *= scale);
            }
        }
    }
}

impl Rule {
    /// Epsilons are large, so that a gradient that is nothing but rounding moves nothing far.
    pub fn any(dice: &mut Dice) -> Rule {
        let lr = dice.pick(&[0.1, 0.02, 0.005]);
        let weight_decay = dice.pick(&[0.0, 0.0, 0.1]);
        let betas = dice.pick(&[(0.9, 0.999), (0.5, 0.9), (0.2, 0.99)]);
        let eps = dice.pick(&[1e-2, 1e-1]);
        let maximize = dice.chance(15);
        let momentum = dice.pick(&[0.0, 0.9, 0.5]);
        let switch = dice.chance(40);
        match dice.below(6) {
            0 => {
                let nesterov = switch && momentum > 0.0;
                let dampening = if !nesterov && momentum > 0.0 && dice.chance(40) { 0.3 } else { 0.0 };
                Rule::Sgd(Sgd { lr, momentum, dampening, weight_decay, nesterov, maximize })
            }
            1 => {
                let (lr_decay, initial_accumulator_value) = (dice.pick(&[0.0, 0.1]), dice.pick(&[0.0, 0.1]));
                Rule::Adagrad(Adagrad { lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize })
            }
            2 => Rule::RmsProp(RmsProp { lr, alpha: betas.0, eps, weight_decay, momentum, centered: switch, maximize }),
            3 => Rule::Adam(Adam { lr, betas, eps, weight_decay, amsgrad: switch, maximize }),
            4 => Rule::AdamW(AdamW { lr, betas, eps, weight_decay: 0.1, amsgrad: switch, maximize }),
            _ => {
                let momentum_decay = dice.pick(&[0.004, 0.1]);
                let decoupled_weight_decay = switch;
                Rule::NAdam(NAdam { lr, betas, eps, weight_decay, momentum_decay, decoupled_weight_decay, maximize })
            }
        }
    }
}

/// What a rule remembers between steps, in double precision.
pub struct Memory<'r> {
    rule: &'r Rule,
    /// By parameter: as many numbers as it has elements, for each of three states.
    states: Vec<[Vec<f64>; 3]>,
    /// NAdam's product of μ.
    product: f64,
}

impl<'r> Memory<'r> {
    pub fn new(rule: &'r Rule, module: &Module) -> Self {
        let zeros = |n: usize| [vec![0.0; n], vec![0.0; n], vec![0.0; n]];
        let states = module.params.iter().map(|p| zeros(p.dims.iter().product())).collect();
        Memory { rule, states, product: 1.0 }
    }

    /// One parameter in step `t`, from 1 on.
    pub fn update(&mut self, param: usize, t: u64, values: &mut [f64], gradient: &[f64], decays: bool) {
        let product = self.product;
        let [first, second, third] = &mut self.states[param];
        for (i, (p, g)) in values.iter_mut().zip(gradient).enumerate() {
            let (a, b, c) = (&mut first[i], &mut second[i], &mut third[i]);
            element(self.rule, t, p, *g, decays, [a, b, c], product);
        }
    }

    /// Behind the last parameter of a step.
    pub fn step(&mut self) {
        // Only the first two steps are taken, and `element` knows both products.
        if let Rule::NAdam(o) = self.rule {
            self.product *= mu(o, 1);
        }
    }
}

fn mu(o: &NAdam, t: u64) -> f64 {
    o.betas.0 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * o.momentum_decay))
}

fn element(rule: &Rule, t: u64, p: &mut f64, g: f64, decays: bool, [a, b, c]: [&mut f64; 3], product: f64) {
    let decay = |x: f64| if decays { x } else { 0.0 };
    let signed = |maximize: bool| if maximize { -g } else { g };
    let power = |beta: f64| beta.powi(t as i32);
    match rule {
        Rule::Sgd(o) => {
            let mut g = signed(o.maximize) + decay(o.weight_decay) * *p;
            if o.momentum != 0.0 {
                *a = if t == 1 { g } else { o.momentum * *a + (1.0 - o.dampening) * g };
                g = if o.nesterov { g + o.momentum * *a } else { *a };
            }
            *p -= o.lr * g;
        }
        Rule::Adagrad(o) => {
            let g = signed(o.maximize) + decay(o.weight_decay) * *p;
            if t == 1 {
                *a = o.initial_accumulator_value;
            }
            *a += g * g;
            *p -= o.lr / (1.0 + (t - 1) as f64 * o.lr_decay) * g / (a.sqrt() + o.eps);
        }
        Rule::RmsProp(o) => {
            let g = signed(o.maximize) + decay(o.weight_decay) * *p;
            *a = o.alpha * *a + (1.0 - o.alpha) * g * g;
            let mut square = *a;
            if o.centered {
                *b += (1.0 - o.alpha) * (g - *b);
                square -= *b * *b;
            }
            let step = g / (square.max(0.0).sqrt() + o.eps);
            if o.momentum > 0.0 {
                *c = o.momentum * *c + step;
                *p -= o.lr * *c;
            } else {
                *p -= o.lr * step;
            }
        }
        Rule::Adam(Adam { lr, betas, eps, weight_decay, amsgrad, maximize })
        | Rule::AdamW(AdamW { lr, betas, eps, weight_decay, amsgrad, maximize }) => {
            let mut g = signed(*maximize);
            if matches!(rule, Rule::AdamW(_)) {
                *p *= 1.0 - lr * decay(*weight_decay);
            } else {
                g += decay(*weight_decay) * *p;
            }
            *a += (1.0 - betas.0) * (g - *a);
            *b = betas.1 * *b + (1.0 - betas.1) * g * g;
            *c = c.max(*b);
            let square = if *amsgrad { *c } else { *b };
            *p -= lr / (1.0 - power(betas.0)) * *a / (square.sqrt() / (1.0 - power(betas.1)).sqrt() + eps);
        }
        Rule::NAdam(o) => {
            let mut g = signed(o.maximize);
            if o.decoupled_weight_decay {
                *p *= 1.0 - o.lr * decay(o.weight_decay);
            } else {
                g += decay(o.weight_decay) * *p;
            }
            let (now, next) = (mu(o, t), mu(o, t + 1));
            let product = product * now;
            *a += (1.0 - o.betas.0) * (g - *a);
            *b = o.betas.1 * *b + (1.0 - o.betas.1) * g * g;
            let scale = (*b / (1.0 - power(o.betas.1))).sqrt() + o.eps;
            *p -= o.lr * (1.0 - now) / (1.0 - product) * g / scale + o.lr * next / (1.0 - product * next) * *a / scale;
        }
    }
}
