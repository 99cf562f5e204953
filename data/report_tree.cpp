// The beam tree of a caption: a column for each word, in it the beginnings that were kept, likeliest first.

#include <algorithm>
#include <cmath>
#include <vector>

#include "glimpse/data/internal/report_parts.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::report_parts {
namespace {

// In the units of the SVG, which are pixels.
constexpr double row_height = 38, top = 8, gap = 34;

struct Placed {
  std::size_t step = 0, row = 0;  // words before it and this one; place in the column
  double x = 0, y = 0, width = 0;
  bool chosen = false;
};

// About how wide a word is drawn; letters beyond ASCII may be as wide as high.
double text_width(std::string_view word) {
  double width = 0;
  while (!word.empty()) width += take_code_point(word) < 0x250 ? 7.8 : 14;
  return width;
}

std::string shown(const SearchTree::Node& node) {
  if (node.ended) return "end";
  constexpr std::size_t most = 18;  // code points
  std::string_view rest = node.word;
  std::string text;
  for (std::size_t i = 0; i < most && !rest.empty(); ++i) append_utf8(text, take_code_point(rest));
  return rest.empty() ? text : text + "\u2026";
}

void check_tree(const std::string& name, const SearchTree& tree) {
  const auto size = static_cast<int>(tree.nodes.size());
  check(tree.leaf >= 0 && tree.leaf < size, "report: the tree of '{}' has {} nodes and ends at {}", name, size,
        tree.leaf);
  for (int i = 0; i < size; ++i)
    check(i == 0 ? tree.nodes[0].parent == -1 : tree.nodes[i].parent >= 0 && tree.nodes[i].parent < i,
          "report: the tree of '{}' has node {} below {}", name, i, tree.nodes[i].parent);
}

std::vector<Placed> placed(const SearchTree& tree) {
  std::vector<Placed> places(tree.nodes.size());
  std::vector<std::vector<std::size_t>> columns(1);
  for (std::size_t i = 1; i < places.size(); ++i) {
    places[i].step = places[static_cast<std::size_t>(tree.nodes[i].parent)].step + 1;
    columns.resize(std::max(columns.size(), places[i].step + 1));
    columns[places[i].step].push_back(i);
  }
  double x = 10;
  for (std::vector<std::size_t>& column : columns) {
    std::stable_sort(column.begin(), column.end(), [&](std::size_t a, std::size_t b) {
      return tree.nodes[a].log_probability > tree.nodes[b].log_probability;
    });
    double width = column.empty() ? 0 : 42;
    for (const std::size_t i : column) width = std::max(width, text_width(shown(tree.nodes[i])));
    for (std::size_t row = 0; row < column.size(); ++row)
      places[column[row]] = {
          places[column[row]].step, row, x, top + row_height * static_cast<double>(row), width, false};
    x += column.empty() ? 0 : width + gap;
  }
  for (int i = tree.leaf; i > 0; i = tree.nodes[i].parent) places[i].chosen = true;
  return places;
}

// log p with the sign that numbers have in print.
std::string negative(double value) { return (value < 0 ? "\u2212" : "") + fmt::format("{:.2f}", std::abs(value)); }

std::string node(const SearchTree& tree, std::size_t i, const std::vector<Placed>& places) {
  const SearchTree::Node& n = tree.nodes[i];
  const Placed &at = places[i], &from = places[static_cast<std::size_t>(n.parent)];
  const char* const chosen = at.chosen ? " chosen" : "";
  std::string svg;
  if (n.parent > 0) {
    const double x0 = from.x + from.width + 4, x1 = at.x - 5, y0 = from.y + 15, y1 = at.y + 15, bend = (x0 + x1) / 2;
    svg += fmt::format(R"(<path class="branch{}" d="M{:.0f} {:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>)",
                       chosen, x0, y0, bend, y0, bend, y1, x1, y1);
  }
  const std::string value = n.ended ? fmt::format("score {}", negative(n.score)) : negative(n.log_probability);
  return svg + fmt::format(R"(<text class="{}{}" x="{:.0f}" y="{:.0f}">{}<tspan x="{:.0f}" dy="14">{}</tspan></text>)",
                           n.ended ? "ended" : "kept", chosen, at.x, at.y + 14, escaped(shown(n)), at.x, value);
}

}  // namespace

std::string tree(const std::string& name, const SearchTree& tree) {
  if (tree.nodes.empty()) return "";
  check_tree(name, tree);
  const std::vector<Placed> places = placed(tree);
  double width = 0, height = 0;
  std::string svg;
  for (std::size_t i = 1; i < places.size(); ++i) {
    width = std::max(width, places[i].x + std::max(places[i].width, 70.0));
    height = std::max(height, places[i].y + row_height);
    svg += node(tree, i, places);
  }
  return fmt::format(
      R"(<details><summary>How it was found</summary><div class="beam" tabindex="0" role="group" aria-label="beam tree">)"
      R"(<svg width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}">{2}</svg></div></details>)",
      width + 10, height + 6, svg);
}

}  // namespace glimpse::report_parts
