// Captions in tables: Kaggle's captions.txt, Flickr30k's results.csv, exports of spreadsheets.
#include <algorithm>
#include <array>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/data/internal/csv.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::caption_files {
namespace {

constexpr std::string_view separators = ",;\t|";
constexpr std::array image_headers = {"image",     "imagename", "imagefile", "imagefilename", "imagepath", "img",
                                      "imgname",   "images",    "filename",  "file",          "filepath",  "path",
                                      "imagefile", "photo",     "picture",   "name",          "imageid"};
constexpr std::array caption_headers = {"caption",   "captions",    "comment", "comments",    "sentence",
                                        "sentences", "description", "text",    "captiontext", "rawcaption"};
constexpr std::array split_headers = {"split", "set", "subset", "partition"};

constexpr const char* expected_columns =
    "expected a column for the image (image, image_name, file_name, ...) and one for the caption (caption, comment, "
    "...)";

/// What stands where in a record.
struct Columns {
  std::size_t count = 0;
  std::ptrdiff_t image = -1, split = -1;
  std::vector<std::size_t> captions;  ///< in order
  bool known() const { return image >= 0 && !captions.empty(); }
  bool caption_is_last() const { return captions.back() + 1 == count; }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

/// The letters and digits of a header, in lower case: "Image_Name" is "imagename".
std::string normal(std::string_view header) {
  std::string name;
  for (std::string& word : tokenize(header, WordRule::ascii)) name += word;
  return name;
}

std::string without_number(std::string name) {
  while (!name.empty() && is_digit(name.back())) name.pop_back();
  return name;
}

template <std::size_t n>
std::ptrdiff_t find_column(const std::vector<std::string>& names, const std::array<const char*, n>& wanted) {
  for (const char* name : wanted) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return found - names.begin();
  }
  return -1;
}

Columns columns_of_header(const std::vector<std::string>& fields) {
  std::vector<std::string> names;
  for (const std::string& field : fields) names.push_back(normal(field));
  Columns columns;
  columns.count = fields.size();
  columns.image = find_column(names, image_headers);
  columns.split = find_column(names, split_headers);
  for (const char* wanted : caption_headers) {
    for (std::size_t i = 0; i < names.size() && std::ssize(names) > 1; ++i)
      if (without_number(names[i]) == wanted) columns.captions.push_back(i);
    if (!columns.captions.empty()) break;
  }
  return columns;
}

bool looks_like_image(std::string_view field) {
  std::string name = image_name(field);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const char* ending : {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif"})
    if (name.size() > std::string_view(ending).size() && name.ends_with(ending)) return true;
  return false;
}

/// A first record that is no header but begins at once: [number,] image [, number], caption.
Columns columns_of_record(const std::vector<std::string>& fields) {
  Columns columns;
  columns.count = fields.size();
  std::size_t at = !fields.empty() && is_number(trimmed(fields[0])) ? 1 : 0;
  if (at >= fields.size() || !looks_like_image(fields[at])) return columns;
  columns.image = static_cast<std::ptrdiff_t>(at++);
  if (at + 1 < fields.size() && is_number(trimmed(fields[at]))) ++at;
  if (at < fields.size()) {
    columns.captions.push_back(at);
    columns.count = at + 1;  // what follows belongs to the caption
  }
  return columns;
}

class Table {
 public:
  Table(const std::string& path, char separator, Columns columns, Collector& collector)
      : path_(path), separator_(separator), columns_(std::move(columns)), taker_(collector), collector_(collector) {}

  void take(CsvRecord& record) {
    std::vector<std::string>& fields = record.fields;
    const auto is_blank = [](const std::string& field) { return trimmed(field).empty(); };
    if (std::all_of(fields.begin(), fields.end(), is_blank)) return;
    fit(record);
    const std::string name = image_name(fields[columns_.image]);
    if (name.empty()) fail("{}: line {}: no name of an image, in '{}'", path_, record.line, text_of(record));
    CaptionedImage& image = taker_.image(name);
    if (columns_.split >= 0) take_split(record, image);
    for (const std::size_t column : columns_.captions)
      if (column < fields.size()) collector_.add_text(image, fields[column]);
  }

 private:
  std::string text_of(const CsvRecord& record) const {
    return printable(fmt::format("{}", fmt::join(record.fields, std::string(1, separator_))), 100);
  }

  /// Gives a record as many fields as there are columns, or throws.
  void fit(CsvRecord& record) const {
    std::vector<std::string>& fields = record.fields;
    while (fields.size() > columns_.count && trimmed(fields.back()).empty()) fields.pop_back();
    if (fields.size() > columns_.count && columns_.caption_is_last()) {  // separators in a caption without quotes
      for (std::size_t i = columns_.count; i < fields.size(); ++i) fields[columns_.count - 1] += separator_ + fields[i];
      fields.resize(columns_.count);
    }
    if (fields.size() + 1 == columns_.count && columns_.count >= 3 && columns_.caption_is_last()) split_number(fields);
    const std::size_t least = 1 + std::max(columns_.captions.front(), static_cast<std::size_t>(columns_.image));
    if (fields.size() < least || fields.size() > columns_.count)
      fail("{}: line {}: expected {} fields with '{}' between them, got {}: '{}'", path_, record.line, columns_.count,
           printable(std::string_view(&separator_, 1)), fields.size(), text_of(record));
  }

  /// results.csv of Flickr30k has one line "name| 4   A dog ...", without the second separator.
  static void split_number(std::vector<std::string>& fields) {
    const std::string text(trimmed(fields.back()));
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string::npos || text[digits] != ' ') return;
    fields.back() = text.substr(0, digits);
    fields.push_back(text.substr(digits));
  }

  void take_split(const CsvRecord& record, CaptionedImage& image) const {
    const auto column = static_cast<std::size_t>(columns_.split);
    const std::string_view word = column < record.fields.size() ? trimmed(record.fields[column]) : "";
    if (word.empty()) return;
    const std::string split = split_named(word);
    check(!split.empty(), "{}: line {}: split '{}', expected train, val or test", path_, record.line,
          printable(word, 40));
    check(image.split.empty() || image.split == split, "{}: line {}: {} is in split {} and in split {}", path_,
          record.line, printable(image.filename), image.split, split);
    image.split = split;
  }

  const std::string& path_;
  char separator_;
  Columns columns_;
  LineTaker taker_;
  Collector& collector_;
};

/// Excel's own first line, "sep=;".
char take_separator_line(std::string_view& text) {
  if (!text.starts_with("sep=") || text.size() < 6 || text[5] != '\n') return 0;
  const char separator = text[4];
  text.remove_prefix(6);
  return separator;
}

}  // namespace

