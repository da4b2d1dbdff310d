// What a launch gives its kernel. The host writes these bytes; see `Node` and `Run` in accelerator.rs.

/// Threads of every block.
#define KILN_THREADS 256

/// Numbers that change from step to step, in device memory.
struct KilnRun {
  u64 seed;
  u64 step;
  /// Of a batch in the mean gradient over several.
  float share;
  /// The largest norm that all gradients together may have.
  float max_norm;
  /// 0 where all means of the loss count, else the number of the one that does, from 1.
  u64 mean;
};

/// 1 where this mean of the loss counts, else 0.
KILN_DEV float kiln_counts(const KilnRun& run, u32 mean) {
  return run.mean == 0 || run.mean == mean + 1 ? 1.0f : 0.0f;
}

template <int ARGS, int PARTS> struct KilnLaunch {
  float* arg[ARGS];
  const KilnRun* run;
  u32 batch;
  /// First block of each merged phase; the last entry is the number of blocks.
  u32 first[PARTS + 1];
};

/// 1 / (1 + e^-x) by the power that is at most 1: nothing overflows, and a result that is nearly 0 keeps its digits.
KILN_DEV float kiln_sigmoid(float x) {
  const float power = expf(-fabsf(x));
  return (x < 0.0f ? power : 1.0f) / (1.0f + power);
}
