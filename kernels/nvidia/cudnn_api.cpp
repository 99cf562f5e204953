#include "glimpse/kernels/nvidia/cudnn_api.h"

#if GLIMPSE_HAVE_CUDNN
#include <memory>

#include "glimpse/kernels/base/check.h"

namespace glimpse::cudnn {
namespace {

struct Loaded {
  std::unique_ptr<const Api> api;
  std::string why_not;
};

/// Loads the library and sees whether it starts: it may be there and not fit the driver.
Loaded load() {
  Loaded loaded;
  try {
    loaded.api = std::make_unique<const Api>();
  } catch (const Error& error) {
    loaded.why_not = error.what();
    return loaded;
  }
  const std::size_t version = loaded.api->GetVersion(), major = version / 10000;
  cudnnHandle_t trial = nullptr;
  if (major != CUDNN_MAJOR)
    loaded.why_not = fmt::format("{} is of version {}, not {}", loaded.api->library.name(), version, CUDNN_MAJOR);
  else if (const cudnnStatus_t status = loaded.api->Create(&trial); status != CUDNN_STATUS_SUCCESS)
    loaded.why_not =
        fmt::format("{} does not start: {}", loaded.api->library.name(), loaded.api->GetErrorString(status));
  else
    loaded.api->Destroy(trial);
  return loaded;
}

const Loaded& loaded() {
  static const Loaded* const found = new Loaded(load());
  return *found;
}

/// cuDNN wants a handle in no more than one thread at a time.
class Handle {
 public:
  Handle() { check_status(api().Create(&value_), "starting in a thread"); }
  ~Handle() { api().Destroy(value_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  cudnnHandle_t get() const { return value_; }

 private:
  cudnnHandle_t value_ = nullptr;
};

}  // namespace

bool available() { return loaded().why_not.empty(); }
const std::string& why_unavailable() { return loaded().why_not; }
const Api& api() { return *loaded().api; }

cudnnHandle_t handle(void* stream) {
  thread_local const Handle of_thread;
  check_status(api().SetStream(of_thread.get(), static_cast<cudaStream_t>(stream)), "setting the stream");
  return of_thread.get();
}

std::string text_of(cudnnStatus_t status) {
  char detail[1024] = "";
  api().GetLastErrorString(detail, sizeof detail);
  return fmt::format("{}{}{}", api().GetErrorString(status), *detail ? ": " : "", detail);
}

void check_status(cudnnStatus_t status, const char* doing) {
  if (status != CUDNN_STATUS_SUCCESS) fail("cuDNN: {}: {}", doing, text_of(status));
}

}  // namespace glimpse::cudnn
#endif
