// Scores a captioner, or captions that any other system has written, on a split of a data set.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/decoding.h"
#include "common/interrupt.h"
#include "common/program.h"
#include "common/progress.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/training/training_run.h"
#include "glimpse/models/training/validation.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;
using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model, images, captions, splits, split, features, out, json, compare, attention;
  int pictures = 12;
  bool skip_bad = false, coco_results = false, raw = false;
  DecodingOptions decoding;
};

/// What is printed and written at the end.
struct Result {
  std::string split, system;
  CaptionSet set;  ///< what `images` point into, unless a caller's Dataset holds it
  ImageList images;
  std::vector<CaptionWords> captions;
  WordRule rule = WordRule::unicode;  ///< of captions and references
  Scores scores;
  Json extra = Json::object();  ///< goes into --json as it is
};

void add_options(CLI::App& app, Arguments& a) {
  app.add_option("--model", a.model, "a run's best.safetensors");
  app.add_flag("--raw", a.raw, "the weights of the last step, where those of the model are averages (training.ema)");
  app.add_option("--images", a.images, "folder of photographs; without it: the scenes that the model was trained on");
  app.add_option("--captions", a.captions,
                 "Karpathy JSON, COCO JSON, a table (captions.txt, results.csv) or Flickr8k.token.txt");
  app.add_option("--splits", a.splits, "folder with split lists, for caption files without splits");
  app.add_option("--split", a.split, "train, val or test (default: val; of scenes: test)");
  app.add_flag("--skip-bad", a.skip_bad, "leave out images that cannot be read, and list them");
  app.add_option("--features", a.features, "feature cache to use or make, for encoders that were frozen");
  app.add_option("--out", a.out, "write [{\"filename\", \"caption\", \"references\"}, ...] here");
  app.add_flag("--coco-results", a.coco_results, "--out in COCO's form, [{\"image_id\", \"caption\"}, ...]");
  app.add_option("--json", a.json, "write the scores here");
  app.add_option("--compare", a.compare,
                 "score the captions of this JSON file, [{\"filename\" or \"image_id\", \"caption\"}, ...]")
      ->excludes("--model");
  app.add_option("--attention", a.attention, "folder for pictures of where the model looks at each word");
  app.add_option("--pictures", a.pictures, "images drawn with --attention")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  add_decoding_options(app, a.decoding);
}

Result compare(const Arguments& a) {
  check(!a.captions.empty(), "--compare needs --captions FILE with the references");
  Result result;
  result.split = a.split.empty() ? "val" : a.split;
  result.system = a.compare;
  result.set = read_captions(a.captions, a.splits);
  result.images = result.set.split(result.split);
  check(!result.images.empty(), "{}: no image of split '{}'", a.captions, result.split);
  result.rule = result.set.rule;
  result.captions = read_compared_captions(a.compare, result.images, result.set.rule);
  return result;
}

/// What the model saw in training, or what the options name; raw captions become words as those of its vocabulary did.
Config data_config(const Arguments& a, const CaptionModel& model) {
  const Config& trained = model.config;
  Config config = trained;
  config.data.words = name_of(model.vocabulary.rule());
  config.data.images = a.images;
  config.data.captions = a.captions;
  config.data.splits = a.splits;
  check(!a.images.empty() || trained.uses_scenes(), "{}: trained on photographs: --images and --captions name them",
        a.model);
  return config;
}

/// Pictures of images spread over the split.
void draw(const Arguments& a, const Dataset& dataset, const Result& result, const DecodedSplit& decoded) {
  const std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(a.pictures), result.images.size());
  PictureNames names;
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = k * result.images.size() / count;
    const CaptionedImage& image = *result.images[i];
    write_attention_pictures(a.attention, names(image.filename), dataset.image(image),
                             attention_maps(decoded.captions[i].front()));
  }
  fmt::print("attention   {} pictures in {}\n", count, a.attention);
}

