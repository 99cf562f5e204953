#pragma once
// What a call says when it fails.

#include <string>

#include "glimpse/kernels/base/error.h"

namespace glimpse::test {

/// The message of the Error that f() throws; "no error" when it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace glimpse::test
