#pragma once
// The options of beam search and the output files that evaluate and caption share.

#include <CLI/CLI.hpp>
#include <string>

#include "glimpse/data/attention_map.h"
#include "glimpse/data/vocabulary.h"
#include "glimpse/models/encoder/encoder.h"
#include "glimpse/models/search/beam.h"

namespace glimpse::tools {

/// What the programs score captions by, unless told otherwise: the mean log-probability of a word. The plain sum
/// prefers captions that say less.
constexpr double default_length_penalty = 1;

struct DecodingOptions {
  BeamOptions beam{.length_penalty = default_length_penalty};
  int max_words = 30;
  std::int64_t batch = 32;
  int threads = 0;
  std::string device = "cpu", matmul = "f32";
};

/// --beam, --max-words, --length-penalty, --suppress-unk, --batch, --threads, --device, --matmul.
void add_decoding_options(CLI::App& app, DecodingOptions& options);
/// Applies the threads, completes `options.beam`, and returns the device. Throws Error.
Device use_decoding_options(DecodingOptions& options);

/// Throws Error unless a file can be written at `path`; makes nothing. Asked before hours of work, not after.
void check_can_write(const std::string& path);
/// The same for files in a folder that need not exist yet.
void check_can_write_folder(const std::string& path);

/// The maps of a caption that was decoded with keep_alphas.
AttentionMaps attention_maps(const Caption& caption, const Vocabulary& vocabulary, const Encoder& encoder);

}  // namespace glimpse::tools
