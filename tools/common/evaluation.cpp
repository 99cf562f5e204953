#include "evaluation.h"

#include <fmt/format.h>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* judged_by = "cider";

std::string printed_name(const std::string& system) { return printable(system, 4096); }

/// A number as a score is read, with its sign.
std::string signed_text(const Score& score, double value) {
  return fmt::format("{:+.{}f}", score.scale * value, score.digits);
}

Json ranks_json(const RetrievalRanks& ranks) {
  return {{"r1", ranks.r1}, {"r5", ranks.r5}, {"r10", ranks.r10}, {"median_rank", ranks.median}};
}

/// An id of an image as COCO's files have it: a number where it is one.
Json id_json(const CaptionedImage& image) {
  check(!image.id.empty(), "--coco-results: {} has no id in the caption file", image.filename);
  const bool number = image.id.size() < 19 && image.id.find_first_not_of("0123456789") == std::string::npos;
  return number ? Json(std::stoll(image.id)) : Json(image.id);
}

void print_statistics(const Evaluation& e) {
  const CaptionStatistics& s = e.statistics;
  fmt::print("captions    {:.1f} % distinct{}, {:.1f} words long ({} .. {}), {:.1f} % with a bad ending\n",
             100 * s.distinct, s.novel ? fmt::format(", {:.1f} % novel", 100 * *s.novel) : "", s.mean_length,
             s.shortest, s.longest, 100 * s.bad_endings);
  fmt::print("words       {} in use{}, {:.2f} % of all <unk>\n", s.words,
             e.vocabulary > 0 ? fmt::format(" ({:.1f} % of the vocabulary)",
                                            100 * static_cast<double>(s.words) / static_cast<double>(e.vocabulary))
                              : "",
             100 * s.unknown);
}

}  // namespace

Json decoding_json(const DecodingOptions& options) {
  const CaptionOptions& o = options.captions;
  const CaptionOptions usual;
  Json json = Json::object();
  const auto add = [&](const char* name, const auto& value, bool shown) {
    if (shown) json[name] = value;
  };
  add("beam", o.beam, !draws_each(o));
  add("length_penalty", o.length_penalty, true);
  add("length_norm", name_of(o.length_norm), o.length_norm != usual.length_norm);
  add("min_words", o.min_words, o.min_words != usual.min_words);
  add("no_repeat", o.no_repeat_ngram, o.no_repeat_ngram != usual.no_repeat_ngram);
  add("coverage_penalty", o.coverage_penalty, o.coverage_penalty != usual.coverage_penalty);
  add("groups", o.groups, o.groups != usual.groups);
  add("diversity", o.diversity, o.groups != usual.groups);
  add("choose", name_of(o.choose), o.choose != usual.choose);
  add("temperature", o.temperature, o.sample);
  add("top_k", o.top_k, o.sample);
  add("top_p", o.top_p, o.sample);
  add("seed", o.seed, o.sample);
  add("ensemble", options.ensemble, !options.ensemble.empty());
  return json;
}

void score(Evaluation& e, const std::vector<CaptionWords>& training) {
  e.scores = score_captions(e.captions, references_of(e.images));
  e.statistics = caption_statistics(e.captions, training);
}

void print_evaluation(const Evaluation& e) {
  fmt::print("scores      {}: split {}, {} images{}, refs=tokens of the caption file\n", printed_name(e.system),
             printable(e.split), e.scores.images, e.decoding);
  for (std::size_t k = 0; k < e.scores.all.size(); ++k) {
    const Score& score = e.scores.all[k];
    std::string line = fmt::format("{:<12}{}", score.label, score.text());
    if (!e.intervals.empty())
      line += fmt::format("  [{:.{}f}, {:.{}f}]", score.scale * e.intervals[k].low, score.digits,
                          score.scale * e.intervals[k].high, score.digits);
    if (!score.note.empty()) line += fmt::format("  ({})", score.note);
    fmt::print("{}\n", line);
  }
  if (e.forced)
    fmt::print("predicted   {:.1f} % top-1, {:.1f} % top-5, perplexity {:.2f}, the true words given\n",
               100 * e.forced->top1, 100 * e.forced->top5, e.forced->perplexity());
  print_statistics(e);
}

