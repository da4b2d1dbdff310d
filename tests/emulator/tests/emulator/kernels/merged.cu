// Two phases in one launch: 700 values plus the batch; 1000 values times the share, plus half the seed and the
// step.
namespace merged {
namespace p0 {
KILN_DEV void phase(const KilnLaunch<3, 2>& launch, u32 cta, u32 ctas, KilnShared shared) {
  for (u32 i = cta * KILN_THREADS + kiln_thread(); i < 700; i += ctas * KILN_THREADS)
    launch.arg[1][i] = kiln_read_only(launch.arg[0] + i) + static_cast<float>(launch.batch);
}
}  // namespace p0
namespace p1 {
KILN_DEV void phase(const KilnLaunch<3, 2>& launch, u32 cta, u32 ctas, KilnShared shared) {
  const KilnRun& run = *launch.run;
  const float add = static_cast<float>(static_cast<u32>(run.seed >> 32)) + static_cast<float>(run.step);
  for (u32 i = cta * KILN_THREADS + kiln_thread(); i < 1000; i += ctas * KILN_THREADS)
    launch.arg[2][i] = launch.arg[0][i] * run.share + add;
}
}  // namespace p1
KILN_DEV void phase(const KilnLaunch<3, 2>& launch, u32 cta, u32 ctas, KilnShared shared) {
  if (cta < launch.first[1]) p0::phase(launch, cta, launch.first[1], shared);
  else p1::phase(launch, cta - launch.first[1], launch.first[2] - launch.first[1], shared);
}
}  // namespace merged
KILN_KERNEL(merged, 3, 2)