void print_attention(const AttentionStatistic& s) {
  fmt::print(
      "attention   {:.1f} % of it lies inside the named shape when its noun is written; the shape covers {:.1f} % of "
      "the picture: {:.1f} times chance ({} nouns)\n",
      100 * s.inside, 100 * s.area, s.ratio(), s.nouns);
}

/// Hard attention can read the likeliest location too; scores of that, beside those of the expected context.
void print_argmax(const Scores& scores) {
  std::string values;
  for (const Score& score : scores.all)
    if (score.of_metric) values += fmt::format("{} {}  ", score.label, score.text());
  fmt::print("argmax      {}where each word reads its likeliest location; what follows is of the expected one\n",
             values);
}

/// Captions `images` with the model, from --features where they are given.
DecodedSplit decode(const Arguments& a, const Dataset& dataset, const CaptionModel& model, const ImageList& images,
                    HardContext hard_context = HardContext::expected) {
  const Interrupt interrupt;
  Progress progress;
  TerminalObserver observer(progress);
  std::optional<FeatureCache> cache;
  if (!a.features.empty()) {
    const std::string weights = model.encoder_source.empty() ? hash_file(a.model) : model.encoder_source;
    cache.emplace(open_features(model, dataset, images, weights, a.features, observer));
  }
  const auto watch = [&](std::int64_t done) {
    observer.progress([&] { return fmt::format("captioning {}/{}", done, images.size()); });
    return !observer.stop();
  };
  CaptionOptions options = a.decoding.captions;
  options.attention = model.config.decoder.attends() && (dataset.scenes() || !a.attention.empty());
  options.hard_context = hard_context;
  return decode_split(model, images, cache ? cached_features(model, *cache) : encoded_features(model, dataset), options,
                      watch);
}

/// Captions the split with the model.
Result evaluate(const Arguments& a, Dataset& dataset, const CaptionModel& model) {
  Result result;
  result.split = !a.split.empty() ? a.split : dataset.scenes() ? "test" : "val";
  result.system = a.model;
  dataset.require_split(result.split);
  if (a.skip_bad) {
    dataset.keep_splits({result.split});
    const DatasetReport checked = dataset.check_images(true);
    for (const std::string& bad : checked.bad) fmt::print("skipped     {}\n", bad);
    result.extra["skipped"] = checked.bad.size();
  }
  result.images = dataset.require_split(result.split);
  const bool attends = model.config.decoder.attends();
  check(attends || a.attention.empty(), "--attention: {} has no attention", a.model);
  const DecodedSplit decoded = decode(a, dataset, model, result.images);
  result.captions = best_captions(decoded);
  result.rule = model.vocabulary.rule();

  const auto count = static_cast<double>(result.images.size());
  std::int64_t unfinished = 0;
  for (const std::vector<ImageCaption>& captions : decoded.captions) unfinished += !captions.front().finished;
  result.extra["beam"] = a.decoding.captions.beam;
  result.extra["length_penalty"] = a.decoding.captions.length_penalty;
  result.extra["captions_per_s"] = count / decoded.seconds;
  result.extra["captions_per_s_with_features"] = count / decoded.total_seconds;
  result.extra["unfinished"] = unfinished;
  fmt::print("speed       {:.1f} captions/s; {:.1f} with {}\n", count / decoded.seconds, count / decoded.total_seconds,
             a.features.empty() ? "reading and encoding the images" : "reading the features");
  if (dataset.scenes() && attends) {
    const AttentionStatistic s = attention_statistic(*dataset.scenes(), result.images, decoded);
    print_attention(s);
    result.extra["attention"] = {{"nouns", s.nouns}, {"inside", s.inside}, {"area", s.area}, {"ratio", s.ratio()}};
  }
  if (!a.attention.empty()) draw(a, dataset, result, decoded);
  if (model.config.decoder.is_hard()) {
    const DecodedSplit argmax = decode(a, dataset, model, result.images, HardContext::argmax);
    const Scores scores = score_captions(best_captions(argmax), references_of(result.images));
    print_argmax(scores);
    result.extra["argmax"] = Json::parse(scores.json());
  }
  return result;
}

