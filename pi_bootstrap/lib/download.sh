# shellcheck shell=bash
# Fetches files whole or not at all. What a cut line left is gone on with; who calls checks what came.

# fetch NAME TARGET: from the offline bundle where one is given, from $NUCLEUS_MIRROR otherwise.
fetch() {
  local name=$1 target=$2 part
  if [[ -n ${OFFLINE_BUNDLE:-} ]]; then
    cp "$OFFLINE_BUNDLE/$name" "$target" || {
      printf '%s is not in the offline bundle %s.\n' "$name" "$OFFLINE_BUNDLE" >&2
      return 1
    }
    return 0
  fi
  install -d -m 700 "$DOWNLOAD_DIR"
  part=$DOWNLOAD_DIR/$(basename "$name").part
  if ! download "$NUCLEUS_MIRROR/$name" "$part"; then
    printf '%s/%s could not be downloaded whole: run this again to go on.\n' "$NUCLEUS_MIRROR" "$name" >&2
    return 1
  fi
  mv "$part" "$target"
}

# Goes on where the last attempt stopped; starts over when the server can't, or has another file by now.
download() {
  local url=$1 part=$2 status=0
  local options=(--fail --silent --show-error --location --connect-timeout 20 --retry 3 --speed-limit 1000
    --speed-time 60)
  if [[ -s $part ]]; then
    curl "${options[@]}" --continue-at - --output "$part" "$url" || status=$?
    case $status in
      0) return 0 ;;
      22 | 33 | 36) rm -f "$part" ;; # the range was refused
      *) return 1 ;;
    esac
  fi
  curl "${options[@]}" --output "$part" "$url"
}
