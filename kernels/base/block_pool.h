#pragma once
// Blocks of memory that were freed, kept for the next requests of their size. Host and devices keep theirs alike.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace glimpse::kernels {

/// Counts what is in use and keeps what is not. Not safe for threads: who has one locks it.
class BlockPool {
 public:
  struct Counters {
    std::size_t in_use = 0;         ///< bytes of blocks that were given out
    std::size_t peak = 0;           ///< highest in_use since the start or reset_peak()
    std::size_t cached = 0;         ///< bytes of blocks that are kept
    std::uint64_t allocations = 0;  ///< blocks given out so far
    std::uint64_t reused = 0;       ///< of these, blocks that were kept
  };
  /// Gives a block of so many bytes, freed in that order, back to the system.
  using GiveBack = std::function<void(void* block, std::size_t size, void* order)>;

  /// The size of the block that serves a request: an eighth of a power of two at the next, so that batches of similar
  /// shapes reuse each other's blocks.
  static std::size_t size_for(std::size_t bytes);

  /// A kept block of `size`, null where there is none. Only a block that was freed in the same order of work (a stream)
  /// serves: the work that comes next in it begins after the last that used the block.
  void* take(std::size_t size, void* order = nullptr);
  /// Bytes that may stay kept when a new block of `size` comes from the system: blocks in sizes that are no longer
  /// asked for must not add up without bound.
  std::size_t allowed(std::size_t size) const;
  /// Counts a block, kept before or new, as given out.
  void give_out(std::size_t size);
  /// Keeps a block that was given out.
  void keep(void* block, std::size_t size, void* order = nullptr);
  /// The same for a block that went back to the system at once.
  void forget(std::size_t size) { counters_.in_use -= size; }
  /// Gives the blocks that have lain unused for longest back, until `limit` bytes are kept.
  void trim(std::size_t limit, const GiveBack& give_back);
  /// Gives all blocks back that were freed in that order, which ends.
  void drop(void* order, const GiveBack& give_back);

  const Counters& counters() const { return counters_; }
  void reset_peak() { counters_.peak = counters_.in_use; }

 private:
  using Kind = std::pair<void*, std::size_t>;  // order, size
  struct Kept {
    void* block;
    std::uint64_t freed;  // the clock then
  };
  Counters counters_;
  std::size_t most_in_use_ = 0;             // ever
  std::uint64_t clock_ = 0;                 // blocks kept so far
  std::map<Kind, std::vector<Kept>> kept_;  // in the order in which they were freed
};

}  // namespace glimpse::kernels
