// Captions photographs with a trained model.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <new>

#include "common/caption_output.h"
#include "common/decoding.h"
#include "common/image_files.h"
#include "common/program.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/captioner/captioner.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;
namespace fs = std::filesystem;

struct Arguments {
  std::string model, attention;
  ImageArguments images;
  bool json = false, csv = false, sidecar = false, xmp = false, force = false, raw = false;
  DecodingOptions decoding;
};

/// Photographs that could be read, as the model sees them: images[i] lies at paths[i].
struct Photographs {
  std::vector<std::string> paths;
  std::vector<Image> images;
};

/// Reads files[begin,end) on all threads; what cannot be read is said on stderr and left out.
Photographs read_photographs(const std::vector<std::string>& files, std::size_t begin, std::size_t end,
                             const ImageOptions& options, std::int64_t& failures) {
  std::vector<Image> images(end - begin);
  std::vector<std::string> errors(end - begin);
  kernels::parallel_for_each(std::ssize(images), [&](std::int64_t k) {
    const auto i = static_cast<std::size_t>(k);
    try {
      images[i] = read_image(files[begin + i], options);
    } catch (const std::bad_alloc&) {
      errors[i] = files[begin + i] + ": out of memory";
    } catch (const std::exception& e) {
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
    write_text(stderr, fmt::format("caption: {}\n", printable(errors[i], 2000)));
    ++failures;
  }
  return photographs;
}

/// Draws where the model looked, for --attention.
class Pictures {
 public:
  /// `reading`: how the photographs are read to be drawn on.
  Pictures(const std::string& folder, const ImageOptions& reading) : folder_(folder), reading_(reading) {}

  std::vector<std::string> draw(const std::string& path, const ImageCaption& caption) {
    if (folder_.empty()) return {};
    return write_attention_pictures(folder_, names_(fs::path(path).filename().string()), read_image(path, reading_),
                                    attention_maps(caption));
  }

 private:
  const std::string& folder_;
  ImageOptions reading_;
  PictureNames names_;
};

/// Writes what --sidecar and --xmp ask for; what cannot be written is said on stderr.
class Files {
 public:
  explicit Files(const Arguments& a) {
    if (a.sidecar) kinds_.emplace_back(Sidecars::Kind::text, a.force);
    if (a.xmp) kinds_.emplace_back(Sidecars::Kind::xmp, a.force);
  }

  void write(const std::string& image, const std::vector<ImageCaption>& captions, std::int64_t& failures) {
    for (Sidecars& sidecars : kinds_) {
      try {
        sidecars.write(image, captions);
      } catch (const Error& e) {
        write_text(stderr, fmt::format("caption: {}\n", e.what()));
        ++failures;
      }
    }
  }

 private:
  std::vector<Sidecars> kinds_;
};

void add_options(CLI::App& app, Arguments& a) {
  app.add_option("--model", a.model, "a run's best.safetensors; nothing else is needed")->required();
  app.add_flag("--raw", a.raw, "the weights of the last step, where those of the model are averages (training.ema)");
  add_image_arguments(app, a.images);
  app.add_option("--n-best", a.decoding.captions.n_best, "captions an image")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--attention", a.attention, "folder for pictures of where the model looks at each word");
  CLI::Option* json = app.add_flag("--json", a.json, "print a JSON array");
  app.add_flag("--csv", a.csv, "print a table (CSV, RFC 4180), one row a caption")->excludes(json);
  app.add_flag("--sidecar", a.sidecar, "also write the captions of IMAGE.jpg into IMAGE.txt, one a line");
  app.add_flag("--xmp", a.xmp, "also write the best caption into IMAGE.xmp, as its description (dc:description)");
  app.add_flag("--force", a.force, "let --sidecar and --xmp replace files; never an .xmp of another program");
  a.decoding.captions.suppress_unk = true;
  add_decoding_options(app, a.decoding);
}

/// Returns the exit code: 1 when a file could not be captioned.
int run(int argc, char** argv) {
  CLI::App app("Captions photographs.", "caption");
  Arguments a;
  add_options(app, a);
  parse_arguments(app, argc, argv);
  const Device device = use_decoding_options(a.decoding);
  CaptionOptions& options = a.decoding.captions;
  check(!a.force || a.sidecar || a.xmp, "--force is for --sidecar and --xmp");
  check(options.n_best <= options.beam || draws_each(options), "--n-best {} needs --beam {} or more", options.n_best,
        options.n_best);
  if (!a.attention.empty()) check_can_write_folder(a.attention);

  options.attention = !a.attention.empty();
  const ModelWeights weights = a.raw ? ModelWeights::raw : ModelWeights::model;
  Captioner captioner = Captioner::load(a.model, device, weights);
  for (CaptionModel& model : load_ensemble(a.decoding, device, weights)) captioner.add(std::move(model));
  check(!options.attention || captioner.model().config.decoder.attends(), "--attention: {} has no attention", a.model);
  const std::vector<std::string> files = image_files(a.images, "caption");
  const ImageOptions reading = captioner.model().preprocessing.reading(a.images.max_pixels);
  CaptionOutput output(a.json  ? CaptionFormat::json
                       : a.csv ? CaptionFormat::csv
                               : CaptionFormat::text,
                       options.attention);
  Pictures pictures(a.attention, {.orientation = reading.orientation, .max_pixels = reading.max_pixels});
  Files beside(a);
  output.begin();
  std::int64_t failures = 0;
  const auto batch = static_cast<std::size_t>(options.batch);
  for (std::size_t begin = 0; begin < files.size(); begin += batch) {
    const Photographs photographs =
        read_photographs(files, begin, std::min(begin + batch, files.size()), reading, failures);
    const std::vector<std::vector<ImageCaption>> captions = captioner.caption(photographs.images, options);
    for (std::size_t i = 0; i < captions.size(); ++i) {
      const std::string& path = photographs.paths[i];
      output.add(path, captions[i], pictures.draw(path, captions[i].front()));
      beside.write(path, captions[i], failures);
    }
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
