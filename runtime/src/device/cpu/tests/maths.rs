use super::*;

/// Which function of [`Simd`] to run.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Function {
    Exp,
    Expm1,
    Ln,
    Log1p,
    Sin,
    Cos,
    Tanh,
    Sigmoid,
    Erf,
    Erfc,
}

struct Apply<'a> {
    function: Function,
    x: &'a [f32],
    y: Vec<f32>,
}

impl Run for Apply<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        self.y = vec![0.0; self.x.len()];
        for i in (0..self.x.len()).step_by(BLOCK) {
            // SAFETY: the length is a multiple of the block.
            unsafe {
                let v = s.load(self.x.as_ptr().add(i));
                let y = match self.function {
                    Function::Exp => s.exp(v),
                    Function::Expm1 => s.expm1(v),
                    Function::Ln => s.ln(v),
                    Function::Log1p => s.log1p(v),
                    Function::Sin => s.sin(v),
                    Function::Cos => s.cos(v),
                    Function::Tanh => s.tanh(v),
                    Function::Sigmoid => s.sigmoid(v),
                    Function::Erf => s.erf(v),
                    Function::Erfc => s.erfc(v),
                };
                s.store(self.y.as_mut_ptr().add(i), y);
            }
        }
    }
}

/// Every float whose bits are a multiple of a step, both signs, and the special ones.
fn sweep() -> Vec<f32> {
    let mut x: Vec<f32> = (0..=u32::MAX).step_by(1201).map(f32::from_bits).collect();
    // The ordinary range more densely.
    x.extend((0..400_000).map(|i| (i - 200_000) as f32 * 1e-4));
    x.extend([0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, 1e-45, f32::MAX]);
    x.resize(x.len().next_multiple_of(BLOCK), 0.5);
    x
}

/// Error of `got` in units of the last place of `want` as a float.
fn ulps(got: f32, want: f64) -> f64 {
    if got.is_nan() && want.is_nan() {
        return 0.0;
    }
    let rounded = want as f32;
    if rounded.is_infinite() || got.is_infinite() {
        return if rounded == got { 0.0 } else { 1e9 };
    }
    let exponent = (rounded.abs().to_bits() >> 23).max(1) as i32 - 150;
    (f64::from(got) - want).abs() / 2f64.powi(exponent)
}

/// erf in f64: its series, or the continued fraction of erfc.
fn erf(x: f64) -> f64 {
    let t = x.abs();
    if x.is_nan() || t > 6.0 {
        return if x.is_nan() { x } else { x.signum() };
    }
    if t < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    x.signum() * (1.0 - erfc(t))
}

/// Its continued fraction where it is small.
fn erfc(x: f64) -> f64 {
    if x < 2.5 || x.is_nan() {
        return 1.0 - erf(x);
    }
    if x > 28.0 {
        return 0.0;
    }
    let mut fraction = 0.0;
    for n in (1..200).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    (-x * x).exp() / ((x + fraction) * std::f64::consts::PI.sqrt())
}

fn reference(function: Function, x: f64) -> f64 {
    match function {
        Function::Exp => x.exp(),
        Function::Expm1 => x.exp_m1(),
        Function::Ln => x.ln(),
        Function::Log1p => x.ln_1p(),
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Tanh => x.tanh(),
        Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Function::Erf => erf(x),
        Function::Erfc => erfc(x),
    }
}

#[test]
fn errors_are_small() {
    let x = sweep();
    let bounds = [
        (Function::Exp, 2.0),
        (Function::Expm1, 2.0),
        (Function::Ln, 2.0),
        (Function::Log1p, 2.0),
        (Function::Sin, 2.5),
        (Function::Cos, 2.5),
        (Function::Tanh, 3.0),
        (Function::Sigmoid, 3.0),
        (Function::Erf, 3.0),
        (Function::Erfc, 5.0),
    ];
    let mut failed = false;
    for (function, bound) in bounds {
        let wanted: Vec<f64> = x.iter().map(|x| reference(function, f64::from(*x))).collect();
        let mut results = Vec::new();
        for level in all_levels() {
            let mut apply = Apply { function, x: &x, y: Vec::new() };
            run_at(level, &mut apply);
            let errors = x.iter().zip(&apply.y).zip(&wanted).map(|((x, y), wanted)| (ulps(*y, *wanted), *x, *y));
            let worst = errors.fold((0.0, 0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
            println!("{function:?} at {level:?}: {:.2} ulp at {:?} ({:?})", worst.0, worst.1, worst.2);
            failed |= worst.0 > bound;
            results.push((level, apply.y));
        }
        same_bits(&results);
    }
    assert!(!failed);
}

struct Powers<'a> {
    x: &'a [f32],
    y: &'a [f32],
    out: Vec<f32>,
}

impl Run for Powers<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        self.out = vec![0.0; self.x.len()];
        for i in (0..self.x.len()).step_by(BLOCK) {
            // SAFETY: the length is a multiple of the block.
            unsafe {
                let v = s.pow(s.load(self.x.as_ptr().add(i)), s.load(self.y.as_ptr().add(i)));
                s.store(self.out.as_mut_ptr().add(i), v);
            }
        }
    }
}

