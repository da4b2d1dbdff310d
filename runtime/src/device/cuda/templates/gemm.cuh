// Contraction: D(row, col) = sum over k of A(row, k) · B(col, k), in tiles of a block.
//
// An operand says where its elements lie:
//   static constexpr int VECTOR         how many neighbours one address stands for, 4 (aligned to 16 bytes) or 1
//   static constexpr bool K_CONTIGUOUS  whether these follow each other along k, or else along the row
//   const float* at(u32 row, u32 k, bool& inside)   their address; clears `inside` where they are zeros. Asked beyond the
//                                       operand too, where the answer does not matter. Its extent along the contiguous axis
//                                       is a multiple of VECTOR ("row" of B is a column of D)
// A sink takes the sums:
//   static constexpr bool WHOLE_TILE
//   false: void element(u32 split, u32 row, u32 col, float sum), once for each element
//   true:  float element(…), whose results come back as a tile in shared memory:
//          void tile(u32 row0, u32 rows, u32 col0, u32 cols, const float* values, u32 pitch), called by all threads
//
// Operands come to shared memory as f32, several stages ahead of the arithmetic, and are rounded when they are read there.

/// How a block of 8 warps divides its work: a tile of BM × BN, BK of k per stage, STAGES stages in shared memory; WM × WN
/// warps side by side, and WK slices that share each stage's k. LONG: sums are made in runs, for a chain of n products of one
/// sign loses up to n / 4 units in the last place.
template <int BM_, int BN_, int BK_, int WM_, int WN_, int WK_, int STAGES_, bool LONG_ = false> struct KilnTile {
  static constexpr int BM = BM_, BN = BN_, BK = BK_, WM = WM_, WN = WN_, WK = WK_, STAGES = STAGES_;
  static constexpr bool LONG = LONG_;
  /// Stages of a run: 64 products of a chain.
  static constexpr int RUN = 64 * WK > BK ? 64 * WK / BK : 1;
  /// Fragments of 16 rows and of 8 columns of one warp.
  static constexpr int M = BM / WM / 16, N = BN / WN / 8;
  static_assert(WM * WN * WK == 8, "a block has 8 warps");
  static_assert(M * WM * 16 == BM && N * WN * 8 == BN, "a warp's tile is a multiple of 16 x 8");
  static_assert(BK % 16 == 0 && STAGES >= 1, "a stage is a multiple of 16 along k");
};

/// Exact: each sum is one chain of fused multiply-adds along k (per slice), or runs of such chains.
struct KilnF32 {
  static constexpr int STEP = 4;
};

/// Tensor cores, operands rounded to 10 bits of mantissa.
struct KilnTf32 {
  static constexpr int STEP = 8;
};

/// Tensor cores, operands rounded to bfloat16.
struct KilnBf16 {
  static constexpr int STEP = 16;
};

/// An operand's part of a stage: [rows][BK + 4] or [BK][rows + 8], so that no two lanes of a fragment meet in a bank.
template <class Operand, int ROWS, int BK> struct KilnStage {
  static constexpr int ROW = Operand::K_CONTIGUOUS ? BK + 4 : 1, K = Operand::K_CONTIGUOUS ? 1 : ROWS + 8;
  static constexpr int FLOATS = Operand::K_CONTIGUOUS ? ROWS * (BK + 4) : BK * (ROWS + 8);

  /// Starts the copies of rows row0 … and k0 …; what lies beyond `rows` and `k_end` is zero.
  static KILN_DEV void load(const Operand& operand, float* stage, u32 row0, u32 rows, u32 k0, u32 k_end) {
    constexpr int VECTOR = Operand::VECTOR;
    static_assert(VECTOR == 1 || VECTOR == 4, "an operand gives 1 or 4 elements at a time");
    constexpr int ALONG = (Operand::K_CONTIGUOUS ? BK : ROWS) / VECTOR, COUNT = ROWS * BK / VECTOR;
    int thread = static_cast<int>(kiln_thread());
#pragma unroll
    for (int j = 0; j < (COUNT + KILN_THREADS - 1) / KILN_THREADS; j++) {
      int i = j * KILN_THREADS + thread, along = i % ALONG, across = i / ALONG;
      if constexpr (KILN_THREADS % ALONG == 0) {
        // Said so that the compiler sees what all of a thread's copies have in common.
        along = thread % ALONG;
        across = j * (KILN_THREADS / ALONG) + thread / ALONG;
      }
      if (COUNT % KILN_THREADS == 0 || i < COUNT) {
        int r = Operand::K_CONTIGUOUS ? across : along * VECTOR, k = Operand::K_CONTIGUOUS ? along * VECTOR : across;
        bool inside = row0 + r < rows && k0 + k < k_end;
        const float* from = operand.at(row0 + r, k0 + k, inside);
        kiln_copy_async<4 * VECTOR>(stage + r * ROW + k * K, from, inside);
      }
    }
  }
};

