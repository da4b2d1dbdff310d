// The optimizer's own pass: the rule over a range of the trainable arena whose gradients were stored.
//
// Arguments: the range's row of the optimizer's table, then params, grads and the three states from the range's first
// element on. The launch's batch is the number of elements.
namespace kiln_optimizer_pass {
KILN_DEV bool aligned(const void* pointer) { return (reinterpret_cast<u64>(pointer) & 15) == 0; }

KILN_DEV void phase(const KilnLaunch<6, 1>& launch, u32 cta, u32 ctas, KilnShared) {
  constexpr u32 ROW = 20;
  // In registers: what the loop stores could otherwise change them.
  float hyper[ROW];
  for (u32 i = 0; i < ROW; ++i) hyper[i] = kiln_read_only(static_cast<const float*>(launch.arg[0]) + i);
  if (hyper[16] != 0.0f) return;
  float* params = launch.arg[1];
  const float* grads = launch.arg[2];
  float* state0 = launch.arg[3];
  float* state1 = launch.arg[4];
  float* state2 = launch.arg[5];
  const u32 first = cta * KILN_THREADS + kiln_thread();
  const u32 stride = ctas * KILN_THREADS;
  const bool vectors =
      aligned(params) && aligned(grads) && aligned(state0) && aligned(state1) && aligned(state2);
  const u32 fours = vectors ? launch.batch / 4 : 0;
  for (u32 i = first; i < fours; i += stride) {
    KilnOptimizer::update_four(hyper, params, grads, state0, state1, state2, i);
  }
  for (u32 i = 4 * fours + first; i < launch.batch; i += stride) {
    KilnOptimizer::update(hyper, params, nullptr, state0, state1, state2, i, grads[i]);
  }
}
}  // namespace kiln_optimizer_pass
KILN_KERNEL(kiln_optimizer_pass, 6, 1)
