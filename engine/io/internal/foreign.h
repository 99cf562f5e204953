#pragma once
// Files that are taken for weights and are something else.

#include <string>
#include <string_view>

namespace glimpse {

/// Throws Error that says what the file is and what to do, where its first bytes tell: an empty file, what Git LFS
/// leaves in place of a file, a web page, the files of other frameworks and of archivers. Returns for all others.
void refuse_foreign(std::string_view bytes, const std::string& path);

}  // namespace glimpse
