# shellcheck shell=bash
# Who may do what: users, groups, sudo, owners and modes. Most of what ends as Errno 13 begins here.

check_accounts() {
  local home number=() printer=()
  if ! getent group ggc_group >/dev/null; then
    # what ggc_user has made carries the number of the group that was
    if getent passwd ggc_user >/dev/null && ! getent group "$(id -g ggc_user)" >/dev/null; then
      number=(--gid "$(id -g ggc_user)")
    fi
    safe group-missing "group ggc_group is missing, as which components run" \
      groupadd --system "${number[@]}" ggc_group
  fi
  if getent group lp >/dev/null; then
    printer=(--groups lp) # for a receipt printer on a cable
  fi
  if ! getent passwd ggc_user >/dev/null; then
    safe user-missing "user ggc_user is missing, as whom components run" \
      useradd --system --create-home --gid ggc_group "${printer[@]}" ggc_user
  fi
  has_account || return 0
  if ! in_group ggc_user; then
    safe user-group "ggc_user is not in ggc_group" usermod --append --groups ggc_group ggc_user
  fi
  if getent group lp >/dev/null && ! in_group ggc_user lp; then
    safe printer-group "ggc_user is not in lp, so a receipt printer on a cable is closed to the till" \
      usermod --append --groups lp ggc_user
  fi
  home=$(getent passwd ggc_user | cut -d: -f6)
  if [[ -z $home || $home == / || $home == /nonexistent ]]; then
    unsafe home-missing "ggc_user was made without a home, in which pip and others write" \
      "sudo systemctl stop greengrass && sudo usermod --home /home/ggc_user ggc_user && $(ours repair)"
  elif [[ ! -d $home ]]; then
    safe home-missing "the home of ggc_user, $home, is missing, in which pip and others write" \
      install -d -o ggc_user -g ggc_group -m 700 "$home"
  elif [[ $(stat -c %U "$home") != ggc_user ]]; then
    safe home-owner "the home of ggc_user belongs to $(stat -c %U "$home")" chown ggc_user:ggc_group "$home"
  fi
}

has_account() { getent passwd ggc_user >/dev/null && getent group ggc_group >/dev/null; }
in_group() { id -nG "$1" | tr ' ' '\n' | grep -qx "${2:-ggc_group}"; } # USER [GROUP]

# Groups are given to a session when it begins: in the database is not yet in the session.
check_operator() {
  local operator processes
  operator=$(operator_user)
  if [[ -z $operator ]] || ! getent group ggc_group >/dev/null; then
    return 0
  fi
  if ! in_group "$operator"; then
    safe operator-group "the login user $operator is not in ggc_group, so components and logs are out of reach" \
      usermod --append --groups ggc_group "$operator"
  fi
  processes=$(without_group "$(id -u "$operator")" "$(getent group ggc_group | cut -d: -f3)")
  if in_group "$operator" && [[ $processes -gt 0 ]]; then
    unsafe operator-session "$operator is in ggc_group, but not yet in the running session ($processes processes)" \
      "log out and in again, or: sudo reboot"
  fi
}

# How many processes of a user don't carry a group.
without_group() {
  grep -H -E '^(Uid|Gid|Groups):' /proc/[0-9]*/status 2>/dev/null | awk -v uid="$1" -v gid="$2" '
    $1 ~ /:Uid:$/ { mine = ($2 == uid) }
    $1 ~ /:Gid:$/ { has = ($3 == gid) }
    $1 ~ /:Groups:$/ { for (i = 2; i <= NF; i++) if ($i == gid) has = 1; if (mine && !has) count++ }
    END { print count + 0 }'
}

# The nucleus starts every component with sudo, as root, without a terminal.
check_sudo() {
  if ! command -v sudo >/dev/null; then
    unsafe sudo-missing "sudo is missing, with which the nucleus starts components" "apt-get install sudo   (as root)"
  elif ! visudo -c >/dev/null 2>&1; then
    unsafe sudoers-syntax "a sudoers file has a mistake, so sudo refuses everybody" "visudo -c, then visudo -f FILE   (as root)"
  elif has_account && ! setsid --wait sudo -n -u ggc_user -g ggc_group true </dev/null >/dev/null 2>&1; then
    unsafe root-sudo "root may not act as ggc_user in ggc_group through sudo: sudoers lacks root ALL=(ALL:ALL) ALL" \
      "echo 'root ALL=(ALL:ALL) ALL' | EDITOR='tee -a' visudo   (as root)"
  fi
}

