#pragma once
// The one exception type of Glimpse. Libraries throw it, programs print it and exit.

#include <stdexcept>
#include <string>

namespace glimpse {

/// Thrown for every misuse and every failure; what() names the operation, what was received and what was expected.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// Thrown where the memory of a device does not suffice.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

}  // namespace glimpse
