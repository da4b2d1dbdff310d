// 29 launches
// 0: k0 after [], 62208 bytes shared: conv_forward_59d2e942c2e07e69
// 1: k1 after [0], 3072 bytes shared: moments_c3a1758712b30c78
// 2: k2 after [1], 0 bytes shared: map_f0ba166bc1cd8c4e
// 3: k3 after [2], 62208 bytes shared: conv_forward_e9cd7d4e4d0053cc
// 4: k4 after [3], 3072 bytes shared: moments_c3a1758712b30c78
// 5: k5 after [4], 0 bytes shared: map_e9c3809c9797e433
// 6: k6, k12 after [5], 69120 bytes shared: conv_forward_d594a918f9a6de5e
// 7: k7, k13 after [6], 3072 bytes shared: moments_317503ddfa14e46c
// 8: k8 after [7], 0 bytes shared: map_231b9bcbce441799
// 9: k9 after [8], 69120 bytes shared: conv_forward_ce000004eeb77ce4
// 10: k10 after [9], 3072 bytes shared: moments_99c916a5bde2d1ea
// 11: k11 after [10], 0 bytes shared: map_f4b551a26ac84bb7
// 12: k14 after [11], 0 bytes shared: map_e69fe7bbbbe63137
// 13: k15 after [12], 1024 bytes shared: column_e3ccd0cc3a4f256f
// 14: k16 after [13], 17408 bytes shared: dense_forward_2ee02fb755bddd93
// 15: k17, k18, k19 after [14], 29184 bytes shared: column_dense_input_dd68335713990ea8
// 16: k20, k21 after [15], 36864 bytes shared: dense_weight_map_1852fb990f7fe2a1
// 17: k22 after [16], 3072 bytes shared: column_aed1bbfa646d861b
// 18: k23, k25, k36 after [17], 2048 bytes shared: block_map_d1437c03f1067863
// 19: k24, k26, k27 after [18], 43008 bytes shared: conv_weight_column_a354a8e6ae6a0be9
// 20: k24, k26, k28 after [19], 2048 bytes shared: conv_weight_end_block_fc67bb65a7115c82
// 21: k29, k30 after [20], 43008 bytes shared: conv_weight_column_6254135b7f9a0a81
// 22: k29, k30 after [21], 2048 bytes shared: conv_weight_end_column_end_d35e4436bd9d9c57
// 23: k31 after [22], 4096 bytes shared: block_268f9eb75bf2b960
// 24: k32, k33 after [23], 36864 bytes shared: conv_weight_column_ea2fcdd767544acd
// 25: k32, k33 after [24], 2048 bytes shared: conv_weight_end_column_end_24e202c2e9370c6a
// 26: k34 after [25], 0 bytes shared: map_e8087783bce617ed
// 27: k35 after [26], 36864 bytes shared: conv_weight_8e879a4899d56434
// 28: k35 after [27], 0 bytes shared: conv_weight_end_c9e7bda56c2aa347

// keep.conv1: conv.forward
namespace conv_forward_59d2e942c2e07e69 {
  using Launch = KilnLaunch<4, 1>;
  struct G { enum : u32 { C = 16, O = 16, H = 8, W = 8, OH = 8, OW = 8, KH = 3, KW = 3, SH = 1, SW = 1, PH = 1, PW = 1, DH = 1, DW = 1 }; };
  struct Sink {
    static constexpr bool WHOLE_TILE = true;
    const Launch& launch;
    KILN_DEV float element(u32, u32 row, u32 col, float sum) {
      const u32 n = row / 64u;
      const u32 e = row % 64u * 16u + col;
      const float e0 = sum;
      launch.arg[2][n * 1024u + e] = e0;
      return e0;
    }
    KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {
      kiln_tile_moments<16>(values, pitch, rows, cols, [&](u32 at, const KilnMoments& found) {
        const u32 col = col0 + at;
        float* const part = launch.arg[3] + (row0 / 128u) * 32u + col;
        part[0] = found.mean;
        part[16] = found.squares;
      });
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnPatches<G, 1024, 64, 8, 1, 1> a{launch.arg[0]};
    const KilnMatrix<144, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<128, 16, 32, 8, 1, 1, 3>, KilnF32>(a, b, sink, launch.batch * 64u, 16u, 144u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(conv_forward_59d2e942c2e07e69, 4, 1)

// keep.bn1: reduce.sum, map, map, assign, map, reduce.sum, map, map, assign
// keep.bn2: reduce.sum, map, map, assign, map, reduce.sum, map, map, assign
namespace moments_c3a1758712b30c78 {
  using Launch = KilnLaunch<7, 1>;
  struct Body {
    const Launch& launch;
    KILN_DEV KilnMoments load(u32 row, u32 col) const {
      const float* const part = launch.arg[0] + row * 32u + col;
      return KilnMoments{kiln_part(row, 128u, launch.batch * 64u), part[0], part[16]};
    }
    KILN_DEV void store(u32 chunk, u32 col, const KilnMoments& found) const {
      const u32 e = col;
      const float e0 = found.mean * found.count;
      const float e1 = found.squares;
      const float e2 = static_cast<float>(launch.batch);
      const float e3 = e2 * 64.0f;
      const float e4 = e0 / e3;
      const float e5 = launch.arg[1][e];
      const float e6 = e5 * 0.9f;
      const float e7 = e4 * 0.1f;
      const float e8 = e6 + e7;
      const float e9 = e1 / e3;
      const float e10 = launch.arg[2][e];
      const float e11 = 0.9f * e10;
      const float e12 = e3 - 1.0f;
      const float e13 = e12 > 1.0f || e12 != e12 ? e12 : 1.0f;
      const float e14 = e3 / e13;
      const float e15 = e9 * e14;
      const float e16 = 0.1f * e15;
      const float e17 = e11 + e16;
      launch.arg[3][e] = e4;
      launch.arg[4][e] = e8;
      launch.arg[5][e] = e9;
      launch.arg[6][e] = e17;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const Body body{launch};
    kiln_moments<16>(body, (launch.batch * 64u + 127u) / 128u, 16u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(moments_c3a1758712b30c78, 7, 1)

// keep.bn1, keep.2: map, map
namespace map_f0ba166bc1cd8c4e {
  using Launch = KilnLaunch<6, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const u32 stride = ctas * KILN_THREADS;
    for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 1024u; first += 4u * stride) {
      float v0[4];
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 1024u) {
          const u32 e = i % 1024u;
          const u32 n = i / 1024u;
          const u32 c = e % 16u;
          const float e0 = launch.arg[0][n * 1024u + e];
          const float e1 = launch.arg[1][c];
          const float e2 = launch.arg[2][c];
          const float e3 = kiln_read_only(launch.arg[3] + (c));
          const float e4 = kiln_read_only(launch.arg[4] + (c));
          const float e5 = e2 + 1e-5f;
          const float e6 = sqrtf(e5);
          const float e7 = e3 / e6;
          const float e8 = e0 - e1;
          const float e9 = e7 * e8;
          const float e10 = e4 + e9;
          const float e11 = e10 > 0.0f || e10 != e10 ? e10 : 0.0f;
          v0[u] = e11;
        }
      }
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 1024u) {
          const u32 e = i % 1024u;
          const u32 n = i / 1024u;
          launch.arg[5][n * 1024u + e] = v0[u];
        }
      }
    }
  }
}
KILN_KERNEL(map_f0ba166bc1cd8c4e, 6, 1)

// keep.conv2: conv.forward
namespace conv_forward_e9cd7d4e4d0053cc {
  using Launch = KilnLaunch<4, 1>;
  struct G { enum : u32 { C = 16, O = 16, H = 8, W = 8, OH = 8, OW = 8, KH = 3, KW = 3, SH = 1, SW = 1, PH = 1, PW = 1, DH = 1, DW = 1 }; };
  struct Sink {
    static constexpr bool WHOLE_TILE = true;
    const Launch& launch;
    KILN_DEV float element(u32, u32 row, u32 col, float sum) {
      const u32 n = row / 64u;
      const u32 e = row % 64u * 16u + col;
      const float e0 = sum;
      launch.arg[2][n * 1024u + e] = e0;
      return e0;
    }
    KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {
      kiln_tile_moments<16>(values, pitch, rows, cols, [&](u32 at, const KilnMoments& found) {
        const u32 col = col0 + at;
        float* const part = launch.arg[3] + (row0 / 128u) * 32u + col;
        part[0] = found.mean;
        part[16] = found.squares;
      });
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnPatches<G, 1024, 1, 128, 16, 4> a{launch.arg[0]};
    const KilnMatrix<144, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<128, 16, 32, 8, 1, 1, 3>, KilnF32>(a, b, sink, launch.batch * 64u, 16u, 144u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(conv_forward_e9cd7d4e4d0053cc, 4, 1)

// keep.bn2, keep.Residual, 1 Relu: map, map, map
namespace map_e9c3809c9797e433 {
  using Launch = KilnLaunch<7, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const u32 stride = ctas * KILN_THREADS;
    for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 1024u; first += 4u * stride) {
      float v0[4];
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 1024u) {
          const u32 e = i % 1024u;
          const u32 n = i / 1024u;
          const u32 c = e % 16u;
          const u32 p = e / 16u;
          const float e0 = launch.arg[0][n * 1024u + e];
          const float e1 = launch.arg[1][c];
          const float e2 = launch.arg[2][c];
          const float e3 = kiln_read_only(launch.arg[3] + (c));
          const float e4 = kiln_read_only(launch.arg[4] + (c));
          const float e5 = e2 + 1e-5f;
          const float e6 = sqrtf(e5);
          const float e7 = e3 / e6;
          const float e8 = e0 - e1;
          const float e9 = e7 * e8;
          const float e10 = e4 + e9;
          const float e11 = kiln_read_only(launch.arg[5] + (n * 1024u + c * 64u + (p / 8u) * 8u + (p % 8u)));
          const float e12 = e10 + e11;
          const float e13 = e12 > 0.0f || e12 != e12 ? e12 : 0.0f;
          v0[u] = e13;
        }
      }
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 1024u) {
          const u32 e = i % 1024u;
          const u32 n = i / 1024u;
          launch.arg[6][n * 1024u + e] = v0[u];
        }
      }
    }
  }
}
KILN_KERNEL(map_e9c3809c9797e433, 7, 1)

