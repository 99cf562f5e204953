#pragma once
// Hard attention (Show, Attend and Tell, arXiv 1502.03044, 4.1): each word reads one location, drawn from alpha, and
// alpha learns by REINFORCE which locations made the caption likely.

#include <functional>
#include <vector>

#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

/// From alpha (R,L) the location (R) i32 that each row reads; -1: the mean of all.
using ChooseLocations = std::function<Tensor(const Tensor& alpha)>;

/// Drawn by the numbers uniform (R) in [0,1) (kernels/attention/locations.h); -1 where they are negative.
Tensor sampled_locations(const Tensor& alpha, const Tensor& uniform);
/// The likeliest, of several the first.
Tensor likeliest_locations(const Tensor& alpha);

/// Rows of x (R,n) that have a location become `value` there and 0 elsewhere.
void mark_locations(const Tensor& location, double value, const Tensor& x);
/// context (R,D), overwritten by the features (B,L,D) at the locations of images image (R) i32.
void read_locations(const Tensor& features, const Tensor& image, const Tensor& location, const Tensor& context);

/// The mean of features (B,L,D) by weights alpha (R,L), R = B q, or the feature at the location of rows that have one.
Tensor context_at(const Tensor& features, const Tensor& alpha, const Tensor& location);

/// The random numbers of a batch.
struct LocationDraws {
  Tensor uniform;             ///< (N), in the batch's packed order, as sampled_locations takes it; undefined: none
  std::vector<bool> sampled;  ///< (B) captions that read drawn locations; the others read the mean of all
};
/// One coin a caption and one number a word, where hard attention is trained.
LocationDraws draw_locations(const Decoder& decoder, const TokenBatch& batch, Generator& generator,
                             const LossOptions& options);

/// What all words of a batch have chosen and what came of it, in packed order.
struct LocationOutcome {
  Tensor alpha;     ///< (N,L)
  Tensor location;  ///< (N) i32
  Tensor losses;    ///< (N) f64, -log p of the words
};
/// Adds to the loss the terms that let alpha learn, whose gradient is that of -log p expected over the locations
/// (eq. 11-12): for each caption -lambda_r (log p - b) log p(s) - lambda_e H, the factor in brackets held constant.
/// `scale` is that of a caption's -log p in the loss.
void add_reinforce(const LocationOutcome& outcome, const LocationDraws& draws, const TokenBatch& batch, double scale,
                   const LossOptions& options, DecoderLoss& loss);

}  // namespace glimpse
