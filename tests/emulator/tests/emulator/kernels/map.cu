// Y [batch, WIDTH] = 2 X + 1, and whatever a test asks for besides.
namespace map {
KILN_DEV void phase(const KilnLaunch<2, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  const float* x = launch.arg[0];
  float* y = launch.arg[1];
  const u32 count = launch.batch * WIDTH, first = cta * KILN_THREADS + kiln_thread();
#ifdef TAKES
  TAKES
#endif
  for (u32 i = first; i < count; i += ctas * KILN_THREADS) {
#ifdef READ_OWN_WRITE
    y[i] = x[i] + 1.0f;
    y[i] = READ_OWN_WRITE(y + i) + x[i];
#elif defined(IN_PLACE)
    launch.arg[IN_PLACE][i] = 2.0f * x[i] + 1.0f;
#else
    y[i] = 2.0f * x[i] + 1.0f;
#endif
  }
#ifdef ACCUMULATE
  if (kiln_thread() == 0) y[0] += 1.0f;
#endif
}
}  // namespace map
KILN_KERNEL(map, 2, 1)
