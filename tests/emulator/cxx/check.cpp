// The checked mode. `-fsanitize=thread` puts a call before each access of a kernel; these calls end here.
//
// Two accesses of which one writes are in order if one thread does both, if a barrier lies between (in one block), or a
// warp barrier (in one warp). Blocks of a launch are in no order, launches of a graph are.
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "machine.h"

#define ALWAYS_INLINE __attribute__((always_inline)) inline

namespace {
/// Memory that an access was found in: its bytes in the memory of the checker, and how to speak of it.
struct Place {
  /// Of a region of global memory.
  const char* name;
  u64 bytes;
  const u8* begin;
  u8* written;
  KilnCell* cells;
  /// The first phase that may conflict: of the block for shared memory, of the launch for global.
  u32 since;
  bool shared;
  /// Of a carve-out of shared memory.
  u32 offset;
};

const char* word(Kind kind) {
  return kind == Kind::WRITE ? "write" : kind == Kind::READ ? "read" : "read-only load";
}

/// `byte 20 (float 5) of `x``
struct Spot {
  char text[200];
  Spot(const Place& place, const u8* p) {
    const int64_t byte = p - place.begin;
    const int n = snprintf(text, sizeof text, "byte %" PRId64 " (float %" PRId64 ") of ", byte, byte / 4);
    if (place.shared)
      snprintf(text + n, sizeof text - n, "the shared memory taken at offset %u", place.offset);
    else
      snprintf(text + n, sizeof text - n, "`%s`", place.name);
  }
};

u32 block_of(const Machine& m, u32 phase) {
  size_t i = m.block_phases.size();
  while (i > 1 && m.block_phases[i - 1] > phase) i--;
  return m.block_numbers[i - 1];
}

[[noreturn]] __attribute__((noinline, cold)) void race(Machine& m, const Place& place, const u8* p, Kind kind,
                                                       const Access& other, bool wrote, const void* at) {
  const u32 block = block_of(m, other.phase);
  const Spot spot(place, p);
  if (block == m.block)
    m.fail(at, "race: %s of %s after a %s by thread %u, with no barrier between", word(kind), spot.text,
           wrote ? "write" : "read", static_cast<u32>(other.thread));
  m.fail(at, "race: %s of %s and a %s by thread %u of block %u of the same launch", word(kind), spot.text,
         wrote ? "write" : "read", static_cast<u32>(other.thread), block);
}

ALWAYS_INLINE bool conflict(const Machine& m, const Place& place, const Access& other, const Access& own) {
  if (other.phase < place.since || !(other.bytes & own.bytes)) return false;
  if (other.phase < m.block_phase) return true;
  if (other.phase != m.phase || (other.thread == own.thread && !other.many)) return false;
  return other.thread / LANES != own.thread / LANES || other.epoch == own.epoch;
}

/// One access to the bytes `own.bytes` of the word of `cell`.
ALWAYS_INLINE void touch(Machine& m, const Place& place, KilnCell& cell, u8* written, const u8* p, Access own,
                         Kind kind, const void* at) {
  u32 now;
  memcpy(&now, written, 4);
  if (kind != Kind::WRITE) {
    const u32 wanted = own.bytes == 15 ? 0x01010101u
                                       : (own.bytes & 1u) | (own.bytes & 2u) << 7 | (own.bytes & 4u) << 14 |
                                             (own.bytes & 8u) << 21;
    if ((now & wanted) != wanted) m.fail(at, "uninitialised %s of %s%s", word(kind), Spot(place, p).text,
                                             place.shared ? " (or an asynchronous copy to it is under way)" : "");
    if (conflict(m, place, cell.write, own)) race(m, place, p, kind, cell.write, true, at);
    if (kind == Kind::READ_ONLY) {
      if (cell.write.phase >= m.launch_phase && cell.write.bytes & own.bytes)
        m.fail(at, "read-only load of %s, which block %u wrote in the same launch", Spot(place, p).text,
               block_of(m, cell.write.phase));
      cell.read_only = m.phase;
    }
    Access& last = cell.read;
    if (last.phase >= place.since) {
      if (last.phase < m.block_phase) cell.foreign_read = last.phase;
      if (last.thread / LANES != own.thread / LANES)
        cell.other_read = last;
      else if (last.phase == own.phase && last.epoch == own.epoch && last.bytes & own.bytes &&
               (last.thread != own.thread || last.many)) {
        own.many = 1;
        own.bytes = last.bytes & own.bytes;
      }
    }
    last = own;
    return;
  }
  if (conflict(m, place, cell.write, own)) race(m, place, p, kind, cell.write, true, at);
  if (conflict(m, place, cell.read, own)) race(m, place, p, kind, cell.read, false, at);
  if (conflict(m, place, cell.other_read, own)) race(m, place, p, kind, cell.other_read, false, at);
  if (cell.foreign_read >= place.since && cell.foreign_read < m.block_phase)
    m.fail(at, "race: write of %s and a read by block %u of the same launch", Spot(place, p).text,
           block_of(m, cell.foreign_read));
  if (!place.shared && cell.read_only >= m.launch_phase)
    m.fail(at, "write of %s, which block %u read by a read-only load in the same launch", Spot(place, p).text,
           block_of(m, cell.read_only));
  for (u32 i = 0; i < 4; i++)
    if (own.bytes >> i & 1) written[i] = 1;
  if (cell.write.phase == own.phase && cell.write.thread == own.thread && cell.write.epoch == own.epoch)
    own.bytes |= cell.write.bytes;
  cell.write = own;
}

__attribute__((noinline, cold)) void outside(Machine& m, const u8* p, size_t bytes, Kind kind, const void* at) {
  const KilnRegion* regions = m.order->regions;
  const KilnRegion* nearest = nullptr;
  for (u64 i = 0; i < m.order->region_count; i++) {
    const KilnRegion& region = regions[i];
    const bool inside = p >= region.at && p + bytes <= region.at + region.bytes;
    const Place place{region.name, region.bytes, region.at, nullptr, nullptr, 0, false, 0};
    if (inside && kind == Kind::WRITE)
      m.fail(at, "write of %s, which the launch declares as only read", Spot(place, p).text);
    if (inside) m.fail(at, "%s of %s, which the launch declares as only written", word(kind), Spot(place, p).text);
    if (p >= region.at && (!nearest || region.at + region.bytes > nearest->at + nearest->bytes)) nearest = &region;
  }
  if (nearest) {
    const Place place{nearest->name, nearest->bytes, nearest->at, nullptr, nullptr, 0, false, 0};
    m.fail(at, "out of bounds: %zu-byte %s at %s, which has %llu bytes", bytes, word(kind), Spot(place, p).text,
           nearest->bytes);
  }
  m.fail(at, "out of bounds: %zu-byte %s at %p, before all regions of the launch", bytes, word(kind),
         static_cast<const void*>(p));
}

/// Where an access lies; fails if it may not be there. False: memory of one thread, or a constant.
ALWAYS_INLINE bool locate(Machine& m, const u8* p, size_t bytes, Kind kind, const void* at, Place& place) {
  if (m.on_stack(p)) return false;
  if (m.in_arena(p)) {
    const u32 number = m.carve_out_at[static_cast<size_t>(p - m.arena) / GRAIN];
    if (number == 0xff) {
      const CarveOut* before = nullptr;
      for (const CarveOut& c : m.carve_outs)
        if (c.at <= p) before = &c;
      if (!before) m.fail(at, "out of bounds: %s in shared memory, before the first carve-out", word(kind));
      m.fail(at, "out of bounds: %zu-byte %s at byte %td of the shared memory taken at offset %u, which has %u bytes",
             bytes, word(kind), p - before->at, before->offset, before->bytes);
    }
    const CarveOut& c = m.carve_outs[number];
    if (p + bytes > c.at + c.bytes)
      m.fail(at, "out of bounds: %zu-byte %s at byte %td of the shared memory taken at offset %u, which has %u bytes",
             bytes, word(kind), p - c.at, c.offset, c.bytes);
    if (c.gone)
      m.fail(at, "%s of the shared memory taken at offset %u, %u bytes, which was taken in another shape since",
             word(kind), c.offset, c.bytes);
    if (kind == Kind::READ_ONLY) m.fail(at, "read-only load of shared memory");
    place = {nullptr,
             c.bytes,
             c.at,
             m.shared_written.data() + c.offset,
             m.shared_cells.data() + c.offset / 4,
             m.block_phase,
             true,
             c.offset};
    return true;
  }
  // An instruction usually stays in its region.
  const u64 key = reinterpret_cast<u64>(at);
  const KilnRegion*& found = m.found[(key ^ key >> 8) % 256];
  const auto fits = [&](const KilnRegion& region) {
    return p >= region.at && p + bytes <= region.at + region.bytes &&
           (kind == Kind::WRITE ? region.writable : region.readable);
  };
  if (!found || !fits(*found)) {
    const KilnRegion* region = m.order->regions;
    const KilnRegion* end = region + m.order->region_count;
    while (region != end && !fits(*region)) region++;
    if (region == end) {
      const bool constant = p >= m.order->entry->image && p < m.order->entry->image_end;
      if (constant && kind != Kind::WRITE) return false;
      outside(m, p, bytes, kind, at);
    }
    found = region;
  }
  place = {found->name, found->bytes, found->at, found->written, found->cells, m.launch_phase, false, 0};
  return true;
}

Access own_access(const Machine& m, u32 bytes) {
  const u32 thread = m.self->id;
  return {m.phase, thread, bytes, 0, m.warps[thread / LANES].epoch & 0x7ffffu};
}

/// Whether this is an aligned read of a word that the same thread was the last to read, since its last barrier. Then all
/// is well: it was well then, and a write by another thread would have met that read. In loops most reads are like this.
inline bool repeated(const Machine& m, const u8* p, const void* at) {
  const KilnCell* cell;
  if (m.in_arena(p)) {
    const u32 number = m.carve_out_at[static_cast<size_t>(p - m.arena) / GRAIN];
    if (number == 0xff) return false;
    const CarveOut& c = m.carve_outs[number];
    const size_t byte = p - c.at;
    if (byte + 4 > c.bytes || c.gone) return false;
    cell = m.shared_cells.data() + (c.offset + byte) / 4;
  } else {
    const u64 key = reinterpret_cast<u64>(at);
    const KilnRegion* found = m.found[(key ^ key >> 8) % 256];
    if (!found || !found->readable) return false;
    const u64 byte = p - found->at;
    if (byte + 4 > found->bytes || byte > found->bytes) return false;
    cell = found->cells + byte / 4;
  }
  const Access own = own_access(m, 15);
  return memcmp(&cell->read, &own, sizeof own) == 0;
}

template <size_t BYTES> inline void reads(const void* p, bool aligned, const void* at) {
  Machine& m = *machine;
  if (BYTES == 4 && reinterpret_cast<u64>(p) % 4 == 0 && repeated(m, static_cast<const u8*>(p), at)) return;
  check(m, p, BYTES, Kind::READ, aligned, at);
}
}  // namespace

