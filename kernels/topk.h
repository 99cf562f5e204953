#pragma once
// The likeliest words of rows of logits.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// The k largest entries of each row of log softmax(logits), largest first, equal ones by rising index. Where fewer
/// than k words remain, value is -inf and index -1. The row is read three times and nothing of its size is written.
template <class T>
struct TopK {
  std::int64_t rows = 0, vocabulary = 0, k = 0;
  const T* logits = nullptr;             // (rows,vocabulary)
  const std::int32_t* banned = nullptr;  // (banned_count) words left out of the choice, not of the softmax
  std::int64_t banned_count = 0;
  double* value = nullptr;        // (rows,k)
  std::int32_t* index = nullptr;  // (rows,k)
};
template <class T>
void log_softmax_topk(Cpu, const TopK<T>& call);
template <class T>
void log_softmax_topk(Cuda, const TopK<T>& call);

/// rank[r] = how many words of row r are ranked before target[r]: those with a larger logit, or an equal one and a
/// lower id. logits (rows,vocabulary).
template <class T>
void rank_of_target(Cpu, std::int64_t rows, std::int64_t vocabulary, const T* logits, const std::int32_t* target,
                    std::int32_t* rank);
template <class T>
void rank_of_target(Cuda, std::int64_t rows, std::int64_t vocabulary, const T* logits, const std::int32_t* target,
                    std::int32_t* rank);

#define GLIMPSE_TOPK_KERNELS(Device, T)                   \
  template void log_softmax_topk(Device, const TopK<T>&); \
  template void rank_of_target(Device, std::int64_t, std::int64_t, const T*, const std::int32_t*, std::int32_t*);

}  // namespace glimpse::kernels
