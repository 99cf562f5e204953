#include "glimpse/kernels/base/block_pool.h"

#include <algorithm>
#include <bit>

namespace glimpse::kernels {
namespace {

constexpr std::size_t slack = std::size_t{64} << 20;

}  // namespace

std::size_t BlockPool::size_for(std::size_t bytes) {
  const std::size_t least = bytes < 512 ? 512 : bytes;
  const std::size_t step = std::bit_floor(least) / 8;
  return (least + step - 1) / step * step;
}

void* BlockPool::take(std::size_t size, void* order) {
  const auto found = kept_.find({order, size});
  if (found == kept_.end() || found->second.empty()) return nullptr;
  void* const block = found->second.back().block;
  found->second.pop_back();
  counters_.cached -= size;
  ++counters_.reused;
  return block;
}

std::size_t BlockPool::allowed(std::size_t size) const {
  const std::size_t most = most_in_use_ + most_in_use_ / 2 + slack, needed = counters_.in_use + size;
  return most > needed ? most - needed : 0;
}

void BlockPool::give_out(std::size_t size) {
  ++counters_.allocations;
  counters_.in_use += size;
  counters_.peak = std::max(counters_.peak, counters_.in_use);
  most_in_use_ = std::max(most_in_use_, counters_.in_use);
}

void BlockPool::keep(void* block, std::size_t size, void* order) {
  counters_.in_use -= size;
  kept_[{order, size}].push_back({block, ++clock_});
  counters_.cached += size;
}

void BlockPool::trim(std::size_t limit, const GiveBack& give_back) {
  if (counters_.cached <= limit) return;
  std::vector<std::pair<std::uint64_t, Kind>> oldest;
  for (const auto& [kind, list] : kept_)
    for (const Kept& kept : list) oldest.emplace_back(kept.freed, kind);
  std::sort(oldest.begin(), oldest.end());
  for (const auto& [freed, kind] : oldest) {
    if (counters_.cached <= limit) break;
    std::vector<Kept>& list = kept_[kind];  // its first block is its oldest
    void* const block = list.front().block;
    list.erase(list.begin());
    counters_.cached -= kind.second;
    give_back(block, kind.second, kind.first);
  }
}

void BlockPool::drop(void* order, const GiveBack& give_back) {
  for (auto& [kind, list] : kept_) {
    if (kind.first != order) continue;
    for (const Kept& kept : std::exchange(list, {})) {
      counters_.cached -= kind.second;
      give_back(kept.block, kind.second, order);
    }
  }
}

}  // namespace glimpse::kernels
