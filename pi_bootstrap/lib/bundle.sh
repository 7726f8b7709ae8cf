# shellcheck shell=bash
# An offline bundle: what a machine without a way to Debian and AWS's downloads needs.
#   SHA256SUMS           of every other file
#   <nucleus downloads>  under the names that they have on NUCLEUS_MIRROR
#   packages/*.deb       Debian packages with all that they depend on

# Nothing of a bundle is used before every file has been checked, and none that isn't listed.
check_bundle() {
  local unlisted
  [[ -n $OFFLINE_BUNDLE ]] || return 0
  [[ -f $OFFLINE_BUNDLE/SHA256SUMS ]] ||
    fatal "$OFFLINE_BUNDLE has no SHA256SUMS: it is no bundle of make_bundle.sh, or was not copied whole."
  (cd "$OFFLINE_BUNDLE" && sha256sum --check --quiet SHA256SUMS) >>"$LOG_FILE" 2>&1 ||
    fatal "the bundle $OFFLINE_BUNDLE is damaged or was changed: copy it again."
  unlisted=$(comm -13 <(sed 's/^[0-9a-f]*[ *]*//' "$OFFLINE_BUNDLE/SHA256SUMS" | sort) \
    <(cd "$OFFLINE_BUNDLE" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort) | head -n 1)
  [[ -z $unlisted ]] || fatal "the bundle holds $unlisted, which its SHA256SUMS doesn't list: take it out, or make the bundle again."
  already "bundle in $OFFLINE_BUNDLE is whole"
}

# apt installs from the bundle alone, and takes of it only what is missing here.
use_bundled_packages() {
  local index=$DOWNLOAD_DIR/apt
  rm -rf "$index"
  install -d -m 755 "$DOWNLOAD_DIR" "$index" "$index/lists/partial" "$index/packages"
  cp "$OFFLINE_BUNDLE"/packages/*.deb "$index/packages/"
  index_packages "$index" >"$index/Packages"
  printf 'deb [trusted=yes] file:%s ./\n' "$index" >"$index/sources.list"
  APT_OPTIONS+=(-o "Dir::Etc::SourceList=$index/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$index/lists" -o APT::Sandbox::User=root)
}

# What apt wants to know of each package; the sums were checked already.
index_packages() {
  local package
  for package in "$1"/packages/*.deb; do
    dpkg-deb --field "$package"
    printf 'Filename: ./packages/%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$package")" \
      "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
  done
}
