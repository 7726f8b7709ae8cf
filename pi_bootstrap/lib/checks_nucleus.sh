# shellcheck shell=bash
# The nucleus and what it runs: its unit, the Runtime, broken components, and whether the till sells.

check_units() {
  local state
  if [[ $(load_state greengrass.service) == not-found ]]; then
    unsafe unit-missing "greengrass.service is missing, which starts the nucleus" "$(ours --kit "$(its_kit)")"
    return 0
  fi
  state=$(systemctl is-enabled greengrass.service 2>/dev/null || true)
  if [[ $state == masked* ]]; then
    unsafe unit-masked "greengrass.service is masked, so nothing can start it" \
      "sudo systemctl unmask greengrass.service && sudo systemctl enable --now greengrass.service"
    return 0
  elif [[ $state != enabled ]]; then
    safe unit-disabled "greengrass.service doesn't start with the machine (${state:-unknown})" \
      systemctl enable greengrass.service
  fi
  if [[ ! -f $UNIT_DIR/greengrass.service.d/greentill.conf ]]; then
    safe_through drop-in-missing "greengrass.service lacks our settings, so it isn't started again for ever" \
      "$(ours repair)" ensure_units
  fi
  check_running
}

# Without it nothing that a component asks of root happens: a doctor from afar, a new certificate, a restart.
check_helper() {
  if [[ ! -x $HELPER_DIR/greentill-helper || $(load_state greentill-helper.path) == not-found ]]; then
    unsafe helper-missing "the root helper is missing, so components can't ask for what needs root" \
      "$(ours --kit "$(its_kit)"), with the till's own kit"
  elif ! helper_runs; then
    safe_through helper-stopped "the root helper doesn't listen, so components can't ask for what needs root" \
      "sudo systemctl enable --now ${HELPER_STARTED[*]}" start_helper
  fi
}

load_state() { systemctl show --property LoadState --value "$1" 2>/dev/null; }

check_running() {
  local state restarts
  state=$(systemctl is-active greengrass.service 2>/dev/null || true)
  restarts=$(systemctl show --property NRestarts --value greengrass.service 2>/dev/null || true)
  if [[ $state == inactive ]] && is_provisioned; then
    safe unit-stopped "greengrass.service is not running" systemctl start greengrass.service
  elif [[ $state == failed || ${restarts:-0} -ge 3 && $state != active ]]; then
    unsafe unit-failing "greengrass.service ends by itself (${state}, started again ${restarts:-0} times)" \
      "journalctl -u greengrass -n 50, then sudo systemctl restart greengrass.service"
  fi
}

# The nucleus is ordered after time-sync.target, which these hold back until a time server has answered.
check_time_waits() {
  local wait
  for wait in systemd-time-wait-sync chrony-wait; do
    if [[ $(load_state "$wait.service") == loaded &&
    $(systemctl show --property TimeoutStartUSec --value "$wait.service") == infinity ]]; then
      safe_through time-wait-unbounded "$wait.service waits for a time server for ever, and the nucleus with it" \
        "$(ours repair)" ensure_units
    fi
  done
}

check_runtime() {
  local version ready
  if ! compgen -G "$STATE_DIR/runtime/*/ready" >/dev/null && [[ -z $(wanted_runtimes) ]]; then
    unsafe runtime-missing "no Runtime is installed, so no component can start; pip can't help, the system's Python refuses it" \
      "$(runtime_remedy '*')"
  fi
  while IFS= read -r version; do
    if [[ ! -e $STATE_DIR/runtime/$version/ready ]]; then
      unsafe runtime-not-ready "components wait for Runtime $version, which is not installed" "$(runtime_remedy "$version")"
    fi
  done < <(wanted_runtimes)
  for ready in "$STATE_DIR"/runtime/*/ready; do
    version=$(basename "$(dirname "$ready")")
    # What they can't reach has another cause, which check_paths or check_state tells.
    if has_account && as_component test -r "$ready" && ! made_for_this_python "$ready"; then
      unsafe runtime-broken "Runtime $version was made for another Python than this system's" "$(runtime_remedy "$version")"
    fi
  done
}

# Components write what is looked at here, so none of it is run, and the mark is read as they would read it.
made_for_this_python() {
  local ready=$1 python
  python=$(python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])') || return 0 # check_python tells
  [[ -x ${ready%/ready}/venv/bin/python ]] &&
    as_component timeout 5 head -c 4096 "$ready" 2>/dev/null | grep -qF "\"python\": \"$python\""
}

# The versions that launchers were told to use, and what has taken their place beside a running component.
wanted_runtimes() {
  local line
  for line in /proc/[0-9]*/cmdline; do
    tr '\0' ' ' <"$line" || continue # it has ended
    printf '\n'
  done 2>/dev/null | sed -n 's/.*launcher\.py --runtime \([0-9A-Za-z.+-]*\) .*/\1/p' | sort -u
}

