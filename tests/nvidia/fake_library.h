#pragma once
// What the libraries that stand in for NVIDIA's share.

#include <cstdio>
#include <cstdlib>

/// Defined by the test program (real_address.h): where what has this address on the emulated device lies.
extern "C" void* glimpse_real_address(const void* address);

template <class T>
T* real(T* address) {
  return static_cast<T*>(glimpse_real_address(address));
}

/// Ends the program with the line, unless the condition holds: what a library was asked for cannot be right.
#define REQUIRE(condition)                                                               \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s: line %d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
