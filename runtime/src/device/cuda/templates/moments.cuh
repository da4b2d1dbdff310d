// Mean and squared distances from it, of columns: BatchNorm's statistics, in one pass over the values.

/// A set of numbers: how many, their mean, and the sum of their squared distances from it.
struct KilnMoments {
  float count, mean, squares;
};

/// Two sets as one (Chan, Golub and LeVeque 1979): no cancellation, whatever the mean.
KILN_DEV KilnMoments kiln_merge(const KilnMoments& a, const KilnMoments& b) {
  float count = a.count + b.count;
  if (count == 0.0f) return a;
  float apart = b.mean - a.mean, share = b.count / count;
  return KilnMoments{count, a.mean + apart * share, a.squares + b.squares + apart * apart * a.count * share};
}

/// Many sets as one, taken one after the other: by how much mean and squares are too large is kept, so that the error does
/// not grow with their number.
struct KilnMerged {
  KilnMoments all{0.0f, 0.0f, 0.0f};
  float mean_lost = 0.0f, squares_lost = 0.0f;

  KILN_DEV void add(const KilnMoments& b) {
    if (b.count == 0.0f) return;
    float count = all.count + b.count;
    float apart = (b.mean - all.mean) + mean_lost, share = b.count / count;
    kiln_add(all.squares, squares_lost, b.squares + apart * apart * all.count * share);
    kiln_add(all.mean, mean_lost, apart * share);
    all.count = count;
  }
};

/// Moments of the columns of a rows × cols matrix, in `chunks` runs of ceil(rows / chunks) rows; order and pieces of work
/// as in kiln_columns. A body has `KilnMoments load(u32 row, u32 col)` and `void store(u32 chunk, u32 col, KilnMoments)`.
/// Shared memory: one take of 3 · 256 floats.
template <int WIDTH, class Body>
KILN_DEV void kiln_moments(const Body& body, u32 rows, u32 cols, u32 chunks, u32 cta, u32 ctas, KilnShared shared) {
  constexpr u32 LANES = KILN_THREADS / WIDTH;
  float* partial = shared.take<float>(3 * KILN_THREADS);
  u32 lane = kiln_thread() / WIDTH, side = kiln_thread() % WIDTH;
  u32 groups = (cols + WIDTH - 1) / WIDTH, run = (rows + chunks - 1) / chunks;
  for (u32 piece = cta; piece < chunks * groups; piece += ctas) {
    u32 chunk = piece / groups, col = piece % groups * WIDTH + side;
    u32 begin = chunk * run, end = begin + run < rows ? begin + run : rows;
    KilnMerged merged;
    if (col < cols) {
      for (u32 row = begin + lane; row < end; row += LANES) merged.add(body.load(row, col));
    }
    KilnMoments total = merged.all;
    partial[kiln_thread()] = total.count;
    partial[KILN_THREADS + kiln_thread()] = total.mean;
    partial[2 * KILN_THREADS + kiln_thread()] = total.squares;
    for (u32 half = LANES / 2; half > 0; half /= 2) {
      kiln_barrier();
      if (lane < half) {
        u32 other = kiln_thread() + half * WIDTH;
        total = kiln_merge(total, KilnMoments{partial[other], partial[KILN_THREADS + other], partial[2 * KILN_THREADS + other]});
        partial[kiln_thread()] = total.count;
        partial[KILN_THREADS + kiln_thread()] = total.mean;
        partial[2 * KILN_THREADS + kiln_thread()] = total.squares;
      }
    }
    if (lane == 0 && col < cols) body.store(chunk, col, total);
    kiln_barrier();
  }
}

/// How many of `rows` rows run `part` of `run` rows has.
KILN_DEV float kiln_part(u32 part, u32 run, u32 rows) {
  u32 begin = part * run;
  return begin >= rows ? 0.0f : static_cast<float>(rows - begin < run ? rows - begin : run);
}

/// Moments of each column of a finished tile of BN columns: 256 / BN neighbouring threads share a column. `store(col,
/// moments)` is called by one thread per column, with the column's number within the tile.
template <int BN, class Store>
KILN_DEV void kiln_tile_moments(const float* values, u32 pitch, u32 rows, u32 cols, const Store& store) {
  constexpr u32 LANES = KILN_THREADS / BN;
  static_assert(LANES >= 1 && LANES <= 32, "threads that share a column are of one warp");
  u32 col = kiln_thread() / LANES, lane = kiln_thread() % LANES;
  float sum = 0.0f, count = 0.0f, squares = 0.0f, sum_lost = 0.0f, squares_lost = 0.0f;
  if (col < cols) {
    for (u32 row = lane; row < rows; row += LANES) {
      kiln_add(sum, sum_lost, values[row * pitch + col]);
      count += 1.0f;
    }
  }
  float mean = count > 0.0f ? sum / count : 0.0f;
  if (col < cols) {
    for (u32 row = lane; row < rows; row += LANES) {
      float apart = values[row * pitch + col] - mean;
      kiln_add(squares, squares_lost, apart * apart);
    }
  }
  KilnMoments total{count, mean, squares};
#pragma unroll
  for (u32 mask = LANES / 2; mask > 0; mask /= 2) {
    KilnMoments other{kiln_shuffle_xor(total.count, mask), kiln_shuffle_xor(total.mean, mask), kiln_shuffle_xor(total.squares, mask)};
    total = kiln_merge(total, other);
  }
  if (lane == 0 && col < cols) store(col, total);
}
