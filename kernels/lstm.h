#pragma once
// The point-wise part of a long short-term memory cell (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
// al. 2000). Gates are ordered i, f, g, o; f32 and f64.

#include <cstdint>

#include "glimpse/kernels/device.h"

namespace glimpse::kernels {

/// From the pre-activations, gates (B,4H) plus, if given, `addend` (B,4H) with rows addend_stride apart:
/// activated (B,4H) = [sig(i), sig(f), tanh(g), sig(o)], c_next = f c + i g, h_next = o tanh(c_next), all (B,H).
/// `activated` may be `gates`, and `c_next` may be `c`.
template <class T>
void lstm_forward(Cpu, std::int64_t batch, std::int64_t hidden, const T* gates, const T* addend,
                  std::int64_t addend_stride, const T* c, T* activated, T* c_next, T* h_next);

/// Gradients of the pre-activations, dgates (B,4H) with rows dgates_stride apart, and of c (B,H), from the gradients of
/// h_next and c_next. The first `later_rows` rows of dh_later (B,H) are added to dh (B,H), and so is dc_next counted
/// for them alone: a recurrence whose later steps have fewer rows. Either of dh and dh_later may be null (zero), and
/// dc_next too. dc may be dc_next.
template <class T>
struct LstmGradients {
  const T* dh = nullptr;        // (B,H)
  const T* dh_later = nullptr;  // (later_rows,H)
  const T* dc_next = nullptr;   // (later_rows,H)
  std::int64_t later_rows = 0;
};
template <class T>
void lstm_backward(Cpu, std::int64_t batch, std::int64_t hidden, const T* activated, const T* c, const T* c_next,
                   const LstmGradients<T>& gradients, T* dgates, std::int64_t dgates_stride, T* dc);

}  // namespace glimpse::kernels