/// An id of an image as COCO's files have it: a number where it is one.
Json id_json(const CaptionedImage& image) {
  check(!image.id.empty(), "--coco-results: {} has no id in the caption file", image.filename);
  const bool number = image.id.size() < 19 && image.id.find_first_not_of("0123456789") == std::string::npos;
  return number ? Json(std::stoll(image.id)) : Json(image.id);
}

void write_captions(const Arguments& a, const Result& r) {
  Json out = Json::array();
  for (std::size_t i = 0; i < r.images.size(); ++i) {
    const std::string caption = join_words(r.captions[i], r.rule);
    if (a.coco_results) {
      out.push_back({{"image_id", id_json(*r.images[i])}, {"caption", caption}});
      continue;
    }
    Json references = Json::array();
    for (const CaptionWords& words : r.images[i]->captions) references.push_back(join_words(words, r.rule));
    out.push_back({{"filename", r.images[i]->filename}, {"caption", caption}, {"references", references}});
  }
  write_file_atomically(a.out, out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void write_results(const Arguments& a, const Result& r, const CaptionStatistics& statistics) {
  if (!a.out.empty()) write_captions(a, r);
  if (!a.json.empty()) {
    Json json = {{"images", r.scores.images}, {"split", r.split}, {"system", r.system}};
    json.update(Json::parse(r.scores.json()));
    json["distinct"] = statistics.distinct;
    json["unknown"] = statistics.unknown;
    json["mean_length"] = statistics.mean_length;
    json.update(r.extra);
    write_file_atomically(a.json, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
}

void report(const Arguments& a, Result& r) {
  r.scores = score_captions(r.captions, references_of(r.images));
  const CaptionStatistics statistics = caption_statistics(r.captions);
  fmt::print("scores      {}: split {}, {} images{}, refs=tokens of the caption file\n", printable(r.system, 4096),
             printable(r.split), r.scores.images,
             r.extra.contains("beam") ? fmt::format(", beam {}, length penalty {}", r.extra["beam"].get<int>(),
                                                    r.extra["length_penalty"].get<double>())
                                      : "");
  for (const Score& score : r.scores.all) fmt::print("{:<12}{}\n", score.label, score.text());
  fmt::print("captions    {:.1f} % distinct, {:.1f} words long, {:.2f} % of the words <unk>\n",
             100 * statistics.distinct, statistics.mean_length, 100 * statistics.unknown);
  write_results(a, r, statistics);
}

void run(int argc, char** argv) {
  CLI::App app("Scores captions: BLEU-1..4, ROUGE-L and CIDEr-D as coco-caption computes them.", "evaluate");
  Arguments a;
  a.decoding.captions.beam = 5;
  add_options(app, a);
  parse_arguments(app, argc, argv);
  check(!a.model.empty() || !a.compare.empty(), "--model FILE (or --compare CAPTIONS.json) says what to score");
  const Device device = use_decoding_options(a.decoding);
  check(!a.coco_results || !a.out.empty(), "--coco-results needs --out FILE");
  for (const std::string& path : {a.out, a.json})
    if (!path.empty()) check_can_write(path);
  if (!a.attention.empty()) check_can_write_folder(a.attention);
  if (!a.compare.empty()) {
    Result result = compare(a);
    report(a, result);
    return;
  }
  CaptionModel model = load_model(a.model, a.raw ? ModelWeights::raw : ModelWeights::model);
  move_to(model, device);
  Dataset dataset = open_dataset(data_config(a, model));
  Result result = evaluate(a, dataset, model);
  report(a, result);
}

}  // namespace

int main(int argc, char** argv) {
  return glimpse::tools::run_program("evaluate", [&] { run(argc, argv); });
}