#[test]
fn powers() {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        3.0,
        -3.0,
        0.5,
        -0.5,
        2.5,
        1e-40,
        1e30,
        -1e30,
        16_777_215.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    for a in special {
        for b in special {
            x.push(a);
            y.push(b);
        }
    }
    let mut numbers = Numbers(11);
    for _ in 0..400_000 {
        let a = f32::from_bits((numbers.next().abs() * (1u64 << 31) as f32) as u32 & 0x7f7f_ffff);
        // Exponents for which the result stays in range, mostly.
        let b = numbers.next() * 90.0 / a.ln().abs().max(1e-6);
        x.push(a);
        y.push(b);
    }
    for _ in 0..100_000 {
        x.push(numbers.next().abs() * 10.0);
        y.push((numbers.next() * 8.0).round());
    }
    x.resize(x.len().next_multiple_of(BLOCK), 2.0);
    y.resize(x.len(), 2.0);
    let mut results = Vec::new();
    let mut failed = false;
    for level in all_levels() {
        let mut powers = Powers { x: &x, y: &y, out: Vec::new() };
        run_at(level, &mut powers);
        let mut worst = (0.0, 0, 0.0);
        for (i, got) in powers.out.iter().enumerate() {
            let want = f64::from(x[i]).powf(f64::from(y[i]));
            let error = ulps(*got, want);
            if error > worst.0 {
                worst = (error, i, want);
            }
            if want == 0.0 {
                assert_eq!(got.to_bits(), (want as f32).to_bits(), "{:?} ^ {:?}", x[i], y[i]);
            }
        }
        let i = worst.1;
        println!(
            "pow at {level:?}: {:.2} ulp: {:?} ^ {:?} = {:?}, not {:?}",
            worst.0, x[i], y[i], powers.out[i], worst.2
        );
        failed |= worst.0 > 2.0;
        results.push((level, powers.out));
    }
    same_bits(&results);
    assert!(!failed);
}

/// Lanes of Philox with given counters, one block per lane.
struct Blocks(Vec<[u32; 4]>);

impl Run for Blocks {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        self.0.clear();
        let cases = [
            ([0; 4], [0; 2]),
            ([u32::MAX; 4], [u32::MAX; 2]),
            ([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        ];
        for (counter, key) in cases {
            let words = philox(s, counter.map(|c| s.int_splat(c)), key);
            self.0.push(words.map(|w| {
                let mut lanes = [0.0f32; BLOCK];
                // SAFETY: 16 lanes.
                unsafe { s.store(lanes.as_mut_ptr(), s.int_as_float(w)) };
                assert!(lanes[..S::LANES].iter().all(|x| x.to_bits() == lanes[0].to_bits()));
                lanes[0].to_bits()
            }));
        }
    }
}

#[test]
fn philox_known_answers() {
    // Published with Random123: kat_vectors, philox4x32 10.
    let want = [
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
    ];
    for level in all_levels() {
        let mut blocks = Blocks(Vec::new());
        run_at(level, &mut blocks);
        assert_eq!(blocks.0, want, "{level:?}");
    }
    let mut blocks = Blocks(Vec::new());
    // SAFETY: one lane needs nothing.
    unsafe { blocks.run(One::new()) };
    assert_eq!(blocks.0, want);
}

/// Element numbers decide, not lanes.
struct Uniform(Vec<f32>);

impl Run for Uniform {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        self.0 = vec![0.0; 4096];
        for i in (0..self.0.len()).step_by(S::LANES) {
            let v = s.random(0x1234_5678_9abc_def0, 77, 3, 5, i as u32 * 2, 2);
            // SAFETY: the length is a multiple of the lanes.
            unsafe { s.store(self.0.as_mut_ptr().add(i), v) };
        }
    }
}

#[test]
fn uniform_numbers() {
    let mut want = Uniform(Vec::new());
    // SAFETY: one lane needs nothing.
    unsafe { want.run(One::new()) };
    assert!(want.0.iter().all(|x| (0.0..1.0).contains(x)));
    let mean = want.0.iter().sum::<f32>() / 4096.0;
    assert!((mean - 0.5).abs() < 0.02, "{mean}");
    for level in all_levels() {
        let mut got = Uniform(Vec::new());
        run_at(level, &mut got);
        assert_eq!(got.0, want.0, "{level:?}");
    }
}
