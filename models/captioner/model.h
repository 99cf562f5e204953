#pragma once
// A caption model, encoder to words, and the one file that holds it: a safetensors file with the weights, and in its
// metadata the configuration, the vocabulary and the preprocessing. The file alone is enough to caption an image.

#include <string>
#include <vector>

#include "glimpse/data/vocabulary.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/models/captioner/config.h"
#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/encoder/encoder.h"
#include "glimpse/models/encoder/preprocessing.h"

namespace glimpse {

/// What training changes and a file keeps. A Captioner (captioner.h) captions with it.
struct CaptionModel {
  Config config;
  Vocabulary vocabulary;
  Preprocessing preprocessing;
  std::string encoder_source;  ///< hash of the weight file that a frozen encoder came from; empty: trained here
  Encoder encoder;
  Decoder decoder;

  /// Where it lies, after move_to(model, device) too.
  Device device() const { return decoder.embedding.weight.device(); }

  /// Tensors "encoder.*" and "decoder.*".
  void visit(Visitor& v) {
    v("encoder", encoder);
    v("decoder", decoder);
  }
};

/// The parts of a configuration as the models take them.
EncoderOptions encoder_options(const Config& config);
DecoderConfig decoder_config(const Config& config, std::int64_t vocabulary, std::int64_t channels);
LossOptions loss_options(const Config& config);

/// An untrained model: decoder weights drawn from `generator`, the encoder's read from config.encoder.weights, or
/// drawn too when that is empty; the encoder trains as config.encoder says. Throws Error for an encoder or stage that
/// does not exist, weights that do not fit, and a pretrained encoder without a weight file. `note` gets what
/// load_encoder_weights has to say.
CaptionModel make_model(const Config& config, const Vocabulary& vocabulary, Generator& generator,
                        std::string* note = nullptr);

/// Makes the encoder trainable as model.config says; without a word of it, it stays frozen.
void unfreeze(CaptionModel& model);

/// Writes the file in one instant; `notes` (scores, say) are added to the metadata. Where the model's weights are
/// averages, `raw` are those that they were made from, under the same names; they are kept too. Throws Error.
void save_model(CaptionModel& model, const std::string& path, const Metadata& notes = {},
                const std::vector<NamedTensor>& raw = {});

/// Which of the weights in a model file: the model's, or those of the last step where the model's are averages.
enum class ModelWeights : std::uint8_t { model, raw };
/// Reads it; nothing is trainable. The weights stay in the mapped file (MappedFile in engine/io/file.h says what that
/// means); copy_tensors() frees them of it. Throws Error naming the file for one that is no caption model, whose
/// weights do not fit its configuration, or hold NaN or infinity, and for raw weights where the file has none besides
/// the model's. Nothing is allocated for what the file only claims to hold.
CaptionModel load_model(const std::string& path, ModelWeights which = ModelWeights::model);
/// The configuration in a model file. Throws Error for one that is no caption model.
Config model_config(const std::string& path);

}  // namespace glimpse
