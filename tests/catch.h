#pragma once
// Catch2 version 2 (Debian 12) and version 3 under one name.

#include <string>

#ifdef GLIMPSE_CATCH2_V2
#include <catch2/catch.hpp>
using Catch::Contains;
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
inline auto Contains(const std::string& text) { return Catch::Matchers::ContainsSubstring(text); }
#endif
