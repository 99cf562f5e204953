#include "glimpse/models/search/beam.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/topk.h"
#include "glimpse/models/search/internal/ensemble_step.h"
#include "glimpse/models/search/internal/hypotheses.h"
#include "glimpse/models/search/internal/length_norm.h"

namespace glimpse {
namespace {

/// An ended hypothesis of an image.
struct Candidate {
  std::int64_t node;
  double score;
};

/// The likeliest continuations of the rows of one step.
struct Continuations {
  std::int64_t k;
  std::vector<double> value;        // (R,k)
  std::vector<std::int32_t> index;  // (R,k)
};

class BeamSearch {
 public:
  BeamSearch(const std::vector<SearchMember>& members, const BeamOptions& options);
  std::vector<std::vector<Caption>> run();

 private:
  /// A part of an image's beam: live hypotheses by falling probability, and the best ended ones by falling score.
  struct Group {
    std::vector<std::int64_t> live;
    std::vector<Candidate> ended;
    bool over = false;
  };
  /// How often groups have written a word at this step.
  using Written = std::map<std::int32_t, int>;

  double score(double log_probability, std::int64_t length) const {
    return normalised(log_probability, length, options_.length_penalty, options_.length_norm);
  }
  double score(std::int64_t node) const;
  Continuations continuations(const Tensor& logits, std::int64_t k, bool may_end);
  std::int64_t choices_needed(const std::vector<std::size_t>& open);
  void advance(Group& group, std::int64_t first_row, const Continuations& next, Written& written);
  bool done(const Group& group) const;
  std::vector<Caption> captions(const std::vector<Group>& groups) const;
  void add_trees(std::vector<std::vector<Caption>>& captions) const;

  const BeamOptions& options_;
  std::size_t width_, wanted_;  // hypotheses and captions of a group
  EnsembleStep step_;
  Hypotheses hypotheses_;
  std::vector<std::vector<Group>> images_;
  std::array<Tensor, 2> banned_;  // words that are never written, where a caption may not end and where it may
  std::map<std::int64_t, std::vector<std::int32_t>> repeating_;  // words that a live hypothesis must not write next
};

BeamSearch::BeamSearch(const std::vector<SearchMember>& members, const BeamOptions& options)
    : options_(options),
      width_(static_cast<std::size_t>(options.beam / options.groups)),
      wanted_(static_cast<std::size_t>((options.n_best + options.groups - 1) / options.groups)),
      step_(members, options.groups, options.hard_context),
      hypotheses_(options.keep_alphas, options.coverage_penalty > 0) {
  for (std::int64_t i = 0; i < members.front().features.size(0); ++i) {
    images_.emplace_back(static_cast<std::size_t>(options.groups));
    for (Group& group : images_.back()) group.live = {hypotheses_.begin()};
  }
}

double BeamSearch::score(std::int64_t node) const {
  const double value = score(hypotheses_[node].log_probability, hypotheses_[node].length);
  return options_.coverage_penalty == 0 ? value : value + options_.coverage_penalty * hypotheses_.coverage(node);
}

Continuations BeamSearch::continuations(const Tensor& logits, std::int64_t k, bool may_end) {
  const std::int64_t rows = logits.size(0), v = logits.size(1);
  k = std::min(k, v);
  Tensor& banned = banned_[may_end];
  if (!banned.defined()) {
    std::vector<std::int32_t> never{pad_word, start_word};
    if (options_.suppress_unk) never.push_back(unk_word);
    if (!may_end) never.push_back(end_word);
    banned = from_vector(never).to(logits.device());
  }
  // Values and, behind them, words: a GPU is waited for once.
  const std::int64_t n = rows * k;
  const Tensor both({3 * n}, DType::i32, logits.device());
  on(logits, [&]<class T>(auto device) {
    kernels::log_softmax_topk<T>(device, {.rows = rows,
                                          .vocabulary = v,
                                          .k = k,
                                          .logits = logits.data<T>(),
                                          .banned = banned.data<std::int32_t>(),
                                          .banned_count = banned.numel(),
                                          .value = static_cast<double*>(both.raw()),
                                          .index = both.data<std::int32_t>() + 2 * n});
  });
  const Tensor found = both.to(Device::cpu);
  const auto* const value = static_cast<const double*>(found.raw());
  const std::int32_t* const index = found.data<std::int32_t>() + 2 * n;
  return {k, {value, value + n}, {index, index + n}};
}

/// How many of the likeliest words of a row are enough: those that are kept, those that would repeat an n-gram, and
/// those that other groups may have written.
std::int64_t BeamSearch::choices_needed(const std::vector<std::size_t>& open) {
  std::size_t most = 0;
  repeating_.clear();
  if (options_.no_repeat_ngram > 0)
    for (const std::size_t i : open)
      for (const Group& group : images_[i])
        for (const std::int64_t node : group.live) {
          std::vector<std::int32_t> words = hypotheses_.repeating(node, options_.no_repeat_ngram);
          most = std::max(most, words.size());
          if (!words.empty()) repeating_[node] = std::move(words);
        }
  const std::size_t of_others = static_cast<std::size_t>(options_.beam) - width_;
  return static_cast<std::int64_t>(width_ + of_others + most);
}

/// Replaces the live hypotheses of a group by their best continuations; those that end become candidates. Where nothing
/// can be written the hypotheses stay, and the group is over.
void BeamSearch::advance(Group& group, std::int64_t first_row, const Continuations& next, Written& written) {
  struct Choice {
    double log_probability, rated;
    std::size_t from;
    std::int32_t word;
  };
  std::vector<Choice> choices;
  const auto k = static_cast<std::size_t>(next.k);
  for (std::size_t from = 0; from < group.live.size(); ++from) {
    const auto repeating = repeating_.empty() ? repeating_.end() : repeating_.find(group.live[from]);
    for (std::size_t rank = 0; rank < k; ++rank) {
      const std::size_t at = (static_cast<std::size_t>(first_row) + from) * k + rank;
      const std::int32_t word = next.index[at];
      if (word < 0) break;
      if (repeating != repeating_.end() &&
          std::find(repeating->second.begin(), repeating->second.end(), word) != repeating->second.end())
        continue;
      const double log_probability = hypotheses_[group.live[from]].log_probability + next.value[at];
      const auto found = written.empty() ? written.end() : written.find(word);
      choices.push_back({log_probability,
                         log_probability - (found == written.end() ? 0 : options_.diversity * found->second), from,
                         word});
    }
  }
  group.over = choices.empty();
  if (group.over) return;
  std::stable_sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) { return a.rated > b.rated; });
  choices.resize(std::min(choices.size(), width_));