/// The sums of the runs that are done. By how much they are too large is kept where registers allow.
template <class Tile> struct KilnRuns {
  static constexpr int COUNT = Tile::M * Tile::N * 4;
  static constexpr bool EXACT = COUNT <= 32;
  float sum[COUNT], lost[EXACT ? COUNT : 1];

  KILN_DEV KilnRuns() {
#pragma unroll
    for (int i = 0; i < COUNT; i++) sum[i] = 0.0f;
#pragma unroll
    for (int i = 0; i < (EXACT ? COUNT : 1); i++) lost[i] = 0.0f;
  }

  /// Takes a run's sums, and leaves zeros.
  KILN_DEV void take(float (&at)[Tile::M][Tile::N][4]) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      float& run = at[i / 4 / Tile::N][i / 4 % Tile::N][i % 4];
      if constexpr (EXACT) {
        kiln_add(sum[i], lost[i], run);
      } else {
        sum[i] += run;
      }
      run = 0.0f;
    }
  }

  /// Gives all sums back.
  KILN_DEV void give(float (&at)[Tile::M][Tile::N][4]) const {
#pragma unroll
    for (int i = 0; i < COUNT; i++) at[i / 4 / Tile::N][i / 4 % Tile::N][i % 4] = sum[i];
  }
};

/// Of a tile whose sums are chains: nothing.
struct KilnChain {};
template <bool LONG, class Tile> struct KilnSelect { using Runs = KilnChain; };
template <class Tile> struct KilnSelect<true, Tile> { using Runs = KilnRuns<Tile>; };

/// One warp's sums: fragment (i, j) covers 16 rows and 8 columns as the tensor instructions lay them out. Every lane has
/// rows g and g + 8, columns 2q and 2q + 1, where g = lane / 4 and q = lane % 4.
template <class Tile> struct KilnSums {
  float at[Tile::M][Tile::N][4];

  /// Calls f(row, col, sum) for this lane's sums, counted from the tile's corner.
  template <class F> KILN_DEV void each(F&& f) {
    u32 warp = kiln_thread() / 32, g = kiln_thread() % 32 / 4, q = kiln_thread() % 4;
    u32 row0 = warp / Tile::WN % Tile::WM * (Tile::M * 16) + g, col0 = warp % Tile::WN * (Tile::N * 8) + 2 * q;
#pragma unroll
    for (int i = 0; i < Tile::M; i++) {
#pragma unroll
      for (int e = 0; e < 4; e += 2) {
#pragma unroll
        for (int j = 0; j < Tile::N; j++) {
          f(row0 + i * 16 + e / 2 * 8, col0 + j * 8, at[i][j][e]);
          f(row0 + i * 16 + e / 2 * 8, col0 + j * 8 + 1, at[i][j][e + 1]);
        }
      }
    }
  }
};

