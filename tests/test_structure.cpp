// The rules of the house that a reader can check line by line: who includes whom, and how long a file may be.
#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "catch.h"
#include "glimpse/engine/io/file.h"

namespace fs = std::filesystem;

namespace {

struct Source {
  std::string path;    // "engine/tensor.h"
  std::string folder;  // "engine"
  std::string extension;
  std::string text;
  std::vector<std::string> includes;  // as written, without quotes or angle brackets
  std::vector<std::string> quoted;    // those in quotes
};

const std::vector<std::string> folders = {"kernels", "engine", "data", "models", "tools", "tests", "bench"};

/// The names in the #include lines of `text`.
void find_includes(const std::string& text, std::vector<std::string>& all, std::vector<std::string>& quoted) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"])re");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (line.find("include") == std::string::npos || !std::regex_search(line, match, pattern)) continue;
    all.push_back(match[2]);
    if (match[1] == "\"") quoted.push_back(match[2]);
  }
}

const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> list;
    const fs::path root = GLIMPSE_SOURCE;
    const std::set<std::string> wanted = {".h", ".cpp", ".cu", ".cuh"};
    for (const std::string& folder : folders) {
      if (!fs::exists(root / folder)) continue;
      for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
        if (!entry.is_regular_file() || !wanted.contains(entry.path().extension().string())) continue;
        Source source{.path = fs::relative(entry.path(), root).string(),
                      .folder = folder,
                      .extension = entry.path().extension().string(),
                      .text = glimpse::read_text_file(entry.path().string()),
                      .includes = {},
                      .quoted = {}};
        find_includes(source.text, source.includes, source.quoted);
        list.push_back(std::move(source));
      }
    }
    return list;
  }();
  return all;
}

bool is_header(const Source& s) { return s.extension == ".h" || s.extension == ".cuh"; }

bool starts_with_any(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](const std::string& start) { return text.starts_with(start); });
}

/// Where headers lie that are not installed, besides folders named internal: the build's own list.
const std::vector<std::string>& private_places() {
  static const std::vector<std::string> places = [] {
    std::vector<std::string> list;
    std::istringstream text(GLIMPSE_PRIVATE_PLACES);
    for (std::string place; std::getline(text, place, ',');) list.push_back(place);
    return list;
  }();
  return places;
}

/// Installed with the library.
bool is_public(const Source& s) {
  static const std::set<std::string> library = {"kernels", "engine", "data", "models"};
  return s.extension == ".h" && library.contains(s.folder) && s.path.find("/internal/") == std::string::npos &&
         !starts_with_any(s.path, private_places());
}

/// The emulator is a part of the tests, and stands for CUDA's headers where g++ compiles kernels.
bool stands_for_cuda(const Source& source, const std::string& include) {
  return source.path.starts_with("kernels/cuda/") && include.starts_with("glimpse/tests/emulator/");
}

/// The first line of the longest function, and its lines: from a line that ends with "{" and has a ")", indented by at
/// most two blanks, to the "}" below it. clang-format sees to it that functions look so.
std::pair<std::string, std::ptrdiff_t> longest_function(const std::string& text) {
  static const std::regex no_function(R"(^\s*(if|for|while|switch|else|\}|namespace|struct|class|enum|//).*)");
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::pair<std::string, std::ptrdiff_t> longest{"", 0};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t indent = lines[i].find_first_not_of(' ');
    if (indent > 2 || !lines[i].ends_with('{') || lines[i].find(')') == std::string::npos) continue;
    if (std::regex_match(lines[i], no_function)) continue;
    std::size_t end = i + 1;
    while (end < lines.size() && !(lines[end].find_first_not_of(' ') == indent && lines[end][indent] == '}')) ++end;
    const auto count = static_cast<std::ptrdiff_t>(end - i) + 1;
    if (end < lines.size() && count > longest.second) longest = {lines[i], count};
  }
  return longest;
}

