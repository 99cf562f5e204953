#include "glimpse/engine/io/internal/pickle.h"

#include <charconv>

#include "glimpse/engine/io/internal/pickle_stack.h"

namespace glimpse {

namespace {

/// An opcode takes up to about 150 bytes of memory, so this is 750 MB; a hundred thousand tensors need less.
constexpr int most_opcodes = 5'000'000;
/// Of "module.class": Python's own are below 100 bytes.
constexpr std::size_t longest_name = 1000;

}  // namespace

/// The stack machine of Python's pickletools. What would call or make something becomes a value that says so.
class PickleMachine {
 public:
  PickleMachine(Pickle& pickle, ByteReader& reader) : pickle_(pickle), reader_(reader), stack_(reader) {}

  void run() {
    for (int count = 0;; ++count) {
      const auto opcode = reader_.number<unsigned char>();
      if (opcode == '.') break;
      check(count < most_opcodes, "{}: its pickle has more than {} opcodes", reader_.path(), most_opcodes);
      if (!do_constant(opcode) && !do_text(opcode) && !do_container(opcode) && !do_memory(opcode) && !do_object(opcode))
        fail("{}: pickle opcode 0x{:02x} at byte {} is not supported", reader_.path(), opcode, reader_.at() - 1);
    }
    pickle_.root_ = pop();
  }

 private:
  using Kind = PickleValue::Kind;

  PickleValue& push(Kind kind) {
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    stack_.push(&value);
    return value;
  }
  PickleValue* pop() { return stack_.pop(); }

  /// One value stands for all that are alike: lists of losses have millions of numbers.
  void push_shared(PickleValue*& value, Kind kind, std::int64_t integer = 0) {
    if (value) return stack_.push(value);
    value = &push(kind);
    value->integer = integer;
  }
  void push_boolean(bool value) { push_shared(value ? true_ : false_, Kind::boolean, value); }
  void push_real() { push_shared(real_, Kind::real); }
  void push_integer(std::int64_t value) { push(Kind::integer).integer = value; }
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
    if (line == "00" || line == "01") return push_boolean(line == "01");
    if (line.ends_with('L')) line.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (end != line.data() + line.size()) stack_.damaged();
    if (error == std::errc::result_out_of_range) return push_text(line);  // as in push_long
    if (error != std::errc()) stack_.damaged();
    push_integer(value);
  }

