#!/usr/bin/env bash
# Everything a clone needs on Debian 12 with git, make, Python 3.11 and Node 20 or later. A second run changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# The JDK brings jarsigner, with which the tests of the classic nucleus' installation verify and forge archives.
# gcc builds the disk on which the fault tests cut the power; libfuse makes one for programs in Go.
DEBIAN_PACKAGES=(chromium debootstrap default-jdk-headless gcc iproute2 libc6-dev libfuse3-3 openssl shellcheck
  systemd-container)

say() { printf '%s\n' "$*" >&2; }
fatal() {
  say "error: $*"
  exit 1
}

need_cmd() { command -v "$1" >/dev/null || fatal "$1 is needed: install it, then run make again."; }

debian_packages() {
  local missing=() package
  for package in "${DEBIAN_PACKAGES[@]}" "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    say "Without root these Debian packages stay missing, which the demo and some tests need. Install them with:"
    say "  sudo apt-get install --no-install-recommends ${missing[*]}"
    return
  fi
  say "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A virtual environment follows its lock file: brought in line when the file's digest changes.
environment() { # directory, lock file
  local dir=$1 lock=$2 digest
  digest=$(sha256sum "$lock" | cut -d' ' -f1)
  [ -f "$dir/.lock-digest" ] && [ "$(cat "$dir/.lock-digest")" = "$digest" ] && return
  say "Installing $lock into $dir"
  [ -x "$dir/bin/python" ] || "$PYTHON" -m venv --clear "$dir"
  uv pip sync --quiet --python "$dir/bin/python" --require-hashes "$lock"
  printf '%s\n' "$digest" >"$dir/.lock-digest"
}

# uv installs the locked sets many times faster than pip; pip fetches uv itself, by hash.
uv() {
  if [ ! -x build/env/uv/bin/uv ]; then
    "$PYTHON" -m venv build/env/uv
    build/env/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
  fi
  build/env/uv/bin/uv "$@"
}

# `greentill` on the environment's PATH runs this clone, wherever it is called from.
command_line() {
  printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s/.venv/bin/python" -m greentill "$@"\n' "$PWD" "$PWD" >.venv/bin/greentill
  chmod +x .venv/bin/greentill
}

node_modules() {
  [ -f node_modules/.package-lock.json ] && [ node_modules/.package-lock.json -nt package-lock.json ] && return
  say "Installing the CDK command line"
  npm ci --silent --no-audit --no-fund
  touch node_modules/.package-lock.json
}

main() {
  PYTHON=${PYTHON:-python3}
  need_cmd "$PYTHON"
  need_cmd node
  need_cmd npm
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fatal "Python 3.11 or later is needed."
  local python_packages=()
  "$PYTHON" -c 'import ensurepip' 2>/dev/null || python_packages+=(python3-venv)
  debian_packages "${python_packages[@]}"
  environment .venv requirements/dev.txt
  command_line
  environment build/env/twin-cloud requirements/twin-cloud.txt
  node_modules
}

main "$@"
