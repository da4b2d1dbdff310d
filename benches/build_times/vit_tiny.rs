//! A transformer as large as ViT-Tiny (Dosovitskiy et al., 2020): 197 tokens of 192 numbers, twelve encoders with three heads, whose attention is written with what the language has. `cargo xtask build-times` times its expansion.

use kiln::prelude::*;

network! {
    block Attention {
      x: LayerNorm<192>; q: Linear<192>; k: Linear<192>(x); v: Linear<192>(x);
      q0: Slice<axis = 1, start = 0, end = 64>(q); rq0: Reshape<[197, 1, 64]>(q0);
      k0: Slice<axis = 1, start = 0, end = 64>(k); rk0: Reshape<[1, 197, 64]>(k0);
      v0: Slice<axis = 1, start = 0, end = 64>(v); rv0: Reshape<[1, 197, 64]>(v0);
      Mul(rq0, rk0); Sum<axis = 2>; Permute<[1, 0]>; Softmax; Permute<[1, 0]>; Reshape<[197, 197, 1]>; Mul(_, rv0); h0: Sum<axis = 1>;
      q1: Slice<axis = 1, start = 64, end = 128>(q); rq1: Reshape<[197, 1, 64]>(q1);
      k1: Slice<axis = 1, start = 64, end = 128>(k); rk1: Reshape<[1, 197, 64]>(k1);
      v1: Slice<axis = 1, start = 64, end = 128>(v); rv1: Reshape<[1, 197, 64]>(v1);
      Mul(rq1, rk1); Sum<axis = 2>; Permute<[1, 0]>; Softmax; Permute<[1, 0]>; Reshape<[197, 197, 1]>; Mul(_, rv1); h1: Sum<axis = 1>;
      q2: Slice<axis = 1, start = 128, end = 192>(q); rq2: Reshape<[197, 1, 64]>(q2);
      k2: Slice<axis = 1, start = 128, end = 192>(k); rk2: Reshape<[1, 197, 64]>(k2);
      v2: Slice<axis = 1, start = 128, end = 192>(v); rv2: Reshape<[1, 197, 64]>(v2);
      Mul(rq2, rk2); Sum<axis = 2>; Permute<[1, 0]>; Softmax; Permute<[1, 0]>; Reshape<[197, 197, 1]>; Mul(_, rv2); h2: Sum<axis = 1>;
      t0: Permute<[1, 0]>(h0);t1: Permute<[1, 0]>(h1);t2: Permute<[1, 0]>(h2);
      Concat(t0, t1, t2); Permute<[1, 0]>; proj: Linear<192>;
    }
    block Encoder { Residual { attn: Attention; } Residual { ln: LayerNorm<192>; fc1: Linear<768>; Gelu; fc2: Linear<192>; } }
    pub VitTiny { input x: [197, 192]; target c: class<1000>;
    e0: Encoder;
    e1: Encoder;
    e2: Encoder;
    e3: Encoder;
    e4: Encoder;
    e5: Encoder;
    e6: Encoder;
    e7: Encoder;
    e8: Encoder;
    e9: Encoder;
    e10: Encoder;
    e11: Encoder;
    norm: LayerNorm<192>; Permute<[1, 0]>; Average<axis = 1>; head: Linear<1000>; loss: CrossEntropy(_, c); }
}

fn main() {
    println!("{}", VitTiny::summary());
}
