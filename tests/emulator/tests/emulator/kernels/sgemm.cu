// C [M, N] = A [M, K] · B [K, N] in single precision: tiles of 64 × 64, k in steps of 16, 4 × 4 per thread.
namespace sgemm {
KILN_DEV void phase(const KilnLaunch<3, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  const float *a = launch.arg[0], *b = launch.arg[1];
  float* c = launch.arg[2];
  float* as = shared.take<float>(16 * 68);
  float* bs = shared.take<float>(16 * 64);
  const u32 t = kiln_thread(), x = t % 16 * 4, y = t / 16 * 4;
  for (u32 tile = cta; tile < M / 64 * (N / 64); tile += ctas) {
    const u32 row = tile / (N / 64) * 64, column = tile % (N / 64) * 64;
    float sum[4][4] = {};
    for (u32 k = 0; k < K; k += 16) {
      for (u32 i = t; i < 1024; i += KILN_THREADS) {
        as[i % 16 * 68 + i / 16] = kiln_read_only(a + (row + i / 16) * K + k + i % 16);
        bs[i] = b[(k + i / 64) * N + column + i % 64];
      }
#ifndef NO_FIRST_BARRIER
      kiln_barrier();
#endif
      for (u32 p = 0; p < 16; p++)
        for (u32 i = 0; i < 4; i++)
          for (u32 j = 0; j < 4; j++) sum[i][j] = fmaf(as[p * 68 + y + i], bs[p * 64 + x + j], sum[i][j]);
#ifndef NO_SECOND_BARRIER
      kiln_barrier();
#endif
    }
    for (u32 i = 0; i < 4; i++)
      for (u32 j = 0; j < 4; j++) c[(row + y + i) * N + column + x + j] = sum[i][j];
  }
}
}  // namespace sgemm
KILN_KERNEL(sgemm, 3, 1)