bool read_table(const std::string& path, std::string_view text, Collector& collector, std::string& reason) {
  const std::string_view whole = text;
  const char stated = take_separator_line(text);
  const std::string candidates = stated != 0 ? std::string(1, stated) : std::string(separators);
  std::string_view first = text;
  while (first.starts_with('\n')) first.remove_prefix(1);
  first = first.substr(0, first.find('\n'));
  for (const bool with_header : {true, false})
    for (const char separator : candidates) {
      CsvRecord record;
      if (std::count(first.begin(), first.end(), '"') % 2 == 0) CsvReader(first, separator, path).next(record);
      const Columns columns = with_header ? columns_of_header(record.fields) : columns_of_record(record.fields);
      if (!columns.known()) {
        if (with_header && record.fields.size() > 1 && (columns.image >= 0 || !columns.captions.empty()))
          reason = fmt::format("its columns are {}; {}", printable(fmt::format("{}", fmt::join(record.fields, ", "))),
                               expected_columns);
        continue;
      }
      CsvReader reader(whole, separator, path);
      Table table(path, separator, columns, collector);
      for (int skip = (stated != 0 ? 1 : 0) + (with_header ? 1 : 0); skip > 0; --skip) reader.next(record);
      while (reader.next(record)) table.take(record);
      return true;
    }
  return false;
}

}  // namespace glimpse::caption_files