/// Where a lane's elements of a step begin, counted from the warp's corner: at its fragment's row g and place q along k.
template <class Precision, class Stage, int FRAGMENTS, bool LEFT> struct KilnLane {
  /// Whether one instruction loads four 8 × 4 parts of a fragment, which needs them contiguous along k: it takes the address
  /// of row `lane % 8` of part `lane / 8` from each lane, and gives each the element at (g, q) of every part.
  static constexpr bool WIDE = Stage::K == 1 && (LEFT || Precision::STEP == 16 || FRAGMENTS % 2 == 0);

  static KILN_DEV u32 row() {
    u32 lane = kiln_thread() % 32;
    // Parts of A: rows 0 and 8 at k = 0, then at k = 4. Parts of B: k = 0, 4 (and 8, 12, or then the next fragment).
    if constexpr (WIDE && LEFT) return lane % 16;
    if constexpr (WIDE) return Precision::STEP == 16 ? lane % 8 : lane / 16 * 8 + lane % 8;
    return lane / 4;
  }
  static KILN_DEV u32 k() {
    u32 lane = kiln_thread() % 32;
    if constexpr (WIDE && LEFT) return lane / 16 * 4;
    if constexpr (WIDE) return Precision::STEP == 16 ? lane / 8 * 4 : lane / 8 % 2 * 4;
    return lane % 4;
  }
};

/// Exact products run along k within a lane, for rows g and g + 8 and columns 2q and 2q + 1.
template <class Stage, int FRAGMENTS, bool LEFT> struct KilnLane<KilnF32, Stage, FRAGMENTS, LEFT> {
  static constexpr bool WIDE = false;
  static KILN_DEV u32 row() { return LEFT ? kiln_thread() % 32 / 4 : kiln_thread() % 4 * 2; }
  static KILN_DEV u32 k() { return 0; }
};

/// Four elements that follow each other along k.
template <class Stage> KILN_DEV void kiln_along(float (&v)[4], const float* p) {
  if constexpr (Stage::K == 1) {
    float4 four = *reinterpret_cast<const float4*>(p);
    v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
  } else {
#pragma unroll
    for (int k = 0; k < 4; k++) v[k] = p[k * Stage::K];
  }
}

/// Adds the products of one step along k. `a` and `b` point where KilnLane says, at the step's first k.
template <class Tile, class StageA, class StageB>
KILN_DEV void kiln_step(KilnF32, KilnSums<Tile>& sums, const float* a, const float* b) {
  float left[Tile::M][2][4];
#pragma unroll
  for (int i = 0; i < Tile::M; i++) {
#pragma unroll
    for (int h = 0; h < 2; h++) kiln_along<StageA>(left[i][h], a + (i * 16 + h * 8) * StageA::ROW);
  }
#pragma unroll
  for (int j = 0; j < Tile::N; j++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      float right[4];
      kiln_along<StageB>(right, b + (j * 8 + e) * StageB::ROW);
#pragma unroll
      for (int k = 0; k < 4; k++) {
#pragma unroll
        for (int i = 0; i < Tile::M; i++) {
#pragma unroll
          for (int h = 0; h < 2; h++) sums.at[i][j][2 * h + e] = fmaf(left[i][h][k], right[k], sums.at[i][j][2 * h + e]);
        }
      }
    }
  }
}

/// Tensor cores, 8 along k: lane q has k = q and q + 4.
template <class Tile, class StageA, class StageB>
KILN_DEV void kiln_step(KilnTf32, KilnSums<Tile>& sums, const float* a, const float* b) {
  u32 right[Tile::N][2];
  if constexpr (KilnLane<KilnTf32, StageB, Tile::N, false>::WIDE) {
#pragma unroll
    for (int j = 0; j < Tile::N; j += 2) {
      u32 v[4];
      kiln_ldmatrix_x4(v, b + j * 8 * StageB::ROW);
#pragma unroll
      for (int h = 0; h < 4; h++) right[j + h / 2][h % 2] = kiln_tf32(kiln_float(v[h]));
    }
  } else {
#pragma unroll
    for (int j = 0; j < Tile::N; j++) {
#pragma unroll
      for (int h = 0; h < 2; h++) right[j][h] = kiln_tf32(b[j * 8 * StageB::ROW + h * 4 * StageB::K]);
    }
  }
#pragma unroll
  for (int i = 0; i < Tile::M; i++) {
    u32 left[4];
    if constexpr (KilnLane<KilnTf32, StageA, Tile::M, true>::WIDE) {
      kiln_ldmatrix_x4(left, a + i * 16 * StageA::ROW);
#pragma unroll
      for (int h = 0; h < 4; h++) left[h] = kiln_tf32(kiln_float(left[h]));
    } else {
#pragma unroll
      for (int h = 0; h < 4; h++) left[h] = kiln_tf32(a[(i * 16 + h % 2 * 8) * StageA::ROW + h / 2 * 4 * StageA::K]);
    }
#pragma unroll
    for (int j = 0; j < Tile::N; j++) kiln_mma_tf32(sums.at[i][j], left, right[j]);
  }
}

