#pragma once
// Photographs with captions, and a run that trains on them in a second.

#include <string>
#include <vector>

#include "glimpse/data/scenes.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/models/encoder/encoder.h"
#include "program.h"
#include "scratch_folder.h"

namespace glimpse {

/// Photographs (a few scenes) with captions, and the weights of an encoder.
struct SmallPhotographs {
  ScratchFolder folder;
  std::string images = folder / "scenes/images", captions = folder / "scenes/dataset_scenes.json";
  std::string weights = folder / "weights.safetensors", run = folder / "runs/bad";
  std::string first_image = images + "/train_000000.png";

  SmallPhotographs() {
    export_scenes(SceneDataset(1, {8, 4, 2}), folder / "scenes");
    EncoderOptions options;
    options.name = "squeezenet1_1";
    Encoder encoder = make_encoder(options);
    write_safetensors(weights, named_tensors(encoder));
  }

  ProgramResult train(std::vector<std::string> more = {}, const ProgramOptions& options = {}) const {
    std::vector<std::string> a{"train_flickr", "--images", images,      "--captions",    captions,
                               "--threads",    "1",        "--encoder", "squeezenet1_1", "--weights",
                               weights,        "--run",    run,         "--epochs",      "1",
                               "--min-count",  "1"};
    a.insert(a.end(), more.begin(), more.end());
    a.insert(a.end(), {"--set", "encoder.image_size=64", "decoder.hidden=16", "training.epoch_steps=0"});
    return run_program(a, options);
  }
};

}  // namespace glimpse
