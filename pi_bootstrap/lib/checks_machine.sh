# shellcheck shell=bash
# The machine under the till: card, memory of time, network, Python and Java.

LOW_DISK_KB=100000
CLOCK_SLACK_SECONDS=300

# The disks that a till writes, each once, and how each is mounted.
declare -A DISKS=()
check_disks() {
  local path mount options
  DISKS=()
  for path in / "$(existing "$STATE_DIR")" "$(existing "$GREENGRASS_ROOT")" /tmp; do
    read -r mount options < <(findmnt --noheadings --first-only --output TARGET,OPTIONS --target "$path")
    DISKS[$mount]=$options
  done
}

has_option() { [[ ,${DISKS[$1]}, == *",$2,"* ]]; }

check_space() {
  local mount free inodes all
  for mount in "${!DISKS[@]}"; do
    free=$(df --output=avail -k "$mount" | tail -n 1)
    if [[ $free -lt $LOW_DISK_KB ]]; then
      unsafe disk-full "$((free / 1024)) MB are free on $mount; below 100 MB deployments and sales are refused" \
        "sudo journalctl --vacuum-size=16M && sudo apt-get clean, then look with: sudo du -xh --max-depth=2 $mount | sort -h | tail"
    fi
    read -r all inodes < <(df --output=itotal,iavail "$mount" | tail -n 1)
    if [[ $all -gt 0 && $((inodes * 100)) -lt $all ]]; then
      unsafe inodes-full "$inodes of $all inodes are free on $mount, so no file can be made" \
        "sudo du -x --inodes --max-depth=3 $mount | sort -n | tail, then remove what is not needed"
    fi
  done
}

check_read_only() {
  local mount
  for mount in "${!DISKS[@]}"; do
    if has_option "$mount" ro; then
      unsafe read-only "$mount is mounted read-only, as a failing card is: copy the ledger off it first" \
        "sudo dmesg | tail -n 50, then sudo mount -o remount,rw $mount, and replace the card"
    fi
  done
}

# The nucleus runs native libraries from /tmp, a Runtime its packages from STATE_DIR, recipes from GREENGRASS_ROOT.
check_noexec() {
  local mount
  for mount in "${!DISKS[@]}"; do
    if [[ $mount != / ]] && has_option "$mount" noexec; then
      unsafe noexec "$mount is mounted noexec, so nothing in it can be run" \
        "sudo mount -o remount,exec $mount, and take noexec out of /etc/fstab or its mount unit"
    fi
  done
}

# Files can't be younger than now; the newest that this machine writes anyway tells the last time known. What a
# component may have dated is looked at, but nobody is told to set the clock by it.
check_clock() {
  local now known ledger
  now=$(($(date +%s) + CLOCK_SLACK_SECONDS))
  known=$(newest_of_the_system "$ETC_DIR/till.conf" "$GREENGRASS_ROOT"/logs/*.log /etc/fake-hwclock.data \
    /var/lib/systemd/timesync/clock) || true
  ledger=$(stat -c %Y "$STATE_DIR"/ledger.db* 2>/dev/null | sort -n | tail -n 1) || true
  if [[ $now -lt ${known:-0} ]]; then
    unsafe clock-behind "the clock says $(date -u +%FT%TZ), but this till wrote at $(date -u -d "@$known" +%FT%TZ)" \
      "sudo timedatectl set-ntp true, or without a network: sudo date -u -s $(date -u -d "@$known" +%FT%TZ)"
  elif [[ $now -lt ${ledger:-0} ]]; then
    unsafe clock-behind "the clock says $(date -u +%FT%TZ), but the ledger is from later" \
      "date, beside a watch; if the clock is behind: sudo timedatectl set-ntp true, or without a network: sudo date -s with the watch's time"
  fi
}

# When the newest of these files was written, of those that components can't date.
newest_of_the_system() {
  stat -c '%U %Y' "$@" 2>/dev/null | sed -n -e 's/^root //p' -e 's/^systemd-timesync //p' | sort -n | tail -n 1
}

check_network() {
  [[ -n ${IOT_DATA_ENDPOINT:-} ]] || return 0
  local host port
  for host in "$IOT_DATA_ENDPOINT" "$IOT_CREDENTIALS_ENDPOINT"; do
    if ! timeout 15 getent hosts "${host%:*}" >/dev/null; then
      unsafe dns "the name ${host%:*} is not known here" \
        "getent hosts ${host%:*}; cat /etc/resolv.conf; ip route; sudo nmcli device status"
      return 0
    fi
  done
  for host in "$IOT_DATA_ENDPOINT 8883" "$IOT_DATA_ENDPOINT 8443" "$IOT_CREDENTIALS_ENDPOINT 443"; do
    port=${host#* }
    host=${host% *}
    if [[ $port == 443 ]] && has_proxy; then
      continue
    elif ! reaches "${host%:*}" "$port"; then
      unsafe "port-$port" "${host%:*} can't be reached on port $port: the store's router or firewall keeps it out" \
        "allow outgoing TCP $port, then try: timeout 5 bash -c '</dev/tcp/${host%:*}/$port' && echo open"
    fi
  done
}

has_proxy() { grep -qiE '^https_proxy=.' "$ETC_DIR/environment" 2>/dev/null; }

# shellcheck disable=SC2016 # the inner shell's own arguments
reaches() { timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' reaches "$1" "$2" 2>/dev/null; }

check_java() {
  local version
  [[ " ${FLAVOUR_PACKAGES[*]} " == *jdk* ]] || return 0
  if ! command -v java >/dev/null; then
    unsafe java-missing "java is missing, which the classic nucleus is written in" \
      "sudo apt-get install default-jdk-headless"
    return 0
  fi
  version=$(java -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
  if [[ ${version:-0} -lt 8 ]]; then
    unsafe java-old "java ${version:-of unknown version} is older than 8" "sudo apt-get install default-jdk-headless"
  fi
}

# PEP 668: the system's Python refuses pip, so components bring their packages in the Runtime.
check_python() {
  local log has
  has=$(python3 -I -S -c 'import sys, importlib.util
print(sys.version_info >= (3, 11), all(map(importlib.util.find_spec, ("venv", "ensurepip"))))' 2>/dev/null || true)
  if [[ $has != "True "* ]]; then
    unsafe python-old "python3 is missing or older than 3.11" "write Raspberry Pi OS 12 or 13 to a new card"
    return 0
  elif [[ $has != "True True" ]]; then
    unsafe venv-missing "python3 can't make virtual environments" "sudo apt-get install python3-venv"
  fi
  for log in "$GREENGRASS_ROOT"/logs/*.log; do
    if [[ -f $log ]] && tail -n 200 "$log" | grep -q externally-managed-environment; then
      unsafe pip-refused "$(basename "$log" .log) installs with pip into the system's Python, which refuses it (PEP 668)" \
        "let the recipe use a virtual environment: python3 -m venv {work:path}/venv && {work:path}/venv/bin/pip install ..."
    fi
  done
}