void check(Machine& m, const void* pointer, size_t bytes, Kind kind, bool aligned, const void* at) {
  const u8* p = static_cast<const u8*>(pointer);
  Place place;
  if (!locate(m, p, bytes, kind, at, place)) return;
  // Aligned accesses have a power of two of bytes.
  if (aligned && reinterpret_cast<u64>(p) & (bytes - 1))
    m.fail(at, "misaligned %zu-byte %s of %s", bytes, word(kind), Spot(place, p).text);
  Access own = own_access(m, 15);
  for (size_t byte = p - place.begin, end = byte + bytes; byte < end;) {
    const size_t first = byte / 4 * 4, last = first + 4 < end ? first + 4 : end;
    own.bytes = (0xfu << (byte - first)) & (0xfu >> (first + 4 - last));
    touch(m, place, place.cells[first / 4], place.written + first, place.begin + byte, own, kind, at);
    byte = last;
  }
}

void copy_begins(Machine& m, u8* shared, u32 bytes) {
  Place place;
  if (!locate(m, shared, bytes, Kind::WRITE, nullptr, place)) return;
  const size_t byte = shared - place.begin;
  memset(place.written + byte, 0, bytes);
  // A read after this is not like one before.
  for (u32 i = 0; i < bytes; i += 4) place.cells[(byte + i) / 4].read = {};
}

