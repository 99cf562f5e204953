#pragma once
// The likeliest words of rows of logits.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// The k largest entries of each row of log softmax(logits), largest first, equal ones by rising index: value (rows,k),
/// index (rows,k). The `banned` words (ids below `vocabulary`) are left
/// out of the choice, not of the softmax. Where fewer than k words remain, value is -inf and index -1. logits
/// (rows,vocabulary). The row is read three times and nothing of its size is written.
template <class T>
void log_softmax_topk(Cpu, std::int64_t rows, std::int64_t vocabulary, std::int64_t k, const T* logits,
                      const std::int32_t* banned, std::int64_t banned_count, double* value, std::int32_t* index);
template <class T>
void log_softmax_topk(Cuda, std::int64_t rows, std::int64_t vocabulary, std::int64_t k, const T* logits,
                      const std::int32_t* banned, std::int64_t banned_count, double* value, std::int32_t* index);

/// rank[r] = how many words of row r are ranked before target[r]: those with a larger logit, or an equal one and a
/// lower id. logits (rows,vocabulary).
template <class T>
void rank_of_target(Cpu, std::int64_t rows, std::int64_t vocabulary, const T* logits, const std::int32_t* target,
                    std::int32_t* rank);
template <class T>
void rank_of_target(Cuda, std::int64_t rows, std::int64_t vocabulary, const T* logits, const std::int32_t* target,
                    std::int32_t* rank);

}  // namespace glimpse::kernels
