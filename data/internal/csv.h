#pragma once
// Tables in text: RFC 4180 with any separator, and what spreadsheets and scripts make of it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace glimpse::caption_files {

struct CsvRecord {
  std::size_t line = 0;  ///< where it begins
  std::vector<std::string> fields;
};

/// Takes records off a text whose lines end in LF. A field that begins with a quotation mark goes to the next single
/// one, over separators and line ends; "" in it stands for ". A quotation mark elsewhere is a character like others.
/// `where` stands in errors.
class CsvReader {
 public:
  CsvReader(std::string_view text, char separator, const std::string& where)
      : rest_(text), separator_(separator), where_(where) {}

  /// The next record that is not an empty line; false at the end. Throws Error naming the line where a quoted field
  /// begins that does not end, or ends in the middle of another line.
  bool next(CsvRecord& record);

 private:
  std::string take_field();
  std::string take_quoted();

  std::string_view rest_;
  char separator_;
  const std::string& where_;
  std::size_t line_ = 1;
};

}  // namespace glimpse::caption_files
