use super::*;

struct Case<'a> {
    d: &'static Window,
    x: &'a [f32],
    dy: &'a [f32],
    batch: usize,
    max: Vec<f32>,
    arg: Vec<i32>,
    sum: Vec<f32>,
    spread: Vec<f32>,
    route: Vec<f32>,
}

impl Run for Case<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let pixels = self.d.axes.map(|a| a.output).iter().product();
        let inputs = self.d.axes.map(|a| a.input).iter().product();
        let (sample, x_sample) = (self.d.blocks * pixels * BLOCK, self.d.blocks * inputs * BLOCK);
        let to = |v: &mut Vec<f32>, sample, pixels| Place { to: v.as_mut_ptr(), sample, pixels };
        let store = StoreMax { max: to(&mut self.max, sample, pixels), arg: self.arg.as_mut_ptr(), arg_sample: sample };
        let x = Load { from: self.x.as_ptr(), sample: x_sample, pixels: inputs };
        let dy = Load { from: self.dy.as_ptr(), sample, pixels };
        // SAFETY: the test sized the buffers.
        unsafe {
            for task in 0..window_tasks(self.d, self.batch) {
                window_max(s, self.d, x, self.batch, task, store);
                window_sum(s, self.d, x, self.batch, task, Store(to(&mut self.sum, sample, pixels)));
                window_spread(s, self.d, dy, self.batch, task, Store(to(&mut self.spread, x_sample, inputs)));
                let route = Store(to(&mut self.route, x_sample, inputs));
                window_route(s, self.d, dy, self.arg.as_ptr(), sample, self.batch, task, route);
            }
        }
    }
}

fn check(axes: [WindowAxis; 2], batch: usize, ties: bool) {
    let d: &'static Window = Box::leak(Box::new(Window { blocks: 2, axes }));
    let [v, h] = axes;
    let (pixels, inputs) = (v.output * h.output, v.input * h.input);
    let planes = batch * d.blocks;
    let mut numbers = Numbers((v.input * 7 + h.kernel) as u64);
    let x: Vec<f32> =
        numbers.vec(planes * inputs * BLOCK).into_iter().map(|x| if ties { x.round() } else { x }).collect();
    let dy = numbers.vec(planes * pixels * BLOCK);
    let mut results = Vec::new();
    for level in all_levels() {
        let mut case = Case {
            d,
            x: &x,
            dy: &dy,
            batch,
            max: vec![f32::NAN; planes * pixels * BLOCK],
            arg: vec![-1; planes * pixels * BLOCK],
            sum: vec![f32::NAN; planes * pixels * BLOCK],
            spread: vec![f32::NAN; planes * inputs * BLOCK],
            route: vec![f32::NAN; planes * inputs * BLOCK],
        };
        run_at(level, &mut case);
        let mut spread = vec![0.0; planes * inputs * BLOCK];
        let mut route = spread.clone();
        for plane in 0..planes {
            for (oy, ox, lane) in positions(v.output, h.output, BLOCK) {
                let at = ((plane * v.output + oy) * h.output + ox) * BLOCK + lane;
                let (mut max, mut arg, mut to, mut sum) = (f32::NEG_INFINITY, 0, 0, 0.0);
                for (ky, kx, _) in positions(v.kernel, h.kernel, 1) {
                    let y = (oy * v.stride + ky * v.dilation).checked_sub(v.padding).filter(|y| *y < v.input);
                    let x_at = (ox * h.stride + kx * h.dilation).checked_sub(h.padding).filter(|x| *x < h.input);
                    let (Some(iy), Some(ix)) = (y, x_at) else { continue };
                    let from = ((plane * v.input + iy) * h.input + ix) * BLOCK + lane;
                    if x[from] > max {
                        (max, arg, to) = (x[from], ky * h.kernel + kx, from);
                    }
                    sum += f64::from(x[from]);
                    spread[from] += f64::from(dy[at]);
                }
                route[to] += f64::from(dy[at]);
                assert_eq!((case.max[at], case.arg[at]), (max, arg as i32), "{level:?} {axes:?}");
                close(case.sum[at], sum, 10.0, &(level, axes));
            }
        }
        for i in 0..spread.len() {
            close(case.spread[i], spread[i], 10.0, &(level, axes, i));
            close(case.route[i], route[i], 10.0, &(level, axes, i));
        }
        results.push((level, [case.sum, case.spread, case.route].concat()));
    }
    same_bits(&results);
}

fn positions(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

fn axis(input: usize, kernel: usize, stride: usize, dilation: usize, padding: usize, ceil: bool) -> WindowAxis {
    let reach = input + 2 * padding - dilation * (kernel - 1) - 1;
    let mut output = if ceil { reach.div_ceil(stride) } else { reach / stride } + 1;
    if ceil && (output - 1) * stride >= input + padding {
        output -= 1;
    }
    WindowAxis { input, output, kernel, stride, dilation, padding }
}

#[test]
fn all_kinds() {
    for ties in [false, true] {
        check([axis(8, 2, 2, 1, 0, false), axis(8, 2, 2, 1, 0, false)], 2, ties);
        check([axis(7, 3, 2, 1, 1, false), axis(9, 3, 2, 1, 1, false)], 1, ties);
        check([axis(6, 3, 2, 1, 0, true), axis(5, 2, 2, 1, 0, true)], 3, ties);
        check([axis(7, 3, 1, 2, 1, false), axis(11, 3, 3, 2, 1, true)], 1, ties);
        check([axis(4, 4, 4, 1, 0, false), axis(5, 5, 1, 1, 0, false)], 2, ties);
        // Windows that tile the image, with and without a rest, and as many images as do not fill their last task.
        check([axis(7, 2, 2, 1, 0, false), axis(5, 2, 2, 1, 0, false)], 9, ties);
        check([axis(9, 3, 3, 1, 0, false), axis(8, 3, 3, 1, 0, false)], 3, ties);
        check([axis(8, 3, 2, 1, 0, false), axis(10, 3, 1, 1, 0, false)], 3, ties);
        check([axis(5, 1, 2, 1, 0, false), axis(1, 1, 1, 1, 0, false)], 2, ties);
    }
}

#[test]
fn nan_wins() {
    let one = axis(2, 2, 2, 1, 0, false);
    let d: &'static Window = Box::leak(Box::new(Window { blocks: 1, axes: [one; 2] }));
    let mut x = vec![1.0; 4 * BLOCK];
    x[2 * BLOCK] = f32::NAN;
    x[BLOCK + 1] = f32::INFINITY;
    for p in 0..4 {
        x[p * BLOCK + 2] = f32::NEG_INFINITY;
    }
    for level in all_levels() {
        let empty = || vec![0.0; 4 * BLOCK];
        let mut case = Case {
            d,
            x: &x,
            dy: &[0.0; BLOCK],
            batch: 1,
            max: empty(),
            arg: vec![-1; BLOCK],
            sum: empty(),
            spread: empty(),
            route: empty(),
        };
        run_at(level, &mut case);
        assert!(case.max[0].is_nan());
        assert_eq!(case.arg[..4], [2, 1, 0, 0]);
        assert_eq!(case.max[1..4], [f32::INFINITY, f32::NEG_INFINITY, 1.0]);
    }
}
