#include "glimpse/models/training/view_choice.h"

#include <algorithm>
#include <unordered_set>

#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Any other stream than those of weights, dropout and the order of captions.
constexpr std::uint64_t view_stream = 0xd1b54a32d192ed03u;

}  // namespace

ViewChoice::ViewChoice(const Config& config, const ImageList& images, WordRule rule)
    : views_(config.data.views),
      together_(config.is_self_critical() || config.training.grouping == Grouping::by_image),
      seed_(static_cast<std::uint64_t>(config.training.seed) ^ view_stream),
      side_words_(config.data.side_words) {
  if (views_ == 1) return;
  const std::vector<std::string> list = tokenize(side_words_, rule);
  const std::unordered_set<std::string> sides(list.begin(), list.end());
  std::int64_t count = 0;
  for (const CaptionedImage* image : images) {
    std::vector<bool>& named = names_side_.emplace_back();
    for (const std::vector<std::string>& caption : image->captions)
      named.push_back(
          std::any_of(caption.begin(), caption.end(), [&](const std::string& word) { return sides.contains(word); }));
    if (together_ && std::find(named.begin(), named.end(), true) != named.end()) named.assign(named.size(), true);
    first_caption_.push_back(count);
    count += std::ssize(image->captions);
  }
}

int ViewChoice::operator()(std::int64_t epoch, const CaptionIndex& item) const {
  if (views_ == 1) return 0;
  const std::int64_t number = first_caption_[item.image] + (together_ ? 0 : item.caption);
  const std::uint64_t place = static_cast<std::uint64_t>(epoch) << 32 | static_cast<std::uint64_t>(number);
  Generator random(Generator::State{seed_, place});
  const auto draw = [&](int count) { return static_cast<int>(random.below(static_cast<std::uint64_t>(count))); };
  return names_side_[item.image][item.caption] ? 2 * draw((views_ + 1) / 2) : draw(views_);
}

std::int64_t ViewChoice::unmirrored() const {
  std::int64_t count = 0;
  for (const std::vector<bool>& named : names_side_) count += std::count(named.begin(), named.end(), true);
  return count;
}

std::string ViewChoice::reason() const {
  return fmt::format("{} of data.side_words ({})", together_ ? "one of their image has one" : "they have one",
                     side_words_);
}

}  // namespace glimpse