/// Tensor cores, 16 along k: lane q has k = q, q + 4, q + 8 and q + 12. The instruction means other places along k by them,
/// but the same in both operands, and so the sum is over the same products.
template <class Tile, class StageA, class StageB>
KILN_DEV void kiln_step(KilnBf16, KilnSums<Tile>& sums, const float* a, const float* b) {
  u32 right[Tile::N][2];
#pragma unroll
  for (int j = 0; j < Tile::N; j++) {
    const float* p = b + j * 8 * StageB::ROW;
    if constexpr (KilnLane<KilnBf16, StageB, Tile::N, false>::WIDE) {
      u32 v[4];
      kiln_ldmatrix_x4(v, p);
#pragma unroll
      for (int h = 0; h < 2; h++) right[j][h] = kiln_bf16x2(kiln_float(v[2 * h]), kiln_float(v[2 * h + 1]));
    } else {
#pragma unroll
      for (int h = 0; h < 2; h++) right[j][h] = kiln_bf16x2(p[h * 8 * StageB::K], p[(h * 8 + 4) * StageB::K]);
    }
  }
#pragma unroll
  for (int i = 0; i < Tile::M; i++) {
    u32 left[4];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const float* p = a + i * 16 * StageA::ROW + h * 8 * StageA::K;
      if constexpr (KilnLane<KilnBf16, StageA, Tile::M, true>::WIDE) {
        u32 v[4];
        kiln_ldmatrix_x4(v, p);
        left[2 * h] = kiln_bf16x2(kiln_float(v[0]), kiln_float(v[2]));
        left[2 * h + 1] = kiln_bf16x2(kiln_float(v[1]), kiln_float(v[3]));
      } else {
        left[2 * h] = kiln_bf16x2(p[0], p[4 * StageA::K]);
        left[2 * h + 1] = kiln_bf16x2(p[8 * StageA::ROW], p[8 * StageA::ROW + 4 * StageA::K]);
      }
    }
#pragma unroll
    for (int j = 0; j < Tile::N; j++) kiln_mma_bf16(sums.at[i][j], left, right[j]);
  }
}

/// Shared memory that a tile needs, in floats.
template <class Tile, class A, class B, class Sink> KILN_DEV constexpr int kiln_tile_floats() {
  constexpr int A_FLOATS = KilnStage<A, Tile::BM, Tile::BK>::FLOATS, B_FLOATS = KilnStage<B, Tile::BN, Tile::BK>::FLOATS;
  constexpr int STAGES = Tile::STAGES * (A_FLOATS + B_FLOATS);
  constexpr int SLICES = Tile::WK > 1 ? Tile::WK * Tile::BM * Tile::BN : 0;
  constexpr int WHOLE = Sink::WHOLE_TILE ? Tile::BM * (Tile::BN + 1) : 0;
  constexpr int LARGER = SLICES > WHOLE ? SLICES : WHOLE;
  return STAGES > LARGER ? STAGES : LARGER;
}

