// What a kernel that makes a gradient does with it: the functor `KilnOptimizer`. One of these two, behind the rule of an
// optimizer (`KilnRule`) where there is one.

/// Stores the gradient.
struct KilnStore {
  KILN_DEV static void update(const float*, float*, float* grads, float*, float*, float*, u32 at, float gradient) {
    grads[at] = gradient;
  }
};

/// Applies the rule to the parameter at once. `hyper` is a row of the optimizer's table (table.rs): the rule's uniforms, and
/// behind them, whether the parameter stays as it is, how far gradients may reach, and what they are multiplied with. Of the
/// three states it touches as many as the rule has.
template <class Rule> struct KilnUpdate {
  static constexpr int FROZEN = 16, LIMIT = 17, SCALE = 18;

  /// What the rule sees of a gradient; a NaN stays one.
  KILN_DEV static float seen(const float* hyper, float gradient) {
    const float limit = hyper[LIMIT];
    gradient *= hyper[SCALE];
    return gradient > limit ? limit : gradient < -limit ? -limit : gradient;
  }

  KILN_DEV static void update(const float* hyper, float* params, float*, float* state0, float* state1, float* state2,
                              u32 at, float gradient) {
    if (hyper[FROZEN] != 0.0f) return;
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f;
    if (Rule::STATES > 0) s0 = state0[at];
    if (Rule::STATES > 1) s1 = state1[at];
    if (Rule::STATES > 2) s2 = state2[at];
    params[at] = Rule::apply(hyper, params[at], seen(hyper, gradient), s0, s1, s2);
    if (Rule::STATES > 0) state0[at] = s0;
    if (Rule::STATES > 1) state1[at] = s1;
    if (Rule::STATES > 2) state2[at] = s2;
  }

  /// Four elements, from `4 * at` on, of a parameter that does not stay as it is. All arenas are aligned to 16 bytes.
  KILN_DEV static void update_four(const float* hyper, float* params, const float* grads, float* state0, float* state1,
                                   float* state2, u32 at) {
    const float4 none = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    float4 p = reinterpret_cast<float4*>(params)[at];
    const float4 g = reinterpret_cast<const float4*>(grads)[at];
    float4 a = Rule::STATES > 0 ? reinterpret_cast<float4*>(state0)[at] : none;
    float4 b = Rule::STATES > 1 ? reinterpret_cast<float4*>(state1)[at] : none;
    float4 c = Rule::STATES > 2 ? reinterpret_cast<float4*>(state2)[at] : none;
    p.x = Rule::apply(hyper, p.x, seen(hyper, g.x), a.x, b.x, c.x);
    p.y = Rule::apply(hyper, p.y, seen(hyper, g.y), a.y, b.y, c.y);
    p.z = Rule::apply(hyper, p.z, seen(hyper, g.z), a.z, b.z, c.z);
    p.w = Rule::apply(hyper, p.w, seen(hyper, g.w), a.w, b.w, c.w);
    reinterpret_cast<float4*>(params)[at] = p;
    if (Rule::STATES > 0) reinterpret_cast<float4*>(state0)[at] = a;
    if (Rule::STATES > 1) reinterpret_cast<float4*>(state1)[at] = b;
    if (Rule::STATES > 2) reinterpret_cast<float4*>(state2)[at] = c;
  }
};
