// Sums of squares of gradients, in pieces of fixed size, so that the number of blocks does not show in their bits: each
// thread's chain, then the lanes of a warp, then the warps in order.
//
// Arguments: grads from a range's first element on, and the range's sums, one a piece. The launch's batch is the number of
// elements.
namespace kiln_norm {
KILN_DEV void phase(const KilnLaunch<2, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  constexpr u32 PIECE = 4096, WARPS = KILN_THREADS / 32;
  const float* grads = launch.arg[0];
  float* warps = shared.take<float>(WARPS);
  const u32 pieces = (launch.batch + PIECE - 1) / PIECE;
  for (u32 piece = cta; piece < pieces; piece += ctas) {
    const u32 end = (piece + 1) * PIECE < launch.batch ? (piece + 1) * PIECE : launch.batch;
    float sum = 0.0f;
    for (u32 i = piece * PIECE + kiln_thread(); i < end; i += KILN_THREADS) sum += grads[i] * grads[i];
    sum = kiln_warp_sum(sum);
    if (kiln_thread() % 32 == 0) warps[kiln_thread() / 32] = sum;
    kiln_barrier();
    if (kiln_thread() == 0) {
      float total = 0.0f;
      for (u32 warp = 0; warp < WARPS; ++warp) total += warps[warp];
      launch.arg[1][piece] = total;
    }
    kiln_barrier();
  }
}
}  // namespace kiln_norm
KILN_KERNEL(kiln_norm, 2, 1)
