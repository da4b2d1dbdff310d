// What a launch gives its kernel. The host writes these bytes; see `Node` and `Run` in accelerator.rs.

/// Threads of every block.
#define KILN_THREADS 256

/// Numbers that change from step to step, in device memory.
struct KilnRun {
  u64 seed;
  u64 step;
  /// The optimizer's uniforms: with weight decay, and without.
  float hyper[2][16];
};

template <int ARGS, int PARTS> struct KilnLaunch {
  float* arg[ARGS];
  const KilnRun* run;
  u32 batch;
  /// First block of each merged phase; the last entry is the number of blocks.
  u32 first[PARTS + 1];
};
