#pragma once
// Convolutions of single images for inference. In a build without oneDNN nothing here is
// defined.

#include <memory>

#include "glimpse/kernels/convolution.h"
#include "glimpse/kernels/nonlinearity.h"

namespace glimpse::kernels {

/// Channels in a block (see blocked.h) that suit this processor: 16 with AVX-512, else 8.
std::int64_t onednn_block();

/// y = f(convolution of x, plus what y held if `accumulate`). One image; y is blocked, and so is x unless
/// it has fewer channels than a block: then it is plain (c,h,w). Runs on the thread that calls it.
class OnednnConvolution {
 public:
  /// Copies weight (o,c/groups,kh,kw) and bias (o) into oneDNN's layout. shape.n must be 1.
  OnednnConvolution(const ConvolutionShape& shape, const float* weight, const float* bias, bool plain_x,
                    bool accumulate, Nonlinearity f);
  ~OnednnConvolution();
  OnednnConvolution(OnednnConvolution&&) noexcept;

  /// Bytes of working memory that a run needs, 64-byte aligned.
  std::size_t scratch_bytes() const;

  /// A convolution with the addresses that it works on; each thread has its own. The convolution must outlive it.
  class Bound {
   public:
    Bound(const OnednnConvolution& convolution, const float* x, float* y, char* scratch);
    ~Bound();
    Bound(Bound&&) noexcept;
    void run() const;

   private:
    struct Arguments;
    std::unique_ptr<Arguments> arguments_;
  };

 private:
  struct Prepared;
  std::unique_ptr<Prepared> prepared_;
};

}  // namespace glimpse::kernels
