#include "glimpse/data/prefetch.h"

#include "glimpse/kernels/base/parallel.h"

namespace glimpse {

void make_thread_serial() { kernels::set_threads(1); }

}  // namespace glimpse
