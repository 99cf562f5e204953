#pragma once
// A kernel benchmark is a row of a Suite: a name, sizes, and a function that makes a Subject, the kernel with its
// buffers, for a device tag and an element type. One file a family, whose RowRegistrar adds its rows.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/cuda/runtime.h"
#include "timing.h"

namespace glimpse::bench {

using kernels::Cpu;
using kernels::Cuda;

/// Names and numbers in order: {{"B",64},{"L",196}}.
using Sizes = std::vector<std::pair<std::string, std::int64_t>>;

/// What the work is compared with.
enum class Unit { f32, tf32, bf16 };  // of the matrix product whose speed is this device's peak

/// What one call has to move and to compute at least. Each array counts once in, once out; what a kernel reads again
/// from a cache or keeps in between is its own affair.
struct Cost {
  double bytes = 0, operations = 0;
  Unit unit = Unit::f32;
};

struct Subject {
  Cost cost;
  int sets = 1;                   ///< copies of the buffers, used in turn
  std::function<void(int)> run;   ///< starts the kernel on one of the copies
  std::function<double()> error;  ///< of copy 0 after run(0): relative L2 error against the CPU kernel in double
};

/// Bytes that the copies of the buffers take together at least, so that no call finds its data in a cache.
struct Rotation {
  double bytes = 0;
};

// --- Host arrays.

/// n numbers, uniform with mean 0 and variance scale^2, rounded to T.
template <class T>
std::vector<T> draw(std::int64_t n, std::uint64_t seed, double scale = 1);
/// Words below `limit`, as unevenly frequent as in language: word w about in proportion to 1 / (w + 1).
std::vector<std::int32_t> draw_words(std::int64_t n, std::int64_t limit, std::uint64_t seed);

template <class T>
std::vector<double> widened(const std::vector<T>& values) {
  std::vector<double> wide(values.size());
  kernels::convert(Cpu{}, static_cast<std::int64_t>(values.size()), values.data(), wide.data());
  return wide;
}
inline std::vector<double> zeros(std::int64_t n) { return std::vector<double>(static_cast<std::size_t>(n)); }

/// |got - truth| / |truth| in the L2 norm; infinite where a number is not finite.
double relative_error(const std::vector<double>& got, const std::vector<double>& truth);

// --- Device arrays.

std::shared_ptr<void> allocate(Cpu, std::size_t bytes);
inline void copy_in(Cpu, void* to, const void* from, std::size_t bytes) {
  kernels::copy_bytes(Cpu{}, static_cast<std::int64_t>(bytes), from, to);
}
inline void copy_out(Cpu, void* to, const void* from, std::size_t bytes) { copy_in(Cpu{}, to, from, bytes); }

// Templates, so that they are asked for in builds with CUDA only.
template <std::same_as<Cuda> Device>
std::shared_ptr<void> allocate(Device device, std::size_t bytes) {
  return {cuda::allocate(bytes, device.stream, "a benchmark"),
          [device, bytes](void* memory) { cuda::release(memory, bytes, device.stream); }};
}
template <std::same_as<Cuda> Device>
void copy_in(Device device, void* to, const void* from, std::size_t bytes) {
  cuda::copy_to_device(to, from, bytes, device.stream);
}
template <std::same_as<Cuda> Device>
void copy_out(Device device, void* to, const void* from, std::size_t bytes) {
  cuda::copy_to_host(to, from, bytes, device.stream);
}

/// The same array several times over.
template <class Device, class T>
class Buffers {
 public:
  Buffers(Device device, std::int64_t n, int sets) : device_(device), n_(n) {
    for (int i = 0; i < sets; ++i) memory_.push_back(allocate(device, bytes()));
  }
  Buffers(Device device, const std::vector<T>& values, int sets)
      : Buffers(device, static_cast<std::int64_t>(values.size()), sets) {
    for (const auto& memory : memory_) copy_in(device, memory.get(), values.data(), bytes());
  }
  T* operator[](int set) const { return static_cast<T*>(memory_[set].get()); }
  /// The first one, on the host.
  std::vector<T> host() const {
    std::vector<T> values(static_cast<std::size_t>(n_));
    copy_out(device_, values.data(), (*this)[0], bytes());
    return values;
  }
  double error(const std::vector<double>& truth) const { return relative_error(widened(host()), truth); }

