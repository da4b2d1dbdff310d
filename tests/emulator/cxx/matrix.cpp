// `mma.sync` on the operands of a whole warp. The layouts of fragments are those of the PTX ISA, "Matrix fragments for
// mma.m16n8k8" (.tf32) and "… mma.m16n8k16" (.bf16).
//
// Products are exact in double precision, summed there in the order of k, and rounded once with the accumulator. A tensor
// core sums with fewer bits; results agree within the tolerance that the operands' rounding asks for anyway.
#include <cstring>

#include "machine.h"

namespace {
float as_float(u32 bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

/// d[m][n] = a[m][k] · b[k][n] + c[m][n], c and d in the lanes' first four operands: rows g and g + 8, columns 2q, 2q + 1.
template <int K>
void multiply(const double (&a)[16][K], const double (&b)[K][8], u32* const (&io)[LANES], u32 (&out)[LANES][4]) {
  for (u32 row = 0; row < 16; row++) {
    double sum[8] = {};
    for (int k = 0; k < K; k++)
      for (u32 column = 0; column < 8; column++) sum[column] += a[row][k] * b[k][column];
    for (u32 column = 0; column < 8; column++) {
      const u32 lane = row % 8 * 4 + column / 2, i = row / 8 * 2 + column % 2;
      const float d = static_cast<float>(sum[column] + as_float(io[lane][i]));
      memcpy(&out[lane][i], &d, 4);
    }
  }
}
}  // namespace

void multiply_tf32(u32* const (&io)[LANES], u32 (&out)[LANES][4]) {
  double a[16][8], b[8][8];
  for (u32 lane = 0; lane < LANES; lane++) {
    const u32 g = lane / 4, q = lane % 4;
    // Hardware does not look at the low 13 bits.
    const auto value = [&](u32 i) { return static_cast<double>(as_float(io[lane][i] & 0xffffe000u)); };
    a[g][q] = value(4);
    a[g + 8][q] = value(5);
    a[g][q + 4] = value(6);
    a[g + 8][q + 4] = value(7);
    b[q][g] = value(8);
    b[q + 4][g] = value(9);
  }
  multiply<8>(a, b, io, out);
}

void multiply_bf16(u32* const (&io)[LANES], u32 (&out)[LANES][4]) {
  double a[16][16], b[16][8];
  for (u32 lane = 0; lane < LANES; lane++) {
    const u32 g = lane / 4, q = lane % 4;
    for (u32 half = 0; half < 2; half++) {
      const auto value = [&](u32 i) { return static_cast<double>(as_float(io[lane][i] >> 16 * half << 16)); };
      const u32 k = q * 2 + half;
      a[g][k] = value(4);
      a[g + 8][k] = value(5);
      a[g][k + 8] = value(6);
      a[g + 8][k + 8] = value(7);
      b[k][g] = value(8);
      b[k + 8][g] = value(9);
    }
  }
  multiply<16>(a, b, io, out);
}
