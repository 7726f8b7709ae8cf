# shellcheck shell=bash
# Debian packages, from the network or from an offline bundle.

PACKAGES=(ca-certificates curl logrotate openssl python3 python3-venv sudo tzdata)
FLAVOUR_PACKAGES=() # a flavour names what it needs
APT_OPTIONS=(-o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=120)

ensure_packages() {
  local package missing=()
  # A power cut in the middle of an installation leaves packages unpacked; apt refuses to go on until they are set up.
  if [[ -n $(dpkg --audit) ]]; then
    change "finish an interrupted installation of packages" dpkg --configure --pending
  fi
  for package in "${PACKAGES[@]}" "${FLAVOUR_PACKAGES[@]}"; do
    package_present "$package" || missing+=("$package")
  done
  has_saved_clock || ! package_offered fake-hwclock || missing+=(fake-hwclock)
  if [[ ${#missing[@]} -eq 0 ]]; then
    already "packages: ${PACKAGES[*]} ${FLAVOUR_PACKAGES[*]}"
  else
    change "install packages${OFFLINE_BUNDLE:+ from the bundle}: ${missing[*]}" install_packages "${missing[@]}"
  fi
  [[ $DRY_RUN == yes ]] || require_python
}

package_present() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

package_offered() {
  if [[ -n $OFFLINE_BUNDLE ]]; then
    compgen -G "$OFFLINE_BUNDLE/packages/$1_*.deb" >/dev/null
  else
    apt-cache show "$1" >/dev/null 2>&1
  fi
}

install_packages() {
  local APT_OPTIONS=("${APT_OPTIONS[@]}")
  if [[ -n $OFFLINE_BUNDLE ]]; then
    use_bundled_packages
  fi
  apt-get "${APT_OPTIONS[@]}" --quiet update
  DEBIAN_FRONTEND=noninteractive apt-get "${APT_OPTIONS[@]}" --quiet --yes --no-install-recommends install "$@"
  rm -rf "$DOWNLOAD_DIR/apt"
}

# A boot without network and without a clock chip must not start at the image's date: one of these keeps the time.
has_saved_clock() { [[ -e /dev/rtc0 ]] || package_present fake-hwclock || package_present systemd-timesyncd; }
