// Gathered gradients of two means of a loss, added up: sum += other.
//
// Arguments: sum and other. The launch's batch is the number of elements.
namespace kiln_join {
KILN_DEV void phase(const KilnLaunch<2, 1>& launch, u32 cta, u32 ctas, KilnShared) {
  float* sum = launch.arg[0];
  const float* other = launch.arg[1];
  for (u32 i = cta * KILN_THREADS + kiln_thread(); i < launch.batch; i += ctas * KILN_THREADS) sum[i] += other[i];
}
}  // namespace kiln_join
KILN_KERNEL(kiln_join, 2, 1)
