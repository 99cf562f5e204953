#include "glimpse/engine/device_number.h"

#include <algorithm>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/convert.h"

namespace glimpse {
namespace {

constexpr std::int64_t least_capacity = 256;

}  // namespace

DeviceNumber::operator double() const {
  if (!value_) value_ = scalar_.item() / divisor_;
  return *value_;
}

DeviceNumbers::Place DeviceNumbers::keep(const DeviceNumber& number) {
  Place place;
  if (number.scalar_.defined()) {
    place.at_ = keep(number.scalar_);
    place.divisor_ = number.divisor_;
  } else {
    place.known_ = number;
  }
  return place;
}

std::int64_t DeviceNumbers::keep(const Tensor& x) {
  check(x.device() == device_, "numbers of {} are not on {}", name_of(x.device()), name_of(device_));
  const std::int64_t begin = used_, needed = begin + x.numel();
  if (!memory_.defined() || needed > memory_.numel()) {
    const Tensor larger({std::max(2 * needed, least_capacity)}, DType::f64, device_);
    if (begin > 0) larger.rows(0, begin).copy_from(memory_.rows(0, begin));
    memory_ = larger;
  }
  on(x,
     [&]<class T>(auto device) { kernels::convert(device, x.numel(), x.data<T>(), memory_.data<double>() + begin); });
  used_ = needed;
  return begin;
}

std::vector<double> DeviceNumbers::read() {
  if (used_ == 0) return {};
  std::vector<double> numbers = memory_.rows(0, used_).to_vector<double>();
  used_ = 0;
  return numbers;
}

}  // namespace glimpse
