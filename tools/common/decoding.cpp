#include "decoding.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "glimpse/kernels/base/check.h"

namespace glimpse::tools {
namespace fs = std::filesystem;

namespace {

/// An option whose value is one of the names of an enum.
template <NamedEnum E>
void add_choice(CLI::App& app, const std::string& name, E& value, const std::string& about) {
  app.add_option_function<std::string>(
         name, [&value](const std::string& text) { value = *choice_named<E>(text); }, about)
      ->check(CLI::IsMember(choice_names<E>()))
      ->default_str(name_of(value));
}

/// What beam search may write, and how it ranks that.
void add_search_options(CLI::App& app, CaptionOptions& o) {
  app.add_option("--beam", o.beam, "hypotheses kept at each word; 1: greedy")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--max-words", o.max_words, "longest caption")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--min-words", o.min_words, "shortest caption")->check(CLI::Range(0, 1000))->capture_default_str();
  app.add_option("--length-penalty", o.length_penalty, "score = log p / words^X; 0: log p")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  add_choice(app, "--length-norm", o.length_norm, "words, or gnmt: log p / ((5 + words) / 6)^X");
  app.add_option("--coverage-penalty", o.coverage_penalty,
                 "X in score + X sum log min(attention to a place, 1): prefers captions that look at the whole image")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--no-repeat", o.no_repeat_ngram, "no N words stand twice in a caption in the same order; 0: they may")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--groups", o.groups, "diverse beam search: the beam is cut into so many groups,")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--diversity", o.diversity, "which pay so much for a word that one before them writes")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  add_choice(
      app, "--choose", o.choose,
      "of the beam's captions that of the best score, or that which agrees most with the others by cider or bleu "
      "(minimum Bayes risk)");
  app.add_flag("--suppress-unk,!--allow-unk", o.suppress_unk,
               "never write <unk>, the word for all that is unknown; --allow-unk: do")
      ->default_str(o.suppress_unk ? "on" : "off");
}

void add_sample_options(CLI::App& app, CaptionOptions& o) {
  CLI::Option* sample = app.add_flag("--sample", o.sample, "draw captions at random instead of searching for the best");
  app.add_option("--temperature", o.temperature, "of --sample: below 1 likelier words, above 1 more different ones")
      ->check(CLI::Range(0.001, 1000.0))
      ->capture_default_str()
      ->needs(sample);
  app.add_option("--top-k", o.top_k, "of --sample: from so many of the likeliest words; 0: from all")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str()
      ->needs(sample);
  app.add_option("--top-p", o.top_p, "of --sample: from the likeliest words that hold so much of the probability")
      ->check(CLI::Range(0.001, 1.0))
      ->capture_default_str()
      ->needs(sample);
  app.add_option("--seed", o.seed, "of --sample: the same seed draws the same captions")
      ->capture_default_str()
      ->needs(sample);
}

}  // namespace

void add_decoding_options(CLI::App& app, DecodingOptions& options) {
  add_search_options(app, options.captions);
  add_sample_options(app, options.captions);
  app.add_option("--ensemble", options.ensemble,
                 "a further model, whose probabilities are averaged with the first's; may be given again")
      ->allow_extra_args(false);
  app.add_option("--batch", options.captions.batch, "images at a time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: one a core")->check(CLI::Range(0, 1024))->capture_default_str();
  add_device_options(app, options.device);
}

Device use_decoding_options(const DecodingOptions& options) {
  const CaptionOptions& o = options.captions;
  check(o.beam % o.groups == 0, "--beam {} cannot be cut into --groups {}", o.beam, o.groups);
  check(o.min_words <= o.max_words, "--min-words {} are more than --max-words {}", o.min_words, o.max_words);
  check(!o.sample || (o.groups == 1 && o.coverage_penalty == 0),
        "--sample goes without --groups and --coverage-penalty");
  const Device device = use_device(options.device);
  use_threads(options.threads);
  return device;
}

std::vector<CaptionModel> load_ensemble(const DecodingOptions& options, Device device, ModelWeights which) {
  std::vector<CaptionModel> models;
  for (const std::string& path : options.ensemble) {
    models.push_back(load_model(path, which));
    move_to(models.back(), device);
  }
  return models;
}

std::string PictureNames::operator()(const std::string& path) {
  constexpr std::size_t longest = 160;  // bytes: a word of the caption is added, and names end at 255
  std::string joined;
  const fs::path plain = fs::path(path).replace_extension();
  for (const fs::path& part : plain)
    if (part != "/" && part != "." && part != ".." && !part.empty())
      joined += (joined.empty() ? "" : "_") + part.string();
  if (joined.size() > longest) {
    std::size_t begin = joined.size() - longest;
    while (begin < joined.size() && (static_cast<unsigned char>(joined[begin]) & 0xc0u) == 0x80u) ++begin;  // UTF-8
    joined.erase(0, begin);
  }
  if (joined.empty()) joined = "image";
  std::string name = joined;
  for (int n = 2; !taken_.insert(name).second; ++n) name = fmt::format("{}-{}", joined, n);
  return name;
}

void check_can_write(const std::string& path) {
  const fs::path parent = fs::absolute(path).parent_path();
  check(fs::is_directory(parent), "{}: there is no folder {}", path, parent.string());
  check(!fs::is_directory(path), "{}: is a folder", path);
  check(::access(parent.c_str(), W_OK | X_OK) == 0, "{}: cannot write there: {}", path, std::strerror(errno));
}

void check_can_write_folder(const std::string& path) {
  fs::path there = fs::absolute(path).lexically_normal();
  while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
  check(fs::is_directory(there), "{}: {} is no folder", path, there.string());
  check(::access(there.c_str(), W_OK | X_OK) == 0, "{}: cannot write there: {}", path, std::strerror(errno));
}

}  // namespace glimpse::tools
