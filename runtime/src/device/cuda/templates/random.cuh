// Philox-4x32-10 (Salmon, Moraes, Dror and Shaw 2011): random numbers as a pure function of seed, step, stream, sample and
// element. The same counters and the same bits as on the CPU (device/cpu/simd/random.rs).

/// Uniform in [0, 1): counter (element, sample, step, stream), key = seed; the top 24 bits of the first word.
KILN_DEV float kiln_random(u64 seed, u64 step, u32 stream, u32 sample, u32 element) {
  u32 c0 = element, c1 = sample, c2 = static_cast<u32>(step), c3 = stream;
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    u32 high0 = kiln_multiply_high(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    u32 high1 = kiln_multiply_high(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return static_cast<float>(c0 >> 8) * (1.0f / 16777216.0f);
}
