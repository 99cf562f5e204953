#pragma once
// How many processors this process may keep busy.

#include <string>

namespace glimpse::kernels {

/// What OMP_NUM_THREADS says (its first number), else the processors that the affinity of the process allows, at most
/// as many as the cgroup's quota pays for, rounded up. At least 1. Read once.
int usable_processors();

/// Processors that the cgroup of this process is paid for (v2: cpu.max; v1: cpu.cfs_quota_us / cpu.cfs_period_us), the
/// least of it and its parents; 0 if there is no limit. `root` stands before /proc and /sys.
double processor_quota(const std::string& root = "");

}  // namespace glimpse::kernels
