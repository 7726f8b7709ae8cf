# shellcheck shell=bash
# Refuses early a machine on which a till would not work: every reason at once, each with what to do.

MEMORY_KB=380000 # a Pi with 512 MB reports about 430,000
DISK_KB=1000000
PROBLEMS=0

preflight() {
  require_system
  require_glibc
  require_memory
  require_disk
  require_exec
  require_sudo
  require_alone
  require_clock
  require_network
  if [[ $PROBLEMS -gt 0 ]]; then
    fatal "$PROBLEMS problem(s) above; nothing was changed on this machine."
  fi
  already "this machine can be a till"
}

problem() {
  PROBLEMS=$((PROBLEMS + 1))
  say "problem  $*" >&2
}

require_root() {
  [[ $(id -u) -eq 0 ]] || fatal "this changes the system: run it with sudo."
}

require_system() {
  local id version machine
  id=$(os_value ID)
  version=$(os_value VERSION_ID)
  case $id:$version in
    debian:12 | debian:13 | raspbian:12 | raspbian:13) ;;
    debian:* | raspbian:*)
      problem "Debian ${version:-of unknown release} is not supported (11 has Python 3.9, a till needs 3.11): write" \
        "Raspberry Pi OS or Debian 12 or 13, 64 bit, to the card."
      ;;
    *) problem "${id:-this system} is not supported: write Raspberry Pi OS or Debian 12 or 13, 64 bit, to the card." ;;
  esac
  machine=$(uname -m)
  case $machine in
    aarch64 | x86_64) ;;
    arm*) problem "$machine is a 32-bit system, for which a till's packages aren't made: use the 64-bit image." ;;
    *) problem "$machine is not supported: a till is aarch64 (a Pi) or x86_64." ;;
  esac
  command -v systemctl >/dev/null || problem "there is no systemd here, which starts a till: use the standard image."
}

os_value() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$OS_RELEASE" 2>/dev/null || true; }

require_glibc() {
  getconf GNU_LIBC_VERSION | awk '{split($2, v, "."); exit !(v[1] > 2 || v[2] >= 25)}' ||
    problem "$(getconf GNU_LIBC_VERSION) is older than 2.25: use Debian 12 or 13."
}

require_memory() {
  local memory
  memory=$(awk '/^MemTotal:/ {print $2}' /proc/meminfo)
  [[ $memory -ge $MEMORY_KB ]] || problem "$((memory / 1024)) MB of memory: a till needs 512 MB."
}

# A till that is set up already needs no room for another one.
require_disk() {
  local free
  [[ ! -f $ETC_DIR/till.conf ]] || return 0
  free=$(df --output=avail -k "$(existing "$STATE_DIR")" | tail -n 1)
  [[ $free -ge $DISK_KB ]] || problem "$((free / 1024)) MB free on the card: a till needs 1000 MB."
}

existing() {
  local path=$1
  while [[ ! -e $path ]]; do path=$(dirname "$path"); done
  printf '%s\n' "$path"
}

# The nucleus unpacks native libraries into /tmp and runs them there.
require_exec() {
  local probe
  probe=$(mktemp)
  printf '#!/bin/sh\nexit 0\n' >"$probe"
  chmod 700 "$probe"
  "$probe" 2>/dev/null || problem "programs in ${TMPDIR:-/tmp} can't be run (noexec): mount it without noexec."
  rm -f "$probe"
}

require_python() {
  python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fatal "python3 is older than 3.11: use Debian 12 or 13."
  python3 -I -c 'import venv, ensurepip' || fatal "python3 can't make virtual environments: apt-get install python3-venv."
  already "python3 $(python3 -I -c 'import platform; print(platform.python_version())') with venv"
}

# The nucleus runs components through sudo, so root must be allowed to be anybody, in any group.
require_sudo() {
  command -v sudo >/dev/null || return 0 # it comes with the packages
  sudo -n -u nobody -g nogroup true 2>/dev/null ||
    problem "root may not act as others through sudo: visudo must show the line: root ALL=(ALL:ALL) ALL"
}

# Two nuclei on one machine would share folders, ports and the unit's name.
require_alone() {
  local present
  present=$(sed -nE 's/^  thingName: "?([^"]*)"?$/\1/p' "$GREENGRASS_ROOT/config/effectiveConfig.yaml" 2>/dev/null || true)
  present=${present%%$'\n'*}
  if [[ -n $present && $present != "$THING" ]]; then
    problem "a Greengrass core named $present is installed in $GREENGRASS_ROOT: remove it first."
  elif [[ -e $(dirname "$GREENGRASS_ROOT")/ggc || -e /etc/systemd/system/greengrassd.service ]]; then
    problem "Greengrass V1 is installed here, which can't run beside a till: remove it first."
  elif [[ -f $ETC_DIR/till.conf ]]; then
    return 0
  elif [[ -e $UNIT_DIR/greengrass.service ]]; then
    problem "another Greengrass is installed here (greengrass.service): remove it first."
  elif package_present aws-greengrass-lite; then
    problem "Greengrass nucleus lite is installed here already: sudo dpkg --purge aws-greengrass-lite"
  fi
}