Json evaluation_json(const Evaluation& e) {
  Json json = {{"images", e.scores.images}, {"split", e.split}, {"system", e.system}};
  json.update(Json::parse(e.scores.json()));
  for (const Score& score : e.scores.all)
    if (!score.note.empty()) json[score.metric + "_note"] = score.note;
  for (std::size_t k = 0; k < e.intervals.size(); ++k)
    json["intervals"][e.scores.all[k].name] = {e.intervals[k].low, e.intervals[k].high};
  if (e.forced) {
    json["loss"] = e.forced->loss;
    json["perplexity"] = e.forced->perplexity();
    json["top1"] = e.forced->top1;
    json["top5"] = e.forced->top5;
  }
  const CaptionStatistics& s = e.statistics;
  json["distinct"] = s.distinct;
  if (s.novel) json["novel"] = *s.novel;
  json["unknown"] = s.unknown;
  json["bad_endings"] = s.bad_endings;
  json["words_in_use"] = s.words;
  if (e.vocabulary > 0) json["vocabulary"] = e.vocabulary;
  json["mean_length"] = s.mean_length;
  json["shortest"] = s.shortest;
  json["longest"] = s.longest;
  json.update(e.extra);
  return json;
}

void print_comparison(const Evaluation& a, const Evaluation& b, const std::vector<ScoreDifference>& differences) {
  fmt::print("compared    A {}, B {}: difference, {:g} % interval, samples that A wins\n", printed_name(a.system),
             printed_name(b.system), 100 * differences.front().level);
  for (const ScoreDifference& d : differences)
    fmt::print("{:<12}{}  [{}, {}]  {:.1f} %\n", d.score.label, signed_text(d.score, d.score.value),
               signed_text(d.score, d.interval.low), signed_text(d.score, d.interval.high), 100 * d.wins);
  fmt::print("verdict     {}\n", verdict(differences, judged_by, "A", "B"));
}

Json comparison_json(const Evaluation& a, const Evaluation& b, const std::vector<ScoreDifference>& differences) {
  Json json = {{"a", evaluation_json(a)}, {"b", evaluation_json(b)}, {"differences", Json::object()}};
  for (const ScoreDifference& d : differences)
    json["differences"][d.score.name] = {
        {"difference", d.score.value}, {"interval", {d.interval.low, d.interval.high}}, {"a_wins", d.wins}};
  json["level"] = differences.front().level;
  json["verdict"] = verdict(differences, judged_by, "A", "B");
  return json;
}

void print_retrieval(const RetrievalScores& s) {
  fmt::print("retrieval   {} images, {} captions, by log p(caption | image)\n", s.images, s.captions);
  const auto line = [](const char* what, const RetrievalRanks& ranks) {
    fmt::print("  {:<10}R@1 {:.1f} %, R@5 {:.1f} %, R@10 {:.1f} %, median rank {:g}\n", what, 100 * ranks.r1,
               100 * ranks.r5, 100 * ranks.r10, ranks.median);
  };
  line("captions", s.find_captions);
  line("images", s.find_images);
}

Json retrieval_json(const RetrievalScores& s) {
  return {{"images", s.images},
          {"captions", s.captions},
          {"find_captions", ranks_json(s.find_captions)},
          {"find_images", ranks_json(s.find_images)}};
}

Json captions_json(const Evaluation& e, bool coco_results) {
  Json out = Json::array();
  for (std::size_t i = 0; i < e.images.size(); ++i) {
    const std::string caption = join_words(e.captions[i], e.rule);
    if (coco_results) {
      out.push_back({{"image_id", id_json(*e.images[i])}, {"caption", caption}});
      continue;
    }
    Json references = Json::array();
    for (const CaptionWords& words : e.images[i]->captions) references.push_back(join_words(words, e.rule));
    out.push_back({{"filename", e.images[i]->filename}, {"caption", caption}, {"references", references}});
  }
  return out;
}

}  // namespace glimpse::tools
