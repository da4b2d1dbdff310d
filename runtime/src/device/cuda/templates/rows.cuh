// Rows added up by number, in the order of their indices.

/// `results` times `rows` rows of `LENGTH` elements, each the sum of the values' rows that bear its number, over `summed`
/// samples of `indices` each. A warp makes 32 · WIDE elements of a row: it looks at 32 indices at a time, and reads what it
/// finds with all lanes. Pieces of work: results · rows · ceil(LENGTH / (32 · WIDE)), eight to a block.
///
/// A body has `u32 index(u32 n, u32 i)`, `float value(u32 n, u32 i, u32 e)` and `void store(u32 n, u32 row, u32 e, float sum)`.
template <int WIDE, u32 LENGTH, class Body>
KILN_DEV void kiln_scatter_add(const Body& body, u32 results, u32 summed, u32 rows, u32 indices, u32 cta, u32 ctas) {
  constexpr u32 SPAN = 32 * WIDE, SPANS = (LENGTH + SPAN - 1) / SPAN;
  const u32 lane = kiln_thread() % 32;
  for (u32 piece = cta * 8 + kiln_thread() / 32; piece < results * rows * SPANS; piece += ctas * 8) {
    const u32 first_element = piece % SPANS * SPAN + lane, row = piece / SPANS % rows, own = piece / SPANS / rows;
    float sum[WIDE], lost[WIDE];
#pragma unroll
    for (int k = 0; k < WIDE; k++) sum[k] = lost[k] = 0.0f;
    for (u32 first = 0; first < summed * indices; first += 32) {
      const u32 at = first + lane;
      const bool mine = at < summed * indices && body.index(own + at / indices, at % indices) == row;
      for (u32 hits = kiln_ballot(mine); hits != 0; hits &= hits - 1) {
        const u32 hit = first + kiln_lowest(hits), n = own + hit / indices, i = hit % indices;
#pragma unroll
        for (int k = 0; k < WIDE; k++) {
          if (first_element + 32 * k < LENGTH) kiln_add(sum[k], lost[k], body.value(n, i, first_element + 32 * k));
        }
      }
    }
#pragma unroll
    for (int k = 0; k < WIDE; k++) {
      if (first_element + 32 * k < LENGTH) body.store(own, row, first_element + 32 * k, sum[k]);
    }
  }
}
