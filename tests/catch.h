#pragma once
// Catch2 version 2 (Debian 12) and version 3 under one name.

#ifdef GLIMPSE_CATCH2_V2
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
#endif