/// Everything that breaks a rule, one a line; empty when nothing does.
template <class Rule>
std::string violations(Rule rule) {
  std::string list;
  for (const Source& source : sources()) {
    const std::string complaint = rule(source);
    if (!complaint.empty()) list += source.path + ": " + complaint + "\n";
  }
  return list;
}

/// Whether `include` is written in quotes and names a file in the folder of `source`.
bool stands_beside(const Source& source, const std::string& include) {
  return std::find(source.quoted.begin(), source.quoted.end(), include) != source.quoted.end() &&
         fs::exists(fs::path(GLIMPSE_SOURCE) / fs::path(source.path).parent_path() / include);
}

}  // namespace

TEST_CASE("structure: the sources are found") {
  CHECK(sources().size() > 50);
  CHECK(std::count_if(sources().begin(), sources().end(), is_public) > 20);
}

TEST_CASE("structure: each layer includes only what lies below it") {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"kernels", {"kernels"}},
      {"engine", {"kernels", "engine"}},
      {"data", {"kernels", "engine", "data"}},
      {"models", {"kernels", "engine", "data", "models"}},
      {"tools", {"kernels", "engine", "data", "models", "tools"}}};
  CHECK(violations([&](const Source& source) -> std::string {
          const auto rule = allowed.find(source.folder);
          if (rule == allowed.end()) return "";
          for (const std::string& include : source.includes) {
            if (!include.starts_with("glimpse/")) continue;
            if (stands_for_cuda(source, include)) continue;
            const std::string target = include.substr(8, include.find('/', 8) - 8);
            if (!rule->second.contains(target)) return "includes " + include + ", which is above it";
          }
          return "";
        }) == "");
}

TEST_CASE("structure: the library's own headers are included by their full name") {
  CHECK(violations([&](const Source& source) -> std::string {
          if (source.folder == "tests" || source.folder == "bench" || source.folder == "tools") return "";
          for (const std::string& include : source.quoted)
            if (stands_beside(source, include)) return "includes " + include + " by a relative name";
          return "";
        }) == "");
}

TEST_CASE("structure: CUDA's headers appear in .cu files, in what only they include, and where its libraries are met") {
  const std::vector<std::string> cuda = {"cuda", "cublas", "cudnn", "nccl", "nv", "cooperative_groups", "mma.h"};
  CHECK(violations([&](const Source& source) -> std::string {
          if (source.extension == ".cu" || source.extension == ".cuh") return "";
          if (starts_with_any(source.path, {"kernels/nvidia/", "tests/nvidia/"}) && !is_public(source)) return "";
          for (const std::string& include : source.includes)
            if (starts_with_any(include, cuda) && !stands_beside(source, include)) return "includes " + include;
          return "";
        }) == "");
}

TEST_CASE("structure: outside libraries stay out of public headers") {
  const std::vector<std::string> outside = {"fmt/",     "nlohmann/", "CLI/",     "stb",         "oneapi/", "dnnl",
                                            "omp.h",    "mpi.h",     "catch2/",  "jpeglib.h",   "webp/",   "libheif/",
                                            "utf8proc", "hb",        "ft2build", "fontconfig/", "zlib.h"};
  CHECK(violations([&](const Source& source) -> std::string {
          if (!is_public(source)) return "";
          for (const std::string& include : source.includes) {
            if (starts_with_any(include, outside)) return "includes " + include;
            const auto own = std::find_if(sources().begin(), sources().end(),
                                          [&](const Source& s) { return include == "glimpse/" + s.path; });
            if (own != sources().end() && !is_public(*own))
              return "is public, but includes " + include + ", which is not";
          }
          return "";
        }) == "");
}

