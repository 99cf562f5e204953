#pragma once
// The stack, the marks on it and the memo of a pickle's machine.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "glimpse/engine/io/internal/pickle.h"

namespace glimpse {

/// Every step that the stack does not allow throws Error: the pickle is damaged.
class PickleStack {
 public:
  explicit PickleStack(const ByteReader& reader) : reader_(reader) {}

  void push(PickleValue* value) { values_.push_back(value); }
  PickleValue* pop() {
    if (values_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged();
    PickleValue* value = values_.back();
    values_.pop_back();
    return value;
  }
  PickleValue& top() {
    if (values_.empty()) damaged();
    return *values_.back();
  }
  PickleValue& top(PickleValue::Kind kind) {
    if (top().kind != kind) damaged();
    return top();
  }

  void mark() { marks_.push_back(values_.size()); }
  bool mark_on_top() const { return !marks_.empty() && marks_.back() == values_.size(); }
  /// Everything above the last mark, which disappears.
  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) damaged();
    const auto first = values_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> values(first, values_.end());
    values_.erase(first, values_.end());
    marks_.pop_back();
    return values;
  }

  void remember(std::uint64_t place) { memo_[place] = &top(); }
  void remember() { remember(memo_.size()); }
  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) damaged();
    push(found->second);
  }

  [[noreturn]] void damaged() const { fail("{}: damaged pickle near byte {}", reader_.path(), reader_.at()); }

 private:
  const ByteReader& reader_;
  std::vector<PickleValue*> values_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace glimpse
