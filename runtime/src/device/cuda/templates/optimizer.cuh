// What a kernel that makes a gradient does with it: the functor `KilnOptimizer`. One of these two, behind the rule of an
// optimizer (`KilnRule`) where there is one.

/// Stores the gradient.
struct KilnStore {
  KILN_DEV static void update(const float*, float*, float* grads, float*, float*, u32 at, float gradient) {
    grads[at] = gradient;
  }
};

/// Applies the rule to the parameter at once. `hyper` are its uniforms; of `state0` and `state1` it touches as many as it
/// has.
template <class Rule> struct KilnUpdate {
  KILN_DEV static void update(const float* hyper, float* params, float*, float* state0, float* state1, u32 at,
                              float gradient) {
    float s0 = 0.0f, s1 = 0.0f;
    if (Rule::STATES > 0) s0 = state0[at];
    if (Rule::STATES > 1) s1 = state1[at];
    params[at] = Rule::apply(hyper, params[at], gradient, s0, s1);
    if (Rule::STATES > 0) state0[at] = s0;
    if (Rule::STATES > 1) state1[at] = s1;
  }

  /// Four elements, from `4 * at` on. All arenas are aligned to 16 bytes.
  KILN_DEV static void update_four(const float* hyper, float* params, const float* grads, float* state0, float* state1,
                                   u32 at) {
    const float4 none = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    float4 p = reinterpret_cast<float4*>(params)[at];
    const float4 g = reinterpret_cast<const float4*>(grads)[at];
    float4 a = Rule::STATES > 0 ? reinterpret_cast<float4*>(state0)[at] : none;
    float4 b = Rule::STATES > 1 ? reinterpret_cast<float4*>(state1)[at] : none;
    p.x = Rule::apply(hyper, p.x, g.x, a.x, b.x);
    p.y = Rule::apply(hyper, p.y, g.y, a.y, b.y);
    p.z = Rule::apply(hyper, p.z, g.z, a.z, b.z);
    p.w = Rule::apply(hyper, p.w, g.w, a.w, b.w);
    reinterpret_cast<float4*>(params)[at] = p;
    if (Rule::STATES > 0) reinterpret_cast<float4*>(state0)[at] = a;
    if (Rule::STATES > 1) reinterpret_cast<float4*>(state1)[at] = b;
  }
};
