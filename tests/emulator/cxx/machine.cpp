// Runs the blocks of a launch, one after the other; the 256 threads of a block are fibers that run until they must wait.
//
// Schedules: 0 in order, 1 reversed, 2 the last released first, above 2 pseudo-random; for blocks 2 is like 0. In odd
// schedules asynchronous copies move their bytes at the last legal moment, in even ones at once.
#include "machine.h"

#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#ifndef __x86_64__
#error "fibers are switched by x86-64 instructions"
#endif

// Saves what a callee must, and goes on where `load` was saved.
extern "C" __attribute__((visibility("hidden"))) void kiln_emulator_swap(void** save, void* load);
asm(R"(
  .text
  .hidden kiln_emulator_swap
  .globl kiln_emulator_swap
  .type kiln_emulator_swap, @function
kiln_emulator_swap:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size kiln_emulator_swap, . - kiln_emulator_swap
)");

thread_local Machine* machine __attribute__((tls_model("initial-exec")));

namespace {
const char* const OPERATIONS[] = {"kiln_shuffle", "kiln_warp_barrier", "kiln_mma_tf32", "kiln_mma_bf16",
                                  "kiln_ldmatrix_x4"};

/// Frees a thread's machine when the thread ends.
struct Owner {
  Machine* machine = nullptr;
  ~Owner() {
    if (!machine) return;
    munmap(machine->memory, PARAMETERS + THREADS * STACK + ARENA);
    delete machine;
  }
};
thread_local Owner owner;

void enter_fiber() {
  Machine& m = *machine;
  m.order->entry->phase(m.memory, m.block, m.order->blocks);
  Fiber& self = *m.self;
  if (!self.copies.empty() && m.checked)
    m.fail(nullptr, "%zu asynchronous copies are under way when the thread returns: a `kiln_copy_wait` is missing",
           self.copies.size());
  self.state = State::RETURNED;
  m.alive--;
  m.leave();
  __builtin_unreachable();
}

/// A stack on which `enter_fiber` begins. Different offsets keep 256 stacks out of one set of the cache.
void* new_stack(u8* memory, u32 id) {
  u8* top = memory + PARAMETERS + (id + 1) * STACK - id % 32 * 128;
  // The stack is 8 from a multiple of 16 at entry, as after a call.
  void** stack = reinterpret_cast<void**>(top) - 2;
  *stack = reinterpret_cast<void*>(enter_fiber);
  for (int i = 0; i < 6; i++) *--stack = nullptr;
  return stack;
}
}  // namespace

Machine* Machine::make() {
  void* memory = mmap(nullptr, PARAMETERS + THREADS * STACK + ARENA, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  Machine* made = new Machine();
  made->memory = static_cast<u8*>(memory);
  made->arena = made->memory + PARAMETERS + THREADS * STACK;
  for (u32 id = 0; id < THREADS; id++) {
    made->fibers[id].id = id;
    // A stack that overflows into its neighbour would be hard to find.
    mprotect(made->memory + PARAMETERS + id * STACK, 4096, PROT_NONE);
  }
  return made;
}

void Machine::report(const void* at, const char* format, va_list values) {
  char what[800];
  vsnprintf(what, sizeof what, format, values);
  snprintf(order->message, sizeof order->message, "kernel `%s`, block %u of %u, thread %u, schedule %llu: %s",
           order->kernel, block, order->blocks, self->id, schedule, what);
  // A return address is behind its call.
  order->failed_at = at ? reinterpret_cast<u64>(at) - reinterpret_cast<u64>(order->entry->image) - 1 : 0;
  failed = true;
}

void Machine::complain(const char* format, ...) {
  va_list values;
  va_start(values, format);
  report(nullptr, format, values);
  va_end(values);
}

void Machine::fail(const void* at, const char* format, ...) {
  va_list values;
  va_start(values, format);
  report(at, format, values);
  va_end(values);
  // Stacks of fibers are dropped as they are.
  void* dropped;
  kiln_emulator_swap(&dropped, host);
  __builtin_unreachable();
}

void Machine::push(u32 fiber) {
  fibers[fiber].state = State::READY;
  ready[tail++ % (2 * THREADS)] = static_cast<u16>(fiber);
}

Fiber* Machine::pop() {
  if (head == tail) return nullptr;
  if (schedule == 2) return &fibers[ready[--tail % (2 * THREADS)]];
  if (schedule > 2) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    std::swap(ready[head % (2 * THREADS)], ready[(head + random % (tail - head)) % (2 * THREADS)]);
  }
  return &fibers[ready[head++ % (2 * THREADS)]];
}

