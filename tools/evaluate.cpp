// Scores a captioner, or captions that any other system has written, on a split of a data set; or two of them beside
// each other.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "common/decoding.h"
#include "common/evaluation.h"
#include "common/evaluation_report.h"
#include "common/interrupt.h"
#include "common/program.h"
#include "common/progress.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/training/report_card.h"
#include "glimpse/models/training/training_run.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;
using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model, images, captions, splits, split, features, out, json, compare, against, attention, report;
  int pictures = 12, intervals = 0;
  std::int64_t retrieval = 0;
  bool skip_bad = false, coco_results = false, raw = false;
  DecodingOptions decoding;

  ModelWeights weights() const { return raw ? ModelWeights::raw : ModelWeights::model; }
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
  app.add_option("--report", a.report,
                 "write a page here: scores, and the best, worst and some random captions, word by word over their "
                 "photographs");
  app.add_option("--compare", a.compare,
                 "score the captions of this JSON file, [{\"filename\" or \"image_id\", \"caption\"}, ...]; "
                 "with --against also a model")
      ->excludes("--model");
  app.add_option("--against", a.against,
                 "a second model or file of captions: the differences to it, how sure they are (paired bootstrap), and "
                 "which is better");
  app.add_option("--intervals", a.intervals,
                 "95 % intervals of the scores, from so many samples of the images (bootstrap)")
      ->expected(0, 1)
      ->default_str("1000")
      ->check(CLI::Range(2, 1000000));
  app.add_option("--retrieval", a.retrieval,
                 "also rank captions for images and images for captions by likelihood, with so many images; takes the "
                 "square of their number")
      ->expected(0, 1)
      ->default_str("100")
      ->check(CLI::Range(2, 1000000));
  app.add_option("--attention", a.attention, "folder for pictures of where the model looks at each word");
  app.add_option("--pictures", a.pictures, "images drawn with --attention")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  add_decoding_options(app, a.decoding);
}

/// A model, or the file of another system's captions.
struct System {
  std::string path;
  std::optional<CaptionModel> model;
};

/// Whether a file is a safetensors file: a length of the header that it can hold, and the header's brace.
bool is_model(const std::string& path) {
  const MappedFile file(path);
  if (file.size() < 10) return false;
  std::uint64_t header = 0;
  for (int i = 7; i >= 0; --i) header = header << 8 | std::to_integer<std::uint64_t>(file.data()[i]);
  return header <= file.size() - 8 && file.bytes()[8] == '{';
}

System open_system(const std::string& path, bool must_be_model, ModelWeights which, Device device) {
  System system{path, std::nullopt};
  if (!must_be_model && !is_model(path)) return system;
  system.model = load_model(path, which);
  move_to(*system.model, device);
  return system;
}

/// The images to be captioned, with what people wrote about them.
struct Data {
  std::optional<Dataset> dataset;  ///< what models need
  CaptionSet set;                  ///< without models
  std::string split;
  ImageList images;
  std::vector<CaptionWords> training;
  WordRule rule = WordRule::unicode;
  std::int64_t skipped = -1;
};

/// What the model saw in training, or what the options name; raw captions become words as those of its vocabulary did.
Config data_config(const Arguments& a, const System& system) {
  const Config& trained = system.model->config;
  Config config = trained;
  config.data.words = name_of(system.model->vocabulary.rule());
  config.data.images = a.images;
  config.data.captions = a.captions;
  config.data.splits = a.splits;
  check(!a.images.empty() || trained.uses_scenes(), "{}: trained on photographs: --images and --captions name them",
        system.path);
  return config;
}

std::vector<CaptionWords> captions_of(const ImageList& images) {
  std::vector<CaptionWords> captions;
  for (const CaptionedImage* image : images)
    captions.insert(captions.end(), image->captions.begin(), image->captions.end());
  return captions;
}

/// Opens the data of the first model, or of the caption file where there is none.
void open_data(const Arguments& a, const std::vector<System>& systems, Data& data) {
  const auto first = std::find_if(systems.begin(), systems.end(), [](const System& s) { return s.model.has_value(); });
  if (first == systems.end()) {
    check(!a.captions.empty(), "--compare needs --captions FILE with the references");
    data.set = read_captions(a.captions, a.splits);
    data.split = a.split.empty() ? "val" : a.split;
    data.images = data.set.split(data.split);
    check(!data.images.empty(), "{}: no image of split '{}'", a.captions, data.split);
    data.training = captions_of(data.set.split("train"));
    data.rule = data.set.rule;
    return;
  }
  data.dataset.emplace(open_dataset(data_config(a, *first)));
  data.rule = first->model->vocabulary.rule();
  for (const System& system : systems)
    check(!system.model || system.model->vocabulary.rule() == data.rule,
          "{} cuts captions into words by the rule '{}', {} by '{}': their scores do not compare", first->path,
          name_of(data.rule), system.path, name_of(system.model->vocabulary.rule()));
  data.split = !a.split.empty() ? a.split : data.dataset->scenes() ? "test" : "val";
  data.dataset->require_split(data.split);
  data.training = captions_of(data.dataset->split("train"));
  if (a.skip_bad) {
    data.dataset->keep_splits({data.split});
    const DatasetReport checked = data.dataset->check_images(true);
    for (const std::string& bad : checked.bad) fmt::print("skipped     {}\n", bad);
    data.skipped = std::ssize(checked.bad);
  }
  data.images = data.dataset->require_split(data.split);
}

