#include "glimpse/engine/io/internal/pickle.h"

#include <charconv>
#include <unordered_map>

namespace glimpse {

/// The stack machine of Python's pickletools, without the opcodes that make arbitrary objects.
class PickleMachine {
 public:
  PickleMachine(Pickle& pickle, ByteReader& reader, bool (*known)(std::string_view name))
      : pickle_(pickle), reader_(reader), known_(known) {}

  void run() {
    while (true) {
      const auto opcode = reader_.number<unsigned char>();
      if (opcode == '.') break;
      if (!do_constant(opcode) && !do_container(opcode) && !do_memory(opcode) && !do_object(opcode))
        fail("{}: pickle opcode 0x{:02x} at byte {} is not supported: it builds something other than tensors",
             reader_.path(), opcode, reader_.at() - 1);
    }
    pickle_.root_ = pop();
  }

 private:
  using Kind = PickleValue::Kind;

  [[noreturn]] void damaged() const { fail("{}: damaged pickle near byte {}", reader_.path(), reader_.at()); }

  PickleValue& push(Kind kind) {
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    stack_.push_back(&value);
    return value;
  }
  PickleValue* pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged();
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue& top(Kind kind) {
    if (stack_.empty() || stack_.back()->kind != kind) damaged();
    return *stack_.back();
  }
  /// Everything above the last mark, which disappears.
  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) damaged();
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> values(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }

  void push_integer(std::int64_t value, Kind kind = Kind::integer) { push(kind).integer = value; }
  void push_text(std::string_view text) { push(Kind::text).text = text; }

