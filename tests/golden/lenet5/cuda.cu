// 10 launches
// 0: k0 after [], 29920 bytes shared: block_ca67e9aa67ea748c
// 1: k1 after [0], 76032 bytes shared: dense_forward_aaf0b5ece15e9f80
// 2: k2 after [1], 76032 bytes shared: dense_forward_72f2c897fd3566e9
// 3: k3 after [2], 50688 bytes shared: dense_forward_7f0c3885a94c6176
// 4: k4, k5, k6 after [3], 29184 bytes shared: column_dense_input_7aa8ebdb3e1557f6
// 5: k7, k8, k9 after [4], 86784 bytes shared: dense_weight_column_dense_input_54c8bb34c11697d8
// 6: k10, k11, k12 after [5], 86784 bytes shared: dense_weight_column_dense_input_82fa9114218c1ff2
// 7: k13, k14 after [6], 43008 bytes shared: dense_weight_block_b6568dc332a145d8
// 8: k15, k16, k17, k18 after [7], 36864 bytes shared: column_conv_weight_column_a4dc7d04df3f20b2
// 9: k15, k16, k17, k18 after [8], 1024 bytes shared: column_end_conv_weight_end_column_end_a54606afc84b6281

// features.0, features.1, features.2, features.3, features.4, features.5: conv.forward, map, map, window.max, window.argmax, conv.forward, map, map, window.max, window.argmax
namespace block_ca67e9aa67ea748c {
  using Launch = KilnLaunch<11, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    float* const s0 = shared.take<float>(4704u);
    float* const s1 = shared.take<float>(1176u);
    float* const s2 = shared.take<float>(1600u);
    for (u32 n = cta; n < launch.batch; n += ctas) {
      // features.0, features.1: conv.forward
      for (u32 t = kiln_thread(); t < 784u; t += KILN_THREADS) {
        const u32 p = t % 784u;
        const u32 first = t / 784u * 6u;
        float acc[6] = {};
        for (u32 ky = 0u; ky < 5u; ++ky) {
          for (u32 kx = 0u; kx < 5u; ++kx) {
            if (((p / 28u) + ky - 2u) < 28u && ((p % 28u) + kx - 2u) < 28u) {
              for (u32 i = 0u; i < 1u; ++i) {
                const float e0 = kiln_read_only(launch.arg[0] + (n * 784u + ((p / 28u) + ky - 2u) * 28u + ((p % 28u) + kx - 2u)));
                const float x = e0;
                #pragma unroll
                for (u32 j = 0u; j < 6u; ++j) {
                  const float e0 = kiln_read_only(launch.arg[1] + ((first + j) * 25u + ky * 5u + kx));
                  acc[j] = fmaf(x, e0, acc[j]);
                }
              }
            }
          }
        }
        #pragma unroll
        for (u32 j = 0u; j < 6u; ++j) {
          const u32 c = first + j;
          const u32 e = p * 6u + c;
          const float e0 = acc[j];
          const float e1 = kiln_read_only(launch.arg[2] + (c));
          const float e2 = e0 + e1;
          const float e3 = e2 > 0.0f || e2 != e2 ? e2 : 0.0f;
          s0[e] = e3;
          launch.arg[3][n * 4704u + e] = e3;
        }
      }
      kiln_barrier();
      // features.2: map
      for (u32 e = kiln_thread(); e < 1176u; e += KILN_THREADS) {
        const u32 c = e % 6u;
        const u32 p = e / 6u;
        float g3 = -kiln_infinity();
        float g4 = -1.0f;
        for (u32 j1 = 0u; j1 < 2u; ++j1) {
          for (u32 j2 = 0u; j2 < 2u; ++j2) {
            if (((p / 14u) * 2u + j1) < 28u && ((p % 14u) * 2u + j2) < 28u) {
              const float e0 = s0[c + ((p / 14u) * 2u + j1) * 168u + ((p % 14u) * 2u + j2) * 6u];
              const float x = e0;
              if (g4 < 0.0f || x > g3 || (x != x && g3 == g3)) { g3 = x; g4 = static_cast<float>((j1 * 2u + j2)); }
            }
          }
        }
        const float e0 = g4;
        const float e1 = g3;
        s1[e] = e1;
        launch.arg[4][n * 1176u + e] = e1;
        reinterpret_cast<i32*>(launch.arg[5])[n * 1176u + e] = static_cast<i32>(e0);
      }
      kiln_barrier();
      // features.3, features.4: conv.forward
      for (u32 t = kiln_thread(); t < 400u; t += KILN_THREADS) {
        const u32 p = t % 100u;
        const u32 first = t / 100u * 4u;
        float acc[4] = {};
        for (u32 ky = 0u; ky < 5u; ++ky) {
          for (u32 kx = 0u; kx < 5u; ++kx) {
            if (((p / 10u) + ky) < 14u && ((p % 10u) + kx) < 14u) {
              for (u32 i = 0u; i < 6u; ++i) {
                const float e0 = s1[i + ((p / 10u) + ky) * 84u + ((p % 10u) + kx) * 6u];
                const float x = e0;
                #pragma unroll
                for (u32 j = 0u; j < 4u; ++j) {
                  const float e0 = kiln_read_only(launch.arg[6] + ((first + j) * 150u + i + ky * 30u + kx * 6u));
                  acc[j] = fmaf(x, e0, acc[j]);
                }
              }
            }
          }
        }
        #pragma unroll
        for (u32 j = 0u; j < 4u; ++j) {
          const u32 c = first + j;
          const u32 e = p * 16u + c;
          const float e0 = acc[j];
          const float e1 = kiln_read_only(launch.arg[7] + (c));
          const float e2 = e0 + e1;
          const float e3 = e2 > 0.0f || e2 != e2 ? e2 : 0.0f;
          s2[e] = e3;
          launch.arg[8][n * 1600u + e] = e3;
        }
      }
      kiln_barrier();
      // features.5: map
      for (u32 e = kiln_thread(); e < 400u; e += KILN_THREADS) {
        const u32 c = e % 16u;
        const u32 p = e / 16u;
        float g3 = -kiln_infinity();
        float g4 = -1.0f;
        for (u32 j1 = 0u; j1 < 2u; ++j1) {
          for (u32 j2 = 0u; j2 < 2u; ++j2) {
            if (((p / 5u) * 2u + j1) < 10u && ((p % 5u) * 2u + j2) < 10u) {
              const float e0 = s2[c + ((p / 5u) * 2u + j1) * 160u + ((p % 5u) * 2u + j2) * 16u];
              const float x = e0;
              if (g4 < 0.0f || x > g3 || (x != x && g3 == g3)) { g3 = x; g4 = static_cast<float>((j1 * 2u + j2)); }
            }
          }
        }
        const float e0 = g4;
        const float e1 = g3;
        launch.arg[9][n * 400u + e] = e1;
        reinterpret_cast<i32*>(launch.arg[10])[n * 400u + e] = static_cast<i32>(e0);
      }
      kiln_barrier();
    }
  }
}
KILN_KERNEL(block_ca67e9aa67ea748c, 11, 1)

