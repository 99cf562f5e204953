#include "caption_output.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"
#include "program.h"

namespace glimpse::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* xmp_toolkit = "x:xmptk=\"Glimpse\"";

void add_text(const std::string& path, const std::vector<ImageCaption>& captions,
              const std::vector<std::string>& pictures) {
  constexpr std::size_t longest = 4096;
  const std::string name = printable(path, longest);
  const auto text = [](const ImageCaption& c) { return printable(c.text(), longest); };
  const auto ending = [](const ImageCaption& c) { return c.finished ? "" : " [cut]"; };
  if (captions.size() == 1)
    fmt::print("{}: {}{}  ({:.2f})\n", name, text(captions[0]), ending(captions[0]), captions[0].score);
  else
    fmt::print("{}\n", name);
  for (std::size_t i = 0; i < captions.size() && captions.size() > 1; ++i)
    fmt::print("  {:8.2f}  {}{}\n", captions[i].score, text(captions[i]), ending(captions[i]));
  if (!pictures.empty()) fmt::print("  attention: {}\n", printable(pictures.front(), longest));
}

std::string json_entry(const std::string& path, const std::vector<ImageCaption>& captions,
                       const std::vector<std::string>& pictures) {
  Json list = Json::array();
  for (const ImageCaption& c : captions)
    list.push_back(
        {{"caption", c.text()}, {"score", c.score}, {"log_probability", c.log_probability}, {"finished", c.finished}});
  Json entry = {{"filename", path}, {"caption", list[0]["caption"]}, {"score", list[0]["score"]}};
  entry["captions"] = list;
  if (!pictures.empty()) entry["attention"] = pictures;
  if (!captions[0].beta.empty()) entry["beta"] = captions[0].beta;
  return entry.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Text between XML's tags: what XML 1.0 cannot hold becomes U+FFFD.
std::string xml_text(const std::string& text) {
  // The JSON library's writer is what replaces bytes that are not UTF-8.
  const std::string valid =
      Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
  std::string result;
  for (const char c : valid) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n')
      result += "\xef\xbf\xbd";
    else
      result += c;
  }
  return result;
}

std::string xmp_packet(const std::string& description) {
  return fmt::format(R"(<?xpacket begin="{}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" {}>
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:description>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">{}</rdf:li>
    </rdf:Alt>
   </dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
)",
                     "\xef\xbb\xbf", xmp_toolkit, xml_text(description));
}

}  // namespace

std::string csv_field(const std::string& text) {
  const bool blank_at_end = !text.empty() && (text.front() == ' ' || text.back() == ' ');
  if (text.find_first_of(",\"\r\n\t") == std::string::npos && !blank_at_end) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void CaptionOutput::begin() {
  if (format_ == CaptionFormat::csv)
    fmt::print("filename,rank,caption,score,log_probability,finished{}\r\n", with_pictures_ ? ",attention" : "");
}

void CaptionOutput::add(const std::string& path, const std::vector<ImageCaption>& captions,
                        const std::vector<std::string>& pictures) {
  switch (format_) {
    case CaptionFormat::text:
      add_text(path, captions, pictures);
      break;
    case CaptionFormat::json:
      fmt::print("{}{}", first_ ? "[\n" : ",\n", json_entry(path, captions, pictures));
      break;
    case CaptionFormat::csv:
      for (std::size_t i = 0; i < captions.size(); ++i) {
        const ImageCaption& c = captions[i];
        fmt::print("{},{},{},{},{},{}", csv_field(path), i + 1, csv_field(c.text()), c.score, c.log_probability,
                   c.finished);
        if (with_pictures_) fmt::print(",{}", i == 0 && !pictures.empty() ? csv_field(pictures.front()) : "");
        fmt::print("\r\n");
      }
      break;
  }
  first_ = false;
  require_output();
}

void CaptionOutput::finish() {
  if (format_ == CaptionFormat::json) fmt::print("{}\n", first_ ? "[]" : "\n]");
}

void Sidecars::write(const std::string& image, const std::vector<ImageCaption>& captions) {
  const std::string path = fs::path(image).replace_extension(kind_ == Kind::text ? ".txt" : ".xmp").string();
  check(path != image, "{}: its captions would have its own name", image);
  check(written_.insert(path).second,
        "{}: holds the captions of another photograph of this name; those of {} are not "
        "written",
        path, image);
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error))) {
    check(replace_, "{}: exists already; --force replaces it", path);
    check(kind_ == Kind::text || read_text_file(path).find(xmp_toolkit) != std::string::npos,
          "{}: written by another program, so not replaced", path);
  }
  std::string content;
  if (kind_ == Kind::xmp) {
    content = xmp_packet(captions.front().text());
  } else {
    for (const ImageCaption& c : captions) content += c.text() + "\n";
  }
  write_file_atomically(path, content);
}

}  // namespace glimpse::tools