  /// Two's complement of any length; a value past 64 bits (the magic number of old files) is kept as text.
  void push_long(std::string_view bytes) {
    if (bytes.size() > 8) return push_text(bytes);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const bool negative = !bytes.empty() && static_cast<signed char>(bytes.back()) < 0;
      const auto byte = i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : (negative ? 0xffu : 0u);
      value |= static_cast<std::uint64_t>(byte) << (8 * i);
    }
    push_integer(static_cast<std::int64_t>(value));
  }

  void push_decimal(std::string_view line) {
    if (line == "00" || line == "01") return push_integer(line == "01", Kind::boolean);
    if (line.ends_with('L')) line.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size()) damaged();
    push_integer(value);
  }

  bool do_constant(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        push(Kind::none);
        return true;
      case 0x88:
        push_integer(1, Kind::boolean);
        return true;
      case 0x89:
        push_integer(0, Kind::boolean);
        return true;
      case 'J':
        push_integer(reader_.number<std::int32_t>());
        return true;
      case 'K':
        push_integer(reader_.number<std::uint8_t>());
        return true;
      case 'M':
        push_integer(reader_.number<std::uint16_t>());
        return true;
      case 'I':
      case 'L':
        push_decimal(reader_.line());
        return true;
      case 0x8a:
        push_long(reader_.take(reader_.number<std::uint8_t>()));
        return true;
      case 0x8b:
        push_long(reader_.take(reader_.number<std::uint32_t>()));
        return true;
      case 'G':
        reader_.take(8);
        push(Kind::real);
        return true;
      case 'F':
        reader_.line();
        push(Kind::real);
        return true;
      case 'X':
      case 'T':
      case 'B':
        push_text(reader_.take(reader_.number<std::uint32_t>()));
        return true;
      case 'U':
      case 'C':
      case 0x8c:
        push_text(reader_.take(reader_.number<std::uint8_t>()));
        return true;
      case 0x8d:
        push_text(reader_.take(reader_.number<std::uint64_t>()));
        return true;
      default:
        return false;
    }
  }

  bool do_container(unsigned char opcode) {
    switch (opcode) {
      case ']':
      case ')':
        push(Kind::list);
        return true;
      case '}':
        push(Kind::dictionary);
        return true;
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case 't':
      case 'l': {
        auto items = pop_to_mark();
        push(Kind::list).items = std::move(items);
        return true;
      }
      case 'd': {
        const auto items = pop_to_mark();
        set_items(push(Kind::dictionary), items);
        return true;
      }
      case 0x85:
        return push_tuple(1);
      case 0x86:
        return push_tuple(2);
      case 0x87:
        return push_tuple(3);
      case 'a': {
        const PickleValue* item = pop();
        top(Kind::list).items.push_back(item);
        return true;
      }
      case 'e': {
        const auto items = pop_to_mark();
        auto& list = top(Kind::list).items;
        list.insert(list.end(), items.begin(), items.end());
        return true;
      }
      case 's': {
        const PickleValue* value = pop();
        const PickleValue* key = pop();
        set_items(dictionary_on_top(), {key, value});
        return true;
      }
      case 'u': {
        const auto items = pop_to_mark();
        set_items(dictionary_on_top(), items);
        return true;
      }
      default:
        return false;
    }
  }

  bool push_tuple(std::size_t count) {
    std::vector<const PickleValue*> items(count);
    while (count > 0) items[--count] = pop();
    push(Kind::list).items = std::move(items);
    return true;
  }
  /// A dictionary, or the result of calling a class that is one.
  PickleValue& dictionary_on_top() {
    if (stack_.empty() || (stack_.back()->kind != Kind::dictionary && stack_.back()->kind != Kind::call)) damaged();
    return *stack_.back();
  }
  void set_items(PickleValue& dictionary, const std::vector<const PickleValue*>& items) {
    if (items.size() % 2 != 0) damaged();
    for (std::size_t i = 0; i < items.size(); i += 2) dictionary.entries.emplace_back(items[i], items[i + 1]);
  }

  bool do_memory(unsigned char opcode) {
    switch (opcode) {
      case 'q':
        project_keys(reader_.number<std::uint8_t>());
        return true;
      case 'r':
        project_keys(reader_.number<std::uint32_t>());
        return true;
      case 'p':
        project_keys(decimal(reader_.line()));
        return true;
      case 0x94:
        project_keys(memory_.size());
        return true;
      case 'h':
        recall(reader_.number<std::uint8_t>());
        return true;
      case 'j':
        recall(reader_.number<std::uint32_t>());
        return true;
      case 'g':
        recall(decimal(reader_.line()));
        return true;
      case '0':
        pop();
        return true;
      case '1':
        pop_to_mark();
        return true;
      case '2':
        if (stack_.empty()) damaged();
        stack_.push_back(stack_.back());
        return true;
      case 0x80: {
        const int protocol = reader_.number<std::uint8_t>();
        check(protocol <= 5, "{}: pickle protocol {} is not supported", reader_.path(), protocol);
        return true;
      }
      case 0x95:
        reader_.take(8);
        return true;  // length of a frame
      default:
        return false;
    }
  }

  std::uint64_t decimal(std::string_view line) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size()) damaged();
    return value;
  }
  void project_keys(std::uint64_t place) {
    if (stack_.empty()) damaged();
    memory_[place] = stack_.back();
  }
  void recall(std::uint64_t place) {
    const auto found = memory_.find(place);
    if (found == memory_.end()) damaged();
    stack_.push_back(found->second);
  }

  bool do_object(unsigned char opcode) {
    switch (opcode) {
      case 'c': {
        const std::string_view module = reader_.line();
        push_name(module, reader_.line());
        return true;
      }
      case 0x93: {
        const PickleValue *name = pop(), *module = pop();
        if (name->kind != Kind::text || module->kind != Kind::text) damaged();
        push_name(module->text, name->text);
        return true;
      }
      case 'R': {
        const PickleValue *arguments = pop(), *function = pop();
        if (arguments->kind != Kind::list || function->kind != Kind::name) damaged();
        PickleValue& call = push(Kind::call);
        call.function = function;
        call.arguments = arguments;
        return true;
      }
      case 'b': {  // attributes of an object, which nothing here has use for
        pop();
        dictionary_on_top();
        return true;
      }
      case 'Q': {
        const PickleValue* identifier = pop();
        if (identifier->kind != Kind::list) damaged();
        push(Kind::persistent).arguments = identifier;
        return true;
      }
      default:
        return false;
    }
  }

  void push_name(std::string_view module, std::string_view name) {
    std::string& full = pickle_.names_.emplace_back(module);
    full.append(".").append(name);
    check(known_(full), "{}: names {}, which is not supported: only dictionaries of tensors are read", reader_.path(),
          full);
    push(Kind::name).text = full;
  }

  Pickle& pickle_;
  ByteReader& reader_;
  bool (*known_)(std::string_view name);
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, PickleValue*> memory_;
};

Pickle::Pickle(ByteReader& reader, bool (*known)(std::string_view name)) { PickleMachine(*this, reader, known).run(); }

}  // namespace glimpse