void Machine::leave() {
  Fiber* from = self;
  Fiber* to = pop();
  if (!to) {
    if (alive == 0) {
      kiln_emulator_swap(&from->stack, host);
      return;
    }
    for (Fiber& other : fibers)
      if (other.state == State::IN_WARP) {
        const Warp& w = warps[other.id / LANES];
        fail(nullptr,
             "deadlock: thread %u waits in %s (%s:%u) for lanes of its warp that never come (arrived: %#x); %u threads "
             "are at barriers, %u have returned",
             other.id, OPERATIONS[w.operation], w.file, w.line, w.arrived, waiting, THREADS - alive);
      }
    fail(nullptr, "deadlock: %u threads wait at the barrier of %s:%u, %u have returned", waiting, barrier_file,
         barrier_line, THREADS - alive);
  }
  if (to == from) return;
  self = to;
  kiln_emulator_swap(&from->stack, to->stack);
}

void Machine::barrier(const char* file, u32 line) {
  // Equal strings of one object are one.
  if (waiting && (barrier_line != line || barrier_file != file))
    fail(nullptr, "divergent barrier: this thread is at %s:%u, others are at %s:%u", file, line, barrier_file,
         barrier_line);
  barrier_file = file;
  barrier_line = line;
  self->state = State::AT_BARRIER;
  if (++waiting == THREADS) {
    waiting = 0;
    phase++;
    for (u32 i = 0; i < THREADS; i++) push(schedule == 1 ? THREADS - 1 - i : i);
  }
  leave();
}

void Machine::warp(u32 operation, u32* io, const char* file, u32 line) {
  const u32 lane = self->id % LANES;
  Warp& w = warps[self->id / LANES];
  if (w.arrived && (w.operation != operation || w.line != line || w.file != file))
    fail(nullptr, "divergent warp: this thread is at %s (%s:%u), others of its warp at %s (%s:%u)",
         OPERATIONS[operation], file, line, OPERATIONS[w.operation], w.file, w.line);
  w.operation = operation;
  w.file = file;
  w.line = line;
  w.io[lane] = io;
  w.arrived |= 1u << lane;
  self->state = State::IN_WARP;
  if (w.arrived == 0xffffffffu) {
    complete(w);
    w.arrived = 0;
    const u32 first = self->id / LANES * LANES;
    for (u32 i = 0; i < LANES; i++) push(first + (schedule == 1 ? LANES - 1 - i : i));
  }
  leave();
}

void Machine::complete(Warp& w) {
  u32 out[LANES][4];
  u32 words = 4;
  switch (w.operation) {
    case KILN_WARP_BARRIER:
      // Alone among warp operations it orders memory.
      w.epoch++;
      return;
    case KILN_SHUFFLE:
      words = 1;
      for (u32 lane = 0; lane < LANES; lane++) out[lane][0] = w.io[w.io[lane][1] % LANES][0];
      break;
    case KILN_MMA_TF32:
      multiply_tf32(w.io, out);
      break;
    case KILN_MMA_BF16:
      multiply_bf16(w.io, out);
      break;
    case KILN_LDMATRIX:
      for (u32 matrix = 0; matrix < 4; matrix++)
        for (u32 lane = 0; lane < LANES; lane++) {
          const u8* row;
          memcpy(&row, w.io[matrix * 8 + lane / 4], sizeof row);
          memcpy(&out[lane][matrix], row + lane % 4 * 4, 4);
        }
      break;
  }
  for (u32 lane = 0; lane < LANES; lane++) memcpy(w.io[lane], out[lane], 4 * words);
}

