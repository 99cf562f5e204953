#pragma once
// The point-wise part of a long short-term memory cell (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
// al. 2000). Gates are ordered i, f, g, o; f32 and f64.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// From the pre-activations, gates (B,4H): activated (B,4H) = [sig(i), sig(f), tanh(g), sig(o)],
/// c_next = f c + i g, h_next = o tanh(c_next), all (B,H). `activated` may be `gates`, and `c_next` may be `c`.
template <class T>
void lstm_forward(Cpu, std::int64_t batch, std::int64_t hidden, const T* gates, const T* c, T* activated, T* c_next,
                  T* h_next);
/// On CUDA gates and h may be bf16; the cell's state stays f32 then.
template <class T>
void lstm_forward(Cuda, std::int64_t batch, std::int64_t hidden, const T* gates, const Accumulator<T>* c, T* activated,
                  Accumulator<T>* c_next, T* h_next);

/// What a step receives from the gradients of its results. A recurrence over captions of falling length has fewer rows
/// at later steps: only the first `later_rows` rows receive anything from them. Null stands for zero.
template <class T>
struct LstmGradients {
  const T* dh = nullptr;                    // (B,H), of h_next
  const T* dh_later = nullptr;              // (later_rows,H), added to dh
  const Accumulator<T>* dc_next = nullptr;  // (later_rows,H), of c_next
  std::int64_t later_rows = 0;
};

/// Gradients of the pre-activations, dgates (B,4H), and of c, dc (B,H), which may be dc_next.
template <class T>
void lstm_backward(Cpu, std::int64_t batch, std::int64_t hidden, const T* activated, const T* c, const T* c_next,
                   const LstmGradients<T>& gradients, T* dgates, T* dc);
template <class T>
void lstm_backward(Cuda, std::int64_t batch, std::int64_t hidden, const T* activated, const Accumulator<T>* c,
                   const Accumulator<T>* c_next, const LstmGradients<T>& gradients, T* dgates, Accumulator<T>* dc);

}  // namespace glimpse::kernels
