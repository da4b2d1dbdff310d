/// features.0, features.1: conv.forward, map, map
mod k0_conv {
    use ::kiln::__private::cpu::*;
    static D: Conv = Conv {
        channels: 1usize,
        outputs: 6usize,
        input: [28usize, 28usize],
        output: [28usize, 28usize],
        kernel: [5usize, 5usize],
        stride: [1usize, 1usize],
        padding: [2usize, 2usize],
        dilation: [1usize, 1usize],
        spread: [1, 1],
        planar: true,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        conv_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0);
                        let e3 = s.add(e1, e2);
                        let e4 = s.max(e3, e0);
                        s.store(p1.add(n * 12544usize + p * 16usize), e4);
                    }
                }
            }
            conv(
                s,
                &D,
                p0,
                784usize,
                p1,
                cx.scratch(worker),
                cx.batch,
                task,
                Fused { cx, p0: p2, p1: p3 },
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.2: window.max, window.argmax
mod k1_window {
    use ::kiln::__private::cpu::*;
    static D: Window = Window {
        blocks: 1usize,
        axes: [
            WindowAxis {
                input: 28usize,
                output: 14usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
            WindowAxis {
                input: 28usize,
                output: 14usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
        ],
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        window_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink2 for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    max: S::V,
                    arg: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = max;
                        let e1 = arg;
                        s.store(p0.add(n * 3136usize + p * 16usize), e0);
                        s.store_i32(p1.add(n * 3136usize + p * 16usize).cast(), e1);
                    }
                }
            }
            window_max(s, &D, p0, 12544usize, task, Fused { cx, p0: p1, p1: p2 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3, features.4: conv.forward, map, map
mod k2_conv {
    use ::kiln::__private::cpu::*;
    static D: Conv = Conv {
        channels: 6usize,
        outputs: 16usize,
        input: [14usize, 14usize],
        output: [10usize, 10usize],
        kernel: [5usize, 5usize],
        stride: [1usize, 1usize],
        padding: [0usize, 0usize],
        dilation: [1usize, 1usize],
        spread: [1, 1],
        planar: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        conv_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0);
                        let e3 = s.add(e1, e2);
                        let e4 = s.max(e3, e0);
                        s.store(p1.add(n * 1600usize + p * 16usize), e4);
                    }
                }
            }
            conv(
                s,
                &D,
                p0,
                3136usize,
                p1,
                cx.scratch(worker),
                cx.batch,
                task,
                Fused { cx, p0: p2, p1: p3 },
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.5: window.max, window.argmax
mod k3_window {
    use ::kiln::__private::cpu::*;
    static D: Window = Window {
        blocks: 1usize,
        axes: [
            WindowAxis {
                input: 10usize,
                output: 5usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
            WindowAxis {
                input: 10usize,
                output: 5usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
        ],
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        window_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink2 for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    max: S::V,
                    arg: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = max;
                        let e1 = arg;
                        s.store(p0.add(n * 400usize + p * 16usize), e0);
                        s.store_i32(p1.add(n * 400usize + p * 16usize).cast(), e1);
                    }
                }
            }
            window_max(s, &D, p0, 1600usize, task, Fused { cx, p0: p1, p1: p2 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0, classifier.1: conv.forward, map, map
mod k4_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Batch(1usize),
        blocks: 8usize,
        a_row: 400usize,
        b_block: 6400usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(400usize),
                a: 1usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 2usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let b = block;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(b * 16usize));
                        let e3 = s.add(e1, e2);
                        let e4 = s.max(e3, e0);
                        s.store(p1.add(n * 128usize + b * 16usize), e4);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { cx, p0: p2, p1: p3 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.2, classifier.3: contract, map, map
mod k5_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Batch(1usize),
        blocks: 6usize,
        a_row: 128usize,
        b_block: 1920usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(120usize),
                a: 1usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 2usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let b = block;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(b * 16usize));
                        let e3 = s.add(e1, e2);
                        let e4 = s.max(e3, e0);
                        s.store(p1.add(n * 96usize + b * 16usize), e4);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { cx, p0: p2, p1: p3 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4: contract, map
mod k6_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Batch(1usize),
        blocks: 1usize,
        a_row: 96usize,
        b_block: 1344usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(84usize),
                a: 1usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 1usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let e0 = acc;
                        let e1 = s.load(p0);
                        let e2 = s.add(e0, e1);
                        s.store(p1.add(n * 16usize), e2);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { cx, p0: p2, p1: p3 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// loss, correct, classifier.4: reduce.max, map, reduce.sum, map, reduce.sum, reduce.argmax, map
mod k7_row {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        batch.div_ceil(16usize)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            let p4 = cx.arg(4usize);
            let p5 = cx.arg(5usize);
            for n in task * 16usize..(task * 16usize + 16usize).min(cx.batch) {
                let r0 = {
                    let mut acc = s.splat(f32::NEG_INFINITY);
                    {
                        let e0 = s.load(p0.add(n * 16usize));
                        let x = s.fill_after(e0, 10usize, s.splat(f32::NEG_INFINITY));
                        acc = s.max(acc, x);
                    }
                    s.splat(s.maximum(acc))
                };
                let r1 = {
                    let mut acc = s.splat(0.0f32);
                    {
                        let e0 = r0;
                        let e1 = s.load(p0.add(n * 16usize));
                        let e2 = s.sub(e1, e0);
                        let e3 = s.exp(e2);
                        let x = s.keep_first(e3, 10usize);
                        acc = s.add(acc, x);
                    }
                    s.splat(s.sum(acc))
                };
                s.store_first(p1.add(n), r1, 1usize);
                let r2 = {
                    let mut acc = s.splat(0.0f32);
                    {
                        let e0 = s.splat(0f32);
                        let e1 = r0;
                        let e2 = s.load(p0.add(n * 16usize));
                        let e3 = s.splat(*p2.add(n).cast::<i32>() as f32);
                        let e4 = s.iota();
                        let e5 = s.eq(e4, e3);
                        let e6 = s.sub(e2, e1);
                        let e7 = s.select(e5, e6, e0);
                        let x = s.keep_first(e7, 10usize);
                        acc = s.add(acc, x);
                    }
                    s.splat(s.sum(acc))
                };
                s.store_first(p3.add(n), r2, 1usize);
                let r3 = {
                    let mut acc = s.splat(f32::NEG_INFINITY);
                    let mut arg = s.splat(0.0f32);
                    {
                        let e0 = s.load(p0.add(n * 16usize));
                        let x = s.fill_after(e0, 10usize, s.splat(f32::NEG_INFINITY));
                        let better = s.gt(x, acc);
                        arg = s.select(better, s.iota(), arg);
                        acc = s.select(better, x, acc);
                    }
                    s.splat(first_maximum(s, acc, arg))
                };
                s.scatter_i32(p4.add(n).cast::<i32>(), 1usize, 1usize, r3);
                {
                    let e0 = s.splat(1f32);
                    let e1 = s.splat(0f32);
                    let e2 = r0;
                    let e3 = r1;
                    let e4 = s.splat(*p2.add(n).cast::<i32>() as f32);
                    let e5 = s.load(p0.add(n * 16usize));
                    let e6 = s.sub(e5, e2);
                    let e7 = s.exp(e6);
                    let e8 = s.iota();
                    let e9 = s.eq(e8, e4);
                    let e10 = s.splat(cx.batch as f32);
                    let e11 = s.div(e0, e10);
                    let e12 = s.neg(e11);
                    let e13 = s.select(e9, e12, e1);
                    let e14 = s.div(e11, e3);
                    let e15 = s.mul(e7, e14);
                    let e16 = s.add(e13, e15);
                    s.store(p5.add(n * 16usize), e16);
                }
            }
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// loss, correct: map, reduce.sum, map, map, reduce.sum
mod k8_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        16usize * 1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            let p4 = cx.arg(4usize);
            let chunk = task / 1usize;
            let first = chunk * cx.batch / 16usize;
            let last = (chunk + 1) * cx.batch / 16usize;
            let mut acc0 = s.splat(0.0f32);
            let mut acc1 = s.splat(0.0f32);
            for n in first..last {
                let e0 = s.splat(*p0.add(n));
                let e1 = s.splat(*p1.add(n));
                let e2 = s.ln(e0);
                let e3 = s.sub(e2, e1);
                let e4 = s.splat(*p2.add(n).cast::<i32>() as f32);
                let e5 = s.splat(*p3.add(n).cast::<i32>() as f32);
                let e6 = s.eq(e4, e5);
                let e7 = s.float(e6);
                {
                    let x = s.keep_first(e3, 1usize);
                    acc0 = s.add(acc0, x);
                }
                {
                    let x = s.keep_first(e7, 1usize);
                    acc1 = s.add(acc1, x);
                }
            }
            s.store(
                p4.add(((chunk * 2usize + 0usize) * 1usize + 0usize) * 16usize),
                acc0,
            );
            s.store(
                p4.add(((chunk * 2usize + 1usize) * 1usize + 0usize) * 16usize),
                acc1,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// loss, correct: map, reduce.sum, map, map, reduce.sum
mod k9_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let mut acc0 = s.splat(0.0f32);
            let mut acc1 = s.splat(0.0f32);
            for chunk in 0..16usize {
                acc0 = s
                    .add(
                        acc0,
                        s
                            .load(
                                p0
                                    .add(
                                        ((chunk * 2usize + 0usize) * 1usize + 0usize) * 16usize,
                                    ),
                            ),
                    );
                acc1 = s
                    .add(
                        acc1,
                        s
                            .load(
                                p0
                                    .add(
                                        ((chunk * 2usize + 1usize) * 1usize + 0usize) * 16usize,
                                    ),
                            ),
                    );
            }
            let r0 = s.splat(s.sum(acc0));
            let r1 = s.splat(s.sum(acc1));
            let e0 = r0;
            let e1 = r1;
            let e2 = s.splat(cx.batch as f32);
            let e3 = s.div(e0, e2);
            s.store_first(p1, e3, 1usize);
            s.store_first(p2, e1, 1usize);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4: reduce.sum
mod k10_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        16usize * 1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let chunk = task / 1usize;
            let first = chunk * cx.batch / 16usize;
            let last = (chunk + 1) * cx.batch / 16usize;
            let mut acc0 = s.splat(0.0f32);
            for n in first..last {
                let e0 = s.load(p0.add(n * 16usize));
                {
                    let x = e0;
                    acc0 = s.add(acc0, x);
                }
            }
            s.store(
                p1.add(((chunk * 1usize + 0usize) * 1usize + 0usize) * 16usize),
                acc0,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4: reduce.sum
mod k11_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let mut acc0 = s.splat(0.0f32);
            for chunk in 0..16usize {
                acc0 = s
                    .add(
                        acc0,
                        s
                            .load(
                                p0
                                    .add(
                                        ((chunk * 1usize + 0usize) * 1usize + 0usize) * 16usize,
                                    ),
                            ),
                    );
            }
            let r0 = acc0;
            let e0 = r0;
            s.store(p1, s.keep_first(e0, 10usize));
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4: reshape
mod k12_transpose {
    use ::kiln::__private::cpu::*;
    static D: Transpose = Transpose {
        outputs: 10usize,
        channels: 84usize,
        pixels: 1usize,
        planar: true,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        transpose_dense_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            transpose_dense(s, &D, p0, p1, task);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4, classifier.2: contract, map
mod k13_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Batch(1usize),
        blocks: 6usize,
        a_row: 16usize,
        b_block: 160usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(10usize),
                a: 1usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 2usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let b = block;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(n * 96usize + b * 16usize));
                        let e3 = s.gt(e2, e0);
                        let e4 = s.select(e3, e1, e0);
                        s.store(p1.add(n * 96usize + b * 16usize), e4);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { cx, p0: p2, p1: p3 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4: contract
mod k14_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Fixed(84usize),
        blocks: 1usize,
        a_row: 1usize,
        b_block: 16usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Batch(1usize),
                a: 96usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 1usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused {
                out: *mut f32,
            }
            impl Sink for Fused {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    _pixel: usize,
                ) {
                    unsafe {
                        let value = if block == 0usize {
                            s.keep_first(acc, 10usize)
                        } else {
                            acc
                        };
                        s.store(self.out.add(block * 1344usize + row * 16usize), value);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { out: p2 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.2: reduce.sum
mod k15_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        16usize * 6usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let chunk = task / 6usize;
            let b = task % 6usize;
            let first = chunk * cx.batch / 16usize;
            let last = (chunk + 1) * cx.batch / 16usize;
            let mut acc0 = s.splat(0.0f32);
            for n in first..last {
                let e0 = s.load(p0.add(n * 96usize + b * 16usize));
                {
                    let x = e0;
                    acc0 = s.add(acc0, x);
                }
            }
            s.store(p1.add(((chunk * 1usize + 0usize) * 6usize + b) * 16usize), acc0);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.2: reduce.sum
mod k16_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            for b in 0..6usize {
                let mut acc0 = s.splat(0.0f32);
                for chunk in 0..16usize {
                    acc0 = s
                        .add(
                            acc0,
                            s
                                .load(
                                    p0.add(((chunk * 1usize + 0usize) * 6usize + b) * 16usize),
                                ),
                        );
                }
                let r0 = acc0;
                let e0 = r0;
                s.store(
                    p1.add(b * 16usize),
                    if b == 5usize { s.keep_first(e0, 4usize) } else { e0 },
                );
            }
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.2: reshape
mod k17_transpose {
    use ::kiln::__private::cpu::*;
    static D: Transpose = Transpose {
        outputs: 84usize,
        channels: 120usize,
        pixels: 1usize,
        planar: true,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        transpose_dense_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            transpose_dense(s, &D, p0, p1, task);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.2, classifier.0: contract, map
mod k18_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Batch(1usize),
        blocks: 8usize,
        a_row: 96usize,
        b_block: 1344usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(84usize),
                a: 1usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 2usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let b = block;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(n * 128usize + b * 16usize));
                        let e3 = s.gt(e2, e0);
                        let e4 = s.select(e3, e1, e0);
                        s.store(p1.add(n * 128usize + b * 16usize), e4);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { cx, p0: p2, p1: p3 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.2: contract
mod k19_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Fixed(120usize),
        blocks: 6usize,
        a_row: 1usize,
        b_block: 16usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Batch(1usize),
                a: 128usize,
                b: 96usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 2usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused {
                out: *mut f32,
            }
            impl Sink for Fused {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    _pixel: usize,
                ) {
                    unsafe {
                        let value = if block == 5usize {
                            s.keep_first(acc, 4usize)
                        } else {
                            acc
                        };
                        s.store(self.out.add(block * 1920usize + row * 16usize), value);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { out: p2 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0: reduce.sum
mod k20_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        16usize * 8usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let chunk = task / 8usize;
            let b = task % 8usize;
            let first = chunk * cx.batch / 16usize;
            let last = (chunk + 1) * cx.batch / 16usize;
            let mut acc0 = s.splat(0.0f32);
            for n in first..last {
                let e0 = s.load(p0.add(n * 128usize + b * 16usize));
                {
                    let x = e0;
                    acc0 = s.add(acc0, x);
                }
            }
            s.store(p1.add(((chunk * 1usize + 0usize) * 8usize + b) * 16usize), acc0);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0: reduce.sum
mod k21_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            for b in 0..8usize {
                let mut acc0 = s.splat(0.0f32);
                for chunk in 0..16usize {
                    acc0 = s
                        .add(
                            acc0,
                            s
                                .load(
                                    p0.add(((chunk * 1usize + 0usize) * 8usize + b) * 16usize),
                                ),
                        );
                }
                let r0 = acc0;
                let e0 = r0;
                s.store(
                    p1.add(b * 16usize),
                    if b == 7usize { s.keep_first(e0, 8usize) } else { e0 },
                );
            }
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0: reshape
mod k22_transpose {
    use ::kiln::__private::cpu::*;
    static D: Transpose = Transpose {
        outputs: 120usize,
        channels: 16usize,
        pixels: 25usize,
        planar: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        transpose_dense_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            transpose_dense(s, &D, p0, p1, task);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0: conv.input
mod k23_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Batch(1usize),
        blocks: 25usize,
        a_row: 128usize,
        b_block: 1920usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(120usize),
                a: 1usize,
                b: 16usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 4usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0 } = self;
                        let n = row;
                        let p = block % 25usize;
                        let e0 = acc;
                        s.store(p0.add(n * 400usize + p * 16usize), e0);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { cx, p0: p2 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0: conv.weight
mod k24_gemm {
    use ::kiln::__private::cpu::*;
    static D: Gemm = Gemm {
        rows: Count::Fixed(400usize),
        blocks: 8usize,
        a_row: 1usize,
        b_block: 16usize,
        k: [
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Fixed(1usize),
                a: 0usize,
                b: 0usize,
            },
            Digit {
                count: Count::Batch(1usize),
                a: 400usize,
                b: 128usize,
            },
        ],
        tail: 0usize,
        row_task: 96usize,
        block_task: 2usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        gemm_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused {
                out: *mut f32,
            }
            impl Sink for Fused {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    _pixel: usize,
                ) {
                    unsafe {
                        let value = if block == 7usize {
                            s.keep_first(acc, 8usize)
                        } else {
                            acc
                        };
                        s.store(self.out.add(block * 6400usize + row * 16usize), value);
                    }
                }
            }
            gemm(s, &D, p0, p1, cx.batch, task, Fused { out: p2 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.5, features.3: window.route, map
mod k25_window {
    use ::kiln::__private::cpu::*;
    static D: Window = Window {
        blocks: 1usize,
        axes: [
            WindowAxis {
                input: 10usize,
                output: 5usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
            WindowAxis {
                input: 10usize,
                output: 5usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
        ],
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        window_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(n * 1600usize + p * 16usize));
                        let e3 = s.gt(e2, e0);
                        let e4 = s.select(e3, e1, e0);
                        s.store(p1.add(n * 1600usize + p * 16usize), e4);
                    }
                }
            }
            window_route(
                s,
                &D,
                p0,
                400usize,
                p1.cast::<i32>(),
                400usize,
                task,
                Fused { cx, p0: p2, p1: p3 },
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3: reduce.sum
mod k26_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        16usize * 1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let chunk = task / 1usize;
            let first = chunk * cx.batch / 16usize;
            let last = (chunk + 1) * cx.batch / 16usize;
            let mut acc0 = s.splat(0.0f32);
            for n in first..last {
                for p in 0..100usize {
                    let e0 = s.load(p0.add(n * 1600usize + p * 16usize));
                    {
                        let x = e0;
                        acc0 = s.add(acc0, x);
                    }
                }
            }
            s.store(
                p1.add(((chunk * 1usize + 0usize) * 1usize + 0usize) * 16usize),
                acc0,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3: reduce.sum
mod k27_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let mut acc0 = s.splat(0.0f32);
            for chunk in 0..16usize {
                acc0 = s
                    .add(
                        acc0,
                        s
                            .load(
                                p0
                                    .add(
                                        ((chunk * 1usize + 0usize) * 1usize + 0usize) * 16usize,
                                    ),
                            ),
                    );
            }
            let r0 = acc0;
            let e0 = r0;
            s.store(p1, e0);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3: reshape
mod k28_flip {
    use ::kiln::__private::cpu::*;
    static D: Conv = Conv {
        channels: 6usize,
        outputs: 16usize,
        input: [14usize, 14usize],
        output: [10usize, 10usize],
        kernel: [5usize, 5usize],
        stride: [1usize, 1usize],
        padding: [0usize, 0usize],
        dilation: [1usize, 1usize],
        spread: [1, 1],
        planar: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        flip_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            flip_weights(&D, false, p0, p1, task);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3: conv.input
mod k29_conv {
    use ::kiln::__private::cpu::*;
    static D: Conv = Conv {
        channels: 16usize,
        outputs: 6usize,
        input: [10usize, 10usize],
        output: [14usize, 14usize],
        kernel: [5usize, 5usize],
        stride: [1, 1],
        padding: [4usize, 4usize],
        dilation: [1usize, 1usize],
        spread: [1usize, 1usize],
        planar: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        conv_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = acc;
                        s.store(p0.add(n * 3136usize + p * 16usize), e0);
                    }
                }
            }
            conv(
                s,
                &D,
                p0,
                1600usize,
                p1,
                cx.scratch(worker),
                cx.batch,
                task,
                Fused { cx, p0: p2 },
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3: conv.weight
mod k30_conv_weight {
    use ::kiln::__private::cpu::*;
    static D: ConvWeight = ConvWeight {
        conv: Conv {
            channels: 6usize,
            outputs: 16usize,
            input: [14usize, 14usize],
            output: [10usize, 10usize],
            kernel: [5usize, 5usize],
            stride: [1usize, 1usize],
            padding: [0usize, 0usize],
            dilation: [1usize, 1usize],
            spread: [1, 1],
            planar: false,
        },
        dy_planar: false,
        chunks: 16usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        conv_weight_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            conv_weight(
                s,
                &D,
                p0,
                3136usize,
                p1,
                1600usize,
                p2,
                cx.scratch(worker),
                cx.batch,
                task,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3: conv.weight
mod k31_combine {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        combine_tasks(6400usize)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            combine(s, 16usize, 6400usize, p0, p1, task);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.2, features.0: window.route, map
mod k32_window {
    use ::kiln::__private::cpu::*;
    static D: Window = Window {
        blocks: 1usize,
        axes: [
            WindowAxis {
                input: 28usize,
                output: 14usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
            WindowAxis {
                input: 28usize,
                output: 14usize,
                kernel: 2usize,
                stride: 2usize,
                dilation: 1usize,
                padding: 0usize,
            },
        ],
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        window_tasks(&D, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: &'a Ctx,
                p0: *mut f32,
                p1: *mut f32,
            }
            impl Sink for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(
                    self,
                    s: S,
                    acc: S::V,
                    row: usize,
                    block: usize,
                    pixel: usize,
                ) {
                    unsafe {
                        let Fused { cx, p0, p1 } = self;
                        let n = row;
                        let p = pixel;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(n * 12544usize + p * 16usize));
                        let e3 = s.gt(e2, e0);
                        let e4 = s.select(e3, e1, e0);
                        s.store(p1.add(n * 12544usize + p * 16usize), e4);
                    }
                }
            }
            window_route(
                s,
                &D,
                p0,
                3136usize,
                p1.cast::<i32>(),
                3136usize,
                task,
                Fused { cx, p0: p2, p1: p3 },
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.0: reduce.sum
mod k33_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        16usize * 1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let chunk = task / 1usize;
            let first = chunk * cx.batch / 16usize;
            let last = (chunk + 1) * cx.batch / 16usize;
            let mut acc0 = s.splat(0.0f32);
            for n in first..last {
                for p in 0..784usize {
                    let e0 = s.load(p0.add(n * 12544usize + p * 16usize));
                    {
                        let x = e0;
                        acc0 = s.add(acc0, x);
                    }
                }
            }
            s.store(
                p1.add(((chunk * 1usize + 0usize) * 1usize + 0usize) * 16usize),
                acc0,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.0: reduce.sum
mod k34_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let mut acc0 = s.splat(0.0f32);
            for chunk in 0..16usize {
                acc0 = s
                    .add(
                        acc0,
                        s
                            .load(
                                p0
                                    .add(
                                        ((chunk * 1usize + 0usize) * 1usize + 0usize) * 16usize,
                                    ),
                            ),
                    );
            }
            let r0 = acc0;
            let e0 = r0;
            s.store(p1, s.keep_first(e0, 6usize));
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.0: conv.weight
mod k35_conv_weight {
    use ::kiln::__private::cpu::*;
    static D: ConvWeight = ConvWeight {
        conv: Conv {
            channels: 1usize,
            outputs: 6usize,
            input: [28usize, 28usize],
            output: [28usize, 28usize],
            kernel: [5usize, 5usize],
            stride: [1usize, 1usize],
            padding: [2usize, 2usize],
            dilation: [1usize, 1usize],
            spread: [1, 1],
            planar: true,
        },
        dy_planar: false,
        chunks: 16usize,
    };
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        conv_weight_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            conv_weight(
                s,
                &D,
                p0,
                784usize,
                p1,
                12544usize,
                p2,
                cx.scratch(worker),
                cx.batch,
                task,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.0: conv.weight
mod k36_combine {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize) -> usize {
        combine_tasks(400usize)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            combine(s, 16usize, 400usize, p0, p1, task);
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

