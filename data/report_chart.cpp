#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "glimpse/data/internal/report_parts.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse::report_parts {
namespace {

using Points = std::vector<std::array<double, 2>>;

// In the units of the SVG.
constexpr double width = 520, height = 264, left = 46, right = 14, top = 12, bottom = 50;

struct Axis {
  double low, high, step;  // in units of the data
  double begin, end;       // in the picture
  double at(double value) const { return begin + (value - low) / (high - low) * (end - begin); }
};

// At most `count` points, each the mean of its neighbours: a curve of every step would make a page of megabytes.
Points thinned(const Points& points, std::size_t count) {
  Points finite;
  for (const auto& point : points)
    if (std::isfinite(point[0]) && std::isfinite(point[1])) finite.push_back(point);
  if (finite.size() <= count) return finite;
  Points result;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = finite.size() * i / count, end = finite.size() * (i + 1) / count;
    double x = 0, y = 0;
    for (std::size_t k = begin; k < end; ++k) {
      x += finite[k][0];
      y += finite[k][1];
    }
    result.push_back({x / static_cast<double>(end - begin), y / static_cast<double>(end - begin)});
  }
  return result;
}

Axis axis_over(const std::vector<Points>& curves, int coordinate, int marks, double begin, double end) {
  double low = INFINITY, high = -INFINITY;
  for (const Points& points : curves)
    for (const auto& point : points) {
      low = std::min(low, point[coordinate]);
      high = std::max(high, point[coordinate]);
    }
  if (high - low <= 1e-9 * std::max(std::abs(low), std::abs(high))) {
    const double room = std::max(std::abs(low) * 0.1, 0.5);
    low -= room;
    high += room;
  }
  double step = axis_step(high - low, marks);
  if (coordinate == 0) step = std::max(step, 1.0);  // there is no half epoch
  if (coordinate == 1) {                            // values end at a mark; x ends with the data
    low = std::floor(low / step + 1e-9) * step;
    high = std::ceil(high / step - 1e-9) * step;
  }
  return {low, high, step, begin, end};
}

std::string axes(const Axis& x, const Axis& y, const std::string& x_label) {
  std::string svg;
  for (double i = std::ceil(y.low / y.step - 1e-9); i * y.step <= y.high + 1e-9 * y.step; ++i) {
    const double at = y.at(i * y.step);
    svg += fmt::format(R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>)", left, width - right,
                       at, at);
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 8, at + 4,
                       axis_number(i * y.step, y.step));
  }
  for (double i = std::ceil(x.low / x.step - 1e-9); i * x.step <= x.high + 1e-9 * x.step; ++i)
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", x.at(i * x.step),
                       height - bottom + 24, axis_number(i * x.step, x.step));
  svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", (left + width - right) / 2,
                     height - 4, escaped(x_label));
  return svg;
}

std::string line(const Points& points, std::size_t colour, const Axis& x, const Axis& y) {
  std::string path;
  for (const auto& point : points)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.at(point[0]), y.at(point[1]));
  std::string svg = fmt::format(R"(<path class="line c{}" d="{}"/>)", colour, path);
  if (points.size() <= 40)
    for (const auto& point : points)
      svg += fmt::format(R"(<circle class="dot c{}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>)", colour, x.at(point[0]),
                         y.at(point[1]));
  return svg;
}

}  // namespace

double axis_step(double range, int count) {
  const double power = std::pow(10, std::floor(std::log10(range / count)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (range / (factor * power) <= count) return factor * power;
  return 10 * power;
}

std::string axis_number(double value, double step) {
  const int digits = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
  const std::string text = fmt::format("{:.{}f}", value, std::min(digits, 12));
  return text.find_first_not_of("-0.") == std::string::npos ? "0" : text;
}

std::string chart(const ReportChart& chart, std::vector<std::string>& names) {
  std::vector<Points> curves;
  nlohmann::json data = nlohmann::json::array();
  std::vector<std::size_t> colours;
  bool any = false;
  for (const ReportCurve& curve : chart.curves) {
    curves.push_back(thinned(curve.points, 500));
    const auto known = std::find(names.begin(), names.end(), curve.name);
    colours.push_back(static_cast<std::size_t>(known - names.begin()) % 4);
    if (known == names.end()) names.push_back(curve.name);
    data.push_back({{"name", curve.name}, {"points", curves.back()}, {"colour", colours.back()}});
    any = any || !curves.back().empty();
  }
  if (!any) return "";
  const Axis x = axis_over(curves, 0, 8, left + 6, width - right - 6);
  const Axis y = axis_over(curves, 1, 5, height - bottom, top);

  std::string svg = axes(x, y, chart.x_label);
  if (chart.marked_x >= x.low && chart.marked_x <= x.high)
    svg += fmt::format(
        R"(<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"><title>the model that was kept</title></line>)",
        x.at(chart.marked_x), top, height - bottom);
  std::string legend;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].empty()) continue;
    svg += line(curves[i], colours[i], x, y);
    legend += fmt::format(R"(<span><i class="c{}"></i>{}</span>)", colours[i], escaped(chart.curves[i].name));
  }
  const nlohmann::json scale = {{"x", {x.low, x.high, x.begin, x.end}}, {"y", {y.low, y.high, y.begin, y.end}}};
  const std::string unit = chart.unit.empty() ? "" : " <small>" + escaped(chart.unit) + "</small>";
  return fmt::format(
      R"(<figure class="chart" data-curves="{}" data-scale="{}" data-unit="{}" data-x="{}"><figcaption><b>{}</b>{}<span class="legend">{}</span></figcaption>)"
      R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}<g class="hover"></g></svg></figure>)",
      escaped(data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)), escaped(scale.dump()),
      escaped(chart.unit), escaped(chart.x_label), escaped(chart.title), unit, legend, width, height,
      escaped(chart.title), svg);
}

}  // namespace glimpse::report_parts
