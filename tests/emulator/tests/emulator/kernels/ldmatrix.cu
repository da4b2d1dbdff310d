// Each warp passes 16 × 16 halfwords, its own, through shared memory and ldmatrix: Y [8, 32, 4] words.
namespace ldmatrix {
KILN_DEV void phase(const KilnLaunch<2, 1>& launch, u32 cta, u32 ctas, KilnShared shared) {
  u16* tiles = shared.take<u16>(8 * 256);
  const u16* x = reinterpret_cast<const u16*>(launch.arg[0]);
  u32* y = reinterpret_cast<u32*>(launch.arg[1]);
  const u32 lane = kiln_thread() % 32, warp = kiln_thread() / 32;
  if (cta > 0) return;
  for (u32 i = lane; i < 256; i += 32) tiles[warp * 256 + i] = x[warp * 256 + i];
#ifndef NO_WARP_BARRIER
  kiln_warp_barrier();
#endif
  u32 r[4];
  kiln_ldmatrix_x4(r, tiles + warp * 256 + lane % 16 * 16 + lane / 16 * 8);
  for (u32 i = 0; i < 4; i++) y[kiln_thread() * 4 + i] = r[i];
}
}  // namespace ldmatrix
KILN_KERNEL(ldmatrix, 2, 1)
