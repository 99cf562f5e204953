#include "glimpse/data/internal/csv.h"

#include <algorithm>

#include "glimpse/kernels/base/check.h"

namespace glimpse::caption_files {

/// The field behind an opening quotation mark, both marks taken off.
std::string CsvReader::take_quoted() {
  const std::size_t begun = line_;
  std::string field;
  rest_.remove_prefix(1);
  while (true) {
    const std::size_t mark = rest_.find('"');
    check(mark != std::string_view::npos, "{}: line {}: a quoted field begins here and never ends", where_, begun);
    line_ +=
        static_cast<std::size_t>(std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(mark), '\n'));
    field += rest_.substr(0, mark);
    rest_.remove_prefix(mark + 1);
    if (!rest_.starts_with('"')) break;
    field += '"';
    rest_.remove_prefix(1);
  }
  // "Fast" dog: text behind the quoted part belongs to the field. Over several lines that is a mark which stands alone.
  const std::size_t next = rest_.find_first_not_of(" \t");
  const bool ends = next == std::string_view::npos || rest_[next] == separator_ || rest_[next] == '\n';
  check(ends || rest_[0] == separator_ || line_ == begun,
        "{}: line {}: a quoted field begins here and ends in the middle of line {}", where_, begun, line_);
  return field;
}

std::string CsvReader::take_field() {
  std::string field = rest_.starts_with('"') ? take_quoted() : "";
  const char ends[] = {separator_, '\n'};
  const std::size_t end = std::min(rest_.find_first_of(std::string_view(ends, 2)), rest_.size());
  field += rest_.substr(0, end);
  rest_.remove_prefix(end);
  return field;
}

bool CsvReader::next(CsvRecord& record) {
  while (rest_.starts_with('\n')) {
    rest_.remove_prefix(1);
    ++line_;
  }
  if (rest_.empty()) return false;
  record.line = line_;
  record.fields.clear();
  while (true) {
    record.fields.push_back(take_field());
    if (!rest_.starts_with(separator_)) break;
    rest_.remove_prefix(1);
  }
  if (!rest_.empty()) {
    rest_.remove_prefix(1);
    ++line_;
  }
  return true;
}

}  // namespace glimpse::caption_files