  std::vector<std::int64_t> live;
  for (const Choice& choice : choices) {
    const std::int64_t node =
        hypotheses_.add(group.live[choice.from], choice.word, first_row + static_cast<std::int64_t>(choice.from),
                        choice.log_probability);
    if (options_.groups > 1) ++written[choice.word];
    if (choice.word != end_word)
      live.push_back(node);
    else
      group.ended.push_back({node, score(node)});
  }
  group.live = std::move(live);
  std::stable_sort(group.ended.begin(), group.ended.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  if (group.ended.size() > wanted_) group.ended.resize(wanted_);
  group.over = done(group);
}

/// Whether no live hypothesis can still become one of the n best. More words only lower the probability, the most words
/// divide it by the most, and a coverage penalty is never above 0.
bool BeamSearch::done(const Group& group) const {
  if (group.live.empty()) return true;
  if (group.ended.size() < wanted_) return false;
  double best_live = hypotheses_[group.live.front()].log_probability;
  for (const std::int64_t node : group.live) best_live = std::max(best_live, hypotheses_[node].log_probability);
  return score(best_live, options_.max_length) <= group.ended.back().score;
}

/// The best of all groups, then the second best of all, until there are enough; then the best first.
std::vector<Caption> BeamSearch::captions(const std::vector<Group>& groups) const {
  std::vector<Caption> result;
  std::set<std::vector<std::int32_t>> known;
  for (std::size_t rank = 0; rank < wanted_; ++rank)
    for (const Group& group : groups) {
      const std::size_t ended = group.ended.size();
      if (result.size() == static_cast<std::size_t>(options_.n_best) || rank >= ended + group.live.size()) continue;
      const bool finished = rank < ended;
      const std::int64_t node = finished ? group.ended[rank].node : group.live[rank - ended];
      Caption caption = hypotheses_.caption(node, finished, score(node));
      caption.leaf = options_.keep_tree ? node : -1;
      if (groups.size() == 1 || known.insert(caption.words).second) result.push_back(std::move(caption));
    }
  if (groups.size() > 1)
    std::stable_sort(result.begin(), result.end(), [](const Caption& a, const Caption& b) {
      return a.finished != b.finished ? a.finished : a.score > b.score;
    });
  return result;
}

/// Cuts the tree of all hypotheses into those of the images; groups of an image share their beginning.
void BeamSearch::add_trees(std::vector<std::vector<Caption>>& captions) const {
  std::vector<std::shared_ptr<BeamTree>> trees;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    trees.push_back(std::make_shared<BeamTree>());
    trees.back()->nodes.emplace_back();
  }
  std::vector<std::size_t> image;  // of each hypothesis
  std::vector<std::int64_t> place;
  for (std::int64_t id = 0; id < hypotheses_.size(); ++id) {
    const Hypothesis& hypothesis = hypotheses_[id];
    if (hypothesis.parent < 0) {  // an image's are the first, one for each group
      image.push_back(static_cast<std::size_t>(id / options_.groups));
      place.push_back(0);
      continue;
    }
    const auto parent = static_cast<std::size_t>(hypothesis.parent);
    std::vector<BeamTree::Node>& nodes = trees[image[parent]]->nodes;
    image.push_back(image[parent]);
    place.push_back(std::ssize(nodes));
    nodes.push_back({place[parent], hypothesis.word, hypothesis.log_probability, score(id)});
  }
  for (std::size_t i = 0; i < captions.size(); ++i)
    for (Caption& caption : captions[i]) {
      caption.tree = trees[i];
      caption.leaf = place[static_cast<std::size_t>(caption.leaf)];
    }
}

