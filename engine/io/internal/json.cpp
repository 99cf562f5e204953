#include "glimpse/engine/io/internal/json.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_memory = std::size_t{768} << 20;

/// Reads characters and leaves behind how far it has come.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** reached;

  const char& operator*() const { return *at; }
  Cursor& operator++() {
    *reached = ++at;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at == other.at; }
  bool operator!=(const Cursor& other) const { return at != other.at; }
};

/// Hears of each value from nlohmann's parser (its SAX interface) and builds the document, or parts of it.
class Builder {
 public:
  Builder(std::string_view text, const std::string& where, int depth) : text_(text), where_(where), deepest_(depth) {}

  /// Lets parts go to `take` instead of building the whole.
  void split(const std::function<bool(std::string_view)>& wanted, const std::function<void(JsonPart&)>& take) {
    wanted_ = &wanted;
    take_ = &take;
  }
  const char** reached() { return &reached_; }
  Json result() { return std::move(part_.value); }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) {
    spend(32 + value.size());
    return add(std::move(value));
  }
  bool binary(std::vector<std::uint8_t>&) { return false; }
  bool start_object(std::size_t) { return open(Json::value_t::object); }
  bool start_array(std::size_t) { return open(Json::value_t::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    if (building()) {
      spend(112 + key.size());
      const auto [place, is_new] = stack_.back()->get_ref<Json::object_t&>().try_emplace(std::move(key));
      if (!is_new) fail_twice(place->first);
      member_ = &place->second;
    } else if (depth_ == 1) {
      if (!sections_.insert(key).second) fail_twice(key);
      part_.section = std::move(key);
      part_.index = -1;
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error) {
    if (error.id == 406) fail("{}: line {}: {} is too large a number", where_, line(), printable(token, 40));
    const std::size_t at = line_of(text_, std::min(position, text_.size()));
    if (position > text_.size()) fail("{}: JSON ends in the middle, at byte {} (line {})", where_, text_.size(), at);
    const std::string_view what = error.what();
    const std::size_t expected = what.rfind("; expected ");
    fail("{}: JSON is broken at byte {} of {} (line {}){}", where_, position, text_.size(), at,
         expected == std::string_view::npos ? "" : printable(what.substr(expected), 100));
  }

 private:
  bool building() const { return !stack_.empty(); }
  /// Counts from the beginning: only for errors, and so never an argument of check(), which would count each time.
  std::size_t line() const { return line_of(text_, static_cast<std::size_t>(reached_ - text_.data())); }

  [[noreturn]] void fail_twice(const std::string& key) const {
    fail("{}: line {}: '{}' stands twice in one object", where_, line(), printable(key));
  }

  void spend(std::size_t bytes) {
    if (!building()) return;
    memory_ += bytes;
    if (memory_ > most_memory) fail("{}: line {}: more values than fit in {} MiB", where_, line(), most_memory >> 20);
  }

  /// Where the next value of the part goes.
  Json& place(Json value) {
    if (stack_.empty()) return part_.value = std::move(value);
    Json& parent = *stack_.back();
    if (parent.is_object()) return *member_ = std::move(value);
    spend(2 * sizeof(Json));
    parent.get_ref<Json::array_t&>().push_back(std::move(value));
    return parent.get_ref<Json::array_t&>().back();
  }

  /// Whether the value that begins now is a part, or all, of what is built.
  bool begins_part() {
    if (!take_) return true;
    check(depth_ > 0, "{}: expected a JSON object or array", where_);
    return skipped_at_ == 0 && (depth_ == 2 || !top_is_object_ || wanted(part_.section));
  }
  bool wanted(const std::string& section) const { return (*wanted_)(section); }

  template <class T>
  bool add(T&& value) {
    if (building()) {
      place(Json(std::forward<T>(value)));
    } else if (begins_part()) {
      begin_part();
      place(Json(std::forward<T>(value)));
      finish_part();
    }
    return true;
  }

  bool open(Json::value_t kind) {
    if (depth_ >= deepest_) fail("{}: line {}: nested more than {} deep", where_, line(), deepest_);
    const bool is_array = kind == Json::value_t::array;
    if (!building() && take_ && depth_ == 0) {
      top_is_object_ = !is_array;
      if (is_array) part_.index = 0;
    } else if (!building() && take_ && depth_ == 1 && top_is_object_ && is_array && wanted(part_.section)) {
      part_.index = 0;
    } else if (building() || begins_part()) {
      if (!building()) begin_part();
      spend(64);
      stack_.push_back(&place(Json(kind)));
    } else if (skipped_at_ == 0) {
      skipped_at_ = depth_ + 1;
    }
    ++depth_;
    return true;
  }

  bool close() {
    if (skipped_at_ == depth_) skipped_at_ = 0;
    --depth_;
    if (building()) {
      stack_.pop_back();
      if (!building()) finish_part();
    }
    return true;
  }

  void begin_part() {
    memory_ = 0;
    // Lines are counted on from the last part, so that all parts together cost one pass.
    const char* begin = text_.data() + counted_;
    part_.line = counted_lines_ += static_cast<std::size_t>(std::count(begin, reached_, '\n'));
    counted_ = static_cast<std::size_t>(reached_ - text_.data());
  }

  void finish_part() {
    if (!take_) return;
    try {
      (*take_)(part_);
    } catch (const Error& error) {
      fail("{}: line {}: {}", where_, part_.line, error.what());
    }
    part_.value = nullptr;
    if (part_.index >= 0) ++part_.index;
  }

  std::string_view text_;
  const std::string& where_;
  int deepest_, depth_ = 0, skipped_at_ = 0;  // skipped_at_: the depth of the container that is passed over; 0: none
  bool top_is_object_ = false;
  const std::function<bool(std::string_view)>* wanted_ = nullptr;
  const std::function<void(JsonPart&)>* take_ = nullptr;
  const char* reached_ = text_.data();
  std::size_t memory_ = 0, counted_ = 0, counted_lines_ = 1;
  JsonPart part_;
  std::vector<Json*> stack_;  // containers of the part that are open
  Json* member_ = nullptr;
  std::unordered_set<std::string> sections_;
};

void parse(std::string_view text, Builder& builder) {
  const char** reached = builder.reached();
  Json::sax_parse(Cursor{text.data(), reached}, Cursor{text.data() + text.size(), reached}, &builder);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where, int depth) {
  Builder builder(text, where, depth);
  parse(text, builder);
  return builder.result();
}

void parse_json_parts(std::string_view text, const std::string& where,
                      const std::function<bool(std::string_view)>& wanted, const std::function<void(JsonPart&)>& take) {
  Builder builder(text, where, deepest_json);
  builder.split(wanted, take);
  parse(text, builder);
}

std::string json_text(const Json& value) {
  constexpr std::size_t longest = 60;
  if (value.is_string()) return '"' + printable(value.get_ref<const std::string&>(), longest) + '"';
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  if (value.is_object()) return fmt::format("an object with {} members", value.size());
  return value.dump();
}

}  // namespace glimpse