  bool do_constant(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        push_shared(none_, Kind::none);
        return true;
      case 0x88:
        push_boolean(true);
        return true;
      case 0x89:
        push_boolean(false);
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
        push_real();
        return true;
      case 'F':
        reader_.line();
        push_real();
        return true;
      default:
        return false;
    }
  }

  bool do_text(unsigned char opcode) {
    switch (opcode) {
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
      case 0x8e:
      case 0x96:
        push_text(reader_.take(reader_.number<std::uint64_t>()));
        return true;
      case 'V':  // protocol 0; escapes stay as they are
        push_text(reader_.line());
        return true;
      case 'S': {
        std::string_view line = reader_.line();
        if (line.size() < 2 || line.front() != line.back() || (line[0] != '\'' && line[0] != '"')) stack_.damaged();
        push_text(line.substr(1, line.size() - 2));
        return true;
      }
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
        stack_.mark();
        return true;
      case 't':
      case 'l': {
        push_list(stack_.pop_to_mark());
        return true;
      }
      case 'd': {
        const auto items = stack_.pop_to_mark();
        set_items(push(Kind::dictionary), items);
        return true;
      }
      case 0x85:
        return push_tuple(1);
      case 0x86:
        return push_tuple(2);
      case 0x87:
        return push_tuple(3);
      case 'a':
        append({pop()});
        return true;
      case 'e':
        append(stack_.pop_to_mark());
        return true;
      case 0x8f:
        push(Kind::set);
        return true;
      case 0x90:
        stack_.pop_to_mark();
        stack_.top(Kind::set);
        return true;
      case 0x91:
        stack_.pop_to_mark();
        push(Kind::set);
        return true;
      case 's': {
        const PickleValue* value = pop();
        const PickleValue* key = pop();
        set_items(dictionary_on_top(), {key, value});
        return true;
      }
      case 'u': {
        const auto items = stack_.pop_to_mark();
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
    push_list(std::move(items));
    return true;
  }
  /// To a list, or to the result of calling a class that is one (a deque), whose items are not kept.
  void append(const std::vector<const PickleValue*>& items) {
    if (stack_.top().kind == Kind::call) return;
    auto& list = stack_.top(Kind::list).items;
    list.insert(list.end(), items.begin(), items.end());
  }
  /// A dictionary, or the result of calling a class that is one.
  PickleValue& dictionary_on_top() {
    if (stack_.top().kind != Kind::dictionary && stack_.top().kind != Kind::call) stack_.damaged();
    return stack_.top();
  }
  void set_items(PickleValue& dictionary, const std::vector<const PickleValue*>& items) {
    if (items.size() % 2 != 0) stack_.damaged();
    for (std::size_t i = 0; i < items.size(); i += 2) dictionary.entries.emplace_back(items[i], items[i + 1]);
  }

  bool do_memory(unsigned char opcode) {
    switch (opcode) {
      case 'q':
        stack_.remember(reader_.number<std::uint8_t>());
        return true;
      case 'r':
        stack_.remember(reader_.number<std::uint32_t>());
        return true;
      case 'p':
        stack_.remember(decimal(reader_.line()));
        return true;
      case 0x94:
        stack_.remember();
        return true;
      case 'h':
        stack_.recall(reader_.number<std::uint8_t>());
        return true;
      case 'j':
        stack_.recall(reader_.number<std::uint32_t>());
        return true;
      case 'g':
        stack_.recall(decimal(reader_.line()));
        return true;
      case '0':
        if (stack_.mark_on_top())
          stack_.pop_to_mark();
        else
          pop();
        return true;
      case '1':
        stack_.pop_to_mark();
        return true;
      case '2':
        stack_.push(&stack_.top());
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
    if (error != std::errc() || end != line.data() + line.size()) stack_.damaged();
    return value;
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
        if (name->kind != Kind::text || module->kind != Kind::text) stack_.damaged();
        push_name(module->text, name->text);
        return true;
      }
      case 'R':     // call
      case 0x81: {  // make an object of a class
        const PickleValue *arguments = pop(), *function = pop();
        push_call(function, arguments);
        return true;
      }
      case 0x92: {  // with named arguments
        pop();
        const PickleValue *arguments = pop(), *function = pop();
        push_call(function, arguments);
        return true;
      }
      case 'i': {
        const std::string_view module = reader_.line();
        const std::string_view name = reader_.line();
        const PickleValue* arguments = &push_list(stack_.pop_to_mark());
        push_name(module, name);
        const PickleValue* function = pop();
        pop();
        push_call(function, arguments);
        return true;
      }
      case 'o': {
        std::vector<const PickleValue*> items = stack_.pop_to_mark();
        if (items.empty()) stack_.damaged();
        const PickleValue* function = items.front();
        items.erase(items.begin());
        const PickleValue* arguments = &push_list(std::move(items));
        pop();
        push_call(function, arguments);
        return true;
      }
      case 'b': {
        const PickleValue* state = pop();
        if (stack_.top().kind == Kind::call) stack_.top().state = state;
        return true;
      }
      case 'Q': {
        const PickleValue* identifier = pop();
        if (identifier->kind != Kind::list) stack_.damaged();
        push(Kind::persistent).arguments = identifier;
        return true;
      }
      default:
        return false;
    }
  }

  PickleValue& push_list(std::vector<const PickleValue*> items) {
    PickleValue& list = push(Kind::list);
    list.items = std::move(items);
    return list;
  }
  void push_name(std::string_view module, std::string_view name) {
    if (module.size() + name.size() > longest_name) stack_.damaged();
    std::string& full = pickle_.names_.emplace_back(module);
    full.append(".").append(name);
    push(Kind::name).text = full;
  }
  void push_call(const PickleValue* function, const PickleValue* arguments) {
    if (arguments->kind != Kind::list && arguments->kind != Kind::call) stack_.damaged();
    PickleValue& call = push(Kind::call);
    call.function = function;
    call.arguments = arguments;
  }

  Pickle& pickle_;
  ByteReader& reader_;
  PickleValue *none_ = nullptr, *true_ = nullptr, *false_ = nullptr, *real_ = nullptr;
  PickleStack stack_;
};

Pickle::Pickle(ByteReader& reader) { PickleMachine(*this, reader).run(); }

}  // namespace glimpse
