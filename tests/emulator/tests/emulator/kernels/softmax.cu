// Softmax of each row of X [batch, WIDTH]; Y has the same shape.
namespace softmax {
KILN_DEV float joined(float value, bool largest, float* part) {
  for (u32 mask = 16; mask > 0; mask /= 2) {
    const float other = kiln_shuffle_xor(value, mask);
    value = largest ? fmaxf(value, other) : value + other;
  }
  if (kiln_thread() % 32 == 0) part[kiln_thread() / 32] = value;
#ifdef DIVERGENT_BARRIER
  if (kiln_thread() < 192) kiln_barrier();
#else
  kiln_barrier();
#endif
  value = part[0];
  for (u32 warp = 1; warp < 8; warp++) value = largest ? fmaxf(value, part[warp]) : value + part[warp];
#ifdef SHARED_OUT_OF_BOUNDS
  if (kiln_thread() == 5) value += part[kiln_thread() + 3];
#endif
#ifndef NO_BARRIER_BEFORE_REUSE
  kiln_barrier();
#endif
  return value;
}

KILN_DEV void phase(const KilnLaunch<2, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  float* part = shared.take<float>(8);
  for (u32 row = cta; row < launch.batch; row += ctas) {
    const float* x = launch.arg[0] + row * WIDTH;
    float* y = launch.arg[1] + row * WIDTH;
    float largest = -kiln_infinity(), sum = 0.0f;
    for (u32 i = kiln_thread(); i < WIDTH; i += KILN_THREADS) largest = fmaxf(largest, x[i]);
    largest = joined(largest, true, part);
    for (u32 i = kiln_thread(); i < WIDTH; i += KILN_THREADS) sum += expf(x[i] - largest);
    sum = joined(sum, false, part);
#ifdef GLOBAL_OUT_OF_BOUNDS
    for (u32 i = kiln_thread(); i <= WIDTH; i += KILN_THREADS) y[i] = expf(x[i < WIDTH ? i : 0] - largest) / sum;
#else
    for (u32 i = kiln_thread(); i < WIDTH; i += KILN_THREADS) y[i] = expf(x[i] - largest) / sum;
#endif
  }
}
}  // namespace softmax
KILN_KERNEL(softmax, 2, 1)