// halve.conv1, halve.downsample.0: conv.forward, conv.forward
namespace conv_forward_d594a918f9a6de5e {
  using Launch = KilnLaunch<7, 2>;
  namespace p0 {
    struct G { enum : u32 { C = 16, O = 32, H = 8, W = 8, OH = 4, OW = 4, KH = 3, KW = 3, SH = 2, SW = 2, PH = 1, PW = 1, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = true;
      const Launch& launch;
      KILN_DEV float element(u32, u32 row, u32 col, float sum) {
        const u32 n = row / 16u;
        const u32 e = row % 16u * 32u + col;
        const float e0 = sum;
        launch.arg[2][n * 512u + e] = e0;
        return e0;
      }
      KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {
        kiln_tile_moments<32>(values, pitch, rows, cols, [&](u32 at, const KilnMoments& found) {
          const u32 col = col0 + at;
          float* const part = launch.arg[3] + (row0 / 128u) * 64u + col;
          part[0] = found.mean;
          part[32] = found.squares;
        });
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnPatches<G, 1024, 1, 128, 16, 4> a{launch.arg[0]};
      const KilnMatrix<144, 1, 4> b{launch.arg[1]};
      Sink sink{launch};
      kiln_gemm<KilnTile<128, 32, 32, 8, 1, 1, 3>, KilnF32>(a, b, sink, launch.batch * 16u, 32u, 144u, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct G { enum : u32 { C = 16, O = 32, H = 8, W = 8, OH = 4, OW = 4, KH = 1, KW = 1, SH = 2, SW = 2, PH = 0, PW = 0, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = true;
      const Launch& launch;
      KILN_DEV float element(u32, u32 row, u32 col, float sum) {
        const u32 n = row / 16u;
        const u32 e = row % 16u * 32u + col;
        const float e0 = sum;
        launch.arg[5][n * 512u + e] = e0;
        return e0;
      }
      KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {
        kiln_tile_moments<32>(values, pitch, rows, cols, [&](u32 at, const KilnMoments& found) {
          const u32 col = col0 + at;
          float* const part = launch.arg[6] + (row0 / 128u) * 64u + col;
          part[0] = found.mean;
          part[32] = found.squares;
        });
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnPatches<G, 1024, 1, 128, 16, 4> a{launch.arg[0]};
      const KilnMatrix<16, 1, 4> b{launch.arg[4]};
      Sink sink{launch};
      kiln_gemm<KilnTile<128, 32, 16, 8, 1, 1, 3>, KilnF32>(a, b, sink, launch.batch * 16u, 32u, 16u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(conv_forward_d594a918f9a6de5e, 7, 2)

// halve.bn1, halve.downsample.1: reduce.sum, map, map, assign, map, reduce.sum, map, map, assign, reduce.sum, map, map, assign, map, reduce.sum, map, map, assign
namespace moments_317503ddfa14e46c {
  using Launch = KilnLaunch<14, 2>;
  namespace p0 {
    struct Body {
      const Launch& launch;
      KILN_DEV KilnMoments load(u32 row, u32 col) const {
        const float* const part = launch.arg[0] + row * 64u + col;
        return KilnMoments{kiln_part(row, 128u, launch.batch * 16u), part[0], part[32]};
      }
      KILN_DEV void store(u32 chunk, u32 col, const KilnMoments& found) const {
        const u32 e = col;
        const float e0 = found.mean * found.count;
        const float e1 = found.squares;
        const float e2 = static_cast<float>(launch.batch);
        const float e3 = e2 * 16.0f;
        const float e4 = e0 / e3;
        const float e5 = launch.arg[1][e];
        const float e6 = e5 * 0.9f;
        const float e7 = e4 * 0.1f;
        const float e8 = e6 + e7;
        const float e9 = e1 / e3;
        const float e10 = launch.arg[2][e];
        const float e11 = 0.9f * e10;
        const float e12 = e3 - 1.0f;
        const float e13 = e12 > 1.0f || e12 != e12 ? e12 : 1.0f;
        const float e14 = e3 / e13;
        const float e15 = e9 * e14;
        const float e16 = 0.1f * e15;
        const float e17 = e11 + e16;
        launch.arg[3][e] = e4;
        launch.arg[4][e] = e8;
        launch.arg[5][e] = e9;
        launch.arg[6][e] = e17;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const Body body{launch};
      kiln_moments<32>(body, (launch.batch * 16u + 127u) / 128u, 32u, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV KilnMoments load(u32 row, u32 col) const {
        const float* const part = launch.arg[7] + row * 64u + col;
        return KilnMoments{kiln_part(row, 128u, launch.batch * 16u), part[0], part[32]};
      }
      KILN_DEV void store(u32 chunk, u32 col, const KilnMoments& found) const {
        const u32 e = col;
        const float e0 = found.mean * found.count;
        const float e1 = found.squares;
        const float e2 = static_cast<float>(launch.batch);
        const float e3 = e2 * 16.0f;
        const float e4 = e0 / e3;
        const float e5 = launch.arg[8][e];
        const float e6 = e5 * 0.9f;
        const float e7 = e4 * 0.1f;
        const float e8 = e6 + e7;
        const float e9 = e1 / e3;
        const float e10 = launch.arg[9][e];
        const float e11 = 0.9f * e10;
        const float e12 = e3 - 1.0f;
        const float e13 = e12 > 1.0f || e12 != e12 ? e12 : 1.0f;
        const float e14 = e3 / e13;
        const float e15 = e9 * e14;
        const float e16 = 0.1f * e15;
        const float e17 = e11 + e16;
        launch.arg[10][e] = e4;
        launch.arg[11][e] = e8;
        launch.arg[12][e] = e9;
        launch.arg[13][e] = e17;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const Body body{launch};
      kiln_moments<32>(body, (launch.batch * 16u + 127u) / 128u, 32u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(moments_317503ddfa14e46c, 14, 2)

// halve.bn1, halve.2: map, map
namespace map_231b9bcbce441799 {
  using Launch = KilnLaunch<6, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const u32 stride = ctas * KILN_THREADS;
    for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 512u; first += 4u * stride) {
      float v0[4];
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 512u) {
          const u32 e = i % 512u;
          const u32 n = i / 512u;
          const u32 c = e % 32u;
          const float e0 = launch.arg[0][n * 512u + e];
          const float e1 = launch.arg[1][c];
          const float e2 = launch.arg[2][c];
          const float e3 = kiln_read_only(launch.arg[3] + (c));
          const float e4 = kiln_read_only(launch.arg[4] + (c));
          const float e5 = e2 + 1e-5f;
          const float e6 = sqrtf(e5);
          const float e7 = e3 / e6;
          const float e8 = e0 - e1;
          const float e9 = e7 * e8;
          const float e10 = e4 + e9;
          const float e11 = e10 > 0.0f || e10 != e10 ? e10 : 0.0f;
          v0[u] = e11;
        }
      }
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 512u) {
          const u32 e = i % 512u;
          const u32 n = i / 512u;
          launch.arg[5][n * 512u + e] = v0[u];
        }
      }
    }
  }
}
KILN_KERNEL(map_231b9bcbce441799, 6, 1)

// halve.conv2: conv.forward
namespace conv_forward_ce000004eeb77ce4 {
  using Launch = KilnLaunch<4, 1>;
  struct G { enum : u32 { C = 32, O = 32, H = 4, W = 4, OH = 4, OW = 4, KH = 3, KW = 3, SH = 1, SW = 1, PH = 1, PW = 1, DH = 1, DW = 1 }; };
  struct Sink {
    static constexpr bool WHOLE_TILE = true;
    const Launch& launch;
    KILN_DEV float element(u32, u32 row, u32 col, float sum) {
      const u32 n = row / 16u;
      const u32 e = row % 16u * 32u + col;
      const float e0 = sum;
      launch.arg[2][n * 512u + e] = e0;
      return e0;
    }
    KILN_DEV void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch) {
      kiln_tile_moments<32>(values, pitch, rows, cols, [&](u32 at, const KilnMoments& found) {
        const u32 col = col0 + at;
        float* const part = launch.arg[3] + (row0 / 128u) * 64u + col;
        part[0] = found.mean;
        part[32] = found.squares;
      });
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnPatches<G, 512, 1, 128, 32, 4> a{launch.arg[0]};
    const KilnMatrix<288, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<128, 32, 32, 8, 1, 1, 3>, KilnF32>(a, b, sink, launch.batch * 16u, 32u, 288u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(conv_forward_ce000004eeb77ce4, 4, 1)

// halve.bn2: reduce.sum, map, map, assign, map, reduce.sum, map, map, assign
namespace moments_99c916a5bde2d1ea {
  using Launch = KilnLaunch<7, 1>;
  struct Body {
    const Launch& launch;
    KILN_DEV KilnMoments load(u32 row, u32 col) const {
      const float* const part = launch.arg[0] + row * 64u + col;
      return KilnMoments{kiln_part(row, 128u, launch.batch * 16u), part[0], part[32]};
    }
    KILN_DEV void store(u32 chunk, u32 col, const KilnMoments& found) const {
      const u32 e = col;
      const float e0 = found.mean * found.count;
      const float e1 = found.squares;
      const float e2 = static_cast<float>(launch.batch);
      const float e3 = e2 * 16.0f;
      const float e4 = e0 / e3;
      const float e5 = launch.arg[1][e];
      const float e6 = e5 * 0.9f;
      const float e7 = e4 * 0.1f;
      const float e8 = e6 + e7;
      const float e9 = e1 / e3;
      const float e10 = launch.arg[2][e];
      const float e11 = 0.9f * e10;
      const float e12 = e3 - 1.0f;
      const float e13 = e12 > 1.0f || e12 != e12 ? e12 : 1.0f;
      const float e14 = e3 / e13;
      const float e15 = e9 * e14;
      const float e16 = 0.1f * e15;
      const float e17 = e11 + e16;
      launch.arg[3][e] = e4;
      launch.arg[4][e] = e8;
      launch.arg[5][e] = e9;
      launch.arg[6][e] = e17;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const Body body{launch};
    kiln_moments<32>(body, (launch.batch * 16u + 127u) / 128u, 32u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(moments_99c916a5bde2d1ea, 7, 1)

// halve.bn2: map
namespace map_f4b551a26ac84bb7 {
  using Launch = KilnLaunch<6, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const u32 stride = ctas * KILN_THREADS;
    for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 512u; first += 4u * stride) {
      float v0[4];
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 512u) {
          const u32 e = i % 512u;
          const u32 n = i / 512u;
          const u32 c = e % 32u;
          const float e0 = launch.arg[0][n * 512u + e];
          const float e1 = launch.arg[1][c];
          const float e2 = launch.arg[2][c];
          const float e3 = kiln_read_only(launch.arg[3] + (c));
          const float e4 = kiln_read_only(launch.arg[4] + (c));
          const float e5 = e2 + 1e-5f;
          const float e6 = sqrtf(e5);
          const float e7 = e3 / e6;
          const float e8 = e0 - e1;
          const float e9 = e7 * e8;
          const float e10 = e4 + e9;
          v0[u] = e10;
        }
      }
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 512u) {
          const u32 e = i % 512u;
          const u32 n = i / 512u;
          launch.arg[5][n * 512u + e] = v0[u];
        }
      }
    }
  }
}
KILN_KERNEL(map_f4b551a26ac84bb7, 6, 1)

// halve.downsample.1, halve.Residual, 3 Relu: map, map, map
namespace map_e69fe7bbbbe63137 {
  using Launch = KilnLaunch<7, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const u32 stride = ctas * KILN_THREADS;
    for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 512u; first += 4u * stride) {
      float v0[4];
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 512u) {
          const u32 e = i % 512u;
          const u32 n = i / 512u;
          const u32 c = e % 32u;
          const float e0 = launch.arg[0][n * 512u + e];
          const float e1 = launch.arg[1][n * 512u + e];
          const float e2 = launch.arg[2][c];
          const float e3 = launch.arg[3][c];
          const float e4 = kiln_read_only(launch.arg[4] + (c));
          const float e5 = kiln_read_only(launch.arg[5] + (c));
          const float e6 = e3 + 1e-5f;
          const float e7 = sqrtf(e6);
          const float e8 = e4 / e7;
          const float e9 = e1 - e2;
          const float e10 = e8 * e9;
          const float e11 = e5 + e10;
          const float e12 = e0 + e11;
          const float e13 = e12 > 0.0f || e12 != e12 ? e12 : 0.0f;
          v0[u] = e13;
        }
      }
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 512u) {
          const u32 e = i % 512u;
          const u32 n = i / 512u;
          launch.arg[6][n * 512u + e] = v0[u];
        }
      }
    }
  }
}
KILN_KERNEL(map_e69fe7bbbbe63137, 7, 1)

// 4 GlobalAvgPool: reduce.sum, map
namespace column_e3ccd0cc3a4f256f {
  using Launch = KilnLaunch<2, 1>;
  struct Body {
    const Launch& launch;
    KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : false; }
    KILN_DEV void load(u32 row, u32 col, float (&v)[1]) const {
      const u32 e = row % 16u * 32u + col;
      const u32 n = row / 16u;
      const float e0 = launch.arg[0][n * 512u + e];
      v[0] = e0;
    }
    KILN_DEV void store(u32 chunk, u32 col, const float (&v)[1]) const {
      const u32 e = col;
      const u32 n = chunk;
      const float e0 = v[0];
      const float e1 = e0 * 0.0625f;
      launch.arg[1][n * 32u + e] = e1;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    Body body{launch};
    kiln_columns<32, 1>(body, launch.batch * 16u, 32u, launch.batch, cta, ctas, shared);
  }
}
KILN_KERNEL(column_e3ccd0cc3a4f256f, 2, 1)

// fc, loss, correct: contract, map, reduce.max, map, reduce.sum, map, reduce.sum, reduce.argmax, map
namespace dense_forward_2ee02fb755bddd93 {
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
    const KilnMatrix<32, 1, 4> a{launch.arg[0]};
    const KilnMatrix<32, 1, 4> b{launch.arg[1]};
    Sink sink{launch};
    kiln_gemm<KilnTile<16, 16, 64, 1, 1, 8, 2>, KilnF32>(a, b, sink, launch.batch, 10u, 32u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(dense_forward_2ee02fb755bddd93, 8, 1)

// loss, correct, fc: map, reduce.sum, map, map, reduce.sum, reduce.sum, contract
namespace column_dense_input_dd68335713990ea8 {
  using Launch = KilnLaunch<15, 3>;
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
        launch.arg[14][n * 32u + e] = e0;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<10, 1, 1> a{launch.arg[6]};
      const KilnMatrix<1, 32, 4> b{launch.arg[13]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 32, 64, 1, 1, 8, 2>, KilnF32>(a, b, sink, launch.batch, 32u, 10u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(column_dense_input_dd68335713990ea8, 15, 3)

// fc, halve.Residual: contract, map
namespace dense_weight_map_1852fb990f7fe2a1 {
  using Launch = KilnLaunch<11, 2>;
  namespace p0 {
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32, u32 row, u32 col, float sum) {
        const u32 e = row * 32u + col;
        KilnOptimizer::update(launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], launch.arg[7], e, sum);
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 10, 1> a{launch.arg[1]};
      const KilnMatrix<1, 32, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 64, 32, 1, 8, 1, 3, true>, KilnF32>(a, b, sink, 10u, 32u, launch.batch, 1u, cta, ctas, shared);
    }
  }
  namespace p1 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const u32 stride = ctas * KILN_THREADS;
      for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 512u; first += 4u * stride) {
        float v0[4];
        #pragma unroll
        for (u32 u = 0u; u < 4u; ++u) {
          const u32 i = first + u * stride;
          if (i < launch.batch * 512u) {
            const u32 e = i % 512u;
            const u32 n = i / 512u;
            const u32 c = e % 32u;
            const float e0 = launch.arg[8][n * 512u + e];
            const float e1 = launch.arg[9][n * 32u + c];
            const bool e2 = e0 > 0.0f;
            const float e3 = e1 * 0.0625f;
            const float e4 = e2 ? e3 : 0.0f;
            v0[u] = e4;
          }
        }
        #pragma unroll
        for (u32 u = 0u; u < 4u; ++u) {
          const u32 i = first + u * stride;
          if (i < launch.batch * 512u) {
            const u32 e = i % 512u;
            const u32 n = i / 512u;
            launch.arg[10][n * 512u + e] = v0[u];
          }
        }
      }
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(dense_weight_map_1852fb990f7fe2a1, 11, 2)

// halve.downsample.1, halve.bn2: reduce.sum, map, reduce.sum, map, map, map, map, reduce.sum, map, map, map
namespace column_aed1bbfa646d861b {
  using Launch = KilnLaunch<16, 1>;
  struct Body {
    const Launch& launch;
    KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : i == 2 ? false : false; }
    KILN_DEV void load(u32 row, u32 col, float (&v)[3]) const {
      const u32 e = row % 16u * 32u + col;
      const u32 n = row / 16u;
      const u32 c = e % 32u;
      const float e0 = launch.arg[0][n * 512u + e];
      const float e1 = launch.arg[1][n * 512u + e];
      const float e2 = launch.arg[2][c];
      const float e3 = e1 - e2;
      const float e4 = e0 * e3;
      const float e5 = launch.arg[3][n * 512u + e];
      const float e6 = launch.arg[4][c];
      const float e7 = e5 - e6;
      const float e8 = e0 * e7;
      v[0] = e0;
      v[1] = e4;
      v[2] = e8;
    }
    KILN_DEV void store(u32 chunk, u32 col, const float (&v)[3]) const {
      const u32 e = col;
      const float e0 = v[0];
      const float e1 = v[1];
      const float e2 = v[2];
      const float e3 = launch.arg[5][e];
      const float e4 = e3 + 1e-5f;
      const float e5 = sqrtf(e4);
      const float e6 = e1 / e5;
      const float e7 = kiln_read_only(launch.arg[6] + (e));
      const float e8 = e1 * 0.5f;
      const float e9 = e7 * e8;
      const float e10 = e9 / e5;
      const float e11 = e10 / e5;
      const float e12 = e11 / e5;
      const float e13 = -e12;
      const float e14 = static_cast<float>(launch.batch);
      const float e15 = e14 * 16.0f;
      const float e16 = e13 / e15;
      const float e17 = e0 * e7;
      const float e18 = e17 / e5;
      const float e19 = -e18;
      const float e20 = e19 / e15;
      const float e21 = launch.arg[7][e];
      const float e22 = 1e-5f + e21;
      const float e23 = sqrtf(e22);
      const float e24 = e2 / e23;
      const float e25 = kiln_read_only(launch.arg[8] + (e));
      const float e26 = e2 * 0.5f;
      const float e27 = e25 * e26;
      const float e28 = e27 / e23;
      const float e29 = e28 / e23;
      const float e30 = e29 / e23;
      const float e31 = -e30;
      const float e32 = e31 / e15;
      const float e33 = e0 * e25;
      const float e34 = e33 / e23;
      const float e35 = -e34;
      const float e36 = e35 / e15;
      launch.arg[9][e] = e0;
      launch.arg[10][e] = e6;
      launch.arg[11][e] = e16;
      launch.arg[12][e] = e20;
      launch.arg[13][e] = e24;
      launch.arg[14][e] = e32;
      launch.arg[15][e] = e36;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    Body body{launch};
    kiln_columns<32, 3>(body, launch.batch * 16u, 32u, 1u, cta, ctas, shared);
  }
}
KILN_KERNEL(column_aed1bbfa646d861b, 16, 1)

// halve.downsample.0, halve.conv2, halve.bn1, halve.downsample.1: map, conv.input, map, conv.input, map, reshape
namespace block_map_d1437c03f1067863 {
  using Launch = KilnLaunch<27, 3>;
  namespace p0 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      float* const s0 = shared.take<float>(512u);
      for (u32 n = cta; n < launch.batch; n += ctas) {
        // halve.downsample.0: map
        for (u32 e = kiln_thread(); e < 512u; e += KILN_THREADS) {
          const u32 c = e % 32u;
          const float e0 = kiln_read_only(launch.arg[0] + (c));
          const float e1 = launch.arg[1][n * 512u + e];
          const float e2 = launch.arg[2][c];
          const float e3 = launch.arg[3][c];
          const float e4 = launch.arg[4][n * 512u + e];
          const float e5 = launch.arg[5][c];
          const float e6 = launch.arg[6][c];
          const float e7 = e0 * e1;
          const float e8 = e2 + 1e-5f;
          const float e9 = sqrtf(e8);
          const float e10 = e7 / e9;
          const float e11 = e4 - e5;
          const float e12 = e11 * 2.0f;
          const float e13 = e3 * e12;
          const float e14 = e10 + e13;
          const float e15 = e6 + e14;
          s0[e] = e15;
          launch.arg[7][n * 512u + e] = e15;
        }
        kiln_barrier();
        // halve.downsample.0: conv.input
        for (u32 t = kiln_thread(); t < 256u; t += KILN_THREADS) {
          const u32 p = t % 64u;
          const u32 first = t / 64u * 4u;
          float acc[4] = {};
          for (u32 ky = 0u; ky < 1u; ++ky) {
            for (u32 kx = 0u; kx < 1u; ++kx) {
              if ((p / 8u) >= ky && ((p / 8u) - ky) % 2u == 0u && (((p / 8u) - ky) / 2u) < 4u && (p % 8u) >= kx && ((p % 8u) - kx) % 2u == 0u && (((p % 8u) - kx) / 2u) < 4u) {
                for (u32 i = 0u; i < 32u; ++i) {
                  const float e0 = s0[i + (((p / 8u) - ky) / 2u) * 128u + (((p % 8u) - kx) / 2u) * 32u];
                  const float x = e0;
                  #pragma unroll
                  for (u32 j = 0u; j < 4u; ++j) {
                    const float e0 = kiln_read_only(launch.arg[8] + (i * 16u + (first + j)));
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
            launch.arg[9][n * 1024u + e] = e0;
          }
        }
        kiln_barrier();
      }
    }
  }
  namespace p1 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      float* const s0 = shared.take<float>(512u);
      for (u32 n = cta; n < launch.batch; n += ctas) {
        // halve.conv2: map
        for (u32 e = kiln_thread(); e < 512u; e += KILN_THREADS) {
          const u32 c = e % 32u;
          const float e0 = kiln_read_only(launch.arg[10] + (c));
          const float e1 = launch.arg[1][n * 512u + e];
          const float e2 = launch.arg[11][c];
          const float e3 = launch.arg[12][c];
          const float e4 = launch.arg[13][n * 512u + e];
          const float e5 = launch.arg[14][c];
          const float e6 = launch.arg[15][c];
          const float e7 = e0 * e1;
          const float e8 = e2 + 1e-5f;
          const float e9 = sqrtf(e8);
          const float e10 = e7 / e9;
          const float e11 = e4 - e5;
          const float e12 = e11 * 2.0f;
          const float e13 = e3 * e12;
          const float e14 = e10 + e13;
          const float e15 = e6 + e14;
          s0[e] = e15;
          launch.arg[16][n * 512u + e] = e15;
        }
        kiln_barrier();
        // halve.conv2, halve.bn1: conv.input
        for (u32 t = kiln_thread(); t < 256u; t += KILN_THREADS) {
          const u32 p = t % 16u;
          const u32 first = t / 16u * 2u;
          float acc[2] = {};
          for (u32 ky = 0u; ky < 3u; ++ky) {
            for (u32 kx = 0u; kx < 3u; ++kx) {
              if ((p / 4u) + 1u >= ky && ((p / 4u) + 1u - ky) < 4u && (p % 4u) + 1u >= kx && ((p % 4u) + 1u - kx) < 4u) {
                for (u32 i = 0u; i < 32u; ++i) {
                  const float e0 = s0[i + ((p / 4u) + 1u - ky) * 128u + ((p % 4u) + 1u - kx) * 32u];
                  const float x = e0;
                  #pragma unroll
                  for (u32 j = 0u; j < 2u; ++j) {
                    const float e0 = kiln_read_only(launch.arg[17] + (i * 288u + (first + j) + ky * 96u + kx * 32u));
                    acc[j] = fmaf(x, e0, acc[j]);
                  }
                }
              }
            }
          }
          #pragma unroll
          for (u32 j = 0u; j < 2u; ++j) {
            const u32 c = first + j;
            const u32 e = p * 32u + c;
            const float e0 = acc[j];
            const float e1 = launch.arg[18][n * 512u + e];
            const bool e2 = e1 > 0.0f;
            const float e3 = e2 ? e0 : 0.0f;
            launch.arg[19][n * 512u + e] = e3;
          }
        }
        kiln_barrier();
      }
    }
  }
  namespace p2 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const u32 stride = ctas * KILN_THREADS;
      for (u32 first = cta * KILN_THREADS + kiln_thread(); first < 32u; first += 4u * stride) {
        float v0[4];
        #pragma unroll
        for (u32 u = 0u; u < 4u; ++u) {
          const u32 i = first + u * stride;
          if (i < 32u) {
            const u32 e = i;
            const u32 c = e;
            const float e0 = launch.arg[20][c];
            v0[u] = e0;
          }
        }
        #pragma unroll
        for (u32 u = 0u; u < 4u; ++u) {
          const u32 i = first + u * stride;
          if (i < 32u) {
            const u32 e = i;
            KilnOptimizer::update(launch.arg[21], launch.arg[22], launch.arg[23], launch.arg[24], launch.arg[25], launch.arg[26], e, v0[u]);
          }
        }
      }
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(block_map_d1437c03f1067863, 27, 3)

// halve.downsample.0, halve.conv2, halve.bn1: conv.weight, conv.weight, reduce.sum, map, reduce.sum, map, map, map
namespace conv_weight_column_a354a8e6ae6a0be9 {
  using Launch = KilnLaunch<20, 3>;
  namespace p0 {
    struct G { enum : u32 { C = 16, O = 32, H = 8, W = 8, OH = 4, OW = 4, KH = 1, KW = 1, SH = 2, SW = 2, PH = 0, PW = 0, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
        launch.arg[2][split * 512u + row * 16u + col] = sum;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 32, 4> a{launch.arg[1]};
      const KilnPatchColumns<G, 1024, 1, 128, 16, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<32, 64, 32, 2, 4, 1, 3, true>, KilnF32>(a, b, sink, 32u, 16u, launch.batch * 16u, 16u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct G { enum : u32 { C = 32, O = 32, H = 4, W = 4, OH = 4, OW = 4, KH = 3, KW = 3, SH = 1, SW = 1, PH = 1, PW = 1, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
        launch.arg[5][split * 9216u + row * 288u + col] = sum;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 32, 4> a{launch.arg[4]};
      const KilnPatchColumns<G, 512, 1, 128, 32, 4> b{launch.arg[3]};
      Sink sink{launch};
      kiln_gemm<KilnTile<32, 64, 32, 2, 4, 1, 3, true>, KilnF32>(a, b, sink, 32u, 288u, launch.batch * 16u, 16u, cta, ctas, shared);
    }
  }
  namespace p2 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[2]) const {
        const u32 e = row % 16u * 32u + col;
        const u32 n = row / 16u;
        const u32 c = e % 32u;
        const float e0 = launch.arg[6][n * 512u + e];
        const float e1 = launch.arg[7][n * 512u + e];
        const float e2 = launch.arg[8][c];
        const float e3 = e1 - e2;
        const float e4 = e0 * e3;
        v[0] = e0;
        v[1] = e4;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) const {
        const u32 e = col;
        const float e0 = v[0];
        const float e1 = v[1];
        const float e2 = launch.arg[9][e];
        const float e3 = e2 + 1e-5f;
        const float e4 = sqrtf(e3);
        const float e5 = e1 / e4;
        const float e6 = launch.arg[10][e];
        const float e7 = e1 * 0.5f;
        const float e8 = e6 * e7;
        const float e9 = e8 / e4;
        const float e10 = e9 / e4;
        const float e11 = e10 / e4;
        const float e12 = -e11;
        const float e13 = static_cast<float>(launch.batch);
        const float e14 = e13 * 16.0f;
        const float e15 = e12 / e14;
        const float e16 = e0 * e6;
        const float e17 = e16 / e4;
        const float e18 = -e17;
        const float e19 = e18 / e14;
        KilnOptimizer::update(launch.arg[11], launch.arg[12], launch.arg[13], launch.arg[14], launch.arg[15], launch.arg[16], e, e0);
        launch.arg[17][e] = e5;
        launch.arg[18][e] = e15;
        launch.arg[19][e] = e19;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<32, 2>(body, launch.batch * 16u, 32u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(conv_weight_column_a354a8e6ae6a0be9, 20, 3)

// halve.downsample.0, halve.conv2, halve.conv1, keep.bn2: conv.weight, conv.weight, map, conv.input, map
namespace conv_weight_end_block_fc67bb65a7115c82 {
  using Launch = KilnLaunch<26, 3>;
  namespace p0 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 512u; e += ctas * KILN_THREADS) {
        float sum = 0.0f, sum_lost = 0.0f;
        for (u32 split = 0u; split < 16u; ++split) kiln_add(sum, sum_lost, launch.arg[0][split * 512u + e]);
        KilnOptimizer::update(launch.arg[1], launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], e, sum);
      }
    }
  }
  namespace p1 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 9216u; e += ctas * KILN_THREADS) {
        float sum = 0.0f, sum_lost = 0.0f;
        for (u32 split = 0u; split < 16u; ++split) kiln_add(sum, sum_lost, launch.arg[7][split * 9216u + e]);
        KilnOptimizer::update(launch.arg[8], launch.arg[9], launch.arg[10], launch.arg[11], launch.arg[12], launch.arg[13], e, sum);
      }
    }
  }
  namespace p2 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      float* const s0 = shared.take<float>(512u);
      for (u32 n = cta; n < launch.batch; n += ctas) {
        // halve.conv1: map
        for (u32 e = kiln_thread(); e < 512u; e += KILN_THREADS) {
          const u32 c = e % 32u;
          const float e0 = kiln_read_only(launch.arg[14] + (c));
          const float e1 = launch.arg[15][n * 512u + e];
          const float e2 = launch.arg[16][c];
          const float e3 = launch.arg[17][c];
          const float e4 = launch.arg[18][n * 512u + e];
          const float e5 = launch.arg[19][c];
          const float e6 = launch.arg[20][c];
          const float e7 = e0 * e1;
          const float e8 = e2 + 1e-5f;
          const float e9 = sqrtf(e8);
          const float e10 = e7 / e9;
          const float e11 = e4 - e5;
          const float e12 = e11 * 2.0f;
          const float e13 = e3 * e12;
          const float e14 = e10 + e13;
          const float e15 = e6 + e14;
          s0[e] = e15;
          launch.arg[21][n * 512u + e] = e15;
        }
        kiln_barrier();
        // halve.conv1, keep.bn2: conv.input
        for (u32 t = kiln_thread(); t < 256u; t += KILN_THREADS) {
          const u32 p = t % 64u;
          const u32 first = t / 64u * 4u;
          float acc[4] = {};
          for (u32 ky = 0u; ky < 3u; ++ky) {
            for (u32 kx = 0u; kx < 3u; ++kx) {
              if ((p / 8u) + 1u >= ky && ((p / 8u) + 1u - ky) % 2u == 0u && (((p / 8u) + 1u - ky) / 2u) < 4u && (p % 8u) + 1u >= kx && ((p % 8u) + 1u - kx) % 2u == 0u && (((p % 8u) + 1u - kx) / 2u) < 4u) {
                for (u32 i = 0u; i < 32u; ++i) {
                  const float e0 = s0[i + (((p / 8u) + 1u - ky) / 2u) * 128u + (((p % 8u) + 1u - kx) / 2u) * 32u];
                  const float x = e0;
                  #pragma unroll
                  for (u32 j = 0u; j < 4u; ++j) {
                    const float e0 = kiln_read_only(launch.arg[22] + (i * 144u + (first + j) + ky * 48u + kx * 16u));
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
            const float e1 = launch.arg[23][n * 1024u + e];
            const float e2 = launch.arg[24][n * 1024u + e];
            const bool e3 = e1 > 0.0f;
            const float e4 = e0 + e2;
            const float e5 = e3 ? e4 : 0.0f;
            launch.arg[25][n * 1024u + e] = e5;
          }
        }
        kiln_barrier();
      }
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
    else if (cta < launch.first[3]) p2::phase(launch, cta - launch.first[2], launch.first[3] - launch.first[2], shared);
  }
}
KILN_KERNEL(conv_weight_end_block_fc67bb65a7115c82, 26, 3)

// halve.conv1, keep.bn2: conv.weight, reduce.sum, map, reduce.sum, map, map, map
namespace conv_weight_column_6254135b7f9a0a81 {
  using Launch = KilnLaunch<7, 2>;
  namespace p0 {
    struct G { enum : u32 { C = 16, O = 32, H = 8, W = 8, OH = 4, OW = 4, KH = 3, KW = 3, SH = 2, SW = 2, PH = 1, PW = 1, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
        launch.arg[2][split * 4608u + row * 144u + col] = sum;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 32, 4> a{launch.arg[1]};
      const KilnPatchColumns<G, 1024, 1, 128, 16, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<32, 64, 32, 2, 4, 1, 3, true>, KilnF32>(a, b, sink, 32u, 144u, launch.batch * 16u, 16u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[2]) const {
        const u32 e = row % 64u * 16u + col;
        const u32 n = row / 64u;
        const u32 c = e % 16u;
        const float e0 = launch.arg[3][n * 1024u + e];
        const float e1 = launch.arg[4][n * 1024u + e];
        const float e2 = launch.arg[5][c];
        const float e3 = e1 - e2;
        const float e4 = e0 * e3;
        v[0] = e0;
        v[1] = e4;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) const {
        launch.arg[6][(chunk * 2u + 0u) * 16u + col] = v[0];
        launch.arg[6][(chunk * 2u + 1u) * 16u + col] = v[1];
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 2>(body, launch.batch * 64u, 16u, 128u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(conv_weight_column_6254135b7f9a0a81, 7, 2)

// halve.conv1, keep.bn2: conv.weight, reduce.sum, map, reduce.sum, map, map, map
namespace conv_weight_end_column_end_d35e4436bd9d9c57 {
  using Launch = KilnLaunch<19, 2>;
  namespace p0 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 4608u; e += ctas * KILN_THREADS) {
        float sum = 0.0f, sum_lost = 0.0f;
        for (u32 split = 0u; split < 16u; ++split) kiln_add(sum, sum_lost, launch.arg[0][split * 4608u + e]);
        KilnOptimizer::update(launch.arg[1], launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], e, sum);
      }
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[2]) const {
        v[0] = launch.arg[7][(row * 2u + 0u) * 16u + col];
        v[1] = launch.arg[7][(row * 2u + 1u) * 16u + col];
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) const {
        const u32 e = col;
        const float e0 = v[0];
        const float e1 = v[1];
        const float e2 = launch.arg[8][e];
        const float e3 = e2 + 1e-5f;
        const float e4 = sqrtf(e3);
        const float e5 = e1 / e4;
        const float e6 = launch.arg[9][e];
        const float e7 = e1 * 0.5f;
        const float e8 = e6 * e7;
        const float e9 = e8 / e4;
        const float e10 = e9 / e4;
        const float e11 = e10 / e4;
        const float e12 = -e11;
        const float e13 = static_cast<float>(launch.batch);
        const float e14 = e13 * 64.0f;
        const float e15 = e12 / e14;
        const float e16 = e0 * e6;
        const float e17 = e16 / e4;
        const float e18 = -e17;
        const float e19 = e18 / e14;
        KilnOptimizer::update(launch.arg[10], launch.arg[11], launch.arg[12], launch.arg[13], launch.arg[14], launch.arg[15], e, e0);
        launch.arg[16][e] = e5;
        launch.arg[17][e] = e15;
        launch.arg[18][e] = e19;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 2>(body, 128u, 16u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(conv_weight_end_column_end_d35e4436bd9d9c57, 19, 2)

// keep.conv2, keep.bn1: map, conv.input, map
namespace block_268f9eb75bf2b960 {
  using Launch = KilnLaunch<11, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    float* const s0 = shared.take<float>(1024u);
    for (u32 n = cta; n < launch.batch; n += ctas) {
      // keep.conv2: map
      for (u32 e = kiln_thread(); e < 1024u; e += KILN_THREADS) {
        const u32 c = e % 16u;
        const float e0 = kiln_read_only(launch.arg[0] + (c));
        const float e1 = launch.arg[1][n * 1024u + e];
        const float e2 = launch.arg[2][c];
        const float e3 = launch.arg[3][c];
        const float e4 = launch.arg[4][n * 1024u + e];
        const float e5 = launch.arg[5][c];
        const float e6 = launch.arg[6][c];
        const float e7 = e0 * e1;
        const float e8 = e2 + 1e-5f;
        const float e9 = sqrtf(e8);
        const float e10 = e7 / e9;
        const float e11 = e4 - e5;
        const float e12 = e11 * 2.0f;
        const float e13 = e3 * e12;
        const float e14 = e10 + e13;
        const float e15 = e6 + e14;
        s0[e] = e15;
        launch.arg[7][n * 1024u + e] = e15;
      }
      kiln_barrier();
      // keep.conv2, keep.bn1: conv.input
      for (u32 t = kiln_thread(); t < 256u; t += KILN_THREADS) {
        const u32 p = t % 64u;
        const u32 first = t / 64u * 4u;
        float acc[4] = {};
        for (u32 ky = 0u; ky < 3u; ++ky) {
          for (u32 kx = 0u; kx < 3u; ++kx) {
            if ((p / 8u) + 1u >= ky && ((p / 8u) + 1u - ky) < 8u && (p % 8u) + 1u >= kx && ((p % 8u) + 1u - kx) < 8u) {
              for (u32 i = 0u; i < 16u; ++i) {
                const float e0 = s0[i + ((p / 8u) + 1u - ky) * 128u + ((p % 8u) + 1u - kx) * 16u];
                const float x = e0;
                #pragma unroll
                for (u32 j = 0u; j < 4u; ++j) {
                  const float e0 = kiln_read_only(launch.arg[8] + (i * 144u + (first + j) + ky * 48u + kx * 16u));
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
          const float e1 = launch.arg[9][n * 1024u + e];
          const bool e2 = e1 > 0.0f;
          const float e3 = e2 ? e0 : 0.0f;
          launch.arg[10][n * 1024u + e] = e3;
        }
      }
      kiln_barrier();
    }
  }
}
KILN_KERNEL(block_268f9eb75bf2b960, 11, 1)

// keep.conv2, keep.bn1: conv.weight, reduce.sum, map, reduce.sum, map, map, map
namespace conv_weight_column_ea2fcdd767544acd {
  using Launch = KilnLaunch<7, 2>;
  namespace p0 {
    struct G { enum : u32 { C = 16, O = 16, H = 8, W = 8, OH = 8, OW = 8, KH = 3, KW = 3, SH = 1, SW = 1, PH = 1, PW = 1, DH = 1, DW = 1 }; };
    struct Sink {
      static constexpr bool WHOLE_TILE = false;
      const Launch& launch;
      KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
        launch.arg[2][split * 2304u + row * 144u + col] = sum;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      const KilnMatrix<1, 16, 4> a{launch.arg[1]};
      const KilnPatchColumns<G, 1024, 1, 128, 16, 4> b{launch.arg[0]};
      Sink sink{launch};
      kiln_gemm<KilnTile<16, 64, 32, 1, 8, 1, 3, true>, KilnF32>(a, b, sink, 16u, 144u, launch.batch * 64u, 64u, cta, ctas, shared);
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[2]) const {
        const u32 e = row % 64u * 16u + col;
        const u32 n = row / 64u;
        const u32 c = e % 16u;
        const float e0 = launch.arg[3][n * 1024u + e];
        const float e1 = launch.arg[4][n * 1024u + e];
        const float e2 = launch.arg[5][c];
        const float e3 = e1 - e2;
        const float e4 = e0 * e3;
        v[0] = e0;
        v[1] = e4;
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) const {
        launch.arg[6][(chunk * 2u + 0u) * 16u + col] = v[0];
        launch.arg[6][(chunk * 2u + 1u) * 16u + col] = v[1];
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 2>(body, launch.batch * 64u, 16u, 128u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(conv_weight_column_ea2fcdd767544acd, 7, 2)

// keep.conv2, keep.bn1: conv.weight, reduce.sum, map, reduce.sum, map, map, map
namespace conv_weight_end_column_end_24e202c2e9370c6a {
  using Launch = KilnLaunch<19, 2>;
  namespace p0 {
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 2304u; e += ctas * KILN_THREADS) {
        float sum = 0.0f, sum_lost = 0.0f;
        for (u32 split = 0u; split < 64u; ++split) kiln_add(sum, sum_lost, launch.arg[0][split * 2304u + e]);
        KilnOptimizer::update(launch.arg[1], launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], e, sum);
      }
    }
  }
  namespace p1 {
    struct Body {
      const Launch& launch;
      KILN_DEV static constexpr bool maximum(int i) { return i == 0 ? false : i == 1 ? false : false; }
      KILN_DEV void load(u32 row, u32 col, float (&v)[2]) const {
        v[0] = launch.arg[7][(row * 2u + 0u) * 16u + col];
        v[1] = launch.arg[7][(row * 2u + 1u) * 16u + col];
      }
      KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) const {
        const u32 e = col;
        const float e0 = v[0];
        const float e1 = v[1];
        const float e2 = launch.arg[8][e];
        const float e3 = e2 + 1e-5f;
        const float e4 = sqrtf(e3);
        const float e5 = e1 / e4;
        const float e6 = launch.arg[9][e];
        const float e7 = e1 * 0.5f;
        const float e8 = e6 * e7;
        const float e9 = e8 / e4;
        const float e10 = e9 / e4;
        const float e11 = e10 / e4;
        const float e12 = -e11;
        const float e13 = static_cast<float>(launch.batch);
        const float e14 = e13 * 64.0f;
        const float e15 = e12 / e14;
        const float e16 = e0 * e6;
        const float e17 = e16 / e4;
        const float e18 = -e17;
        const float e19 = e18 / e14;
        KilnOptimizer::update(launch.arg[10], launch.arg[11], launch.arg[12], launch.arg[13], launch.arg[14], launch.arg[15], e, e0);
        launch.arg[16][e] = e5;
        launch.arg[17][e] = e15;
        launch.arg[18][e] = e19;
      }
    };
    KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
      Body body{launch};
      kiln_columns<16, 2>(body, 128u, 16u, 1u, cta, ctas, shared);
    }
  }
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    if (cta < launch.first[1]) p0::phase(launch, cta - launch.first[0], launch.first[1] - launch.first[0], shared);
    else if (cta < launch.first[2]) p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
  }
}
KILN_KERNEL(conv_weight_end_column_end_24e202c2e9370c6a, 19, 2)

// keep.conv1: map
namespace map_e8087783bce617ed {
  using Launch = KilnLaunch<8, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const u32 stride = ctas * KILN_THREADS;
    for (u32 first = cta * KILN_THREADS + kiln_thread(); first < launch.batch * 1024u; first += 4u * stride) {
      float v0[4];
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 1024u) {
          const u32 e = i % 1024u;
          const u32 n = i / 1024u;
          const u32 c = e % 16u;
          const float e0 = kiln_read_only(launch.arg[0] + (c));
          const float e1 = launch.arg[1][n * 1024u + e];
          const float e2 = launch.arg[2][c];
          const float e3 = launch.arg[3][c];
          const float e4 = launch.arg[4][n * 1024u + e];
          const float e5 = launch.arg[5][c];
          const float e6 = launch.arg[6][c];
          const float e7 = e0 * e1;
          const float e8 = e2 + 1e-5f;
          const float e9 = sqrtf(e8);
          const float e10 = e7 / e9;
          const float e11 = e4 - e5;
          const float e12 = e11 * 2.0f;
          const float e13 = e3 * e12;
          const float e14 = e10 + e13;
          const float e15 = e6 + e14;
          v0[u] = e15;
        }
      }
      #pragma unroll
      for (u32 u = 0u; u < 4u; ++u) {
        const u32 i = first + u * stride;
        if (i < launch.batch * 1024u) {
          const u32 e = i % 1024u;
          const u32 n = i / 1024u;
          launch.arg[7][n * 1024u + e] = v0[u];
        }
      }
    }
  }
}
KILN_KERNEL(map_e8087783bce617ed, 8, 1)

// keep.conv1: conv.weight
namespace conv_weight_8e879a4899d56434 {
  using Launch = KilnLaunch<3, 1>;
  struct G { enum : u32 { C = 16, O = 16, H = 8, W = 8, OH = 8, OW = 8, KH = 3, KW = 3, SH = 1, SW = 1, PH = 1, PW = 1, DH = 1, DW = 1 }; };
  struct Sink {
    static constexpr bool WHOLE_TILE = false;
    const Launch& launch;
    KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {
      launch.arg[2][split * 2304u + row * 144u + col] = sum;
    }
  };
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    const KilnMatrix<1, 16, 4> a{launch.arg[1]};
    const KilnPatchColumns<G, 1024, 64, 8, 1, 1> b{launch.arg[0]};
    Sink sink{launch};
    kiln_gemm<KilnTile<16, 64, 32, 1, 8, 1, 3, true>, KilnF32>(a, b, sink, 16u, 144u, launch.batch * 64u, 64u, cta, ctas, shared);
  }
}
KILN_KERNEL(conv_weight_8e879a4899d56434, 3, 1)

// keep.conv1: conv.weight
namespace conv_weight_end_c9e7bda56c2aa347 {
  using Launch = KilnLaunch<7, 1>;
  KILN_DEV void phase(const Launch& launch, u32 cta, u32 ctas, KilnShared shared) {
    for (u32 e = cta * KILN_THREADS + kiln_thread(); e < 2304u; e += ctas * KILN_THREADS) {
      float sum = 0.0f, sum_lost = 0.0f;
      for (u32 split = 0u; split < 64u; ++split) kiln_add(sum, sum_lost, launch.arg[0][split * 2304u + e]);
      KilnOptimizer::update(launch.arg[1], launch.arg[2], launch.arg[3], launch.arg[4], launch.arg[5], launch.arg[6], e, sum);
    }
  }
}
KILN_KERNEL(conv_weight_end_c9e7bda56c2aa347, 7, 1)