void* Machine::take(u32 offset, u32 bytes, const char* file, u32 line) {
  const u32 number = self->takes++;
  if (number < takes.size()) {
    const Take& first = takes[number];
    if (first.offset != offset || first.bytes != bytes)
      fail(nullptr,
           "threads differ in the shared memory they take: %s:%u is take %u of this thread, %u bytes at offset %u; "
           "thread %u took %u bytes at offset %u",
           file, line, number, bytes, offset, first.thread, first.bytes, first.offset);
    return carve_outs[first.carve_out].at;
  }
  if (static_cast<u64>(offset) + (bytes + 15) / 16 * 16 > order->shared)
    fail(nullptr, "%s:%u takes %u bytes at offset %u of shared memory, but the kernel declares %u bytes in all", file,
         line, bytes, offset, order->shared);
  for (u32 i = 0; i < carve_outs.size(); i++) {
    CarveOut& old = carve_outs[i];
    if (old.gone) continue;
    if (old.offset == offset && old.bytes == bytes) {
      takes.push_back({offset, bytes, i, self->id});
      return old.at;
    }
    if (offset < old.offset + old.bytes && old.offset < offset + bytes) old.gone = true;
  }
  const size_t room = (bytes + GAP + GRAIN - 1) / GRAIN * GRAIN;
  if (arena_used + room > ARENA || carve_outs.size() == 254)
    fail(nullptr, "%s:%u: shared memory was taken in too many shapes for the emulator (%zu so far)", file, line,
         carve_outs.size());
  u8* at = arena + arena_used;
  // NaN, so that a read before a write shows in results.
  memset(at, 0xff, bytes);
  memset(carve_out_at + arena_used / GRAIN, static_cast<int>(carve_outs.size()), (bytes + GRAIN - 1) / GRAIN);
  if (checked) memset(shared_written.data() + offset, 0, (bytes + 15) / 16 * 16);
  arena_used += room;
  takes.push_back({offset, bytes, static_cast<u32>(carve_outs.size()), self->id});
  carve_outs.push_back({offset, bytes, at, false});
  return at;
}

void Machine::copy(u8* shared, const u8* global, u32 bytes, bool valid, const void* at) {
  const auto misaligned = [&](const void* p) { return reinterpret_cast<u64>(p) % bytes != 0; };
  if (misaligned(shared) || (valid && misaligned(global)))
    fail(at, "an asynchronous copy of %u bytes, of which an end is not aligned to as many", bytes);
  if (checked) {
    if (!in_arena(shared)) fail(at, "an asynchronous copy to what is no shared memory");
    if (valid && (in_arena(global) || on_stack(global))) fail(at, "an asynchronous copy from what is no global memory");
    if (valid) check(*this, global, bytes, Kind::READ, true, at);
    check(*this, shared, bytes, Kind::WRITE, true, at);
    copy_begins(*this, shared, bytes);
  }
  if (!deferred) {
    if (valid)
      memcpy(shared, global, bytes);
    else
      memset(shared, 0, bytes);
  }
  if (checked || deferred) self->copies.push_back({shared, global, bytes, self->committed, phase, valid});
}

void Machine::finish_copies(u32 groups, const void* at) {
  std::vector<Copy>& copies = self->copies;
  size_t kept = 0;
  for (const Copy& copy : copies) {
    // Groups before this one are complete.
    if (copy.group + groups >= self->committed) {
      copies[kept++] = copy;
      continue;
    }
    if (deferred) {
      if (copy.valid)
        memcpy(copy.shared, copy.global, copy.bytes);
      else
        memset(copy.shared, 0, copy.bytes);
    }
    if (checked) check_arrival(*this, copy, at);
  }
  copies.resize(kept);
}

void Machine::begin_block(u32 number) {
  block = number;
  block_phase = ++phase;
  block_phases.push_back(phase);
  block_numbers.push_back(number);
  head = tail = waiting = 0;
  alive = THREADS;
  arena_used = 0;
  carve_outs.clear();
  takes.clear();
  memset(carve_out_at, 0xff, sizeof carve_out_at);
  for (Warp& w : warps) w.arrived = 0;
  for (Fiber& fiber : fibers) {
    fiber.stack = new_stack(memory, fiber.id);
    fiber.takes = fiber.committed = 0;
    fiber.copies.clear();
  }
  for (u32 i = 0; i < THREADS; i++) push(schedule == 1 ? THREADS - 1 - i : i);
}

