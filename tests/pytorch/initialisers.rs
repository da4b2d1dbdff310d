//! Moments of each initialiser's values beside those of `torch.nn.init`'s.

use kiln::prelude::*;

use super::fixture::Fixture;

network! {
    /// A weight `[300, 200]` for each initialiser.
    pub Starts {
        input x: [200];
        #[init(weight = Uniform<-0.1, 0.3>)] uniform: Linear<300, bias = false>(x);
        #[init(weight = Normal<0.5, 0.2>)] normal: Linear<300, bias = false>(x);
        #[init(weight = TruncatedNormal<0.1, 0.5, a = -0.2, b = 1>)] truncated: Linear<300, bias = false>(x);
        #[init(weight = KaimingUniform<a = 0.5>)] kaiming_uniform: Linear<300, bias = false>(x);
        #[init(weight = KaimingNormal<mode = fan_out, nonlinearity = relu>)] kaiming_normal: Linear<300, bias = false>(x);
        #[init(weight = XavierUniform<nonlinearity = tanh>)] xavier_uniform: Linear<300, bias = false>(x);
        #[init(weight = XavierNormal<0.75>)] xavier_normal: Linear<300, bias = false>(x);
        #[init(weight = XavierNormal<nonlinearity = leaky_relu, a = 0.2>)] xavier_leaky: Linear<300, bias = false>(x);
        #[init(weight = LeCunUniform)] lecun_uniform: Linear<300, bias = false>(x);
        #[init(weight = LeCunNormal)] lecun_normal: Linear<300, bias = false>(x);
        #[init(weight = Orthogonal<nonlinearity = relu>)] orthogonal: Linear<300, bias = false>(x);
        #[init(weight = Identity)] identity: Linear<300, bias = false>(x);
        Add(uniform, normal, truncated, kaiming_uniform, kaiming_normal, xavier_uniform, xavier_normal, xavier_leaky,
            lecun_uniform, lecun_normal, orthogonal, identity);
    }
}

#[test]
fn moments() {
    let model = Starts::new(&Device::cpu().threads(1), 11).unwrap();
    let fixture = Fixture::read("initialisers");
    let cases = fixture.after("");
    assert_eq!(cases.len(), 12);
    for case in cases {
        let weight = model.parameter(&format!("{case}.weight")).unwrap().mapv(f64::from);
        let mean = weight.mean().unwrap();
        let deviation = weight.mapv(|w| (w - mean).powi(2)).mean().unwrap().sqrt();
        let size = weight.mapv(f64::abs).mean().unwrap();
        let stored = fixture.get(&case).values;
        let [expected_mean, expected_deviation, expected_size] = [0, 1, 2].map(|i| f64::from(stored[i]));
        // 60 000 values: a standard error of 0.4 % of the deviation, of both samples.
        assert!((mean - expected_mean).abs() < 0.02 * expected_deviation, "{case}: mean {mean}, not {expected_mean}");
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
        assert!(near(deviation, expected_deviation), "{case}: deviation {deviation}, not {expected_deviation}");
        assert!(near(size, expected_size), "{case}: mean absolute value {size}, not {expected_size}");
    }
}
