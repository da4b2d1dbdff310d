// C [M, N] = A [M, K] · B [K, N] on tensor cores: tiles of 128 × 128, 8 warps of 64 × 32, k in steps of 16, two stages.
namespace tensor_gemm {
const u32 A_ROW = 20, B_ROW = 136, A_STAGE = 128 * A_ROW, B_STAGE = 16 * B_ROW;

struct Tile {
  const float *a, *b;
  float *as, *bs;
  KILN_DEV void load(u32 stage, u32 k) const {
    for (u32 i = kiln_thread(); i < 512; i += KILN_THREADS)
      kiln_copy_async<16>(as + stage * A_STAGE + i / 4 * A_ROW + i % 4 * 4, a + i / 4 * K + k + i % 4 * 4, true);
    for (u32 i = kiln_thread(); i < 512; i += KILN_THREADS)
      kiln_copy_async<16>(bs + stage * B_STAGE + i / 32 * B_ROW + i % 32 * 4, b + (k + i / 32) * N + i % 32 * 4, true);
    kiln_copy_commit();
  }
};

KILN_DEV void step(const float* as, const float* bs, float (&sum)[4][4][4]) {
  const u32 g = kiln_thread() % 32 / 4, q = kiln_thread() % 4;
  u32 a[4], b[4][2];
#ifdef BF16
  for (u32 j = 0; j < 4; j++)
    for (u32 h = 0; h < 2; h++) {
      const float* p = bs + (q * 2 + h * 8) * B_ROW + j * 8 + g;
      b[j][h] = kiln_bf16x2(p[0], p[B_ROW]);
    }
  for (u32 i = 0; i < 4; i++) {
    for (u32 h = 0; h < 4; h++) {
      const float* p = as + (i * 16 + g + h % 2 * 8) * A_ROW + q * 2 + h / 2 * 8;
      a[h] = kiln_bf16x2(p[0], p[1]);
    }
    for (u32 j = 0; j < 4; j++) kiln_mma_bf16(sum[i][j], a, b[j]);
  }
#else
  for (u32 k = 0; k < 16; k += 8) {
    for (u32 j = 0; j < 4; j++)
      for (u32 h = 0; h < 2; h++) b[j][h] = kiln_tf32(bs[(k + q + h * 4) * B_ROW + j * 8 + g]);
    for (u32 i = 0; i < 4; i++) {
      for (u32 h = 0; h < 4; h++) a[h] = kiln_tf32(as[(i * 16 + g + h % 2 * 8) * A_ROW + k + q + h / 2 * 4]);
      for (u32 j = 0; j < 4; j++) kiln_mma_tf32(sum[i][j], a, b[j]);
    }
  }
#endif
}

KILN_DEV void phase(const KilnLaunch<3, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  float* as = shared.take<float>(2 * A_STAGE);
  float* bs = shared.take<float>(2 * B_STAGE);
  const u32 lane = kiln_thread() % 32, warp = kiln_thread() / 32, y = warp / 4 * 64, x = warp % 4 * 32;
  for (u32 tile = cta; tile < M / 128 * (N / 128); tile += ctas) {
    const u32 row = tile / (N / 128) * 128, column = tile % (N / 128) * 128;
    const Tile loader = {launch.arg[0] + row * K, launch.arg[1] + column, as, bs};
    float sum[4][4][4] = {};
    loader.load(0, 0);
    for (u32 k = 0; k < K; k += 16) {
      const u32 stage = k / 16 % 2;
      if (k + 16 < K) loader.load(1 - stage, k + 16);
      else kiln_copy_commit();
#ifndef NO_WAIT
      kiln_copy_wait<1>();
#endif
      kiln_barrier();
      step(as + stage * A_STAGE + y * A_ROW, bs + stage * B_STAGE + x, sum);
      kiln_barrier();
    }
    for (u32 i = 0; i < 4; i++)
      for (u32 j = 0; j < 4; j++)
        for (u32 v = 0; v < 4; v++)
          launch.arg[2][(row + y + i * 16 + lane / 4 + v / 2 * 8) * N + column + x + j * 8 + lane % 4 * 2 + v % 2] =
              sum[i][j][v];
  }
}
}  // namespace tensor_gemm
KILN_KERNEL(tensor_gemm, 3, 1)
