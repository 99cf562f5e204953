#include "suite.h"

namespace glimpse::bench {

Suite all_kernels(bool tiny) {
  Suite suite(tiny);
  add_attention(suite);
  add_recurrence(suite);
  add_softmax(suite);
  add_vocabulary(suite);
  add_elementwise(suite);
  add_layout(suite);
  add_optimizer(suite);
  add_gemm(suite);
  return suite;
}

}  // namespace glimpse::bench
