// The tree of what a beam search kept: it holds the captions that were found, in their order, and changes nothing.

#include <algorithm>
#include <map>

#include "catch.h"
#include "glimpse/models/captioner/captioner.h"
#include "small_decoders.h"

using namespace glimpse;

namespace {

using Words = std::vector<std::int32_t>;

/// The words up to a node, `<end>` among them.
Words words_to(const BeamTree& tree, std::int64_t node) {
  Words words;
  for (; node > 0; node = tree.nodes[node].parent) words.insert(words.begin(), tree.nodes[node].word);
  return words;
}

/// Nodes that ended, best score first.
std::vector<std::int64_t> ended(const BeamTree& tree) {
  std::vector<std::int64_t> nodes;
  for (std::int64_t i = 0; i < std::ssize(tree.nodes); ++i)
    if (tree.nodes[i].word == end_word) nodes.push_back(i);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [&](std::int64_t a, std::int64_t b) { return tree.nodes[a].score > tree.nodes[b].score; });
  return nodes;
}

void require_tree_of(const Caption& caption, const Decoder& decoder, const Tensor& image, int beam) {
  REQUIRE(caption.tree);
  const BeamTree& tree = *caption.tree;
  Words written = caption.words;
  if (caption.finished) written.push_back(end_word);
  REQUIRE(words_to(tree, caption.leaf) == written);
  REQUIRE(tree.nodes[caption.leaf].log_probability == caption.log_probability);
  REQUIRE(tree.nodes[caption.leaf].score == caption.score);
  std::map<std::size_t, int> kept;  // at each step
  REQUIRE(tree.nodes[0].parent == -1);
  for (std::int64_t i = 1; i < std::ssize(tree.nodes); ++i) {
    const BeamTree::Node& node = tree.nodes[i];
    REQUIRE((node.parent >= 0 && node.parent < i));
    REQUIRE(tree.nodes[node.parent].word != end_word);  // nothing follows it
    const Words words = words_to(tree, i);
    REQUIRE(++kept[words.size()] <= beam);
    REQUIRE(node.log_probability == Approx(log_probability(decoder, image, words)).margin(1e-9));
  }
}

}  // namespace

TEST_CASE("the best leaf of a tree is the caption that the search returns") {
  const Decoder decoder = make_decoder(9, true, DType::f64);
  const Tensor features = make_features(4);
  for (const double penalty : {0.0, 1.0})
    for (const double coverage : {0.0, 0.3})
      for (const int beam : {1, 3, 5}) {
        BeamOptions options{.beam = beam, .max_length = 7, .length_penalty = penalty};
        options.n_best = beam;
        options.coverage_penalty = coverage;
        const auto plain = beam_search(decoder, features, options);
        options.keep_tree = true;
        const auto found = beam_search(decoder, features, options);
        for (std::size_t i = 0; i < found.size(); ++i) {
          const Tensor image = features.rows(static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1);
          REQUIRE(found[i].size() == plain[i].size());
          for (std::size_t n = 0; n < found[i].size(); ++n) {
            REQUIRE(found[i][n].words == plain[i][n].words);
            REQUIRE(found[i][n].score == plain[i][n].score);
            REQUIRE_FALSE(plain[i][n].tree);
            REQUIRE(found[i][n].tree == found[i][0].tree);
            require_tree_of(found[i][n], decoder, image, beam);
          }
          const std::vector<std::int64_t> leaves = ended(*found[i][0].tree);
          REQUIRE(leaves.empty() == !found[i][0].finished);
          for (std::size_t n = 0; n < found[i].size() && found[i][n].finished; ++n)
            REQUIRE(found[i][n].leaf == leaves[n]);
          // Nothing of the other images is in it.
          const auto alone = beam_search(decoder, image, options);
          REQUIRE(alone[0][0].tree->nodes.size() == found[i][0].tree->nodes.size());
        }
      }
}

TEST_CASE("groups of an image share one tree") {
  const Decoder decoder = make_decoder(9, true, DType::f64);
  const Tensor features = make_features(3);
  BeamOptions options{.beam = 4, .max_length = 6, .n_best = 2};
  options.groups = 2;
  options.keep_tree = true;
  const auto found = beam_search(decoder, features, options);
  for (std::int64_t i = 0; i < 3; ++i)
    for (const Caption& caption : found[static_cast<std::size_t>(i)]) {
      REQUIRE(caption.tree == found[static_cast<std::size_t>(i)][0].tree);
      require_tree_of(caption, decoder, features.rows(i, i + 1), 4);
    }
}