void Machine::end_block() {
  if (failed) return;
  for (Fiber& fiber : fibers)
    if (fiber.takes != takes.size()) {
      self = &fiber;
      const Take& missed = takes[fiber.takes];
      complain("threads differ in the shared memory they take: this one stopped after %u takes, thread %u went on with "
               "%u bytes at offset %u",
               fiber.takes, missed.thread, missed.bytes, missed.offset);
      return;
    }
}

void Machine::run(KilnOrder* given) {
  order = given;
  checked = order->entry->checked;
  schedule = order->schedule;
  deferred = schedule % 2 == 1;
  random = (schedule + 1) * 0x9E3779B97F4A7C15ull;
  failed = false;
  phase = order->phase;
  launch_phase = phase + 1;
  block_phases.clear();
  block_numbers.clear();
  memset(found, 0, sizeof found);
  memcpy(memory, order->launch, order->entry->launch_bytes);
  if (checked) {
    const size_t bytes = (order->shared + 15) / 16 * 16;
    shared_cells.assign(bytes / 4, KilnCell{});
    shared_written.assign(bytes, 0);
  }
  std::vector<u32> numbers(order->blocks);
  for (u32 i = 0; i < order->blocks; i++) numbers[i] = schedule == 1 ? order->blocks - 1 - i : i;
  if (schedule > 2)
    for (u32 i = order->blocks; i > 1; i--) {
      random = random * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(numbers[i - 1], numbers[(random >> 33) % i]);
    }
  for (u32 number : numbers) {
    begin_block(number);
    self = pop();
    kiln_emulator_swap(&host, self->stack);
    end_block();
    if (failed) break;
  }
  order->phase = phase;
  order->failed = failed;
}

extern "C" {
u32 kiln_emulator_thread() { return machine->self->id; }

void kiln_emulator_barrier(const char* file, u32 line) { machine->barrier(file, line); }

void kiln_emulator_warp(u32 operation, u32* io, const char* file, u32 line) {
  Machine& m = *machine;
  if (operation == KILN_LDMATRIX && m.checked) {
    const void* row;
    memcpy(&row, io, sizeof row);
    const void* at = __builtin_return_address(0);
    if (!m.in_arena(row)) m.fail(at, "kiln_ldmatrix_x4 from what is no shared memory");
    if (reinterpret_cast<u64>(row) % 16) m.fail(at, "kiln_ldmatrix_x4 from a row that is not aligned to 16 bytes");
    check(m, row, 16, Kind::READ, true, at);
  }
  m.warp(operation, io, file, line);
}

void* kiln_emulator_take(u32 offset, u32 bytes, const char* file, u32 line) {
  return machine->take(offset, bytes, file, line);
}

void kiln_emulator_copy(void* shared, const void* global, u32 bytes, bool valid) {
  machine->copy(static_cast<u8*>(shared), static_cast<const u8*>(global), bytes, valid, __builtin_return_address(0));
}

void kiln_emulator_copy_commit() { machine->self->committed++; }

void kiln_emulator_copy_wait(u32 groups) { machine->finish_copies(groups, __builtin_return_address(0)); }

void kiln_emulator_read_only(void* value, const void* global, u32 bytes) {
  Machine& m = *machine;
  check(m, global, bytes, Kind::READ_ONLY, true, __builtin_return_address(0));
  memcpy(value, global, bytes);
}

u32 kiln_emulator_launch(KilnOrder* order) {
  if (!owner.machine) owner.machine = Machine::make();
  if (!owner.machine) {
    snprintf(order->message, sizeof order->message, "no memory for the stacks of %u threads", THREADS);
    order->failed = 1;
    return 1;
  }
  machine = owner.machine;
  machine->run(order);
  machine = nullptr;
  return order->failed;
}
}
