#pragma once
// A run that begins with a model which another run has trained.

#include <string>

#include "glimpse/models/captioner/model.h"

namespace glimpse {

/// `recipe` for a run that begins with the model file `path`: data, scenes, encoder and decoder are the model's, but
/// for what says how the encoder is trained and where things are kept; loss, training and validation are the recipe's.
/// Throws Error for a file that is no caption model.
Config config_to_begin_with(const std::string& path, const Config& recipe);

/// The model of config.training.init with `config`, in which training.init_hash is filled in: weights, vocabulary and
/// preprocessing are the file's, the encoder trains as `config` says. Its encoder_source is never empty. `note` gets
/// what was taken. Throws Error for a file that is no caption model or whose hash is not the one in `config`, and where
/// `config` describes another encoder or decoder, naming the values.
CaptionModel initial_model(const Config& config, std::string* note = nullptr);

}  // namespace glimpse