 private:
  std::size_t bytes() const { return static_cast<std::size_t>(n_) * sizeof(T); }
  Device device_;
  std::int64_t n_;
  std::vector<std::shared_ptr<void>> memory_;
};

/// Makes the buffers of one Subject. Small arrays that every call shares (indices) may be made with one copy only.
template <class Device>
class Lab {
 public:
  /// `footprint`: bytes of one copy where a call does not touch all of it.
  Lab(Device device, const Cost& cost, const Rotation& rotation, double footprint = 0)
      : device_(device), sets_(sets_for(cost, rotation, footprint)) {}
  int sets() const { return sets_; }
  template <class T>
  Buffers<Device, T> input(const std::vector<T>& values) const {
    return {device_, values, sets_};
  }
  template <class T>
  Buffers<Device, T> shared_input(const std::vector<T>& values) const {
    return {device_, values, 1};
  }
  template <class T>
  Buffers<Device, T> output(std::int64_t n) const {
    return {device_, n, sets_};
  }

 private:
  static int sets_for(const Cost& cost, const Rotation& rotation, double footprint) {
    double sets = rotation.bytes / std::max(cost.bytes, 1.0);
    if (footprint > 0) sets = std::min(sets, 3 * rotation.bytes / footprint);
    return static_cast<int>(std::clamp(std::ceil(sets), 1.0, 1000.0));
  }
  Device device_;
  int sets_;
};

// --- Rows.

struct KernelCase {
  std::string kernel;
  Sizes sizes;
  /// Nothing where the kernel does not exist for the device and type.
  std::function<std::optional<Subject>(const Place&, DType, const Rotation&)> make;
};

class Suite {
 public:
  /// `tiny` asks the families for sizes that only try the benchmark itself.
  explicit Suite(bool tiny) : tiny_(tiny) {}
  bool tiny() const { return tiny_; }
  const std::vector<KernelCase>& cases() const { return cases_; }

  /// make(device, T{}, rotation) returns the Subject; T is one of `Types`, on the CPU not bf16.
  template <class... Types, class Make>
  void add(std::string kernel, Sizes sizes, Make make) {
    cases_.push_back(
        {std::move(kernel), std::move(sizes), [make](const Place& place, DType dtype, const Rotation& rotation) {
           if constexpr (cuda_built)
             if (place.cuda) return pick<Types...>(Cuda{place.stream}, dtype, rotation, make);
           return pick<Types...>(Cpu{}, dtype, rotation, make);
         }});
  }
  /// The same for what only CPUs have.
  template <class... Types, class Make>
  void add_for_cpu(std::string kernel, Sizes sizes, Make make) {
    cases_.push_back(
        {std::move(kernel), std::move(sizes), [make](const Place& place, DType dtype, const Rotation& rotation) {
           return place.cuda ? std::nullopt : pick<Types...>(Cpu{}, dtype, rotation, make);
         }});
  }
  /// The same for what only GPUs have.
  template <class... Types, class Make>
  void add_for_cuda(std::string kernel, Sizes sizes, Make make) {
    if constexpr (cuda_built)
      cases_.push_back(
          {std::move(kernel), std::move(sizes), [make](const Place& place, DType dtype, const Rotation& rotation) {
             return place.cuda ? pick<Types...>(Cuda{place.stream}, dtype, rotation, make) : std::nullopt;
           }});
  }

 private:
  template <class... Types, class Device, class Make>
  static std::optional<Subject> pick(Device device, DType dtype, const Rotation& rotation, const Make& make) {
    std::optional<Subject> subject;
    const auto try_type = [&](auto type) {
      using T = decltype(type);
      if constexpr (!(std::is_same_v<Device, Cpu> && std::is_same_v<T, bf16>))
        if (dtype == dtype_of<T>) subject = make(device, type, rotation);
    };
    (try_type(Types{}), ...);
    return subject;
  }

  bool tiny_;
  std::vector<KernelCase> cases_;
};

/// Has `add` called for each new suite; meant for constants at namespace scope.
class RowRegistrar {
 public:
  explicit RowRegistrar(void (*add)(Suite&));
};

/// The rows of all families that are linked in, in order of their names.
std::vector<KernelCase> all_rows(bool tiny);

}  // namespace glimpse::bench
