#pragma once
// The emulated device's memory. As on a real device, the host has none of it: what the runtime hands out are addresses
// of a range where nothing is mapped, so a host that reads or writes them crashes at once, and a launch turns those
// among its arguments into the addresses where the memory really lies. A kernel that is given memory of the host is
// found by its arguments.

#include <cstddef>

namespace glimpse::emulator {

/// At least `bytes` bytes at a multiple of 256 in the device's range, or null when the range is used up.
void* take_device_memory(std::size_t bytes);
void give_back_device_memory(void* address, std::size_t bytes);

/// Whether this is an address of the device.
bool is_device_address(const void* address);

/// Where the memory at an address of the device really lies. Other addresses, null among them, stay as they are.
void* real_address(const void* address);
template <class T>
T* real(T* address) {
  return static_cast<T*>(real_address(address));
}

/// Puts real addresses in place of the device's among the words of a kernel's argument. Unless `any_memory`, throws
/// Error naming `kernel` when one of them is an address of the host.
void translate_argument(void* argument, std::size_t bytes, int number, const char* kernel, bool any_memory);

}  // namespace glimpse::emulator
