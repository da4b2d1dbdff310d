// What the emulator's runtime and the kernels compiled for it know of each other. Plain C names: the two are compiled
// apart, the runtime never with instrumentation, kernels of the checked mode with `-fsanitize=thread`.
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;

#define KILN_EMULATOR_VISIBLE __attribute__((visibility("default")))

/// What the 32 lanes of a warp do together. The numbers are indices of names in machine.cpp.
enum KilnWarpOperation : u32 { KILN_SHUFFLE, KILN_WARP_BARRIER, KILN_MMA_TF32, KILN_MMA_BF16, KILN_LDMATRIX };

/// What a shared object exports for each of its kernels, as `kiln_entry_NAME`.
struct KilnEntry {
  void (*phase)(const void* launch, u32 cta, u32 ctas);
  u32 args;
  u32 parts;
  u32 launch_bytes;
  /// Whether the kernel was compiled with instrumentation.
  u32 checked;
  /// Where the object lies, for constants and for places in messages.
  const void* image;
  const void* image_end;
};

/// Global memory that a launch may touch.
struct KilnRegion {
  u8* at;
  u64 bytes;
  u32 readable;
  u32 writable;
  const char* name;
  /// In the checked mode, for the region's first byte: whether each byte was written, and what was done to each word.
  u8* written;
  struct KilnCell* cells;
};

/// One launch.
struct KilnOrder {
  const KilnEntry* entry;
  const char* kernel;
  const void* launch;
  u32 blocks;
  /// Dynamic shared memory in bytes.
  u32 shared;
  u64 schedule;
  const KilnRegion* regions;
  u64 region_count;
  /// Number of the last interval between barriers. It only ever grows, so that what cells say of earlier launches is old.
  u32 phase;
  /// After a failure: the instruction at fault or 0, and what happened.
  u32 failed;
  u64 failed_at;
  char message[1024];
};

extern "C" {
/// The same for all the life of a fiber, and that is all that a kernel sees of its life.
KILN_EMULATOR_VISIBLE u32 kiln_emulator_thread() __attribute__((const, nothrow));
KILN_EMULATOR_VISIBLE void kiln_emulator_barrier(const char* file, u32 line);
/// `io`: the operands of this lane, replaced by its results.
KILN_EMULATOR_VISIBLE void kiln_emulator_warp(u32 operation, u32* io, const char* file, u32 line);
KILN_EMULATOR_VISIBLE void* kiln_emulator_take(u32 offset, u32 bytes, const char* file, u32 line);
KILN_EMULATOR_VISIBLE void kiln_emulator_copy(void* shared, const void* global, u32 bytes, bool valid);
KILN_EMULATOR_VISIBLE void kiln_emulator_copy_commit();
KILN_EMULATOR_VISIBLE void kiln_emulator_copy_wait(u32 groups);
/// A load through the read-only path, of `bytes` into `value`.
KILN_EMULATOR_VISIBLE void kiln_emulator_read_only(void* value, const void* global, u32 bytes);
/// Runs all blocks; 0 on success.
KILN_EMULATOR_VISIBLE u32 kiln_emulator_launch(KilnOrder* order);
}
