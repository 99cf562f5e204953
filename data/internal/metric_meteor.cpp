#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "glimpse/data/internal/metric.h"
#include "glimpse/data/internal/porter_stemmer.h"
#include "glimpse/data/internal/unicode.h"
#include "glimpse/data/internal/wordnet.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

/// Words under comparison, each with a number of its own.
class Forms {
 public:
  std::int32_t number(const std::u32string& form) {
    const auto [found, is_new] = numbers_.try_emplace(form, static_cast<std::int32_t>(forms_.size()));
    if (is_new) forms_.push_back(form);
    return found->second;
  }
  /// -1 for a form that has none.
  std::int32_t known(const std::u32string& form) const {
    const auto found = numbers_.find(form);
    return found == numbers_.end() ? -1 : found->second;
  }
  const std::u32string& form(std::int32_t number) const { return forms_[number]; }
  std::size_t size() const { return forms_.size(); }

 private:
  std::unordered_map<std::u32string, std::int32_t> numbers_;
  std::vector<std::u32string> forms_;
};

struct Match {
  std::size_t hypothesis, reference;  // positions
  bool operator<(const Match& other) const { return hypothesis < other.hypothesis; }
};

/// Words that have no partner yet.
struct Unmatched {
  std::size_t position;
  std::int32_t form;
};

class Meteor {
 public:
  explicit Meteor(const ScoredSet& set) : wordnet_(WordNet::installed()) {
    for (const std::string_view word : set.words) {
      std::u32string lower;
      for (std::string_view rest = word; !rest.empty();) lower += unicode::lower(take_code_point(rest));
      lower_.push_back(forms_.number(lower));
      stems_.push_back(forms_.number(porter_stem(lower)));
    }
    stem_of_.assign(forms_.size(), -1);
    for (std::size_t i = 0; i < lower_.size(); ++i) stem_of_[lower_[i]] = stems_[i];
    synonyms_.resize(forms_.size());
    asked_.assign(forms_.size(), false);
  }

  /// The best over the references.
  double operator()(const CountedImage& image) {
    double best = 0;
    for (const CountedCaption& reference : image.references)
      best = std::max(best, score(image.hypothesis.words, reference.words));
    return best;
  }

  std::string stages() const {
    return wordnet_ ? "as nltk computes it: words, stems, synonyms of WordNet"
                    : "words and stems alone: no WordNet is installed for nltk's third stage, synonyms";
  }

 private:
  /// nltk.translate.meteor_score.single_meteor_score with alpha 0.9, beta 3, gamma 0.5.
  double score(const std::vector<std::int32_t>& hypothesis, const std::vector<std::int32_t>& reference) {
    const std::vector<Match> matches = align(hypothesis, reference);
    if (matches.empty()) return 0;
    std::size_t chunks = 1;
    for (std::size_t i = 1; i < matches.size(); ++i)
      chunks += matches[i].hypothesis != matches[i - 1].hypothesis + 1 ||
                matches[i].reference != matches[i - 1].reference + 1;
    const auto count = static_cast<double>(matches.size());
    const double precision = count / static_cast<double>(hypothesis.size());
    const double recall = count / static_cast<double>(reference.size());
    constexpr double alpha = 0.9, beta = 3, gamma = 0.5;
    const double mean = precision * recall / (alpha * precision + (1 - alpha) * recall);
    return (1 - gamma * std::pow(static_cast<double>(chunks) / count, beta)) * mean;
  }

  std::vector<Match> align(const std::vector<std::int32_t>& hypothesis, const std::vector<std::int32_t>& reference) {
    std::vector<Unmatched> left, right;
    for (std::size_t i = 0; i < hypothesis.size(); ++i) left.push_back({i, lower_[hypothesis[i]]});
    for (std::size_t j = 0; j < reference.size(); ++j) right.push_back({j, lower_[reference[j]]});
    std::vector<Match> matches;
    const auto equal = [](std::int32_t a, std::int32_t b) { return a == b; };
    match(left, right, equal, matches);
    // What goes on from here are the stems: nltk looks up synonyms of stems, not of words.
    for (std::vector<Unmatched>* words : {&left, &right})
      for (Unmatched& word : *words) word.form = stem_of_[word.form];
    match(left, right, equal, matches);
    if (wordnet_)
      match(
          left, right,
          [&](std::int32_t a, std::int32_t b) {
            const std::vector<std::int32_t>& words = synonyms(a);
            return std::binary_search(words.begin(), words.end(), b);
          },
          matches);
    std::sort(matches.begin(), matches.end());
    return matches;
  }

  /// Matches words from the last on, each with the last one that fits and is still free.
  template <class Fits>
  static void match(std::vector<Unmatched>& left, std::vector<Unmatched>& right, Fits fits,
                    std::vector<Match>& matches) {
    for (std::size_t i = left.size(); i-- > 0;)
      for (std::size_t j = right.size(); j-- > 0;) {
        if (!fits(left[i].form, right[j].form)) continue;
        matches.push_back({left[i].position, right[j].position});
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(i));
        right.erase(right.begin() + static_cast<std::ptrdiff_t>(j));
        break;
      }
  }

  /// The forms that are synonyms of a form, which is one itself; sorted.
  const std::vector<std::int32_t>& synonyms(std::int32_t form) {
    std::vector<std::int32_t>& result = synonyms_[form];
    if (asked_[form]) return result;
    asked_[form] = true;
    result.push_back(form);
    std::string word;
    for (const char32_t c : forms_.form(form))
      if (c != no_code_point) append_utf8(word, c);
    for (const std::string& synonym : wordnet_->synonyms(word)) {
      const std::int32_t number = forms_.known(std::u32string(synonym.begin(), synonym.end()));
      if (number >= 0 && number != form) result.push_back(number);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  std::optional<WordNet> wordnet_;
  Forms forms_;
  std::vector<std::int32_t> lower_, stems_;          // of the words, by their ids
  std::vector<std::int32_t> stem_of_;                // of forms that are words
  std::vector<std::vector<std::int32_t>> synonyms_;  // of forms, once asked for
  std::vector<bool> asked_;
};

}  // namespace

MetricValues meteor(const ScoredSet& set) {
  Meteor score(set);
  MetricValues values = mean_over_images(set, std::ref(score));
  values.note = score.stages();
  return values;
}

}  // namespace glimpse