/// The sums over k_begin ≤ k < k_end of the tile at (row0, col0), in this thread's registers. Behind it all threads are done
/// with shared memory.
template <class Tile, class Precision, class A, class B>
KILN_DEV void kiln_contract(const A& a, const B& b, KilnSums<Tile>& sums, u32 rows, u32 cols, u32 row0, u32 col0, u32 k_begin,
                            u32 k_end, float* memory) {
  constexpr int BK = Tile::BK, STAGES = Tile::STAGES, STEPS = BK / Precision::STEP;
  using StageA = KilnStage<A, Tile::BM, BK>;
  using StageB = KilnStage<B, Tile::BN, BK>;
  constexpr int FLOATS = StageA::FLOATS + StageB::FLOATS;
#pragma unroll
  for (int i = 0; i < Tile::M; i++) {
#pragma unroll
    for (int j = 0; j < Tile::N; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) sums.at[i][j][e] = 0.0f;
    }
  }
  u32 warp = kiln_thread() / 32, slice = warp / (Tile::WM * Tile::WN);
  using LaneA = KilnLane<Precision, StageA, Tile::M, true>;
  using LaneB = KilnLane<Precision, StageB, Tile::N, false>;
  u32 row = warp / Tile::WN % Tile::WM * (Tile::M * 16) + LaneA::row(), col = warp % Tile::WN * (Tile::N * 8) + LaneB::row();
  u32 a_at = row * StageA::ROW + LaneA::k() * StageA::K;
  u32 b_at = StageA::FLOATS + col * StageB::ROW + LaneB::k() * StageB::K;
  u32 count = k_end > k_begin ? (k_end - k_begin + BK - 1) / BK : 0;

  auto load = [&](u32 i, u32 slot) {
    float* stage = memory + slot * FLOATS;
    StageA::load(a, stage, row0, rows, k_begin + i * BK, k_end);
    StageB::load(b, stage + StageA::FLOATS, col0, cols, k_begin + i * BK, k_end);
  };
#pragma unroll
  for (int i = 0; i < STAGES - 1; i++) {
    if (i < count) load(i, i);
    kiln_copy_commit();
  }
  u32 slot = 0;
  typename KilnSelect<Tile::LONG, Tile>::Runs runs;
  for (u32 i = 0; i < count; i++) {
    if constexpr (STAGES == 1) {
      if (i > 0) kiln_barrier();
      load(i, 0);
      kiln_copy_commit();
      kiln_copy_wait<0>();
      kiln_barrier();
    } else {
      // The slot that is filled now was read before this barrier.
      kiln_copy_wait<STAGES - 2>();
      kiln_barrier();
      if (i + STAGES - 1 < count) load(i + STAGES - 1, slot == 0 ? STAGES - 1 : slot - 1);
      kiln_copy_commit();
    }
    const float* stage = memory + slot * FLOATS;
    slot = slot == STAGES - 1 ? 0 : slot + 1;
    if constexpr (Tile::WK == 1) {
#pragma unroll
      for (int s = 0; s < STEPS; s++) {
        kiln_step<Tile, StageA, StageB>(Precision(), sums, stage + a_at + s * Precision::STEP * StageA::K,
                                        stage + b_at + s * Precision::STEP * StageB::K);
      }
    } else {
      u32 left = k_end - k_begin - i * BK;
      u32 steps = left < BK ? (left + Precision::STEP - 1) / Precision::STEP : STEPS;
      for (u32 s = slice; s < steps; s += Tile::WK) {
        kiln_step<Tile, StageA, StageB>(Precision(), sums, stage + a_at + s * Precision::STEP * StageA::K,
                                        stage + b_at + s * Precision::STEP * StageB::K);
      }
    }
    if constexpr (Tile::LONG) {
      if (i % Tile::RUN == Tile::RUN - 1) runs.take(sums.at);
    }
  }
  if constexpr (Tile::LONG) {
    runs.take(sums.at);
    runs.give(sums.at);
  }
  kiln_copy_wait<0>();
  kiln_barrier();
}