check_paths() {
  local path
  for path in "$(dirname "$GREENGRASS_ROOT")" "$GREENGRASS_ROOT"; do
    [[ -d $path ]] || continue
    if [[ $(stat -c %U "$path") != root ]]; then
      safe path-owner "$path belongs to $(stat -c %U "$path") instead of root" chown root:root "$path"
    fi
    if [[ $(stat -c %a "$path") != 755 ]]; then
      safe path-mode "$path has mode $(stat -c %a "$path") instead of 755" chmod 755 "$path"
    fi
  done
  while IFS= read -r path; do
    if [[ $((8#$(stat -c %a "$path") & 1)) -eq 0 ]]; then
      safe path-mode "$path can't be passed by components (mode $(stat -c %a "$path"))" chmod a+x "$path"
    fi
  done < <(ancestors "$(dirname "$GREENGRASS_ROOT")" && ancestors "$STATE_DIR" && ancestors "$ETC_DIR/till.conf")
}

ancestors() {
  local path=$1
  while [[ $path != / ]]; do
    path=$(dirname "$path")
    [[ ! -d $path ]] || printf '%s\n' "$path"
  done
}

check_state() {
  has_account || return 0
  if [[ ! -d $STATE_DIR ]]; then
    safe state-missing "$STATE_DIR is missing, where the ledger lies" \
      install -d -o ggc_user -g ggc_group -m 2775 "$STATE_DIR"
    return 0
  fi
  if [[ $(stat -c %a "$STATE_DIR") != 2775 ]]; then
    safe state-mode "$STATE_DIR has mode $(stat -c %a "$STATE_DIR") instead of 2775" chmod 2775 "$STATE_DIR"
  fi
  check_given_back state-owner "$STATE_DIR"
  if [[ $(stat -c %U:%G "$STATE_DIR") == ggc_user:* && $(stat -c %G "$STATE_DIR") != ggc_group ]]; then
    safe state-owner "$STATE_DIR belongs to group $(stat -c %G "$STATE_DIR")" chgrp ggc_group "$STATE_DIR"
  fi
  if [[ -n $(find "$STATE_DIR" -xdev -user ggc_user ! -type l ! -perm -u+rw -print -quit) ]]; then
    safe_through state-mode "something in $STATE_DIR can't be read or written by ggc_user, who owns it" \
      "$(ours repair)" hand_over keep "$STATE_DIR"
  fi
}

# Whoever may write in a folder must not lead root to files elsewhere: chown -R and chmod -R can be led.
hand_over() { python3 -I "$SCRIPT_DIR/lib/hand_over.py" "$@"; }

check_given_back() {
  local code=$1 folder=$2 other
  other=$(find "$folder" -xdev ! -user ggc_user -print -quit)
  if [[ -n $other ]]; then
    safe_through "$code" "$other belongs to $(stat -c %U "$other") instead of ggc_user, and may not be the only one" \
      "$(ours repair)" hand_over owner "$folder"
  fi
}

# What a component once wrote as root (RequiresPrivilege, or tried by hand with sudo) is closed to it afterwards.
check_work() {
  local folder name
  has_account || return 0
  for folder in "$GREENGRASS_ROOT"/work/* "${LITE_ROOT:-/var/lib/greengrass}"/work/*; do
    name=$(basename "$folder")
    if [[ ! -d $folder || $name == aws.greengrass.* ]]; then
      continue
    elif [[ $name == "com.${FLEET:-greentill}."* ]]; then
      check_given_back work-owner "$folder"
    elif [[ -n $(find "$folder" -xdev -user root -print -quit) ]]; then
      unsafe work-owner "$folder holds what belongs to root; $name can't write it unless it asks for RequiresPrivilege" \
        "sudo chown -R ggc_user:ggc_group $(quoted "$folder")"
    fi
  done
}

# A recipe that doesn't say Permission gives an artifact to its owner alone.
check_artifacts() {
  local folder
  if ! has_account || ! as_component test -x "$GREENGRASS_ROOT"; then
    return 0
  fi
  for folder in "$GREENGRASS_ROOT"/packages{,/artifacts,/artifacts-unarchived}; do
    if [[ -d $folder ]] && ! as_component test -x "$folder"; then
      safe artifact-mode "$folder can't be passed by components" chmod a+rx "$folder"
    fi
  done
  for folder in "$GREENGRASS_ROOT"/packages/artifacts{,-unarchived}/com."${FLEET:-greentill}".*; do
    if [[ -d $folder && -n $(as_component find "$folder" ! -readable -print -quit 2>&1) ]]; then
      safe_through artifact-mode "something in $folder can't be read by ggc_user" \
        "$(ours repair)" hand_over read "$folder"
    fi
  done
}

as_component() { (cd / && runuser -u ggc_user -g ggc_group -- "$@"); }

check_secrets() {
  if [[ -f $ETC_DIR/environment && $((8#$(stat -c %a "$ETC_DIR/environment") & 8#77)) -ne 0 ]]; then
    safe secret-mode "$ETC_DIR/environment, which may hold a proxy's password, can be read by others" \
      chmod 600 "$ETC_DIR/environment"
  fi
}
