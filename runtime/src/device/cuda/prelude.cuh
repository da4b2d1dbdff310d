// What NVRTC understands by the names that templates and kernels use. No header is included: everything is the compiler's
// own or inline PTX. The tests' emulator has a prelude of the same names with another meaning.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;

#define KILN_DEV __device__ __forceinline__

/// A cursor over dynamic shared memory. Every thread of a block takes the same sequence.
struct KilnShared {
  u8* next;

  KILN_DEV explicit KilnShared(u8* start) : next(start) {}

  /// Room for so many elements, aligned to 16 bytes.
  template <class T> KILN_DEV T* take(u32 count) {
    T* taken = reinterpret_cast<T*>(next);
    next += (count * static_cast<u32>(sizeof(T)) + 15) / 16 * 16;
    return taken;
  }
};

template <int ARGS, int PARTS> struct KilnLaunch;

/// The kernel of namespace `name`. One block per multiprocessor is enough: without saying so ptxas spills registers to make
/// room for more. Where blocks may start before the launches they wait for are complete (programmatic
/// dependent launch), it lets its own successors start, and waits for its predecessors before it touches memory.
#define KILN_KERNEL(name, args, parts)                                                                                 \
  namespace kiln_kernels {                                                                                             \
  extern "C" __global__ void __launch_bounds__(KILN_THREADS, 1) name(const __grid_constant__ KilnLaunch<args, parts> launch) { \
    extern __shared__ __align__(128) u8 kiln_dynamic[];                                                                \
    kiln_follow();                                                                                                     \
    ::name::phase(launch, blockIdx.x, gridDim.x, KilnShared(kiln_dynamic));                                            \
  }                                                                                                                    \
  }

KILN_DEV void kiln_follow() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Threads.

/// Of this block, from 0.
KILN_DEV u32 kiln_thread() { return threadIdx.x; }

/// All threads of the block arrive, and see what the others wrote.
KILN_DEV void kiln_barrier() { __syncthreads(); }

/// The same within a warp.
KILN_DEV void kiln_warp_barrier() { __syncwarp(); }

/// Lane `lane`'s value; all lanes of the warp take part.
KILN_DEV float kiln_shuffle(float v, u32 lane) { return __shfl_sync(0xffffffffu, v, static_cast<int>(lane)); }
KILN_DEV u32 kiln_shuffle(u32 v, u32 lane) { return __shfl_sync(0xffffffffu, v, static_cast<int>(lane)); }
KILN_DEV i32 kiln_shuffle(i32 v, u32 lane) { return __shfl_sync(0xffffffffu, v, static_cast<int>(lane)); }

/// The lanes whose value is true, a bit each; all lanes of the warp take part.
KILN_DEV u32 kiln_ballot(bool v) { return __ballot_sync(0xffffffffu, v); }

/// The number of the lowest bit that is set; there is one.
KILN_DEV u32 kiln_lowest(u32 bits) { return static_cast<u32>(__ffs(static_cast<int>(bits)) - 1); }

/// The value of the lane whose number differs in the bits of `mask`.
KILN_DEV float kiln_shuffle_xor(float v, u32 mask) { return __shfl_xor_sync(0xffffffffu, v, static_cast<int>(mask)); }
KILN_DEV u32 kiln_shuffle_xor(u32 v, u32 mask) { return __shfl_xor_sync(0xffffffffu, v, static_cast<int>(mask)); }
KILN_DEV i32 kiln_shuffle_xor(i32 v, u32 mask) { return __shfl_xor_sync(0xffffffffu, v, static_cast<int>(mask)); }

// Memory. The loads are volatile so that none of them moves above the wait for earlier launches.

/// Through the read-only cache: only for data that no block of the same launch writes.
KILN_DEV float kiln_read_only(const float* p) {
  float v;
  asm volatile("ld.global.nc.f32 %0, [%1];" : "=f"(v) : "l"(p));
  return v;
}
KILN_DEV u32 kiln_read_only(const u32* p) {
  u32 v;
  asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(v) : "l"(p));
  return v;
}
KILN_DEV i32 kiln_read_only(const i32* p) {
  i32 v;
  asm volatile("ld.global.nc.s32 %0, [%1];" : "=r"(v) : "l"(p));
  return v;
}
KILN_DEV float4 kiln_read_only(const float4* p) {
  float4 v;
  asm volatile("ld.global.nc.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(p));
  return v;
}

/// Its 32-bit address, as PTX names shared memory.
KILN_DEV u32 kiln_shared_address(const void* shared) { return static_cast<u32>(__cvta_generic_to_shared(shared)); }

/// Starts a copy of 4, 8 or 16 bytes (both sides aligned to as much) to shared memory; zeros where not `valid`, and then
/// `global` is not looked at. It has arrived, for this thread, when [`kiln_copy_wait`] says so.
template <int BYTES> KILN_DEV void kiln_copy_async(void* shared, const void* global, bool valid) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "copies have 4, 8 or 16 bytes");
  u32 to = kiln_shared_address(shared);
  int bytes = valid ? BYTES : 0;
  if constexpr (BYTES == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(BYTES), "r"(bytes) : "memory");
  }
}

/// Ends a group of copies.
KILN_DEV void kiln_copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most the last `N` groups of this thread are under way. Other threads see the rest behind a barrier.
template <int N> KILN_DEV void kiln_copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// Matrices: fragments of a warp, spread over its lanes as PTX says. With g = lane / 4 and q = lane % 4, `d` is at rows g and
// g + 8, columns 2q and 2q + 1.

/// Rounded to 10 bits of mantissa, ties away from zero.
KILN_DEV u32 kiln_tf32(float x) {
  u32 r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
  return r;
}

/// Two numbers rounded to bfloat16, ties to even; `low` in the lower half.
KILN_DEV u32 kiln_bf16x2(float low, float high) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

/// d (16 × 8) += a (16 × 8) · b (8 × 8)
KILN_DEV void kiln_mma_tf32(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// d (16 × 8) += a (16 × 16) · b (16 × 8)
KILN_DEV void kiln_mma_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Four matrices of 8 rows of 16 bytes: matrix i's row j begins at lane 8i + j's address; register i of a lane gets bytes
/// 4q … 4q + 3 of row g.
KILN_DEV void kiln_ldmatrix_x4(u32 (&r)[4], const void* shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(kiln_shared_address(shared))
               : "memory");
}

// Numbers.

/// The upper half of the product.
KILN_DEV u32 kiln_multiply_high(u32 a, u32 b) { return __umulhi(a, b); }

KILN_DEV u32 kiln_bits(float x) { return __float_as_uint(x); }
KILN_DEV float kiln_float(u32 bits) { return __uint_as_float(bits); }
KILN_DEV float kiln_infinity() { return kiln_float(0x7f800000u); }
KILN_DEV float kiln_nan() { return kiln_float(0x7fffffffu); }