runtime_remedy() {
  local installer
  for installer in "$GREENGRASS_ROOT"/packages/artifacts-unarchived/com."${FLEET:-greentill}".Runtime/$1/runtime-"$(uname -m)"/install.py; do
    if [[ -f $installer ]]; then
      printf 'sudo -H -u ggc_user python3 -u %q --version %q\n' "$installer" \
        "$(basename "$(dirname "$(dirname "$installer")")")"
      return 0
    fi
  done
  printf 'sudo tail -n 40 %q, and deploy it: greentill release publish (on the engineer'"'"'s machine)\n' \
    "$GREENGRASS_ROOT/logs/com.${FLEET:-greentill}.Runtime.log"
}

# Classic writes each change of state into its log; lite runs each component as a unit.
check_components() {
  local name unit
  while IFS= read -r name; do
    unsafe component-broken "$name is BROKEN: the nucleus has given it up" \
      "sudo tail -n 50 $(quoted "$GREENGRASS_ROOT/logs/$name.log"), then sudo systemctl restart greengrass.service"
  done < <(broken_components)
  while read -r unit _; do
    unsafe component-broken "${unit%.service} has failed" "journalctl -u $unit -n 50, then sudo systemctl restart $unit"
  done < <(systemctl list-units --state=failed --plain --no-legend 'ggl.*' 2>/dev/null)
}

broken_components() {
  sed -n 's/.*serviceName=\([A-Za-z0-9._-]*\).*newState=\([A-Z]*\).*/\1 \2/p' \
    "$GREENGRASS_ROOT/logs/greengrass.log" 2>/dev/null |
    awk '{ state[$1] = $2 } END { for (name in state) if (state[name] == "BROKEN") print name }' | sort
}

# What a component said it may not read, and still may not. It may say anything: nobody is told to open the
# system's own files to it.
check_denied() {
  local path remedy
  has_account || return 0
  while IFS= read -r path; do
    if [[ -e $path && $path != "$STATE_DIR"/* && $path != "$GREENGRASS_ROOT"/* ]] && ! as_component test -r "$path"; then
      remedy="namei -om $(quoted "$path"), then sudo chgrp ggc_group $(quoted "$path") && sudo chmod g+rX $(quoted "$path")"
      if is_systems_own "$path"; then
        remedy="leave $(quoted "$path") as it is: ask the component's developer why it reads that"
      fi
      unsafe denied "a component was told Errno 13 for $path, and ggc_user still may not read it" "$remedy"
    fi
  done < <(tail --quiet -n 200 "$GREENGRASS_ROOT"/logs/*.log 2>/dev/null |
    sed -n -e "s/.*\[Errno 13\] Permission denied: '\([^']*\)'.*/\1/p" \
      -e "s/.*can't open file '\([^']*\)': \[Errno 13\].*/\1/p" | sort -u)
}

# Wherever links lead: what a shop keeps lies below /srv, /opt, /mnt, /media or a home.
is_systems_own() {
  case $(realpath "$1") in
    */.*) return 0 ;;
    /srv/* | /opt/* | /mnt/* | /media/* | /home/*) return 1 ;;
    *) return 0 ;;
  esac
}

check_leftovers() {
  local file
  while IFS= read -r file; do
    safe stale-file "$file was left by an interrupted write" rm -f "$file"
  done < <(find "$ETC_DIR" "$JOURNALD_DIR" "$UNIT_DIR"/*.d -maxdepth 1 -type f -name '*.new' -mmin +10 2>/dev/null)
}

check_till() {
  local status log=Pos
  if ! status=$(curl --silent --noproxy '*' --max-time 5 "$TILL_URL/v1/health"); then
    unsafe till-silent "the till doesn't answer on $TILL_URL" \
      "sudo tail -n 40 $(quoted "$GREENGRASS_ROOT/logs/com.${FLEET:-greentill}.Pos.log"), and journalctl -u greengrass -n 50"
    return 0
  fi
  status=$(sed -n 's/.*"status": *"\([a-z_]*\)".*/\1/p' <<<"$status")
  [[ $status != no_assignment ]] || log=Sync # which writes the assignment; anything else is for pos to tell
  if [[ $status != selling ]]; then
    unsafe till-not-selling "the till answers, but doesn't sell: ${status:-it gives no reason}" \
      "sudo tail -n 40 $(quoted "$GREENGRASS_ROOT/logs/com.${FLEET:-greentill}.$log.log")"
  fi
}

# In a local deployment a configuration update counts only when its file's name carries -config-update.
check_update_files() {
  local file home
  for home in /home/* /root; do
    while IFS= read -r file; do
      if is_configuration_update "$file"; then
        unsafe config-update-name "$file is a configuration update, but its name lacks -config-update, so it is ignored" \
          "mv $(quoted "$file") $(quoted "${file%.json}-config-update.json"), and deploy with that"
      fi
    done < <(find "$home" -xdev -maxdepth 4 -not -path '*/.*' -type f -name '*.json' ! -name '*-config-update*' \
      -size -256k -exec grep -lE '"(MERGE|RESET)"[[:space:]]*:' '{}' + 2>/dev/null)
  done
}

# {"component": {"MERGE": ...} or {"RESET": ...}} and nothing else.
is_configuration_update() {
  python3 -I -c 'import json, sys
try:
    updates = json.load(open(sys.argv[1], encoding="utf-8"))
    good = updates and all(value and set(value) <= {"MERGE", "RESET"} for value in updates.values())
except (OSError, ValueError, AttributeError, TypeError):
    good = False
sys.exit(not good)' "$1"
}
