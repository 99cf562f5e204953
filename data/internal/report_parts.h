#pragma once
// The parts that report.cpp puts together.

#include <string>
#include <string_view>
#include <vector>

#include "glimpse/data/report.h"

namespace glimpse::report_parts {

/// Of a photograph at most, in pixels.
constexpr int photograph_side = 480;

/// Text as HTML text or attribute value.
std::string escaped(std::string_view text);

/// A number with as many digits as the step between two marks on an axis needs.
std::string axis_number(double value, double step);

/// The distance of marks on an axis: 1, 2 or 5 times a power of ten, so that about `count` marks fit into `range` > 0.
double axis_step(double range, int count);

/// A chart as a <figure> with an SVG picture; empty when no curve has a point. Curves of one name have one colour on
/// the whole page: `names` collects those seen so far.
std::string chart(const ReportChart& chart, std::vector<std::string>& names);

/// Cards side by side, their scores called `ranked_by`; empty without cards. Throws Error for maps that do not fit.
std::string cards(const std::vector<ReportCard>& cards, const std::string& ranked_by);

/// The tree of a caption's search as a <details>; empty without nodes. Throws Error for one that is no tree.
std::string tree(const std::string& name, const SearchTree& tree);

/// How the cards are read, as HTML: what can be done with the words and what is marked; empty without cards.
std::string reading(const Report& report);

/// Contents of <style> and <script>.
extern const char* const style;
extern const char* const script;

}  // namespace glimpse::report_parts
