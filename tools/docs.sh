#!/usr/bin/env bash
# Makes pages of the public headers, in build/docs/html: docs.sh. Needs Doxygen 1.9.4 or newer; a comment that it cannot
# read is an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v doxygen >/dev/null; then
  echo "docs: doxygen is not installed (apt-get install doxygen)" >&2
  exit 1
fi
# The same headers as those that are not installed; the emulator's have no pages at all.
private=$(tr '\n' ' ' <cmake/glimpse_library.cmake | sed -n 's/.*set(glimpse_private_places \([^)]*\)).*/\1/p')
[[ -n $private ]] || {
  echo 'docs: cmake/glimpse_library.cmake has no list glimpse_private_places' >&2
  exit 1
}
left_out=$(sed -n '/^EXCLUDE /,/^EXCLUDE_PATTERNS/p' docs/Doxyfile)
for place in $private; do
  case $place in tests/*) continue ;; esac
  grep -qwF -- "${place%/}" <<<"$left_out" || {
    echo "docs: $place is private (cmake/glimpse_library.cmake), but docs/Doxyfile does not leave it out" >&2
    exit 1
  }
done
rm -rf build/docs
mkdir -p build/docs/include
# Functions that a list in another header declares (kernels/functors.h) are seen only where that header is found.
ln -s ../../.. build/docs/include/glimpse
{
  cat docs/Doxyfile
  echo "INCLUDE_PATH = build/docs/include"
} | doxygen -
echo "docs: build/docs/html/index.html"
