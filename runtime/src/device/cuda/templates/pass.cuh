// The optimizer's own pass: the rule over a range of the trainable arena whose gradients were stored.
//
// Arguments: params, grads and the two states from the range's first element on, and the rule's uniforms. The launch's
// batch is the number of elements.
namespace kiln_optimizer_pass {
KILN_DEV bool aligned(const void* pointer) { return (reinterpret_cast<u64>(pointer) & 15) == 0; }

KILN_DEV void phase(const KilnLaunch<5, 1>& launch, u32 cta, u32 ctas, KilnShared) {
  float* params = launch.arg[0];
  const float* grads = launch.arg[1];
  float* state0 = launch.arg[2];
  float* state1 = launch.arg[3];
  // In registers: what the loop stores could otherwise change them.
  float hyper[16];
  for (u32 i = 0; i < 16; ++i) hyper[i] = kiln_read_only(static_cast<const float*>(launch.arg[4]) + i);
  const u32 first = cta * KILN_THREADS + kiln_thread();
  const u32 stride = ctas * KILN_THREADS;
  const bool vectors = aligned(params) && aligned(grads) && aligned(state0) && aligned(state1);
  const u32 fours = vectors ? launch.batch / 4 : 0;
  for (u32 i = first; i < fours; i += stride) KilnOptimizer::update_four(hyper, params, grads, state0, state1, i);
  for (u32 i = 4 * fours + first; i < launch.batch; i += stride) {
    KilnOptimizer::update(hyper, params, nullptr, state0, state1, i, grads[i]);
  }
}
}  // namespace kiln_optimizer_pass
KILN_KERNEL(kiln_optimizer_pass, 5, 1)
