#pragma once
// The point-wise part of a long short-term memory cell (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
// al. 2000). Gates are ordered i, f, g, o; f32 and f64.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// activated = [sig(i), sig(f), tanh(g), sig(o)], c_next = f c + i g, h_next = o tanh(c_next). On CUDA gates and h may
/// be bf16; the cell's state stays f32 then.
template <class T>
struct LstmForward {
  std::int64_t batch = 0, hidden = 0;  // B, H
  const T* gates = nullptr;            // (B,4H) pre-activations
  const Accumulator<T>* c = nullptr;   // (B,H)
  T* activated = nullptr;              // (B,4H), may be gates
  Accumulator<T>* c_next = nullptr;    // (B,H), may be c
  T* h_next = nullptr;                 // (B,H)
  const T* more = nullptr;             // (B,4H), rows more_stride apart, added to the gates; null: nothing
  std::int64_t more_stride = 0;
};
template <class T>
void lstm_forward(Cpu, const LstmForward<T>& call);
template <class T>
void lstm_forward(Cuda, const LstmForward<T>& call);

/// What a step receives from the gradients of its results. A recurrence over captions of falling length has fewer rows
/// at later steps: only the first `later_rows` rows receive anything from them. Null stands for zero.
template <class T>
struct LstmGradients {
  const T* dh = nullptr;                    // (B,H), of h_next
  const T* dh_later = nullptr;              // (later_rows,H), added to dh
  const Accumulator<T>* dc_next = nullptr;  // (later_rows,H), of c_next
  std::int64_t later_rows = 0;
  const Accumulator<T>* dc = nullptr;  // (B,H), of c_next, where it is also a result of the whole; added to dc_next
};

template <class T>
struct LstmBackward {
  std::int64_t batch = 0, hidden = 0;      // B, H
  const T* activated = nullptr;            // (B,4H)
  const Accumulator<T>* c = nullptr;       // (B,H)
  const Accumulator<T>* c_next = nullptr;  // (B,H)
  LstmGradients<T> received;
  T* dgates = nullptr;             // (B,4H), of the pre-activations, rows dgates_stride apart
  Accumulator<T>* dc = nullptr;    // (B,H), may be dc_next
  std::int64_t dgates_stride = 0;  // 0: 4H
};
template <class T>
void lstm_backward(Cpu, const LstmBackward<T>& call);
template <class T>
void lstm_backward(Cuda, const LstmBackward<T>& call);

#define GLIMPSE_LSTM_KERNELS(Device, T)                      \
  template void lstm_forward(Device, const LstmForward<T>&); \
  template void lstm_backward(Device, const LstmBackward<T>&);

}  // namespace glimpse::kernels
