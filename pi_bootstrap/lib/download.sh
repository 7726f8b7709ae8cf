# shellcheck shell=bash
# Fetches a file whole or not at all.

# fetch NAME TARGET: from the offline bundle where one is given, from $NUCLEUS_MIRROR otherwise.
fetch() {
  local name=$1 target=$2
  rm -f "$target.part"
  if [[ -n ${OFFLINE_BUNDLE:-} ]]; then
    cp "$OFFLINE_BUNDLE/$name" "$target.part" || {
      printf '%s is not in the offline bundle %s.\n' "$name" "$OFFLINE_BUNDLE" >&2
      return 1
    }
  else
    curl --fail --silent --show-error --location --connect-timeout 20 --retry 3 --speed-limit 1000 \
      --speed-time 60 --output "$target.part" "$NUCLEUS_MIRROR/$name" || {
      rm -f "$target.part"
      printf '%s/%s could not be downloaded whole.\n' "$NUCLEUS_MIRROR" "$name" >&2
      return 1
    }
  fi
  mv "$target.part" "$target"
}