std::vector<std::vector<Caption>> BeamSearch::run() {
  std::vector<std::size_t> open;  // images that go on
  for (std::size_t i = 0; i < images_.size(); ++i) open.push_back(i);
  for (int t = 0; t < options_.max_length && !open.empty(); ++t) {
    BeamGroups groups;
    std::vector<std::int32_t> words;
    for (const std::size_t i : open) {
      groups.image.push_back(static_cast<std::int64_t>(i));
      for (const Group& group : images_[i]) {
        if (group.over) continue;
        for (const std::int64_t node : group.live) words.push_back(hypotheses_[node].word);
      }
      groups.first.push_back(static_cast<std::int64_t>(words.size()));
    }
    const EnsembleStep::Result step = step_(groups, words);
    hypotheses_.attend(step.alpha, step.beta);
    const Continuations next = continuations(step.logits, choices_needed(open), t >= options_.min_length);
    std::vector<std::size_t> still_open;
    std::vector<std::int32_t> rows;  // of the live hypotheses' states
    for (std::size_t g = 0; g < open.size(); ++g) {
      Written written;
      std::int64_t row = groups.first[g];
      bool over = true;
      for (Group& group : images_[open[g]]) {
        if (group.over) continue;
        const std::int64_t first = row;
        row += std::ssize(group.live);
        advance(group, first, next, written);
        if (group.over) continue;
        over = false;
        for (const std::int64_t node : group.live) rows.push_back(static_cast<std::int32_t>(hypotheses_[node].row));
      }
      if (!over) still_open.push_back(open[g]);
    }
    open = std::move(still_open);
    if (!open.empty()) step_.keep(rows);
  }
  std::vector<std::vector<Caption>> result;
  for (const std::vector<Group>& groups : images_) result.push_back(captions(groups));
  if (options_.keep_tree) add_trees(result);
  return result;
}

void check_options(const BeamOptions& options) {
  const auto at_least = [](const char* what, int value, int least) {
    check(value >= least, "beam search: {} is {}, at least {} is needed", what, value, least);
  };
  at_least("beam", options.beam, 1);
  at_least("max_length", options.max_length, 1);
  at_least("n_best", options.n_best, 1);
  at_least("min_length", options.min_length, 0);
  at_least("no_repeat_ngram", options.no_repeat_ngram, 0);
  at_least("groups", options.groups, 1);
  check(options.n_best <= options.beam, "beam search: n_best {} is more than beam {}", options.n_best, options.beam);
  check(options.min_length < options.max_length,
        "beam search: min_length {} and `<end>` are more words than max_length {}", options.min_length,
        options.max_length);
  check(options.beam % options.groups == 0, "beam search: a beam of {} cannot be cut into {} groups", options.beam,
        options.groups);
  for (const auto& [what, value] :
       {std::pair{"length penalty", options.length_penalty}, std::pair{"coverage penalty", options.coverage_penalty},
        std::pair{"diversity", options.diversity}})
    check(value >= 0, "beam search: {} {} is negative", what, value);
}

}  // namespace

std::vector<std::vector<Caption>> beam_search(const std::vector<SearchMember>& members, const BeamOptions& options) {
  check_options(options);
  check_members("beam search", members);
  check(options.coverage_penalty == 0 || members.front().decoder.config.attends(),
        "beam search: a coverage penalty needs attention, and this decoder has none");
  const NoGrad no_grad;
  if (members.front().features.size(0) == 0) return {};
  return BeamSearch(members, options).run();
}

std::vector<std::vector<Caption>> beam_search(const Decoder& decoder, const Tensor& features,
                                              const BeamOptions& options) {
  return beam_search(std::vector<SearchMember>{{decoder, features}}, options);
}

}  // namespace glimpse
