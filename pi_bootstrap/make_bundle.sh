#!/usr/bin/env bash
# Makes an offline bundle: what pi_bootstrap.sh needs where neither Debian's mirrors nor AWS's downloads can be
# reached. Run it from a kit, as any user, on a machine with the Debian release and architecture of the Pi.
#
# Variables, all optional: NUCLEUS_MIRROR, NUCLEUS_SIGNER, PLUGIN_VERSION, LITE_SHA256 (see flavours/)
set -euo pipefail

SCRIPT_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KIT_DIR=$SCRIPT_DIR
OUT=

for part in say kit packages download; do
  # shellcheck source=/dev/null
  source "$SCRIPT_DIR/lib/$part.sh"
done

usage() {
  cat <<'TEXT'
Usage: bash make_bundle.sh --out DIR [--kit DIR]

  --out DIR   a new folder for the bundle
  --kit DIR   whose nucleus it is for (default: the folder of this script)

Then, on the Pi: sudo ./pi_bootstrap.sh --offline-bundle DIR
TEXT
}

parse() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --out) OUT=${2:-} && shift ;;
      --kit) KIT_DIR=$(cd "${2:-}" && pwd) && shift ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fatal "I don't know $1: see --help." ;;
    esac
    shift
  done
  [[ -n $OUT ]] || fatal "say where to with --out DIR."
  [[ ! -e $OUT ]] || fatal "$OUT is there already: give a new folder."
}

fetch_nucleus() {
  local name
  flavour_preflight
  while IFS= read -r name; do
    say "fetching $name"
    mkdir -p "$OUT/$(dirname "$name")"
    fetch "$name" "$OUT/$name"
    flavour_check_download "$OUT/$name"
  done < <(flavour_downloads)
}

# As if nothing were installed, so that nothing is missing on whatever the Pi lacks.
fetch_packages() {
  say "fetching packages: ${PACKAGES[*]} fake-hwclock ${FLAVOUR_PACKAGES[*]}"
  mkdir -p "$OUT/packages/partial" "$SCRATCH/lists/partial"
  : >"$SCRATCH/status"
  local options=("${APT_OPTIONS[@]}" -o "Dir::State=$SCRATCH" -o "Dir::State::status=$SCRATCH/status"
    -o "Dir::State::Lists=$SCRATCH/lists" -o "Dir::Cache=$SCRATCH" -o "Dir::Cache::Archives=$OUT/packages"
    -o Debug::NoLocking=1 -o APT::Sandbox::User= --quiet)
  apt-get "${options[@]}" update >&2
  apt-get "${options[@]}" --yes --no-install-recommends --download-only install \
    "${PACKAGES[@]}" fake-hwclock "${FLAVOUR_PACKAGES[@]}" >&2
  rm -rf "$OUT/packages/partial" "$OUT/packages/lock"
}

main() {
  parse "$@"
  read_settings "$KIT_DIR/till.conf"
  # shellcheck source=/dev/null
  source "$SCRIPT_DIR/flavours/$NUCLEUS.sh"
  SCRATCH=$(mktemp -d)
  DOWNLOAD_DIR=$SCRATCH/downloads
  export DOWNLOAD_DIR
  trap 'rm -rf "$SCRATCH"' EXIT
  mkdir -p "$OUT"
  OUT=$(cd "$OUT" && pwd)
  fetch_nucleus
  fetch_packages
  (cd "$OUT" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum >"$SCRATCH/SHA256SUMS")
  mv "$SCRATCH/SHA256SUMS" "$OUT/SHA256SUMS"
  say "finished: $(find "$OUT/packages" -name '*.deb' | wc -l) packages and the nucleus $NUCLEUS $NUCLEUS_VERSION in $OUT"
}

main "$@"