// classifier.0, classifier.1: conv.forward, map, map
namespace dense_forward_aaf0b5ece15e9f80 {
  using Launch = KilnLaunch<4, 1>;
  struct Sink {
    static constexpr bool WHOLE_TILE = false;
    const Launch& launch;
    KILN_DEV void element(u32, u32 row, u32 col, float sum) {
      const u32 n = row;
      const u32 e = col;
      const u32 c = col;
      const float e0 = sum;
      const float e1 = kiln_read_only(launch.arg[2] + (c));
      const float e2 = e0 + e1;
      const float e3 = e2 > 0.0f || e2 != e2 ? e2 : 0.0f;
      launch.arg[3][n * 120u + e] = e3;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnMatrix<400, 1, 4> a{launch.arg[0]};
    const KilnMatrix<400, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<16, 32, 128, 1, 1, 8, 3>, KilnF32>(a, b, sink, launch.batch, 120u, 400u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(dense_forward_aaf0b5ece15e9f80, 4, 1)

// classifier.2, classifier.3: contract, map, map
namespace dense_forward_72f2c897fd3566e9 {
  using Launch = KilnLaunch<4, 1>;
  struct Sink {
    static constexpr bool WHOLE_TILE = false;
    const Launch& launch;
    KILN_DEV void element(u32, u32 row, u32 col, float sum) {
      const u32 n = row;
      const u32 e = col;
      const u32 c = col;
      const float e0 = sum;
      const float e1 = kiln_read_only(launch.arg[2] + (c));
      const float e2 = e0 + e1;
      const float e3 = e2 > 0.0f || e2 != e2 ? e2 : 0.0f;
      launch.arg[3][n * 84u + e] = e3;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnMatrix<120, 1, 4> a{launch.arg[0]};
    const KilnMatrix<120, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<16, 32, 128, 1, 1, 8, 3>, KilnF32>(a, b, sink, launch.batch, 84u, 120u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(dense_forward_72f2c897fd3566e9, 4, 1)

// classifier.4, loss, correct: contract, map, reduce.max, map, reduce.sum, map, reduce.sum, reduce.argmax, map
namespace dense_forward_7f0c3885a94c6176 {
  using Launch = KilnLaunch<8, 1>;
  struct Sink {
    static constexpr bool WHOLE_TILE = true;
    const Launch& launch;
    KILN_DEV float element(u32, u32, u32, float sum) { return sum; }
    KILN_DEV void tile(u32 row0, u32 rows, u32, u32, const float* values, u32 pitch) {
      const u32 lane = kiln_thread() % 32u;
      for (u32 r = kiln_thread() / 32u; r < rows; r += 8u) {
        const u32 n = row0 + r;
        float r1 = -kiln_infinity();
        float r2 = -kiln_infinity();
        u32 r3 = lane;
        for (u32 e = lane; e < 10u; e += 32u) {
          const u32 c = e;
          const float e0 = values[r * pitch + c];
          const float e1 = kiln_read_only(launch.arg[2] + (c));
          const float e2 = e0 + e1;
          if (e2 > r1 || e2 != e2) r1 = e2;
          if (kiln_better(e2, r2)) { r2 = e2; r3 = e; }
        }
        r1 = kiln_warp_max(r1);
        kiln_warp_argmax(r2, r3);
        float r4 = 0.0f;
        float r5 = 0.0f;
        for (u32 e = lane; e < 10u; e += 32u) {
          const u32 c = e;
          const float e0 = values[r * pitch + c];
          const float e1 = r1;
          const float e2 = kiln_read_only(launch.arg[2] + (c));
          const float e3 = e0 + e2;
          const float e4 = e3 - e1;
          const float e5 = expf(e4);
          const float e6 = static_cast<float>(kiln_read_only(reinterpret_cast<const i32*>(launch.arg[3]) + (n)));
          const float e7 = static_cast<float>(c);
          const bool e8 = e7 == e6;
          const float e9 = e8 ? e4 : 0.0f;
          r4 += e5;
          r5 += e9;
        }
        r4 = kiln_warp_sum(r4);
        r5 = kiln_warp_sum(r5);
        for (u32 e = lane; e < 10u; e += 32u) {
          const u32 c = e;
          const float e0 = values[r * pitch + c];
          const float e1 = r1;
          const float e2 = r4;
          const float e3 = static_cast<float>(kiln_read_only(reinterpret_cast<const i32*>(launch.arg[3]) + (n)));
          const float e4 = kiln_read_only(launch.arg[2] + (c));
          const float e5 = e0 + e4;
          const float e6 = e5 - e1;
          const float e7 = expf(e6);
          const float e8 = static_cast<float>(c);
          const bool e9 = e8 == e3;
          const float e10 = static_cast<float>(launch.batch);
          const float e11 = 1.0f / e10;
          const float e12 = -e11;
          const float e13 = e9 ? e12 : 0.0f;
          const float e14 = e11 / e2;
          const float e15 = e7 * e14;
          const float e16 = e13 + e15;
          launch.arg[4][n * 10u + e] = e16;
        }
        if (lane == 0u) {
          const float e0 = static_cast<float>(r3);
          const float e1 = r4;
          const float e2 = r5;
          launch.arg[5][n] = e1;
          launch.arg[6][n] = e2;
          reinterpret_cast<i32*>(launch.arg[7])[n] = static_cast<i32>(e0);
        }
      }
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnMatrix<84, 1, 4> a{launch.arg[0]};
    const KilnMatrix<84, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<16, 16, 128, 1, 1, 8, 3>, KilnF32>(a, b, sink, launch.batch, 10u, 84u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(dense_forward_7f0c3885a94c6176, 8, 1)

// loss, correct, classifier.4, classifier.2: map, reduce.sum, map, map, reduce.sum, reduce.sum, contract, map
namespace column_dense_input_7aa8ebdb3e1557f6 {
  using Launch = KilnLaunch<16, 3>;
  namespace p0 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[2]) const {
        const u32 n = row;
        const float e0 = launch.arg[0][n];
        const float e1 = launch.arg[1][n];
        const float e2 = logf(e0);
        const float e3 = e2 - e1;
        const float e4 = static_cast<float>(reinterpret_cast<const i32*>(launch.arg[2])[n]);
        const float e5 = static_cast<float>(kiln_read_only(reinterpret_cast<const i32*>(launch.arg[3]) + (n)));
        const bool e6 = e4 == e5;
        const float e7 = e6 ? 1.0f : 0.0f;
        v[0] = e3;
        v[1] = e7;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) const {
        const float e0 = v[0];
        const float e1 = v[1];
        const float e2 = static_cast<float>(launch.batch);
        const float e3 = e0 / e2;
        launch.arg[4][0u] = e3;
        launch.arg[5][0u] = e1;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<1, 2>(body, launch.batch * 1u, 1u, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        const u32 e = col;
        const u32 n = row;
        const float e0 = launch.arg[6][n * 10u + e];
        v[0] = e0;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        const u32 e = col;
        const float e0 = v[0];
        KilnOptimizer::update(launch.arg[7], launch.arg[8], launch.arg[9], launch.arg[10], launch.arg[11], launch.arg[12], e, e0);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 1>(body, launch.batch * 1u, 10u, 1u, cta, ctas, shared);
    }
  }
  namespace p2 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 n = row;
        const u32 e = col;
        const float e0 = sum;
        const float e1 = launch.arg[14][n * 84u + e];
        const bool e2 = e1 > 0.0f;
        const float e3 = e2 ? e0 : 0.0f;
        launch.arg[15][n * 84u + e] = e3;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<10, 1, 1> a{launch.arg[6]};
      const KilnMatrix<1, 84, 4> b{launch.arg[13]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 32, 64, 1, 1, 8, 2>, KilnF32>(a, b, sink, launch.batch, 84u, 10u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(column_dense_input_7aa8ebdb3e1557f6, 16, 3)

// classifier.4, classifier.2, classifier.0: contract, reduce.sum, contract, map
namespace dense_weight_column_dense_input_54c8bb34c11697d8 {
  using Launch = KilnLaunch<18, 3>;
  namespace p0 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 e = row * 84u + col;
        KilnOptimizer::update(launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], launch.arg[7], e, sum);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 10, 1> a{launch.arg[1]};
      const KilnMatrix<1, 84, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 64, 32, 1, 8, 1, 3, true>, KilnF32>(a, b, sink, 10u, 84u, launch.batch, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        const u32 e = col;
        const u32 n = row;
        const float e0 = launch.arg[8][n * 84u + e];
        v[0] = e0;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        const u32 e = col;
        const float e0 = v[0];
        KilnOptimizer::update(launch.arg[9], launch.arg[10], launch.arg[11], launch.arg[12], launch.arg[13], launch.arg[14], e, e0);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<32, 1>(body, launch.batch * 1u, 84u, 1u, cta, ctas, shared);
    }
  }
  namespace p2 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 n = row;
        const u32 e = col;
        const float e0 = sum;
        const float e1 = launch.arg[16][n * 120u + e];
        const bool e2 = e1 > 0.0f;
        const float e3 = e2 ? e0 : 0.0f;
        launch.arg[17][n * 120u + e] = e3;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<84, 1, 4> a{launch.arg[8]};
      const KilnMatrix<1, 120, 4> b{launch.arg[15]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 32, 128, 1, 1, 8, 3>, KilnF32>(a, b, sink, launch.batch, 120u, 84u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(dense_weight_column_dense_input_54c8bb34c11697d8, 18, 3)

// classifier.2, classifier.0: contract, reduce.sum, conv.input
namespace dense_weight_column_dense_input_82fa9114218c1ff2 {
  using Launch = KilnLaunch<17, 3>;
  namespace p0 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 e = row * 120u + col;
        KilnOptimizer::update(launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], launch.arg[7], e, sum);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 84, 4> a{launch.arg[1]};
      const KilnMatrix<1, 120, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<32, 64, 32, 2, 4, 1, 3, true>, KilnF32>(a, b, sink, 84u, 120u, launch.batch, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        const u32 e = col;
        const u32 n = row;
        const float e0 = launch.arg[8][n * 120u + e];
        v[0] = e0;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        const u32 e = col;
        const float e0 = v[0];
        KilnOptimizer::update(launch.arg[9], launch.arg[10], launch.arg[11], launch.arg[12], launch.arg[13], launch.arg[14], e, e0);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<32, 1>(body, launch.batch * 1u, 120u, 1u, cta, ctas, shared);
    }
  }
  namespace p2 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 n = row;
        const u32 e = col;
        const float e0 = sum;
        launch.arg[16][n * 400u + e] = e0;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<120, 1, 4> a{launch.arg[8]};
      const KilnMatrix<1, 400, 4> b{launch.arg[15]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 32, 128, 1, 1, 8, 3>, KilnF32>(a, b, sink, launch.batch, 400u, 120u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(dense_weight_column_dense_input_82fa9114218c1ff2, 17, 3)

// classifier.0, features.5, features.3, features.2, features.0: conv.weight, window.route, map, conv.input, window.route, map
namespace dense_weight_block_b6568dc332a145d8 {
  using Launch = KilnLaunch<16, 2>;
  namespace p0 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 e = row * 400u + col;
        KilnOptimizer::update(launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], launch.arg[7], e, sum);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 120, 4> a{launch.arg[1]};
      const KilnMatrix<1, 400, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<32, 64, 32, 2, 4, 1, 3, true>, KilnF32>(a, b, sink, 120u, 400u, launch.batch, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      float* const s0 = shared.take<float>(1600u);
      float* const s1 = shared.take<float>(1176u);
      for (u32 n = cta; n < launch.batch; n += ctas) {
        // features.5, features.3: map
        for (u32 e = kiln_thread(); e < 1600u; e += KILN_THREADS) {
          const u32 c = e % 16u;
          const u32 p = e / 16u;
          float g3 = 0.0f;
          for (u32 j1 = 0u; j1 < 2u; ++j1) {
            for (u32 j2 = 0u; j2 < 2u; ++j2) {
              if ((p / 10u) >= j1 && ((p / 10u) - j1) % 2u == 0u && (((p / 10u) - j1) / 2u) < 5u && (p % 10u) >= j2 && ((p % 10u) - j2) % 2u == 0u && (((p % 10u) - j2) / 2u) < 5u) {
                const float e0 = launch.arg[9][n * 400u + c + (((p / 10u) - j1) / 2u) * 80u + (((p % 10u) - j2) / 2u) * 16u];
                const float e1 = static_cast<float>(reinterpret_cast<const i32*>(launch.arg[10])[n * 400u + c + (((p / 10u) - j1) / 2u) * 80u + (((p % 10u) - j2) / 2u) * 16u]);
                if (e1 == static_cast<float>((j1 * 2u + j2))) g3 += e0;
              }
            }
          }
          const float e0 = launch.arg[8][n * 1600u + e];
          const float e1 = g3;
          const bool e2 = e0 > 0.0f;
          const float e3 = e2 ? e1 : 0.0f;
          s0[e] = e3;
          launch.arg[11][n * 1600u + e] = e3;
        }
        kiln_barrier();
        // features.3: conv.input
        for (u32 t = kiln_thread(); t < 392u; t += KILN_THREADS) {
          const u32 p = t % 196u;
          const u32 first = t / 196u * 3u;
          float acc[3] = {};
          for (u32 ky = 0u; ky < 5u; ++ky) {
            for (u32 kx = 0u; kx < 5u; ++kx) {
              if ((p / 14u) >= ky && ((p / 14u) - ky) < 10u && (p % 14u) >= kx && ((p % 14u) - kx) < 10u) {
                for (u32 i = 0u; i < 16u; ++i) {
                  const float e0 = s0[i + ((p / 14u) - ky) * 160u + ((p % 14u) - kx) * 16u];
                  const float x = e0;
                  #pragma unroll
                  for (u32 j = 0u; j < 3u; ++j) {
                    const float e0 = kiln_read_only(launch.arg[12] + (i * 150u + (first + j) + ky * 30u + kx * 6u));
                    acc[j] = fmaf(x, e0, acc[j]);
                  }
                }
              }
            }
          }
          #pragma unroll
          for (u32 j = 0u; j < 3u; ++j) {
            const u32 c = first + j;
            const u32 e = p * 6u + c;
            const float e0 = acc[j];
            s1[e] = e0;
          }
        }
        kiln_barrier();
        // features.2, features.0: map
        for (u32 e = kiln_thread(); e < 4704u; e += KILN_THREADS) {
          const u32 c = e % 6u;
          const u32 p = e / 6u;
          float g3 = 0.0f;
          for (u32 j1 = 0u; j1 < 2u; ++j1) {
            for (u32 j2 = 0u; j2 < 2u; ++j2) {
              if ((p / 28u) >= j1 && ((p / 28u) - j1) % 2u == 0u && (((p / 28u) - j1) / 2u) < 14u && (p % 28u) >= j2 && ((p % 28u) - j2) % 2u == 0u && (((p % 28u) - j2) / 2u) < 14u) {
                const float e0 = s1[c + (((p / 28u) - j1) / 2u) * 84u + (((p % 28u) - j2) / 2u) * 6u];
                const float e1 = static_cast<float>(reinterpret_cast<const i32*>(launch.arg[14])[n * 1176u + c + (((p / 28u) - j1) / 2u) * 84u + (((p % 28u) - j2) / 2u) * 6u]);
                if (e1 == static_cast<float>((j1 * 2u + j2))) g3 += e0;
              }
            }
          }
          const float e0 = launch.arg[13][n * 4704u + e];
          const float e1 = g3;
          const bool e2 = e0 > 0.0f;
          const float e3 = e2 ? e1 : 0.0f;
          launch.arg[15][n * 4704u + e] = e3;
        }
        kiln_barrier();
      }
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(dense_weight_block_b6568dc332a145d8, 16, 2)

// features.3, features.0: reduce.sum, conv.weight, reduce.sum, conv.weight
namespace column_conv_weight_column_a4dc7d04df3f20b2 {
  using Launch = KilnLaunch<8, 4>;
  namespace p0 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        const u32 e = row % 100u * 16u + col;
        const u32 n = row / 100u;
        const float e0 = launch.arg[0][n * 1600u + e];
        v[0] = e0;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        launch.arg[1][(chunk * 1u + 0u) * 16u + col] = v[0];
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 1>(body, launch.batch * 100u, 16u, 128u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct G { enum : u32 { C = 6, O = 16, H = 14, W = 14, OH = 10, OW = 10, KH = 5, KW = 5, SH = 1, SW = 1, PH = 0, PW = 0, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
        launch.arg[3][split * 2400u + row * 150u + col] = sum;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 16, 4> a{launch.arg[0]};
      const KilnPatchColumns<G, 1176, 1, 84, 6, 1> b{launch.arg[2]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 64, 32, 1, 8, 1, 3, true>, KilnF32>(a, b, sink, 16u, 150u, launch.batch * 100u, 85u, cta, ctas, shared);
    }
  }
  namespace p2 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        const u32 e = row % 784u * 6u + col;
        const u32 n = row / 784u;
        const float e0 = launch.arg[4][n * 4704u + e];
        v[0] = e0;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        launch.arg[5][(chunk * 1u + 0u) * 6u + col] = v[0];
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<8, 1>(body, launch.batch * 784u, 6u, 128u, cta, ctas, shared);
    }
  }
  namespace p3 {
    struct G { enum : u32 { C = 1, O = 6, H = 28, W = 28, OH = 28, OW = 28, KH = 5, KW = 5, SH = 1, SW = 1, PH = 2, PW = 2, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
        launch.arg[7][split * 150u + row * 25u + col] = sum;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 6, 1> a{launch.arg[4]};
      const KilnPatchColumns<G, 784, 784, 28, 1, 1> b{launch.arg[6]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 64, 32, 1, 8, 1, 3, true>, KilnF32>(a, b, sink, 6u, 25u, launch.batch * 784u, 128u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
    else if (cta < launch.first[4]) p3::phase(launch, cta - launch.first[3], launch.first[4] - launch.first[3], shared);
  }
}
KILN_KERNEL(column_conv_weight_column_a4dc7d04df3f20b2, 8, 4)

// features.3, features.0: reduce.sum, conv.weight, reduce.sum, conv.weight
namespace column_end_conv_weight_end_column_end_a54606afc84b6281 {
  using Launch = KilnLaunch<28, 4>;
  namespace p0 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        v[0] = launch.arg[0][(row * 1u + 0u) * 16u + col];
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        const u32 e = col;
        const float e0 = v[0];
        KilnOptimizer::update(launch.arg[1], launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], e, e0);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 1>(body, 128u, 16u, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 2400u; e += ctas * KILN_THREADS) {
        float sum = 0.0f, sum_lost = 0.0f;
        for (u32 split = 0u; split < 85u; ++split) kiln_add(sum, sum_lost, launch.arg[7][split * 2400u + e]);
        KilnOptimizer::update(launch.arg[8], launch.arg[9], launch.arg[10], launch.arg[11], launch.arg[12], launch.arg[13], e, sum);
      }
    }
  }
  namespace p2 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
        v[0] = launch.arg[14][(row * 1u + 0u) * 6u + col];
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
        const u32 e = col;
        const float e0 = v[0];
        KilnOptimizer::update(launch.arg[15], launch.arg[16], launch.arg[17], launch.arg[18], launch.arg[19], launch.arg[20], e, e0);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<8, 1>(body, 128u, 6u, 1u, cta, ctas, shared);
    }
  }
  namespace p3 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 150u; e += ctas * KILN_THREADS) {
        float sum = 0.0f, sum_lost = 0.0f;
        for (u32 split = 0u; split < 128u; ++split) kiln_add(sum, sum_lost, launch.arg[21][split * 150u + e]);
        KilnOptimizer::update(launch.arg[22], launch.arg[23], launch.arg[24], launch.arg[25], launch.arg[26], launch.arg[27], e, sum);
      }
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
    else if (cta < launch.first[4]) p3::phase(launch, cta - launch.first[3], launch.first[4] - launch.first[3], shared);
  }
}
KILN_KERNEL(column_end_conv_weight_end_column_end_a54606afc84b6281, 28, 4)