TEST_CASE("structure: each outside library is met in one place") {
  const std::map<std::string, std::vector<std::string>> places = {
      {"oneapi/", {"kernels/onednn/"}},
      {"dnnl", {"kernels/onednn/"}},
      {"stb", {"data/"}},
      {"jpeglib.h", {"data/internal/libjpeg.cpp"}},
      {"jerror.h", {"data/internal/libjpeg.cpp"}},
      {"webp/", {"data/internal/libwebp.cpp"}},
      {"libheif/", {"data/internal/libheif.cpp"}},
      {"zlib.h", {"data/internal/zlib.cpp"}},
      {"hb", {"data/internal/fonts.cpp"}},
      {"ft2build", {"data/internal/fonts.cpp"}},
      {"fontconfig/", {"data/internal/fonts.cpp"}},
      {"utf8proc", {"data/internal/unicode.cpp"}},
      {"omp.h", {"kernels/base/parallel.cpp"}},
      {"CLI/", {"tools/", "bench/"}},
      {"catch2/", {"tests/catch.h"}},
      {"cublas", {"kernels/nvidia/cublas", "tests/nvidia/"}},
      {"cudnn", {"kernels/nvidia/cudnn", "tests/nvidia/"}}};
  CHECK(violations([&](const Source& source) -> std::string {
          for (const std::string& include : source.includes)
            for (const auto& [start, where] : places)
              if (include.starts_with(start) && !starts_with_any(source.path, where)) return "includes " + include;
          return "";
        }) == "");
}

TEST_CASE("structure: headers are guarded by #pragma once") {
  CHECK(violations([](const Source& source) -> std::string {
          return !is_header(source) || source.text.starts_with("#pragma once\n") ? ""
                                                                                 : "does not begin with #pragma once";
        }) == "");
}

TEST_CASE("structure: a file is read in one sitting") {
  CHECK(violations([](const Source& source) -> std::string {
          const std::ptrdiff_t lines = std::count(source.text.begin(), source.text.end(), '\n');
          return lines <= 400 ? "" : "has " + std::to_string(lines) + " lines; more than 400";
        }) == "");
}

TEST_CASE("structure: a function is seen at once") {
  CHECK(violations([](const Source& source) -> std::string {
          if (source.folder == "tests" || source.path.starts_with("bench/ladders/")) return "";
          const auto [name, lines] = longest_function(source.text);
          return lines <= 60 ? "" : "has a function of " + std::to_string(lines) + " lines: " + name;
        }) == "");
}

TEST_CASE("structure: the longest function is found") {
  CHECK(longest_function("void f(int x) {\n  a;\n  if (b) {\n  }\n}\n\nint g() {\n}\n") ==
        std::pair<std::string, std::ptrdiff_t>("void f(int x) {", 5));
  CHECK(longest_function("class C {\n  int g() {\n    a;\n  }\n};\n").second == 3);
}

TEST_CASE("structure: the rooms of models stand in one order") {
  const std::vector<std::string> order = {"encoder", "decoder", "search", "captioner", "training"};
  const auto room = [&](const std::string& path, std::size_t at) {
    return std::find(order.begin(), order.end(), path.substr(at, path.find('/', at) - at)) - order.begin();
  };
  CHECK(violations([&](const Source& source) -> std::string {
          if (source.folder != "models") return "";
          for (const std::string& include : source.includes)
            if (include.starts_with("glimpse/models/") && room(include, 15) > room(source.path, 7))
              return "includes " + include + ", which is above it";
          return "";
        }) == "");
}

TEST_CASE("structure: each file of CUDA kernels begins with what they do, their bytes and their operations") {
  const std::regex work("[Oo]peration|[Aa]rithmetic");
  CHECK(violations([&](const Source& source) -> std::string {
          if (source.extension != ".cu") return "";
          const std::string opening = source.text.substr(0, source.text.find("\n#include"));
          if (!opening.starts_with("// ")) return "has no opening comment";
          if (source.text.find("__global__") == std::string::npos) return "";
          if (opening.find("Bytes") == std::string::npos) return "does not say what its kernels read and write";
          return std::regex_search(opening, work) ? "" : "does not say what its kernels compute";
        }) == "");
}

TEST_CASE("structure: nothing is left for later") {
  const std::regex mark(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X)\\b");
  CHECK(violations([&](const Source& source) -> std::string {
          return std::regex_search(source.text, mark) ? "has a mark of unfinished work" : "";
        }) == "");
}
