#!/usr/bin/env bash
# Installs what Glimpse is built with, by apt, where it is missing: Debian 12 or newer, Ubuntu 24.04 or newer.
# Needs root or sudo only when something is missing.
set -euo pipefail

packages=(g++ cmake ninja-build libdnnl-dev libstb-dev libjpeg-dev libwebp-dev libheif-dev zlib1g-dev nlohmann-json3-dev
  libutf8proc-dev libcli11-dev libfmt-dev catch2 libfreetype-dev libharfbuzz-dev libfontconfig-dev wordnet-base)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: this is not a Debian or Ubuntu system. Install these by hand (names of Debian's packages):" >&2
  echo "       ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  # ninja-build and cmake may come from elsewhere (pip, a vendor); what counts is that they run.
  case $package in
    g++) command -v g++ >/dev/null && continue ;;
    cmake) command -v cmake >/dev/null && continue ;;
    ninja-build) command -v ninja >/dev/null && continue ;;
  esac
  state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [[ $state == "install ok installed" ]] || missing+=("$package")
done

if ((${#missing[@]} == 0)); then
  echo "setup: everything is installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  echo "setup: apt failed:" >&2
  tail -n 20 "$log" >&2
  exit 1
fi
echo "setup: done"
