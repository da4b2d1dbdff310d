// Sums and maxima in a fixed order: of the lanes of a warp, and of the columns of a matrix.

/// Adds to a sum that may be long; `lost` is by how much it is too large (Kahan 1965). Its error does not grow with its length.
KILN_DEV void kiln_add(float& sum, float& lost, float x) {
  const float y = x - lost, larger = sum + y;
  lost = (larger - sum) - y;
  // An infinite sum stays infinite: what it has lost is not a number.
  if (lost - lost != 0.0f) lost = 0.0f;
  sum = larger;
}

/// Of the lanes of a warp; every lane gets the same bits, since each step adds the same two numbers in both partners.
KILN_DEV float kiln_warp_sum(float v) {
#pragma unroll
  for (u32 mask = 16; mask > 0; mask /= 2) v += kiln_shuffle_xor(v, mask);
  return v;
}

/// The larger of two; a NaN wins, and of two zeros the positive one, so that the order does not matter.
KILN_DEV float kiln_larger(float a, float b) {
  if (a != a || b != b) return kiln_nan();
  return a > b ? a : b > a ? b : kiln_float(kiln_bits(a) & kiln_bits(b));
}

/// Of the lanes of a warp, for all of them.
KILN_DEV float kiln_warp_max(float v) {
#pragma unroll
  for (u32 mask = 16; mask > 0; mask /= 2) v = kiln_larger(v, kiln_shuffle_xor(v, mask));
  return v;
}

/// Whether an element takes the place of the best so far, wherever it stands: larger, or the first NaN.
KILN_DEV bool kiln_better(float v, float best) { return v > best || (v != v && best == best); }

/// The largest value of a warp and its index, for all lanes; of equal ones the smallest index. A NaN wins over numbers.
KILN_DEV void kiln_warp_argmax(float& value, u32& index) {
#pragma unroll
  for (u32 mask = 16; mask > 0; mask /= 2) {
    float v = kiln_shuffle_xor(value, mask);
    u32 i = kiln_shuffle_xor(index, mask);
    if (kiln_better(v, value) || (!kiln_better(value, v) && i < index)) {
      value = v;
      index = i;
    }
  }
}

/// Reduces the columns of a rows × cols matrix, each in `chunks` runs of ceil(rows / chunks) rows.
///
/// `WIDTH` columns lie side by side in a block, so that neighbouring threads load neighbouring columns; 256 / WIDTH threads
/// share a column, each adds up its rows one after the other, and their sums meet in a tree of fixed shape.
/// Pieces of work: chunks · ceil(cols / WIDTH). Shared memory: one take of VALUES · 256 floats.
///
/// A body has `static constexpr bool maximum(int i)` (else value i is a sum), `void load(u32 row, u32 col, float (&v)[VALUES])`
/// for one element, and `void store(u32 chunk, u32 col, const float (&v)[VALUES])`, called by one thread per column; a run
/// without rows stores zeros and -infinity.
template <int WIDTH, int VALUES, class Body>
KILN_DEV void kiln_columns(Body& body, u32 rows, u32 cols, u32 chunks, u32 cta, u32 ctas, KilnShared shared) {
  static_assert(WIDTH >= 1 && WIDTH <= 32 && (WIDTH & (WIDTH - 1)) == 0, "columns side by side: a power of two up to 32");
  constexpr u32 LANES = KILN_THREADS / WIDTH, AHEAD = 4, WARPS = KILN_THREADS / 32;
  float* partial = shared.take<float>(VALUES * KILN_THREADS);
  u32 lane = kiln_thread() / WIDTH, side = kiln_thread() % WIDTH, warp = kiln_thread() / 32;
  u32 groups = (cols + WIDTH - 1) / WIDTH, run = (rows + chunks - 1) / chunks;
  for (u32 piece = cta; piece < chunks * groups; piece += ctas) {
    u32 chunk = piece / groups, col = piece % groups * WIDTH + side;
    u32 begin = chunk * run, end = begin + run < rows ? begin + run : rows;
    float total[VALUES], lost[VALUES];
#pragma unroll
    for (int i = 0; i < VALUES; i++) total[i] = Body::maximum(i) ? -kiln_infinity() : 0.0f, lost[i] = 0.0f;
    if (col < cols) {
      for (u32 row = begin + lane; row < end; row += AHEAD * LANES) {
        float v[AHEAD][VALUES];
#pragma unroll
        for (u32 j = 0; j < AHEAD; j++) {
          if (row + j * LANES < end) body.load(row + j * LANES, col, v[j]);
        }
#pragma unroll
        for (u32 j = 0; j < AHEAD; j++) {
          if (row + j * LANES < end) {
#pragma unroll
            for (int i = 0; i < VALUES; i++) {
              if (Body::maximum(i)) {
                total[i] = kiln_larger(total[i], v[j][i]);
              } else {
                kiln_add(total[i], lost[i], v[j][i]);
              }
            }
          }
        }
      }
    }
    // Lanes of a warp that share a column first, then the warps in order.
#pragma unroll
    for (int i = 0; i < VALUES; i++) {
#pragma unroll
      for (u32 mask = 16; mask >= static_cast<u32>(WIDTH); mask /= 2) {
        float other = kiln_shuffle_xor(total[i], mask);
        total[i] = Body::maximum(i) ? kiln_larger(total[i], other) : total[i] + other;
      }
      if (kiln_thread() % 32 < WIDTH) partial[(i * WARPS + warp) * WIDTH + side] = total[i];
    }
    kiln_barrier();
    if (kiln_thread() < WIDTH && col < cols) {
#pragma unroll
      for (int i = 0; i < VALUES; i++) {
        total[i] = partial[i * WARPS * WIDTH + side];
#pragma unroll
        for (u32 w = 1; w < WARPS; w++) {
          float other = partial[(i * WARPS + w) * WIDTH + side];
          total[i] = Body::maximum(i) ? kiln_larger(total[i], other) : total[i] + other;
        }
      }
      body.store(chunk, col, total);
    }
    kiln_barrier();
  }
}
