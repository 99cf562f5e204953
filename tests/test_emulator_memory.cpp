// The emulated device's memory and what it counts: calls of the runtime.

#include "emulator_test.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/tests/emulator/calls.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;
using emulator::Calls;

namespace {

template <class Body>
Calls calls_of(Body body) {
  const Calls before = emulator::calls();
  body();
  return emulator::calls() - before;
}

}  // namespace

TEST_CASE("each call of the runtime is counted as what it is") {
  const cuda::Scratch<float> device(8, nullptr, "a test");
  float host[8] = {};
  const Calls copies = calls_of([&] {
    for (int i = 0; i < 2; ++i) cuda::copy_to_device(device.data(), host, sizeof host, nullptr);
    cuda::copy_on_device(device.data(), device.data() + 4, 16, nullptr);
    for (int i = 0; i < 3; ++i) cuda::fill_bytes(device.data(), 0, 16, nullptr);
  });
  CHECK(copies.copies_up == 2);
  CHECK(copies.bytes_up == 64);
  CHECK(copies.copies_on_device == 1);
  CHECK(copies.fills == 3);
  CHECK(copies.waits == 0);
  const Calls down = calls_of([&] { cuda::copy_to_host(host, device.data(), sizeof host, nullptr); });
  CHECK(down.copies_down == 1);
  CHECK(down.waits == 1);
  CHECK(down.copies_up + down.copies_on_device + down.launches + down.allocations == 0);
  const Calls work = calls_of([&] {
    for (int i = 0; i < 4; ++i) fill(Cuda{}, 8, 1.0f, device.data());
    gemm(Cuda{}, 2, 2, 1, 1.0f, Operand<float>{device.data(), 1}, Operand<float>{device.data(), 2}, 0.0f,
         device.data() + 4, 2);
  });
  CHECK(work.launches == 4);
  CHECK(work.products == 1);
  const Calls memory = calls_of([] { const cuda::Scratch<float> one(5000, nullptr, "a test"); });
  CHECK(memory.allocations == 1);
  CHECK(memory.frees == 1);
  CHECK(calls_of([] { cuda::synchronize(nullptr); }).waits == 1);
}
