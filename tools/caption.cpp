// Captions photographs with a trained model.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "common/decoding.h"
#include "common/image_files.h"
#include "common/program.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/models/captioner/captioner.h"

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

/// Photographs that could be read: images[i] lies at paths[i].
struct Photographs {
  std::vector<std::string> paths;
  std::vector<Image> images;
};

/// Reads files[begin,end) on all threads; what cannot be read is said on stderr and left out.
Photographs read_photographs(const std::vector<std::string>& files, std::size_t begin, std::size_t end,
                             std::int64_t& failures) {
  std::vector<Image> images(end - begin);
  std::vector<std::string> errors(end - begin);
  kernels::parallel_for_each(std::ssize(images), [&](std::int64_t k) {
    const auto i = static_cast<std::size_t>(k);
    try {
      images[i] = read_image(files[begin + i]);
    } catch (const Error& e) {
      errors[i] = e.what();
    }
  });
  Photographs photographs;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (errors[i].empty()) {
      photographs.paths.push_back(files[begin + i]);
      photographs.images.push_back(std::move(images[i]));
      continue;
    }
    fmt::print(stderr, "caption: {}\n", errors[i]);
    ++failures;
  }
  return photographs;
}

/// Writes results as they come: text, or the elements of one JSON array.
class Output {
 public:
  explicit Output(const Arguments& a) : arguments_(a) {}

  void add(const std::string& path, const Image& image, const std::vector<ImageCaption>& captions) {
    const std::vector<std::string> pictures = draw(path, image, captions.front());
    if (arguments_.json)
      add_json(path, captions, pictures);
    else
      add_text(path, captions, pictures);
    std::fflush(stdout);
  }

  void finish() const {
    if (arguments_.json) fmt::print("{}\n", first_ ? "[]" : "\n]");
  }

 private:
  std::vector<std::string> draw(const std::string& path, const Image& image, const ImageCaption& caption) {
    if (arguments_.attention.empty()) return {};
    const std::string stem = fs::path(path).stem().string();
    std::string name = stem;
    for (int n = 2; !names_.insert(name).second; ++n) name = fmt::format("{}-{}", stem, n);
    return write_attention_pictures(arguments_.attention, name, image, attention_maps(caption));
  }

  static void add_text(const std::string& path, const std::vector<ImageCaption>& captions,
                       const std::vector<std::string>& pictures) {
    const auto ending = [](const ImageCaption& c) { return c.finished ? "" : " [cut]"; };
    if (captions.size() == 1)
      fmt::print("{}: {}{}  ({:.2f})\n", path, captions[0].text(), ending(captions[0]), captions[0].score);
    else
      fmt::print("{}\n", path);
    for (std::size_t i = 0; i < captions.size() && captions.size() > 1; ++i)
      fmt::print("  {:8.2f}  {}{}\n", captions[i].score, captions[i].text(), ending(captions[i]));
    if (!pictures.empty()) fmt::print("  attention: {}\n", pictures.front());
  }

  void add_json(const std::string& path, const std::vector<ImageCaption>& captions,
                const std::vector<std::string>& pictures) {
    Json list = Json::array();
    for (const ImageCaption& c : captions)
      list.push_back({{"caption", c.text()},
                      {"score", c.score},
                      {"log_probability", c.log_probability},
                      {"finished", c.finished}});
    Json entry = {{"filename", path}, {"caption", list[0]["caption"]}, {"score", list[0]["score"]}};
    entry["captions"] = list;
    if (!pictures.empty()) entry["attention"] = pictures;
    fmt::print("{}{}", first_ ? "[\n" : ",\n", entry.dump(-1, ' ', false, Json::error_handler_t::replace));
    first_ = false;
  }

  const Arguments& arguments_;
  std::set<std::string> names_;
  bool first_ = true;
};

/// Returns the exit code: 1 when a file could not be captioned.
int run(int argc, char** argv) {
  CLI::App app("Captions photographs.", "caption");
  Arguments a;
  app.add_option("--model", a.model, "a run's best.safetensors; nothing else is needed")->required();
  app.add_option("images", a.inputs, "images, folders of images, or - for a list on stdin")->required();
  app.add_option("--n-best", a.decoding.captions.n_best, "captions an image")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--attention", a.attention, "folder for pictures of where the model looks at each word");
  app.add_flag("--json", a.json, "print a JSON array");
  add_decoding_options(app, a.decoding);
  parse_arguments(app, argc, argv);
  const Device device = use_decoding_options(a.decoding);
  CaptionOptions& options = a.decoding.captions;
  check(options.n_best <= options.beam, "--n-best {} needs --beam {} or more", options.n_best, options.n_best);
  if (!a.attention.empty()) check_can_write_folder(a.attention);

  options.attention = !a.attention.empty();
  const Captioner captioner = Captioner::load(a.model, device);
  check(!options.attention || captioner.model().config.decoder.attends(), "--attention: {} has no attention", a.model);
  const std::vector<std::string> files = image_files(a.inputs);
  Output output(a);
  std::int64_t failures = 0;
  const auto batch = static_cast<std::size_t>(options.batch);
  for (std::size_t begin = 0; begin < files.size(); begin += batch) {
    const Photographs photographs = read_photographs(files, begin, std::min(begin + batch, files.size()), failures);
    const std::vector<std::vector<ImageCaption>> captions = captioner.caption(photographs.images, options);
    for (std::size_t i = 0; i < captions.size(); ++i)
      output.add(photographs.paths[i], photographs.images[i], captions[i]);
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
