// Scales gradients so that the norm of all of them is at most `max_norm` of the launch's numbers, as
// `torch.nn.utils.clip_grad_norm_` does it. Every block adds up the sums that `kiln_norm` left, in one fixed order.
//
// Arguments: grads, the sums of squares, and how many sums there are. The launch's batch is the number of elements.
namespace kiln_clip {
KILN_DEV void phase(const KilnLaunch<3, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  constexpr u32 WARPS = KILN_THREADS / 32;
  float* grads = launch.arg[0];
  const float* sums = launch.arg[1];
  float* warps = shared.take<float>(WARPS);
  const u32 count = static_cast<u32>(kiln_read_only(static_cast<const float*>(launch.arg[2])));
  float sum = 0.0f, lost = 0.0f;
  for (u32 i = kiln_thread(); i < count; i += KILN_THREADS) kiln_add(sum, lost, kiln_read_only(sums + i));
  sum = kiln_warp_sum(sum);
  if (kiln_thread() % 32 == 0) warps[kiln_thread() / 32] = sum;
  kiln_barrier();
  float total = 0.0f;
  for (u32 warp = 0; warp < WARPS; ++warp) total += warps[warp];
  const float coefficient = launch.run->max_norm / (sqrtf(total) + 1e-6f);
  if (coefficient >= 1.0f) return;
  for (u32 i = cta * KILN_THREADS + kiln_thread(); i < launch.batch; i += ctas * KILN_THREADS) grads[i] *= coefficient;
}
}  // namespace kiln_clip
KILN_KERNEL(kiln_clip, 3, 1)