void check_arrival(Machine& m, const Copy& copy, const void* at) {
  Place place;
  if (!locate(m, copy.shared, copy.bytes, Kind::WRITE, at, place)) return;
  const size_t byte = copy.shared - place.begin;
  for (u32 i = 0; i < copy.bytes; i += 4) {
    KilnCell& cell = place.cells[(byte + i) / 4];
    if (cell.write.thread != m.self->id || cell.write.phase != copy.phase)
      m.fail(at, "race: thread %u wrote %s while an asynchronous copy to there was under way",
             static_cast<u32>(cell.write.thread), Spot(place, copy.shared + i).text);
    // For others the bytes are there from now on, not from when the copy began.
    cell.write = own_access(m, 15);
  }
  memset(place.written + byte, 1, copy.bytes);
}

extern "C" {
KILN_EMULATOR_VISIBLE void __tsan_init() {}
KILN_EMULATOR_VISIBLE void __tsan_func_entry(void*) {}
KILN_EMULATOR_VISIBLE void __tsan_func_exit() {}

#define HOOKS(bytes)                                                                                   \
  KILN_EMULATOR_VISIBLE void __tsan_read##bytes(void* p) {                                             \
    reads<bytes>(p, true, __builtin_return_address(0));                                                \
  }                                                                                                    \
  KILN_EMULATOR_VISIBLE void __tsan_write##bytes(void* p) {                                            \
    check(*machine, p, bytes, Kind::WRITE, true, __builtin_return_address(0));                         \
  }                                                                                                    \
  KILN_EMULATOR_VISIBLE void __tsan_unaligned_read##bytes(void* p) {                                   \
    reads<bytes>(p, false, __builtin_return_address(0));                                               \
  }                                                                                                    \
  KILN_EMULATOR_VISIBLE void __tsan_unaligned_write##bytes(void* p) {                                  \
    check(*machine, p, bytes, Kind::WRITE, false, __builtin_return_address(0));                        \
  }
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)

KILN_EMULATOR_VISIBLE void __tsan_read_range(void* p, size_t bytes) {
  check(*machine, p, bytes, Kind::READ, false, __builtin_return_address(0));
}
KILN_EMULATOR_VISIBLE void __tsan_write_range(void* p, size_t bytes) {
  check(*machine, p, bytes, Kind::WRITE, false, __builtin_return_address(0));
}
// Clang's names for copies that it makes of assignments.
KILN_EMULATOR_VISIBLE void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  check(*machine, from, bytes, Kind::READ, false, __builtin_return_address(0));
  check(*machine, to, bytes, Kind::WRITE, false, __builtin_return_address(0));
  return memcpy(to, from, bytes);
}
KILN_EMULATOR_VISIBLE void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  check(*machine, from, bytes, Kind::READ, false, __builtin_return_address(0));
  check(*machine, to, bytes, Kind::WRITE, false, __builtin_return_address(0));
  return memmove(to, from, bytes);
}
KILN_EMULATOR_VISIBLE void* __tsan_memset(void* to, int value, size_t bytes) {
  check(*machine, to, bytes, Kind::WRITE, false, __builtin_return_address(0));
  return memset(to, value, bytes);
}
}
