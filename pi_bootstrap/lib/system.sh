# shellcheck shell=bash
# Packages, users, directories and units that a till needs.

PACKAGES=(ca-certificates curl python3 python3-venv sudo tzdata)
FLAVOUR_PACKAGES=() # a flavour names what it needs
APT_OPTIONS=(-o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=120)

ensure_packages() {
  local package missing=()
  for package in "${PACKAGES[@]}" "${FLAVOUR_PACKAGES[@]}"; do
    package_present "$package" || missing+=("$package")
  done
  if [[ ${#missing[@]} -eq 0 ]]; then
    already "packages: ${PACKAGES[*]} ${FLAVOUR_PACKAGES[*]}"
  elif [[ -n $OFFLINE_BUNDLE ]]; then
    change "install from the bundle: ${missing[*]}" install_bundled
  else
    change "install packages: ${missing[*]}" install_packages "${missing[@]}"
  fi
}

package_present() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_packages() {
  apt-get "${APT_OPTIONS[@]}" --quiet update
  DEBIAN_FRONTEND=noninteractive apt-get "${APT_OPTIONS[@]}" --quiet --yes --no-install-recommends install "$@"
}

install_bundled() { dpkg --install "$OFFLINE_BUNDLE"/packages/*.deb; }

ensure_users() {
  local operator
  if getent group ggc_group >/dev/null; then
    already "group ggc_group"
  else
    change "add group ggc_group" groupadd --system ggc_group
  fi
  # Without a home, pip and many programs that components start don't work.
  if getent passwd ggc_user >/dev/null; then
    already "user ggc_user"
  else
    change "add user ggc_user, with a home" useradd --system --create-home --gid ggc_group ggc_user
  fi
  operator=$(operator_user)
  if [[ -z $operator ]]; then
    note "no login user to add to ggc_group"
  elif id -nG "$operator" | tr ' ' '\n' | grep -qx ggc_group; then
    already "$operator is in ggc_group"
  else
    change "add $operator to ggc_group" usermod --append --groups ggc_group "$operator"
    note "$operator: log out and in again (or restart) for ggc_group to take effect"
  fi
}

operator_user() {
  if [[ -n ${SUDO_USER:-} && $SUDO_USER != root ]]; then
    printf '%s\n' "$SUDO_USER"
  else
    getent passwd 1000 | cut -d: -f1
  fi
}

# A component that can't pass one of these directories ends with Errno 13.
ensure_directories() {
  ensure_directory "$(dirname "$GREENGRASS_ROOT")" root:root 755
  ensure_directory "$GREENGRASS_ROOT" root:root 755
  ensure_directory "$STATE_DIR" ggc_user:ggc_group 2775
  ensure_directory "$ETC_DIR" root:root 755
}

ensure_directory() {
  local path=$1 owner=$2 mode=$3
  if [[ -d $path && $(stat -c '%U:%G %a' "$path") == "$owner $mode" ]]; then
    already "$path $owner $mode"
  else
    change "directory $path $owner $mode" make_directory "$path" "$owner" "$mode"
  fi
}

make_directory() {
  install -d "$1"
  chown "$2" "$1"
  chmod "$3" "$1"
}

# A Pi has no clock chip. The nucleus is ordered after time-sync.target, which a waiting service holds back
# until a time server has answered: for ever without a network. The waits are bounded instead.
ensure_units() {
  place 644 "$UNIT_DIR/greengrass.service.d/greentill.conf" <<UNIT
[Unit]
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-$ETC_DIR/environment
RestartSec=5
UNIT
  local wait
  for wait in systemd-time-wait-sync chrony-wait; do
    place 644 "$UNIT_DIR/$wait.service.d/greentill.conf" <<UNIT
[Service]
TimeoutStartSec=$CLOCK_WAIT_SECONDS
UNIT
  done
  place 644 "$JOURNALD_DIR/greentill.conf" <<'CONF'
[Journal]
SystemMaxUse=64M
SystemMaxFileSize=8M
SyncIntervalSec=5m
RateLimitIntervalSec=30s
RateLimitBurst=1000
CONF
  if [[ $DRY_RUN == no ]]; then
    doing "reload systemd"
    systemctl daemon-reload >>"$LOG_FILE" 2>&1
  fi
  ensure_saved_clock
}

# Without one of these, a boot without network starts at the image's date.
ensure_saved_clock() {
  if [[ -e /dev/rtc0 ]] || package_present fake-hwclock || package_present systemd-timesyncd; then
    already "the clock survives a restart"
  elif apt-cache show fake-hwclock >/dev/null 2>&1; then
    change "install fake-hwclock" install_packages fake-hwclock
  else
    note "no clock chip and no fake-hwclock to install: after a restart without network, times are those of the image"
  fi
}
