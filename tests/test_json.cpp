// JSON and text from files: what is read, and the bounds that keep a small file from costing much.
#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/stopwatch.h"
#include "glimpse/kernels/base/utf8.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

/// "section index line value" of each part.
std::vector<std::string> parts_of(const std::string& text, const std::string& refused = "") {
  std::vector<std::string> parts;
  parse_json_parts(
      text, "x.json", [&](std::string_view section) { return section != refused; },
      [&](JsonPart& part) {
        parts.push_back(part.section + " " + std::to_string(part.index) + " " + std::to_string(part.line) + " " +
                        part.value.dump());
      });
  return parts;
}

}  // namespace

TEST_CASE("a document is read as the JSON library reads it") {
  const std::string text =
      R"({"a": [1, -2, 2.5, true, false, null, "x\u00e4\n"], "b": {"c": {}, "d": []}, "": 18446744073709551615})";
  CHECK(parse_json(text, "x") == nlohmann::json::parse(text));
  CHECK(parse_json("7", "x") == 7);
  CHECK(parse_json("[]", "x") == nlohmann::json::array());
}

TEST_CASE("a document is taken part by part") {
  using Parts = std::vector<std::string>;
  CHECK(parts_of("[1,\n{\"a\": [1, 2]},\n[3]]") == Parts{" 0 1 1", " 1 2 {\"a\":[1,2]}", " 2 3 [3]"});
  CHECK(parts_of("{\"i\": [{\"a\": 1},\n{\"a\": 2}], \"n\": 5, \"o\": {\"p\": [1]}, \"j\": [\"x\"]}") ==
        Parts{"i 0 1 {\"a\":1}", "i 1 2 {\"a\":2}", "n -1 2 5", "o -1 2 {\"p\":[1]}", "j 0 2 \"x\""});
  CHECK(parts_of(R"({"i": [1, [2, [3]], {"k": 4}], "j": [5], "": 6})", "i") == Parts{"j 0 1 5", " -1 1 6"});
  CHECK(parts_of(R"({"i": {"k": [4]}, "j": [5]})", "i") == Parts{"j 0 1 5"});
  CHECK(parts_of("{}").empty());
  CHECK(error_of([] { parts_of("7"); }) == "x.json: expected a JSON object or array");
  CHECK(error_of([] {
          parse_json_parts(
              "[1,\n2]", "x.json", [](std::string_view) { return true; },
              [](JsonPart& part) {
                if (part.value == 2) throw Error("bad");
              });
        }) == "x.json: line 2: bad");
}

TEST_CASE("what is wrong with JSON is said with file and line") {
  const auto message = [](const std::string& text) { return error_of([&] { parse_json(text, "x.json"); }); };
  CHECK(message("") == "x.json: JSON ends in the middle, at byte 0 (line 1)");
  CHECK(message("{\n\"a\": [1,") == "x.json: JSON ends in the middle, at byte 10 (line 2)");
  CHECK_THAT(message("{\n\"a\" 1}"),
             Contains("x.json: JSON is broken at byte 7 of 8 (line 2)") && Contains("expected ':'"));
  CHECK(message("[\n\n1e999]") == "x.json: line 3: 1e999 is too large a number");
  CHECK(message("{\"a\": 1,\n\"a\": 2}") == "x.json: line 2: 'a' stands twice in one object");
  CHECK(error_of([] { parts_of("{\"a\": 1,\n\"a\": 2}"); }) == "x.json: line 2: 'a' stands twice in one object");
  CHECK(message("[] x").starts_with("x.json: JSON is broken at byte 4"));
  CHECK(message("{\"\xff\": 1}").starts_with("x.json: JSON is broken at byte 3"));
}

TEST_CASE("nesting is bounded, in parts that are passed over too") {
  const std::string deep = repeated("[", 100000), objects = repeated("{\"a\":", 100000);
  for (const std::string& text : {deep, objects, "{\"i\":" + deep, "{\"j\":" + deep}) {
    CHECK_THAT(error_of([&] { parse_json(text, "x.json"); }), Contains("x.json: line 1: nested more than 64 deep"));
    CHECK_THAT(error_of([&] { parts_of(text, "i"); }), Contains("x.json: line 1: nested more than 64 deep"));
  }
  CHECK(parse_json(repeated("[", 64) + repeated("]", 64), "x").size() == 1);
  CHECK_THAT(error_of([] { parse_json("[[[1]]]", "x", 2); }), Contains("nested more than 2 deep"));
}

TEST_CASE("no form of JSON takes more than its share of time") {
  // All of these cost minutes where a parser looks through what it has read for each new value.
  std::string keys = "{\"k\": 0";
  for (int i = 0; i < 200000; ++i) keys += ", \"key" + std::to_string(i) + "\": {}";
  const Stopwatch stopwatch;
  CHECK(parse_json(keys + "}", "x").size() == 200001);
  CHECK(parse_json("[" + repeated("{},", 500000) + "{}]", "x").size() == 500001);
  CHECK(parts_of("{\"images\": [" + repeated("{\"a\": {}},\n", 200000) + "{}]}").size() == 200001);
  CHECK(parts_of("{\"images\": [[" + repeated("{},", 500000) + "{}]]}", "images").empty());
  CHECK(stopwatch.seconds() < 20);
}

