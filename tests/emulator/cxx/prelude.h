// The emulator's prelude: what `prelude.cuh` gives kernels by inline PTX, this gives them by calls into the runtime.
// Header-free like the other, so that a kernel that needs a header fails here too.

#define KILN_DEV inline __attribute__((always_inline))

// Where a barrier or a warp operation stands in the source: the compiler may make several instructions of one.
#define KILN_PLACE const char *file = __builtin_FILE(), u32 line = __builtin_LINE()

#ifdef KILN_EMULATOR_CHECKED
#define KILN_EMULATOR_IS_CHECKED 1
#else
#define KILN_EMULATOR_IS_CHECKED 0
#endif

// The linker's names for the bounds of the shared object.
extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start, _end;

#define KILN_KERNEL(name, args, parts)                                                          \
  static void kiln_enter_##name(const void* launch, u32 cta, u32 ctas) {                        \
    name::phase(*static_cast<const KilnLaunch<args, parts>*>(launch), cta, ctas, KilnShared()); \
  }                                                                                             \
  extern "C" KILN_EMULATOR_VISIBLE const KilnEntry kiln_entry_##name;                           \
  const KilnEntry kiln_entry_##name = {kiln_enter_##name,                                       \
                                       args,                                                    \
                                       parts,                                                   \
                                       sizeof(KilnLaunch<args, parts>),                         \
                                       KILN_EMULATOR_IS_CHECKED,                                \
                                       &__ehdr_start,                                           \
                                       &_end};

struct alignas(16) float4 {
  float x, y, z, w;
};
KILN_DEV float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern "C" {
float expf(float);
float expm1f(float);
float logf(float);
float log1pf(float);
float sqrtf(float);
float sinf(float);
float cosf(float);
float tanhf(float);
float erff(float);
float erfcf(float);
float powf(float, float);
float floorf(float);
float fabsf(float);
float fmaf(float, float, float);
float fminf(float, float);
float fmaxf(float, float);
}

KILN_DEV u32 kiln_bits(float value) {
  u32 bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}
KILN_DEV float kiln_float(u32 bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
KILN_DEV float kiln_infinity() { return __builtin_inff(); }
KILN_DEV float kiln_nan() { return kiln_float(0x7fffffffu); }
KILN_DEV u32 kiln_multiply_high(u32 a, u32 b) { return static_cast<u32>(static_cast<u64>(a) * b >> 32); }

KILN_DEV u32 kiln_thread() { return kiln_emulator_thread(); }
KILN_DEV void kiln_barrier(KILN_PLACE) { kiln_emulator_barrier(file, line); }
KILN_DEV void kiln_warp_barrier(KILN_PLACE) { kiln_emulator_warp(KILN_WARP_BARRIER, nullptr, file, line); }

template <class T> KILN_DEV T kiln_shuffle(T value, u32 lane, KILN_PLACE) {
  static_assert(sizeof(T) == 4, "shuffles move 32 bits");
  u32 io[2] = {0, lane};
  __builtin_memcpy(io, &value, 4);
  kiln_emulator_warp(KILN_SHUFFLE, io, file, line);
  __builtin_memcpy(&value, io, 4);
  return value;
}
template <class T> KILN_DEV T kiln_shuffle_xor(T value, u32 mask, KILN_PLACE) {
  return kiln_shuffle(value, kiln_thread() ^ mask, file, line);
}

KILN_DEV u32 kiln_ballot(bool value, KILN_PLACE) {
  u32 bits = (value ? 1u : 0u) << kiln_thread() % 32;
  for (u32 mask = 16; mask > 0; mask /= 2) bits |= kiln_shuffle_xor(bits, mask, file, line);
  return bits;
}
KILN_DEV u32 kiln_lowest(u32 bits) { return static_cast<u32>(__builtin_ctz(bits)); }

template <class T> KILN_DEV T kiln_read_only(const T* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 16, "float, u32, i32 or float4");
#ifdef KILN_EMULATOR_CHECKED
  T value;
  kiln_emulator_read_only(&value, p, sizeof(T));
  return value;
#else
  return *p;
#endif
}

template <int BYTES> KILN_DEV void kiln_copy_async(void* shared, const void* global, bool valid) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "asynchronous copies move 4, 8 or 16 bytes");
  kiln_emulator_copy(shared, global, BYTES, valid);
}
KILN_DEV void kiln_copy_commit() { kiln_emulator_copy_commit(); }
template <int GROUPS> KILN_DEV void kiln_copy_wait() { kiln_emulator_copy_wait(GROUPS); }

/// To the nearest value with 10 bits of mantissa, ties away from zero.
KILN_DEV u32 kiln_tf32(float value) {
  const u32 bits = kiln_bits(value);
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return finite ? (bits + 0x1000u) & 0xffffe000u : value != value ? 0x7fffffffu : bits;
}
/// To the nearest value with 7 bits of mantissa, ties to even.
KILN_DEV u32 kiln_emulator_bf16(float value) {
  const u32 bits = kiln_bits(value);
  return value != value ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
KILN_DEV u32 kiln_bf16x2(float lo, float hi) { return kiln_emulator_bf16(lo) | kiln_emulator_bf16(hi) << 16; }

KILN_DEV void kiln_emulator_mma(u32 operation, float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], KILN_PLACE) {
  u32 io[10];
  __builtin_memcpy(io, d, 16);
  __builtin_memcpy(io + 4, a, 16);
  __builtin_memcpy(io + 8, b, 8);
  kiln_emulator_warp(operation, io, file, line);
  __builtin_memcpy(d, io, 16);
}
KILN_DEV void kiln_mma_tf32(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], KILN_PLACE) {
  kiln_emulator_mma(KILN_MMA_TF32, d, a, b, file, line);
}
KILN_DEV void kiln_mma_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], KILN_PLACE) {
  kiln_emulator_mma(KILN_MMA_BF16, d, a, b, file, line);
}
KILN_DEV void kiln_ldmatrix_x4(u32 (&r)[4], const void* shared, KILN_PLACE) {
  u32 io[4] = {};
  __builtin_memcpy(io, &shared, 8);
  kiln_emulator_warp(KILN_LDMATRIX, io, file, line);
  __builtin_memcpy(r, io, 16);
}

/// A cursor over dynamic shared memory. Offsets are those of a GPU; where a carve-out really lies, the runtime decides.
struct KilnShared {
  u32 used = 0;
  template <class T> KILN_DEV T* take(u32 count, KILN_PLACE) {
    const u32 bytes = count * static_cast<u32>(sizeof(T));
    void* at = kiln_emulator_take(used, bytes, file, line);
    used += (bytes + 15) / 16 * 16;
    return static_cast<T*>(at);
  }
};
