// One thread of the host that runs blocks: a fiber for each thread of the block, shared memory, and what the checked
// mode remembers of accesses.
#pragma once
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "interface.h"

constexpr u32 THREADS = 256, LANES = 32, WARPS = THREADS / LANES;
constexpr size_t STACK = 128 << 10;
/// Below the stacks: the kernel's parameter, which is nobody's business like the stacks.
constexpr size_t PARAMETERS = 64 << 10;
/// Shared memory as it lies here, with a gap behind each carve-out in which nothing may be touched.
constexpr size_t ARENA = 4 << 20, GRAIN = 256, GAP = 4096;

/// An access in the memory of a cell, in an order of time: `phase` counts intervals between barriers, over all blocks of
/// all launches; `epoch` counts warp barriers.
struct Access {
  u32 phase;
  u32 thread : 8;
  /// Which bytes of the word.
  u32 bytes : 4;
  /// Other lanes of the same warp have done the same since its last barrier.
  u32 many : 1;
  u32 epoch : 19;
};

/// What the checked mode knows of four bytes.
struct KilnCell {
  /// The last write, the last read, and the last read by another warp than that.
  Access write, read, other_read;
  /// Phase of the last read by a block before the one of `read`.
  u32 foreign_read;
  /// Phase of the last load through the read-only path.
  u32 read_only;
};
static_assert(sizeof(KilnCell) == 32, "the host allocates them");

enum class State : u8 { READY, AT_BARRIER, IN_WARP, RETURNED };

struct Copy {
  u8* shared;
  const u8* global;
  u32 bytes, group, phase;
  bool valid;
};

struct Fiber {
  void* stack;
  u32 id;
  State state;
  /// How many carve-outs it has taken, and how many groups of copies it has committed.
  u32 takes, committed;
  std::vector<Copy> copies;
  const char* file;
  u32 line;
};

struct Warp {
  u32 arrived, epoch, operation;
  const char* file;
  u32 line;
  u32* io[LANES];
};

/// A carve-out of shared memory: where the GPU has it, and where it is here.
struct CarveOut {
  u32 offset, bytes;
  u8* at;
  /// Overlapping memory was taken since.
  bool gone;
};

struct Take {
  u32 offset, bytes, carve_out;
  /// Who was the first.
  u32 thread;
};

struct Machine {
  Fiber fibers[THREADS];
  Warp warps[WARPS];
  Fiber* self;
  /// Who can go on: a ring, each fiber in it at most once.
  u16 ready[2 * THREADS];
  u32 head, tail;
  void* host;

  KilnOrder* order;
  bool checked, deferred, failed;
  u64 schedule, random;
  u32 block, alive, waiting;
  const char* barrier_file;
  u32 barrier_line;

  /// The phase now, and the first ones of this launch and of this block. `blocks`: first phase of each block so far, and
  /// its number.
  u32 phase, launch_phase, block_phase;
  std::vector<u32> block_phases, block_numbers;

  u8* memory;
  u8* arena;
  size_t arena_used;
  u8 carve_out_at[ARENA / GRAIN];
  std::vector<CarveOut> carve_outs;
  std::vector<Take> takes;
  std::vector<KilnCell> shared_cells;
  std::vector<u8> shared_written;

  /// The region that each instruction found last.
  const KilnRegion* found[256];

  static Machine* make();
  void run(KilnOrder* order);
  /// The fiber cannot go on: another does, or the host.
  void leave();
  /// Ends the launch. `at`: an instruction of the kernel, or null.
  [[noreturn]] void fail(const void* at, const char* format, ...) __attribute__((format(printf, 3, 4)));

  /// The same on the host's stack: the launch goes on to its end.
  void complain(const char* format, ...) __attribute__((format(printf, 2, 3)));
  void report(const void* at, const char* format, va_list values);

  bool on_stack(const void* p) const {
    return static_cast<size_t>(static_cast<const u8*>(p) - memory) < PARAMETERS + THREADS * STACK;
  }
  bool in_arena(const void* p) const { return static_cast<size_t>(static_cast<const u8*>(p) - arena) < ARENA; }

  void push(u32 fiber);
  Fiber* pop();
  void begin_block(u32 number);
  void end_block();
  void barrier(const char* file, u32 line);
  void warp(u32 operation, u32* io, const char* file, u32 line);
  void complete(Warp& warp);
  void* take(u32 offset, u32 bytes, const char* file, u32 line);
  void copy(u8* shared, const u8* global, u32 bytes, bool valid, const void* at);
  void finish_copies(u32 groups, const void* at);
};

/// This thread's, while it runs a kernel.
extern thread_local Machine* machine __attribute__((tls_model("initial-exec")));

enum class Kind { READ, WRITE, READ_ONLY };

/// Is this access allowed, and ordered with all others?
void check(Machine& m, const void* p, size_t bytes, Kind kind, bool aligned, const void* at);
/// An asynchronous copy into shared memory arrives, begun in `phase` by the running fiber; or begins.
void check_arrival(Machine& m, const Copy& copy, const void* at);
void copy_begins(Machine& m, u8* shared, u32 bytes);

/// The matrix operations: operands of all lanes in, results out.
void multiply_tf32(u32* const (&io)[LANES], u32 (&out)[LANES][4]);
void multiply_bf16(u32* const (&io)[LANES], u32 (&out)[LANES][4]);
