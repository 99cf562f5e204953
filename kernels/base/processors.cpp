#include "glimpse/kernels/base/processors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace glimpse::kernels {
namespace {

int affinity() {
#ifdef __linux__
  // More processors than a cpu_set_t holds make the call fail; hardware_concurrency then asks with a larger set.
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// Quota over period of one cgroup; 0 without a limit.
double limit_of(const std::string& folder, bool v2) {
  double quota = 0, period = 0;
  if (v2) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;  // "max 100000" leaves quota 0
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

/// The least limit of a cgroup and its parents. In a container its path may be that of the host, which is not there.
double limit_along(const std::string& mount, std::string path, bool v2) {
  double least = 0;
  for (;;) {
    const double limit = limit_of(mount + path, v2);
    if (limit > 0 && (least == 0 || limit < least)) least = limit;
    if (path.empty()) return least;
    path.resize(path.find_last_of('/'));
  }
}

/// 0 unless the text begins with a positive number.
int leading_number(const char* text) {
  int value = 0;
  if (text) std::from_chars(text, text + std::strlen(text), value);
  return std::max(value, 0);
}

}  // namespace

double processor_quota(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  double least = 0;
  for (std::string line; std::getline(file, line);) {
    // "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1)
    std::istringstream fields(line);
    std::string number, controllers, path;
    if (!std::getline(fields, number, ':') || !std::getline(fields, controllers, ':') || !std::getline(fields, path))
      continue;
    while (!path.empty() && path.back() == '/') path.pop_back();
    if (!path.empty() && path.front() != '/') continue;
    const bool v2 = number == "0" && controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const double limit = limit_along(root + (v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu"), path, v2);
    if (limit > 0 && (least == 0 || limit < least)) least = limit;
  }
  return least;
}

int usable_processors() {
  static const int count = [] {
    if (const int told = leading_number(std::getenv("OMP_NUM_THREADS"))) return told;
    const int allowed = std::max(affinity(), 1);
    const double quota = processor_quota();
    return quota > 0 ? std::min(allowed, std::max(1, static_cast<int>(std::ceil(quota)))) : allowed;
  }();
  return count;
}

}  // namespace glimpse::kernels
