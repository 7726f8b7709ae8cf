# shellcheck shell=bash
# Refuses early, with the reason and what to do, a machine on which a till would not work.

MEMORY_KB=380000 # a Pi with 512 MB reports about 430,000
DISK_KB=1000000

preflight() {
  check_system
  check_space
  check_exec
  already "this machine can be a till"
}

check_root() {
  [[ $(id -u) -eq 0 ]] || fatal "this changes the system: run it with sudo."
}

check_system() {
  local id version machine
  id=$(os_value ID)
  version=$(os_value VERSION_ID)
  case $id:$version in
    debian:12 | debian:13 | raspbian:12 | raspbian:13) ;;
    debian:* | raspbian:*)
      fatal "Debian ${version:-of unknown release} is not supported (11 has Python 3.9, a till needs 3.11): write" \
        "Raspberry Pi OS or Debian 12 or 13, 64 bit, to the card."
      ;;
    *) fatal "${id:-this system} is not supported: write Raspberry Pi OS or Debian 12 or 13, 64 bit, to the card." ;;
  esac
  machine=$(uname -m)
  case $machine in
    aarch64 | x86_64) ;;
    arm*) fatal "$machine is a 32-bit system, for which a till's packages aren't made: use the 64-bit image." ;;
    *) fatal "$machine is not supported: a till is aarch64 (a Pi) or x86_64." ;;
  esac
  command -v systemctl >/dev/null || fatal "there is no systemd here, which starts a till: use the standard image."
  getconf GNU_LIBC_VERSION | awk '{split($2, v, "."); exit !(v[1] > 2 || v[2] >= 25)}' ||
    fatal "glibc is older than 2.25: use Debian 12 or 13."
}

os_value() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$OS_RELEASE" 2>/dev/null || true; }

check_space() {
  local memory free
  memory=$(awk '/^MemTotal:/ {print $2}' /proc/meminfo)
  [[ $memory -ge $MEMORY_KB ]] || fatal "$((memory / 1024)) MB of memory: a till needs 512 MB."
  free=$(df --output=avail -k "$(existing "$STATE_DIR")" | tail -n 1)
  [[ $free -ge $DISK_KB ]] || fatal "$((free / 1024)) MB free on the card: a till needs 1000 MB."
}

existing() {
  local path=$1
  while [[ ! -e $path ]]; do path=$(dirname "$path"); done
  printf '%s\n' "$path"
}

# The nucleus unpacks native libraries into /tmp and runs them there.
check_exec() {
  local probe
  probe=$(mktemp)
  printf '#!/bin/sh\nexit 0\n' >"$probe"
  chmod 700 "$probe"
  if ! "$probe"; then
    rm -f "$probe"
    fatal "programs in /tmp can't be run (noexec): mount it without noexec."
  fi
  rm -f "$probe"
}

check_python() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fatal "python3 is older than 3.11: use Debian 12 or 13."
  python3 -c 'import venv, ensurepip' || fatal "python3 can't make virtual environments: apt-get install python3-venv."
  already "python3 $(python3 -c 'import platform; print(platform.python_version())') with venv"
}

# The nucleus runs components through sudo, so root must be allowed to be anybody, in any group.
check_sudo() {
  [[ $DRY_RUN == yes ]] && return 0
  sudo -n -u ggc_user -g ggc_group true 2>>"$LOG_FILE" ||
    fatal "root may not act as ggc_user through sudo: visudo must show the line: root ALL=(ALL:ALL) ALL"
  already "root may run components as ggc_user"
}
