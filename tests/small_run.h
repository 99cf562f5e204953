#pragma once
// The command line of a run that takes a second.

#include <string>
#include <vector>

namespace glimpse {

/// 40 scenes of 5 captions, batches of 25: eight steps an epoch.
inline std::vector<std::string> small_training(const std::string& run, int epochs) {
  return {"train_flickr",
          "--run",
          run,
          "--epochs",
          std::to_string(epochs),
          "--threads",
          "1",
          "--batch",
          "25",
          "--set",
          "scenes.train=40",
          "scenes.val=10",
          "scenes.test=10",
          "decoder.hidden=24",
          "decoder.embedding=16",
          "decoder.attention_size=16",
          "training.log_every=2",
          "training.checkpoint_every=3",
          "training.warmup_steps=2"};
}

}  // namespace glimpse
