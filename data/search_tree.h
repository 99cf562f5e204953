#pragma once
// What a search for a caption kept on its way, for people to look at.

#include <string>
#include <vector>

namespace glimpse {

/// The beginnings of captions that a beam search kept, as a tree: those that begin alike share their beginnings.
struct SearchTree {
  struct Node {
    int parent = -1;  ///< its place in `nodes`, which is before this one
    std::string word;
    double log_probability = 0;  ///< natural logarithm, of all words up to here
    double score = 0;            ///< what it is ranked by, where it ended
    bool ended = false;          ///< `<end>`: there is no word
  };
  std::vector<Node> nodes;  ///< the first is the beginning of all, without a word; empty: no tree
  int leaf = 0;             ///< where the caption ends
};

}  // namespace glimpse
