// Two runs side by side, as one page.

#include <fmt/format.h>

#include <filesystem>

#include "common/decoding.h"
#include "common/program.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/training/run_comparison.h"
#include "glimpse/models/training/training_run.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;
namespace fs = std::filesystem;

struct Arguments {
  std::string a, b, out = "report.html", images;
};

/// Photographs of --images, or where the run found them; scenes are drawn. What cannot be read is counted.
PhotographFunction photographs_of(const Config& config, const std::string& images, std::size_t& missing) {
  if (images.empty() && config.uses_scenes())
    return [scenes = std::make_shared<Dataset>(open_dataset(config))](const CaptionedImage& image) {
      return scenes->image(image);
    };
  const std::string folder = images.empty() ? config.data.images : images;
  return [folder, &missing](const CaptionedImage& image) {
    try {
      return read_image(image_path(folder, image));
    } catch (const Error&) {
      ++missing;
      return Image{};
    }
  };
}

void run(int argc, char** argv) {
  CLI::App app(
      "Shows two runs of train_flickr on one page: curves, scores with their differences, captions of the same images.",
      "report");
  Arguments a;
  app.add_option("A", a.a, "folder of a run")->required();
  app.add_option("B", a.b, "folder of another one")->required();
  app.add_option("--out", a.out, "the page")->capture_default_str();
  app.add_option("--images", a.images, "folder of photographs, where they are not where run A found them");
  parse_arguments(app, argc, argv);
  for (const std::string& folder : {a.a, a.b}) check(is_run(folder), "{}: holds no run of train_flickr", folder);
  check(a.images.empty() || fs::is_directory(a.images), "--images {}: is no folder", a.images);
  check_can_write(a.out);
  std::size_t missing = 0;
  const Report report =
      compare_runs(RunFiles(a.a), RunFiles(a.b), photographs_of(recorded_config(a.a), a.images, missing));
  write_report(a.out, report);
  if (!report.scores_note.empty()) fmt::print("scores      {}\n", report.scores_note);
  if (missing > 0)
    fmt::print("images      {} photographs cannot be read and are not shown: --images FOLDER\n", missing);
  fmt::print("report      {}\n", printable(a.out, 4096));
}

}  // namespace

int main(int argc, char** argv) {
  return glimpse::tools::run_program("report", [&] { run(argc, argv); });
}