TEST_CASE("a document may not cost many times its size") {
  CHECK_THAT(error_of([] { parse_json("[" + repeated("[],", 9'000'000) + "[]]", "x.json"); }),
             Contains("x.json: line 1: more values than fit in 768 MiB"));
}

TEST_CASE("text files are UTF-8, with marks or without, or UTF-16") {
  const std::string many = repeated("\xc3\xa4\n", 2'000'000);  // quickly, too
  CHECK(to_utf8(many, "x") == many);
  const std::string text = "\xc3\xa4 \xf0\x9f\x90\xb6\n", little("\xe4\0 \0\x3d\xd8\x36\xdc\n\0", 10),
                    big("\0\xe4\0 \xd8\x3d\xdc\x36\0\n", 10);
  CHECK(to_utf8(text, "x") == text);
  CHECK(to_utf8("\xef\xbb\xbf" + text, "x") == text);
  CHECK(to_utf8("\xff\xfe" + little, "x") == text);
  CHECK(to_utf8("\xfe\xff" + big, "x") == text);
  CHECK(to_utf8(std::string("a\0b\0", 4), "x") == "ab");  // no mark: known by the zero bytes
  CHECK(to_utf8(std::string("\0a\0b", 4), "x") == "ab");
  CHECK(to_utf8("", "x").empty());
  CHECK(to_utf8("\xef\xbb\xbf", "x").empty());
  CHECK_THAT(error_of([] { to_utf8("one\nz\xfcrich", "x.csv"); }), Contains("x.csv: line 2: byte 0xfc is not UTF-8"));
  CHECK_THAT(error_of([] { to_utf8(std::string("one\ntwo\0", 8), "x.csv"); }), Contains("x.csv: line 2: a zero byte"));
  CHECK_THAT(error_of([] { to_utf8("\xff\xfe" + std::string("a\0\n\0\x3d\xd8", 6), "x"); }),
             Contains("x: line 2: UTF-16 with half a character"));
  CHECK_THAT(error_of([] {
               to_utf8(
                   "\xff\xfe"
                   "abc",
                   "x");
             }),
             Contains("odd number"));
  const ScratchFolder folder;
  CHECK(read_utf8_file(folder.file("a.txt",
                                   "\xef\xbb\xbf"
                                   "a")) == "a");
  CHECK_THAT(error_of([&] { read_utf8_file(folder.path()); }), Contains("not a file of text"));
  CHECK_THAT(error_of([] { read_utf8_file("/dev/zero"); }), Contains("/dev/zero: not a file of text"));
  CHECK_THAT(error_of([&] { read_utf8_file(folder / "none"); }), Contains("none: No such file"));
  CHECK(line_of("a\nb\nc", 4) == 3);
}

TEST_CASE("code points are taken one by one, and what is no UTF-8 byte by byte") {
  const auto all = [](std::string_view text) {
    std::vector<char32_t> points;
    while (!text.empty()) points.push_back(take_code_point(text));
    return points;
  };
  using Points = std::vector<char32_t>;
  CHECK(all("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb6") == Points{'a', 0xe4, 0x20ac, 0x1f436});
  CHECK(all("\xc0\xaf") == Points{no_code_point, no_code_point});  // overlong
  CHECK(all("\xe0\x80\xaf").size() == 3);
  CHECK(all("\xed\xa0\x80").size() == 3);      // a surrogate
  CHECK(all("\xf4\x90\x80\x80").size() == 4);  // above 0x10ffff
  CHECK(all("\xc3") == Points{no_code_point});
  CHECK(all("\xe2\x82"
            "a") == Points{no_code_point, no_code_point, 'a'});
  for (const char32_t c : {0x24u, 0xe4u, 0x7ffu, 0x800u, 0xffffu, 0x10000u, 0x10ffffu}) {
    std::string text;
    append_utf8(text, c);
    CHECK(all(text) == Points{c});
  }
}

TEST_CASE("text is made fit for a terminal") {
  CHECK(printable("dog \xc3\xa4 \xe4\xb8\x80 \xf0\x9f\x90\xb6") == "dog \xc3\xa4 \xe4\xb8\x80 \xf0\x9f\x90\xb6");
  CHECK(printable("\x1b[31m\n\t\x7f\xff") == "\\x1b[31m\\n\\t\\x7f\\xff");
  CHECK(printable("a\xe2\x80\xae"
                  "b\xc2\x9b") ==
        "a\\u202e"
        "b\\u009b");
  CHECK(printable(printable("\x1b\n")) == printable("\x1b\n"));
  CHECK(printable_lines("a\n\x1b") == "a\n\\x1b");
  const std::string cut = printable(std::string(1'000'000, 'a') + "end", 100);
  CHECK(cut.size() == 100);
  CHECK(cut.starts_with("aaa"));
  CHECK(cut.ends_with("end"));
  for (std::size_t most = 10; most < 30; ++most)  // no code point is cut in two
    CHECK(printable(repeated("\xe4\xb8\x80", 20), most).find("\\x") == std::string::npos);
}