/// Pictures of images spread over the split.
void draw(const Arguments& a, const Data& data, const DecodedSplit& decoded) {
  const std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(a.pictures), data.images.size());
  PictureNames names;
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = k * data.images.size() / count;
    const CaptionedImage& image = *data.images[i];
    write_attention_pictures(a.attention, names(image.filename), data.dataset->image(image),
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

/// Captions by a model, and what goes with them.
class ModelRun {
 public:
  ModelRun(const Arguments& a, const Data& data, const System& system)
      : a_(a),
        data_(data),
        path_(system.path),
        model_(*system.model),
        others_(load_ensemble(a.decoding, model_.device(), a.weights())),
        observer_(progress_) {
    check(model_.config.decoder.attends() || a.attention.empty(), "--attention: {} has no attention", system.path);
    if (a.features.empty()) {
      features_ = encoded_features(model_, *data.dataset);
    } else {
      const std::string weights = model_.encoder_source.empty() ? hash_file(path_) : model_.encoder_source;
      cache_.emplace(open_features(model_, *data.dataset, data.images, weights, a.features, observer_));
      features_ = cached_features(model_, *cache_);
    }
    members_.push_back({model_, features_});
    for (const CaptionModel& other : others_) {
      check_ensemble(model_, other);
      const auto alike = std::find_if(members_.begin(), members_.end(),
                                      [&](const EnsembleMember& member) { return see_alike(member.model, other); });
      members_.push_back({other, alike != members_.end()
                                     ? alike->features
                                     : other_features_.emplace_back(encoded_features(other, *data.dataset))});
    }
  }

  Evaluation captions() {
    const bool attends = model_.config.decoder.attends(), scenes = data_.dataset->scenes().has_value();
    CaptionOptions options = a_.decoding.captions;
    options.attention = attends && (scenes || !a_.attention.empty() || !a_.report.empty());
    options.tree = !a_.report.empty();
    Evaluation e;
    e.decoded = decode(options, others_.empty() ? &e.forced.emplace() : nullptr);
    const DecodedSplit& decoded = e.decoded;
    e.captions = best_captions(decoded);
    e.beta_is = meaning_of_beta(model_.config.decoder);
    e.vocabulary = model_.vocabulary.size() - end_word - 1;
    describe(e, decoded);
    if (scenes && attends) {
      const AttentionStatistic s = attention_statistic(*data_.dataset->scenes(), data_.images, decoded);
      print_attention(s);
      e.extra["attention"] = {{"nouns", s.nouns}, {"inside", s.inside}, {"area", s.area}, {"ratio", s.ratio()}};
    }
    if (!a_.attention.empty()) draw(a_, data_, decoded);
    if (model_.config.decoder.is_hard()) {
      options.hard_context = HardContext::argmax;
      options.attention = options.tree = false;
      const Scores scores = score_captions(best_captions(decode(options, nullptr)), references_of(data_.images));
      print_argmax(scores);
      e.extra["argmax"] = Json::parse(scores.json());
    }
    return e;
  }

  RetrievalScores retrieval() {
    const ImageList images = evenly_spaced(data_.images, a_.retrieval);
    const std::int64_t pairs = std::ssize(images) * std::ssize(captions_of(images));
    return retrieve(model_, images, features_, watch("retrieval: pairs", pairs));
  }

 private:
  DecodedSplit decode(const CaptionOptions& options, ForcedScores* forced) {
    return decode_split(members_, data_.images, options, watch("captioning", std::ssize(data_.images)), forced);
  }

  Watch watch(const char* what, std::int64_t all) {
    return [this, what, all](std::int64_t done) {
      observer_.progress([&] { return fmt::format("{} {}/{}", what, done, all); });
      return !observer_.stop();
    };
  }

  /// How the captions were made, and how fast.
  void describe(Evaluation& e, const DecodedSplit& decoded) const {
    const auto count = static_cast<double>(data_.images.size());
    e.extra = decoding_json(a_.decoding);
    for (const auto& [name, value] : e.extra.items())
      if (name != "ensemble")
        e.decoding += fmt::format(", {} {}", name, value.is_string() ? value.get<std::string>() : value.dump());
    if (!others_.empty()) e.decoding += fmt::format(", ensemble of {}", others_.size() + 1);
    std::replace(e.decoding.begin(), e.decoding.end(), '_', ' ');
    e.extra["captions_per_s"] = count / decoded.seconds;
    e.extra["captions_per_s_with_features"] = count / decoded.total_seconds;
    e.extra["unfinished"] =
        std::count_if(decoded.captions.begin(), decoded.captions.end(),
                      [](const std::vector<ImageCaption>& captions) { return !captions.front().finished; });
    fmt::print("speed       {:.1f} captions/s; {:.1f} with {}\n", count / decoded.seconds,
               count / decoded.total_seconds,
               a_.features.empty() ? "reading and encoding the images" : "reading the features");
  }

  const Arguments& a_;
  const Data& data_;
  const std::string& path_;
  const CaptionModel& model_;
  const std::vector<CaptionModel> others_;  // of an ensemble
  const Interrupt interrupt_;
  Progress progress_;
  TerminalObserver observer_;
  std::optional<FeatureCache> cache_;
  FeatureFunction features_;
  std::deque<FeatureFunction> other_features_;  // of members that see images otherwise than those before; stay in place
  std::vector<EnsembleMember> members_;         // whose models and features lie above
};

/// Captions the split with the system, or reads what it has written, and scores that.
Evaluation evaluate(const Arguments& a, const Data& data, const System& system) {
  Evaluation e;
  if (system.model) {
    ModelRun run(a, data, system);
    e = run.captions();
    if (a.retrieval > 0) {
      const RetrievalScores scores = run.retrieval();
      print_retrieval(scores);
      e.extra["retrieval"] = retrieval_json(scores);
    }
  } else {
    e.captions = read_compared_captions(system.path, data.images, data.rule);
  }
  e.system = system.path;
  e.split = data.split;
  e.images = data.images;
  e.rule = data.rule;
  if (data.skipped >= 0) e.extra["skipped"] = data.skipped;
  score(e, data.training);
  if (a.intervals > 0) e.intervals = bootstrap_intervals(e.scores, {.samples = a.intervals});
  print_evaluation(e);
  return e;
}

void write_json(const std::string& path, const Json& json) {
  if (!path.empty()) write_file_atomically(path, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// The page, with photographs where there are any: of captions that were compared, those of --images.
void write_page(const Arguments& a, Data& data, const Evaluation& evaluation) {
  if (!data.dataset && !a.images.empty()) data.dataset.emplace(a.images, a.captions, a.splits);
  write_report(a.report, evaluation_report(evaluation, data.dataset ? &*data.dataset : nullptr));
  fmt::print("report      {}\n", a.report);
}

/// What must be right before the work begins.
void check_arguments(const Arguments& a) {
  check(!a.model.empty() || !a.compare.empty(), "--model FILE (or --compare CAPTIONS.json) says what to score");
  check(!a.coco_results || !a.out.empty(), "--coco-results needs --out FILE");
  const bool two = !a.against.empty();
  check(!two || (a.out.empty() && a.attention.empty() && a.report.empty() && a.retrieval == 0),
        "--against: --out, --attention, --report and --retrieval are for one system");
  check(a.decoding.ensemble.empty() || (!two && a.compare.empty() && a.retrieval == 0),
        "--ensemble goes with --model alone, without --compare, --against and --retrieval");
  for (const std::string& path : {a.out, a.json, a.report})
    if (!path.empty()) check_can_write(path);
  if (!a.attention.empty()) check_can_write_folder(a.attention);
}

void check_systems(const Arguments& a, const std::vector<System>& systems) {
  check(a.retrieval == 0 || systems[0].model, "--retrieval: needs a model");
  if (systems.size() == 1)
    check(a.compare.empty() || !systems[0].model, "--compare {}: a model; --model scores it", systems[0].path);
  else if (systems[0].model && systems[1].model && !a.features.empty())
    check(!systems[0].model->encoder_source.empty() &&
              systems[0].model->encoder_source == systems[1].model->encoder_source,
          "--features: the two models see images by encoders of their own");
}

void run(int argc, char** argv) {
  CLI::App app("Scores captions: BLEU-1..4, ROUGE-L and CIDEr-D as coco-caption computes them, METEOR as nltk does.",
               "evaluate");
  Arguments a;
  a.decoding.captions.beam = 5;
  add_options(app, a);
  parse_arguments(app, argc, argv);
  const Device device = use_decoding_options(a.decoding);
  check_arguments(a);
  const bool of_model = !a.model.empty();
  std::vector<System> systems;
  systems.push_back(open_system(of_model ? a.model : a.compare, of_model, a.weights(), device));
  if (!a.against.empty()) systems.push_back(open_system(a.against, false, a.weights(), device));
  check_systems(a, systems);
  Data data;
  open_data(a, systems, data);
  std::vector<Evaluation> results;
  for (const System& system : systems) results.push_back(evaluate(a, data, system));
  if (results.size() == 1) {
    if (!a.out.empty()) write_json(a.out, captions_json(results[0], a.coco_results));
    write_json(a.json, evaluation_json(results[0]));
    if (!a.report.empty()) write_page(a, data, results[0]);
    return;
  }
  const BootstrapOptions options{.samples = a.intervals > 0 ? a.intervals : BootstrapOptions{}.samples};
  const std::vector<ScoreDifference> differences = compare_scores(results[0].scores, results[1].scores, options);
  print_comparison(results[0], results[1], differences);
  write_json(a.json, comparison_json(results[0], results[1], differences));
}

}  // namespace

int main(int argc, char** argv) {
  return glimpse::tools::run_program("evaluate", [&] { run(argc, argv); });
}
