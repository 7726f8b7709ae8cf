# shellcheck shell=bash
# Users and directories that a till needs.

ensure_users() {
  local operator
  if getent group ggc_group >/dev/null; then
    already "group ggc_group"
  else
    change "add group ggc_group" groupadd --system ggc_group
  fi
  if getent passwd ggc_user >/dev/null; then
    already "user ggc_user"
    complete_user
  else
    change "add user ggc_user, with a home" useradd --system --create-home --gid ggc_group ggc_user
  fi
  ensure_printer_group
  operator=$(operator_user)
  if [[ -z $operator ]]; then
    note "no login user to add to ggc_group"
  elif id -nG "$operator" | tr ' ' '\n' | grep -qx ggc_group; then
    already "$operator is in ggc_group"
  else
    change "add $operator to ggc_group" usermod --append --groups ggc_group "$operator"
    note "$operator: log out and in again (or restart) for ggc_group to take effect"
  fi
  check_runs_as_component
}

# Somebody else may have made it. Without a home, pip and many programs that components start don't work.
complete_user() {
  local home
  if ! id -nG ggc_user | tr ' ' '\n' | grep -qx ggc_group; then
    change "add ggc_user to ggc_group" usermod --append --groups ggc_group ggc_user
  fi
  home=$(getent passwd ggc_user | cut -d: -f6)
  if [[ -z $home || $home == / || $home == /nonexistent ]]; then
    home=/home/ggc_user
    change "let $home be the home of ggc_user" usermod --home "$home" ggc_user
  fi
  if [[ ! -d $home ]]; then
    change "make the home of ggc_user, $home" install -d -o ggc_user -g ggc_group -m 700 "$home"
  fi
}

# A receipt printer on a USB cable is /dev/usb/lp0, which belongs to the group lp.
ensure_printer_group() {
  if ! getent group lp >/dev/null; then
    return 0
  elif id -nG ggc_user 2>/dev/null | tr ' ' '\n' | grep -qx lp; then
    already "ggc_user is in lp"
  else
    change "add ggc_user to lp, for a receipt printer on a cable" usermod --append --groups lp ggc_user
  fi
}

# Seldom, but seen: sudoers that let root be anybody but not in any group.
check_runs_as_component() {
  [[ $DRY_RUN == yes ]] && return 0
  sudo -n -u ggc_user -g ggc_group true 2>>"$LOG_FILE" ||
    fatal "root may not act as ggc_user through sudo: visudo must show the line: root ALL=(ALL:ALL) ALL"
  already "root may run components as ggc_user"
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
