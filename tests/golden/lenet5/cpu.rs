// What `network!` emits for the CPU, written and compared by codegen/tests/golden.rs: as long as its kernels are.

/// features.0, features.1, features.2, features.3, features.4, features.5: conv.forward, map, map, window.max, window.argmax, conv.forward, map, map, window.max, window.argmax
mod k0_lanes {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
        lane_groups(batch)
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
            let p6 = cx.arg(6usize);
            let p7 = cx.arg(7usize);
            let p8 = cx.arg(8usize);
            let scratch = cx.scratch(worker);
            let border = scratch.add(12544usize);
            let v0 = scratch.add(0usize);
            let v15 = scratch.add(0usize);
            for group in lane_task(cx.batch, tasks(cx.batch, &[]), task) {
                let n = group * 16usize;
                let live = (cx.batch - n).min(16usize);
                let v8 = p0.add(n * 1176usize);
                let v67 = p1.add(n * 1176usize);
                let v59 = p2.add(n * 400usize);
                {
                    static V: LaneValue = LaneValue {
                        channels: 1usize,
                        pixels: 784usize,
                        blocked: false,
                    };
                    lane_import(s, &V, p3.add(n * 784usize), 784usize, live, v0);
                }
                {
                    static C: LaneConv = LaneConv {
                        channels: 1usize,
                        outputs: 6usize,
                        input: [28usize, 28usize],
                        output: [28usize, 28usize],
                        kernel: [5usize, 5usize],
                        stride: [1usize, 1usize],
                        padding: [2usize, 2usize],
                        dilation: [1usize, 1usize],
                        weight: LaneWeight {
                            output: 1,
                            channel: 400usize,
                            tap: 16usize,
                        },
                        turned: false,
                    };
                    #[derive(Clone, Copy)]
                    struct Fused<'a> {
                        cx: Cx<'a>,
                        p5: *mut f32,
                        v8: *mut f32,
                        v67: *mut f32,
                    }
                    impl LanePool for Fused<'_> {
                        #[inline(always)]
                        unsafe fn each<S: Simd>(
                            self,
                            s: S,
                            acc: S::V,
                            c: usize,
                            p: usize,
                        ) -> S::V {
                            unsafe {
                                let Fused { cx, p5, v8, v67 } = self;
                                let e0 = s.splat(0f32);
                                let e1 = acc;
                                let e2 = s.splat(*p5.add(c));
                                let e3 = s.add(e1, e2);
                                let e4 = s.max(e3, e0);
                                e4
                            }
                        }
                        #[inline(always)]
                        unsafe fn put<S: Simd>(
                            self,
                            s: S,
                            max: S::V,
                            arg: S::V,
                            c: usize,
                            p: usize,
                        ) {
                            unsafe {
                                let Fused { cx, p5, v8, v67 } = self;
                                let e0 = max;
                                let e1 = arg;
                                s.store(v8.add((c * 196usize + p) * 16usize), e0);
                                s.store_i32(
                                    v67.add((c * 196usize + p) * 16usize).cast(),
                                    e1,
                                );
                            }
                        }
                    }
                    lane_conv_pool(
                        s,
                        &C,
                        v0,
                        p4,
                        border,
                        Fused {
                            cx,
                            p5: p5,
                            v8: v8,
                            v67: v67,
                        },
                    );
                }
                {
                    static C: LaneConv = LaneConv {
                        channels: 6usize,
                        outputs: 16usize,
                        input: [14usize, 14usize],
                        output: [10usize, 10usize],
                        kernel: [5usize, 5usize],
                        stride: [1usize, 1usize],
                        padding: [0usize, 0usize],
                        dilation: [1usize, 1usize],
                        weight: LaneWeight {
                            output: 1,
                            channel: 16usize,
                            tap: 256usize,
                        },
                        turned: false,
                    };
                    #[derive(Clone, Copy)]
                    struct Fused<'a> {
                        cx: Cx<'a>,
                        p7: *mut f32,
                        v15: *mut f32,
                        v59: *mut f32,
                    }
                    impl LanePool for Fused<'_> {
                        #[inline(always)]
                        unsafe fn each<S: Simd>(
                            self,
                            s: S,
                            acc: S::V,
                            c: usize,
                            p: usize,
                        ) -> S::V {
                            unsafe {
                                let Fused { cx, p7, v15, v59 } = self;
                                let e0 = s.splat(0f32);
                                let e1 = acc;
                                let e2 = s.splat(*p7.add(c));
                                let e3 = s.add(e1, e2);
                                let e4 = s.max(e3, e0);
                                e4
                            }
                        }
                        #[inline(always)]
                        unsafe fn put<S: Simd>(
                            self,
                            s: S,
                            max: S::V,
                            arg: S::V,
                            c: usize,
                            p: usize,
                        ) {
                            unsafe {
                                let Fused { cx, p7, v15, v59 } = self;
                                let e0 = max;
                                let e1 = arg;
                                s.store(v15.add((c * 25usize + p) * 16usize), e0);
                                s.store_i32(
                                    v59.add((c * 25usize + p) * 16usize).cast(),
                                    e1,
                                );
                            }
                        }
                    }
                    lane_conv_pool(
                        s,
                        &C,
                        v8,
                        p6,
                        border,
                        Fused {
                            cx,
                            p7: p7,
                            v15: v15,
                            v59: v59,
                        },
                    );
                }
                {
                    static V: LaneValue = LaneValue {
                        channels: 16usize,
                        pixels: 25usize,
                        blocked: true,
                    };
                    lane_export(s, &V, v15, p8.add(n * 400usize), 400usize, live);
                }
            }
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0, classifier.1: conv.forward, map, map
mod k1_gemm {
    use ::kiln::__private::cpu::*;
    type Cx<'a> = Numbered<'a, 5usize>;
    pub fn tasks(
        #[allow(unused)]
        batch: usize,
        #[allow(unused)]
        numbers: &[usize],
    ) -> usize {
        let d = Gemm {
            rows: Count::Batch(1usize),
            blocks: numbers[0],
            a_row: numbers[1],
            b_block: numbers[2],
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
                    count: Count::Fixed(numbers[3]),
                    a: 1usize,
                    b: 16usize,
                },
            ],
            tail: 0usize,
            row_task: 96usize,
            block_task: 2usize,
            by_rows: false,
        };
        gemm_tasks(&d, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let cx = Cx::new(cx);
            let d = Gemm {
                rows: Count::Batch(1usize),
                blocks: cx.numbers[0],
                a_row: cx.numbers[1],
                b_block: cx.numbers[2],
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
                        count: Count::Fixed(cx.numbers[3]),
                        a: 1usize,
                        b: 16usize,
                    },
                ],
                tail: 0usize,
                row_task: 96usize,
                block_task: 2usize,
                by_rows: false,
            };
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: Cx<'a>,
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
                        s.store(p1.add(n * cx.numbers[4] + b * 16usize), e4);
                    }
                }
            }
            gemm(s, &d, p0, p1, cx.batch, task, Fused { cx, p0: p2, p1: p3 });
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.4: contract, map
mod k2_gemm {
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
        row_task: 24usize,
        block_task: 1usize,
        by_rows: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
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
                cx: Cx<'a>,
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
mod k3_row {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
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
                        let better = s
                            .or(s.gt(x, acc), s.and(s.ne(x, x), s.eq(acc, acc)));
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
mod k4_column_partials {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
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
            let mut acc0 = Total::new(s);
            let mut acc1 = Total::new(s);
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
                    acc0.add(s, x);
                }
                {
                    let x = s.keep_first(e7, 1usize);
                    acc1.add(s, x);
                }
            }
            s.store(
                p4.add(((chunk * 2usize + 0usize) * 1usize + 0usize) * 16usize),
                acc0.value(s),
            );
            s.store(
                p4.add(((chunk * 2usize + 1usize) * 1usize + 0usize) * 16usize),
                acc1.value(s),
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// loss, correct: map, reduce.sum, map, map, reduce.sum
mod k5_column_results {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
        1usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let mut acc0 = Total::new(s);
            let mut acc1 = Total::new(s);
            for chunk in 0..16usize {
                acc0.add(
                    s,
                    s
                        .load(
                            p0
                                .add(
                                    ((chunk * 2usize + 0usize) * 1usize + 0usize) * 16usize,
                                ),
                        ),
                );
                acc1.add(
                    s,
                    s
                        .load(
                            p0
                                .add(
                                    ((chunk * 2usize + 1usize) * 1usize + 0usize) * 16usize,
                                ),
                        ),
                );
            }
            let r0 = s.splat(s.sum(acc0.value(s)));
            let r1 = s.splat(s.sum(acc1.value(s)));
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

/// classifier.4, classifier.2: contract, map
mod k6_dense_input {
    use ::kiln::__private::cpu::*;
    type Cx<'a> = Numbered<'a, 4usize>;
    pub fn tasks(
        #[allow(unused)]
        batch: usize,
        #[allow(unused)]
        numbers: &[usize],
    ) -> usize {
        let d = Dense {
            outputs: numbers[0],
            channels: numbers[1],
            pixels: 1usize,
            planar: true,
        };
        dense_input_tasks(&d, batch)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let cx = Cx::new(cx);
            let d = Dense {
                outputs: cx.numbers[0],
                channels: cx.numbers[1],
                pixels: 1usize,
                planar: true,
            };
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            #[derive(Clone, Copy)]
            struct Fused<'a> {
                cx: Cx<'a>,
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
                        let e2 = s.load(p0.add(n * cx.numbers[2] + b * 16usize));
                        let e3 = s.gt(e2, e0);
                        let e4 = s.select(e3, e1, e0);
                        s.store(p1.add(n * cx.numbers[2] + b * 16usize), e4);
                    }
                }
            }
            dense_input(
                s,
                &d,
                p0,
                cx.numbers[3],
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

/// classifier.4: contract, reduce.sum
mod k7_dense_weight {
    use ::kiln::__private::cpu::*;
    type Cx<'a> = Numbered<'a, 4usize>;
    pub fn tasks(
        #[allow(unused)]
        batch: usize,
        #[allow(unused)]
        numbers: &[usize],
    ) -> usize {
        let d = Dense {
            outputs: numbers[0],
            channels: numbers[1],
            pixels: 1usize,
            planar: true,
        };
        dense_weight_tasks(&d)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let cx = Cx::new(cx);
            let d = Dense {
                outputs: cx.numbers[0],
                channels: cx.numbers[1],
                pixels: 1usize,
                planar: true,
            };
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            dense_weight(
                s,
                &d,
                DenseWeight {
                    x: p0,
                    x_sample: cx.numbers[2],
                    dy: p1,
                    dy_sample: cx.numbers[3],
                    weight: Gradient::new(&cx, p2, true),
                    bias: ::core::option::Option::Some(Gradient::new(&cx, p3, true)),
                    batch: cx.batch,
                },
                task,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// classifier.0, features.3: conv.input, map
mod k8_dense_input {
    use ::kiln::__private::cpu::*;
    static D: Dense = Dense {
        outputs: 120usize,
        channels: 16usize,
        pixels: 25usize,
        planar: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
        dense_input_tasks(&D, batch)
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
                cx: Cx<'a>,
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
                        let p = block % 25usize;
                        let e0 = s.splat(0f32);
                        let e1 = acc;
                        let e2 = s.load(p0.add(n * 400usize + p * 16usize));
                        let e3 = s.gt(e2, e0);
                        let e4 = s.select(e3, e1, e0);
                        s.store(p1.add(n * 400usize + p * 16usize), e4);
                    }
                }
            }
            dense_input(
                s,
                &D,
                p0,
                128usize,
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

/// classifier.0: conv.weight, reduce.sum
mod k9_dense_weight {
    use ::kiln::__private::cpu::*;
    static D: Dense = Dense {
        outputs: 120usize,
        channels: 16usize,
        pixels: 25usize,
        planar: false,
    };
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
        dense_weight_tasks(&D)
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            dense_weight(
                s,
                &D,
                DenseWeight {
                    x: p0,
                    x_sample: 400usize,
                    dy: p1,
                    dy_sample: 128usize,
                    weight: Gradient::new(&cx, p2, true),
                    bias: ::core::option::Option::Some(Gradient::new(&cx, p3, true)),
                    batch: cx.batch,
                },
                task,
            );
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3, features.0: window.route, reduce.sum, reshape, conv.input, map, conv.weight, window.route, reduce.sum, conv.weight
mod k10_lanes {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
        lane_chunks(batch, 16usize)
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
            let p6 = cx.arg(6usize);
            let scratch = cx.scratch(worker);
            let border = scratch.add(94080usize);
            let v0 = scratch.add(75264usize);
            let v60 = scratch.add(25600usize);
            let v61 = scratch.add(0usize);
            let v68 = scratch.add(75264usize);
            let v69 = scratch.add(0usize);
            let sums = p3.add(task * 13664usize);
            sums.write_bytes(0, 13664usize);
            let lost = sums.add(6832usize);
            for group in lane_task(cx.batch, tasks(cx.batch, &[]), task) {
                let n = group * 16usize;
                let live = (cx.batch - n).min(16usize);
                let v8 = p0.add(n * 1176usize);
                let v59 = p1.add(n * 400usize);
                let v67 = p2.add(n * 1176usize);
                {
                    static V: LaneValue = LaneValue {
                        channels: 16usize,
                        pixels: 25usize,
                        blocked: true,
                    };
                    lane_import(s, &V, p4.add(n * 400usize), 400usize, live, v60);
                }
                {
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
                    #[derive(Clone, Copy)]
                    struct Fused<'a> {
                        cx: Cx<'a>,
                        v61: *mut f32,
                    }
                    impl Sink for Fused<'_> {
                        #[inline(always)]
                        unsafe fn put<S: Simd>(
                            self,
                            s: S,
                            acc: S::V,
                            c: usize,
                            _: usize,
                            p: usize,
                        ) {
                            unsafe {
                                let Fused { cx, v61 } = self;
                                let e0 = acc;
                                s.store(v61.add((c * 100usize + p) * 16usize), e0);
                            }
                        }
                    }
                    lane_route(
                        s,
                        &D,
                        16usize,
                        v60,
                        v59.cast::<i32>(),
                        Fused { cx, v61: v61 },
                    );
                }
                lane_mask(s, 1600usize, live, v61);
                lane_sum(s, 16usize, 100usize, v61, sums.add(0usize), lost.add(0usize));
                {
                    static C: LaneConv = LaneConv {
                        channels: 16usize,
                        outputs: 6usize,
                        input: [10usize, 10usize],
                        output: [14usize, 14usize],
                        kernel: [5usize, 5usize],
                        stride: [1, 1],
                        padding: [4usize, 4usize],
                        dilation: [1usize, 1usize],
                        weight: LaneWeight {
                            output: 16usize,
                            channel: 1,
                            tap: 256usize,
                        },
                        turned: true,
                    };
                    #[derive(Clone, Copy)]
                    struct Fused<'a> {
                        cx: Cx<'a>,
                        v8: *mut f32,
                        v68: *mut f32,
                    }
                    impl Sink for Fused<'_> {
                        #[inline(always)]
                        unsafe fn put<S: Simd>(
                            self,
                            s: S,
                            acc: S::V,
                            c: usize,
                            _: usize,
                            p: usize,
                        ) {
                            unsafe {
                                let Fused { cx, v8, v68 } = self;
                                let e0 = s.splat(0f32);
                                let e1 = acc;
                                let e2 = s.load(v8.add((c * 196usize + p) * 16usize));
                                let e3 = s.gt(e2, e0);
                                let e4 = s.select(e3, e1, e0);
                                s.store(v68.add((c * 196usize + p) * 16usize), e4);
                            }
                        }
                    }
                    lane_conv(s, &C, v61, p5, border, Fused { cx, v8: v8, v68: v68 });
                }
                {
                    static C: LaneConv = LaneConv {
                        channels: 6usize,
                        outputs: 16usize,
                        input: [14usize, 14usize],
                        output: [10usize, 10usize],
                        kernel: [5usize, 5usize],
                        stride: [1usize, 1usize],
                        padding: [0usize, 0usize],
                        dilation: [1usize, 1usize],
                        weight: LaneWeight {
                            output: 1,
                            channel: 16usize,
                            tap: 256usize,
                        },
                        turned: false,
                    };
                    lane_mask(s, 1176usize, live, v8);
                    lane_conv_weight(
                        s,
                        &C,
                        v8,
                        v61,
                        border,
                        sums.add(16usize),
                        lost.add(16usize),
                    );
                }
                {
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
                    #[derive(Clone, Copy)]
                    struct Fused<'a> {
                        cx: Cx<'a>,
                        v69: *mut f32,
                    }
                    impl Sink for Fused<'_> {
                        #[inline(always)]
                        unsafe fn put<S: Simd>(
                            self,
                            s: S,
                            acc: S::V,
                            c: usize,
                            _: usize,
                            p: usize,
                        ) {
                            unsafe {
                                let Fused { cx, v69 } = self;
                                let e0 = acc;
                                s.store(v69.add((c * 784usize + p) * 16usize), e0);
                            }
                        }
                    }
                    lane_route(
                        s,
                        &D,
                        6usize,
                        v68,
                        v67.cast::<i32>(),
                        Fused { cx, v69: v69 },
                    );
                }
                lane_mask(s, 4704usize, live, v69);
                lane_sum(
                    s,
                    6usize,
                    784usize,
                    v69,
                    sums.add(6416usize),
                    lost.add(6416usize),
                );
                {
                    static V: LaneValue = LaneValue {
                        channels: 1usize,
                        pixels: 784usize,
                        blocked: false,
                    };
                    lane_import(s, &V, p6.add(n * 784usize), 784usize, live, v0);
                }
                {
                    static C: LaneConv = LaneConv {
                        channels: 1usize,
                        outputs: 6usize,
                        input: [28usize, 28usize],
                        output: [28usize, 28usize],
                        kernel: [5usize, 5usize],
                        stride: [1usize, 1usize],
                        padding: [2usize, 2usize],
                        dilation: [1usize, 1usize],
                        weight: LaneWeight {
                            output: 1,
                            channel: 400usize,
                            tap: 16usize,
                        },
                        turned: false,
                    };
                    lane_conv_weight(
                        s,
                        &C,
                        v0,
                        v69,
                        border,
                        sums.add(6432usize),
                        lost.add(6432usize),
                    );
                }
            }
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

/// features.3, features.0: window.route, reduce.sum, reshape, conv.input, map, conv.weight, window.route, reduce.sum, conv.weight
mod k11_lanes_combine {
    use ::kiln::__private::cpu::*;
    pub fn tasks(#[allow(unused)] batch: usize, _: &[usize]) -> usize {
        4usize
    }
    #[inline(always)]
    unsafe fn run<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize) {
        unsafe {
            let p0 = cx.arg(0usize);
            let p1 = cx.arg(1usize);
            let p2 = cx.arg(2usize);
            let p3 = cx.arg(3usize);
            let p4 = cx.arg(4usize);
            let chunks = lane_chunks(cx.batch, 16usize);
            match task {
                0usize => {
                    lane_combine(s, chunks, 13664usize, 16usize, p0.add(0usize), p1)
                }
                1usize => {
                    lane_combine(s, chunks, 13664usize, 6400usize, p0.add(16usize), p2)
                }
                2usize => {
                    lane_combine(s, chunks, 13664usize, 16usize, p0.add(6416usize), p3)
                }
                _ => lane_combine(s, chunks, 13664usize, 400usize, p0.add(6432usize), p4),
            }
        }
    }
    pub static ENTRY: [Entry; 3] = levels!(run);
}

