#pragma once
// Numbers that kernels leave on their device, read when somebody asks.

#include <cstdint>
#include <optional>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// A number that may still lie on its device. Reading it, which happens once, waits for a GPU: whoever trains keeps it
/// in DeviceNumbers instead, and reads many at once.
class DeviceNumber {
 public:
  DeviceNumber(double value = 0) : value_(value) {}
  /// scalar / divisor, scalar of one element.
  explicit DeviceNumber(const Tensor& scalar, double divisor = 1) : scalar_(scalar.detach()), divisor_(divisor) {}

  operator double() const;

 private:
  friend class DeviceNumbers;
  Tensor scalar_;  // undefined: the value is known from the start
  double divisor_ = 1;
  mutable std::optional<double> value_;
};

/// Numbers of one device, kept there side by side and read in one go.
class DeviceNumbers {
 public:
  explicit DeviceNumbers(Device device) : device_(device) {}

  /// Where to find a number among those that read() gives.
  class Place {
   public:
    double in(const std::vector<double>& numbers) const { return at_ < 0 ? known_ : numbers[at_] / divisor_; }

   private:
    friend class DeviceNumbers;
    std::int64_t at_ = -1;
    double divisor_ = 1, known_ = 0;
  };

  /// Keeps a number, and all elements of x (f32 or f64, on the device), of which the first's position is returned.
  Place keep(const DeviceNumber& number);
  std::int64_t keep(const Tensor& x);
  /// All that was kept since the last call. Waits for a GPU.
  std::vector<double> read();

 private:
  Device device_;
  Tensor memory_;  // (capacity) f64
  std::int64_t used_ = 0;
};

}  // namespace glimpse
