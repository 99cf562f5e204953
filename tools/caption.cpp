// Captions photographs with a trained model.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "common/decoding.h"
#include "common/encoder_input.h"
#include "common/examples.h"
#include "common/image_files.h"
#include "common/program.h"
#include "glimpse/data/image.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/captioner/captioner.h"
#include "glimpse/models/encoder/frozen_encoder.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Arguments {
  std::string model, attention;
  std::vector<std::string> inputs;
  bool json = false;
  DecodingOptions decoding;
};

/// A photograph that could be read.
struct Photograph {
  std::string path;
  Image image;
};

/// Reads files[begin,end) on all threads; what cannot be read is said on stderr and left out.
std::vector<Photograph> read_photographs(const std::vector<std::string>& files, std::size_t begin, std::size_t end,
                                         std::int64_t& failures) {
  std::vector<Photograph> photographs(end - begin);
  std::vector<std::string> errors(end - begin);
  for_each_parallel(std::ssize(photographs), [&](std::int64_t k) {
    const auto i = static_cast<std::size_t>(k);
    photographs[i].path = files[begin + i];
    try {
      photographs[i].image = read_image(files[begin + i]);
    } catch (const Error& e) {
      errors[i] = e.what();
    }
  });
  for (const std::string& error : errors)
    if (!error.empty()) {
      fmt::print(stderr, "caption: {}\n", error);
      ++failures;
    }
  std::erase_if(photographs, [](const Photograph& p) { return p.image.width == 0; });
  return photographs;
}

/// Writes results as they come: text, or the elements of one JSON array.
class Output {
 public:
  explicit Output(const Arguments& a, const Captioner& captioner)
      : arguments_(a), captioner_(captioner), vocabulary_(captioner.words) {}

  void add(const Photograph& photograph, const std::vector<Caption>& captions) {
    const std::vector<std::string> pictures = draw(photograph, captions.front());
    if (arguments_.json)
      add_json(photograph, captions, pictures);
    else
      add_text(photograph, captions, pictures);
    std::fflush(stdout);
  }

  void finish() const {
    if (arguments_.json) fmt::print("{}\n", first_ ? "[]" : "\n]");
  }

 private:
  std::vector<std::string> draw(const Photograph& photograph, const Caption& caption) {
    if (arguments_.attention.empty()) return {};
    const std::string stem = fs::path(photograph.path).stem().string();
    std::string name = stem;
    for (int n = 2; !names_.insert(name).second; ++n) name = fmt::format("{}-{}", stem, n);
    return write_attention_pictures(arguments_.attention, name, photograph.image,
                                    attention_maps(caption, vocabulary_, captioner_.encoder));
  }

  void add_text(const Photograph& photograph, const std::vector<Caption>& captions,
                const std::vector<std::string>& pictures) const {
    const auto ending = [](const Caption& c) { return c.finished ? "" : " [cut]"; };
    if (captions.size() == 1)
      fmt::print("{}: {}{}  ({:.2f})\n", photograph.path, vocabulary_.text(captions[0].words), ending(captions[0]),
                 captions[0].score);
    else
      fmt::print("{}\n", photograph.path);
    for (std::size_t i = 0; i < captions.size() && captions.size() > 1; ++i)
      fmt::print("  {:8.2f}  {}{}\n", captions[i].score, vocabulary_.text(captions[i].words), ending(captions[i]));
    if (!pictures.empty()) fmt::print("  attention: {}\n", pictures.front());
  }

  void add_json(const Photograph& photograph, const std::vector<Caption>& captions,
                const std::vector<std::string>& pictures) {
    Json list = Json::array();
    for (const Caption& c : captions)
      list.push_back({{"caption", vocabulary_.text(c.words)},
                      {"score", c.score},
                      {"log_probability", c.log_probability},
                      {"finished", c.finished}});
    Json entry = {{"filename", photograph.path}, {"caption", list[0]["caption"]}, {"score", list[0]["score"]}};
    entry["captions"] = list;
    if (!pictures.empty()) entry["attention"] = pictures;
    fmt::print("{}{}", first_ ? "[\n" : ",\n", entry.dump(-1, ' ', false, Json::error_handler_t::replace));
    first_ = false;
  }

  const Arguments& arguments_;
  const Captioner& captioner_;
  Vocabulary vocabulary_;
  std::set<std::string> names_;
  bool first_ = true;
};

/// Returns the exit code: 1 when a file could not be captioned.
int run(int argc, char** argv) {
  CLI::App app("Captions photographs.", "caption");
  Arguments a;
  app.add_option("--model", a.model, "a run's best.safetensors; nothing else is needed")->required();
  app.add_option("images", a.inputs, "images, folders of images, or - for a list on stdin")->required();
  app.add_option("--n-best", a.decoding.beam.n_best, "captions an image")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--attention", a.attention, "folder for pictures of where the model looks at each word");
  app.add_flag("--json", a.json, "print a JSON array");
  add_decoding_options(app, a.decoding);
  parse_arguments(app, argc, argv);
  const Device device = use_decoding_options(a.decoding);
  check(a.decoding.beam.n_best <= a.decoding.beam.beam, "--n-best {} needs --beam {} or more", a.decoding.beam.n_best,
        a.decoding.beam.n_best);
  if (!a.attention.empty()) check_can_write_folder(a.attention);

  Captioner captioner = load_captioner(a.model);
  check(a.attention.empty() || captioner.config.decoder.attention != "none", "--attention: {} has no attention",
        a.model);
  const std::vector<std::string> files = image_files(a.inputs);
  move_to(captioner, device);
  const FrozenEncoder encoder(captioner.encoder);
  const NoGrad no_grad;
  BeamOptions beam = a.decoding.beam;
  beam.keep_alphas = !a.attention.empty();
  Output output(a, captioner);
  std::int64_t failures = 0;
  const auto batch = static_cast<std::size_t>(a.decoding.batch);
  for (std::size_t begin = 0; begin < files.size(); begin += batch) {
    const std::vector<Photograph> photographs =
        read_photographs(files, begin, std::min(begin + batch, files.size()), failures);
    if (photographs.empty()) continue;
    const Tensor pixels = encoder_input(
        std::ssize(photographs), [&](std::int64_t i) { return photographs[static_cast<std::size_t>(i)].image; },
        captioner.preprocessing, device);
    const std::vector<std::vector<Caption>> captions = beam_search(captioner.decoder, encoder(pixels), beam);
    for (std::size_t i = 0; i < photographs.size(); ++i) output.add(photographs[i], captions[i]);
  }
  output.finish();
  return failures > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return glimpse::tools::run_program("caption", [&] {
    const int code = run(argc, argv);
    if (code != 0) throw glimpse::tools::Exit{code};
  });
}
