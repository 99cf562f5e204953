#pragma once
// For the test programs whose libraries (fake_library.h) compute on the emulator's memory.

#include "glimpse/tests/emulator/device_memory.h"

extern "C" void* glimpse_real_address(const void* address);
void* glimpse_real_address(const void* address) { return glimpse::emulator::real_address(address); }
