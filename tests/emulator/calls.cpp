#include "glimpse/tests/emulator/calls.h"

#include <array>
#include <mutex>

namespace glimpse::emulator {
namespace {

constexpr std::array kinds{
    &Calls::launches, &Calls::products, &Calls::copies_up,   &Calls::copies_down, &Calls::copies_on_device,
    &Calls::fills,    &Calls::waits,    &Calls::allocations, &Calls::frees,       &Calls::bytes_up};

std::mutex mutex;
Calls counted;

}  // namespace

Calls operator-(const Calls& after, const Calls& before) {
  Calls difference;
  for (const auto kind : kinds) difference.*kind = after.*kind - before.*kind;
  return difference;
}

Calls calls() {
  const std::lock_guard guard(mutex);
  return counted;
}

void count_call(std::int64_t Calls::*kind, std::int64_t n) {
  const std::lock_guard guard(mutex);
  counted.*kind += n;
}

}  // namespace glimpse::emulator