/// One tile: its sums over k_begin ≤ k < k_end go to the sink. `memory` has kiln_tile_floats; it may be used again behind it.
template <class Tile, class Precision, class A, class B, class Sink>
KILN_DEV void kiln_tile(const A& a, const B& b, Sink& sink, u32 rows, u32 cols, u32 row0, u32 col0, u32 split, u32 k_begin,
                        u32 k_end, float* memory) {
  constexpr int BM = Tile::BM, BN = Tile::BN, WK = Tile::WK, PITCH = BN + 1;
  KilnSums<Tile> sums;
  kiln_contract<Tile, Precision>(a, b, sums, rows, cols, row0, col0, k_begin, k_end, memory);
  if constexpr (WK == 1) {
    sums.each([&](u32 r, u32 c, float sum) {
      if (row0 + r < rows && col0 + c < cols) {
        if constexpr (Sink::WHOLE_TILE) {
          memory[r * PITCH + c] = sink.element(split, row0 + r, col0 + c, sum);
        } else {
          sink.element(split, row0 + r, col0 + c, sum);
        }
      }
    });
  } else {
    // The slices' sums meet in shared memory, are added in their order, and spread anew over the threads.
    constexpr int COUNT = BM * BN, EACH = (COUNT + KILN_THREADS - 1) / KILN_THREADS;
    float* mine = memory + kiln_thread() / 32 / (Tile::WM * Tile::WN) * COUNT;
    sums.each([&](u32 r, u32 c, float sum) { mine[r * BN + c] = sum; });
    kiln_barrier();
    float kept[EACH];
#pragma unroll
    for (int j = 0; j < EACH; j++) {
      u32 i = j * KILN_THREADS + kiln_thread();
      if (COUNT % KILN_THREADS == 0 || i < COUNT) {
        u32 r = i / BN, c = i % BN;
        float sum = memory[i];
#pragma unroll
        for (int w = 1; w < WK; w++) sum += memory[w * COUNT + i];
        if (row0 + r < rows && col0 + c < cols) {
          if constexpr (Sink::WHOLE_TILE) {
            kept[j] = sink.element(split, row0 + r, col0 + c, sum);
          } else {
            sink.element(split, row0 + r, col0 + c, sum);
          }
        }
      }
    }
    kiln_barrier();
    if constexpr (Sink::WHOLE_TILE) {
#pragma unroll
      for (int j = 0; j < EACH; j++) {
        u32 i = j * KILN_THREADS + kiln_thread();
        u32 r = i / BN, c = i % BN;
        if ((COUNT % KILN_THREADS == 0 || i < COUNT) && row0 + r < rows && col0 + c < cols) memory[r * PITCH + c] = kept[j];
      }
    }
  }
  if constexpr (Sink::WHOLE_TILE) {
    kiln_barrier();
    sink.tile(row0, rows - row0 < BM ? rows - row0 : BM, col0, cols - col0 < BN ? cols - col0 : BN, memory, PITCH);
    kiln_barrier();
  }
}

/// The whole product. Depth is cut into `splits` contiguous ranges of ceil(ceil(depth / BK) / splits) · BK; the last ones may
/// be shorter or empty (their sums are 0). Pieces of work: splits · ceil(rows / BM) · ceil(cols / BN), counted with column tiles
/// fastest, then row tiles, then splits. Shared memory: one take of kiln_tile_floats.
template <class Tile, class Precision, class A, class B, class Sink>
KILN_DEV void kiln_gemm(const A& a, const B& b, Sink& sink, u32 rows, u32 cols, u32 depth, u32 splits, u32 cta, u32 ctas,
                        KilnShared shared) {
  constexpr u32 BM = Tile::BM, BN = Tile::BN, BK = Tile::BK;
  float* memory = shared.take<float>(kiln_tile_floats<Tile, A, B, Sink>());
  u32 across = (cols + BN - 1) / BN, tiles = (rows + BM - 1) / BM * across;
  u32 range = ((depth + BK - 1) / BK + splits - 1) / splits * BK;
  for (u32 piece = cta; piece < splits * tiles; piece += ctas) {
    u32 split = piece / tiles, tile = piece % tiles;
    u32 begin = split * range, end = begin + range < depth ? begin + range : depth;
    kiln_tile<Tile, Precision>(a, b, sink, rows, cols, tile / across * BM, tile % across * BN, split, begin, end, memory);
  }
}
