// The mean gradient over several batches: mean += (gradient - mean) * share, where share is this batch's part of all
// samples so far, and 1 for the first batch, whose gradient replaces what was there.
//
// Arguments: mean and grads. The launch's batch is the number of elements.
namespace kiln_accumulate {
KILN_DEV void phase(const KilnLaunch<2, 1>& launch, u32 cta, u32 ctas, KilnShared) {
  float* mean = launch.arg[0];
  const float* grads = launch.arg[1];
  const float share = launch.run->share;
  for (u32 i = cta * KILN_THREADS + kiln_thread(); i < launch.batch; i += ctas * KILN_THREADS) {
    const float gradient = grads[i];
    mean[i] = share == 1.0f ? gradient : mean[i] + (gradient - mean[i]) * share;
  }
}
}  // namespace kiln_accumulate
KILN_KERNEL(kiln_accumulate, 2, 1)
