#!/usr/bin/env bash
# Makes this Raspberry Pi (or small PC) a till, from a kit that `greentill till kit` wrote. Safe to run again.
#
# Variables, all optional:
#   GREENGRASS_ROOT     where the nucleus goes                     /greengrass/v2
#   STATE_DIR           the ledger and what components keep        /var/lib/greentill
#   ETC_DIR             settings from the kit                      /etc/greentill
#   LOG_FILE            what was done, without secrets             /var/log/greentill/bootstrap.log
#   UNIT_DIR            systemd units and drop-ins                 /etc/systemd/system
#   JOURNALD_DIR        journald's drop-ins                        /etc/systemd/journald.conf.d
#   LOGROTATE_DIR       rules for log files                        /etc/logrotate.d
#   TMPFILES_DIR        folders made at every boot                 /etc/tmpfiles.d
#   HELPER_DIR          the root helper, and a copy of this script /usr/local/lib/greentill
#   RUN_DIR             where components ask the root helper       /run/greentill
#   DOWNLOAD_DIR        nucleus downloads until they are installed /var/cache/greentill
#   OS_RELEASE          what says which system this is             /etc/os-release
#   TILL_URL            where the till answers                     http://127.0.0.1:8080
#   PROVISION_SECONDS   how long provisioning may take             180
#   HEALTH_SECONDS      how long to wait for the till to answer    60
#   CLOCK_WAIT_SECONDS  how long a boot waits for a time server    20
#   ROTATION_SECONDS    a new certificate must be kept within      900
#   NUCLEUS_MIRROR      where nucleus downloads come from          (flavours/classic.sh, flavours/lite.sh)
#   LITE_SHA256         the digest of nucleus lite's package       (flavours/lite.sh)
set -euo pipefail
umask 022 # a stricter one would close to components what is made here

GREENGRASS_ROOT=${GREENGRASS_ROOT:-/greengrass/v2}
STATE_DIR=${STATE_DIR:-/var/lib/greentill}
ETC_DIR=${ETC_DIR:-/etc/greentill}
LOG_FILE=${LOG_FILE:-/var/log/greentill/bootstrap.log}
UNIT_DIR=${UNIT_DIR:-/etc/systemd/system}
JOURNALD_DIR=${JOURNALD_DIR:-/etc/systemd/journald.conf.d}
LOGROTATE_DIR=${LOGROTATE_DIR:-/etc/logrotate.d}
TMPFILES_DIR=${TMPFILES_DIR:-/etc/tmpfiles.d}
HELPER_DIR=${HELPER_DIR:-/usr/local/lib/greentill}
RUN_DIR=${RUN_DIR:-/run/greentill}
DOWNLOAD_DIR=${DOWNLOAD_DIR:-/var/cache/greentill}
OS_RELEASE=${OS_RELEASE:-/etc/os-release}
TILL_URL=${TILL_URL:-http://127.0.0.1:8080}
PROVISION_SECONDS=${PROVISION_SECONDS:-180}
HEALTH_SECONDS=${HEALTH_SECONDS:-60}
CLOCK_WAIT_SECONDS=${CLOCK_WAIT_SECONDS:-20}
ROTATION_SECONDS=${ROTATION_SECONDS:-900}
export GREENGRASS_ROOT STATE_DIR ETC_DIR LOG_FILE UNIT_DIR JOURNALD_DIR LOGROTATE_DIR TMPFILES_DIR HELPER_DIR \
  RUN_DIR DOWNLOAD_DIR OS_RELEASE TILL_URL PROVISION_SECONDS HEALTH_SECONDS CLOCK_WAIT_SECONDS ROTATION_SECONDS

SCRIPT_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KIT_DIR=$SCRIPT_DIR
NUCLEUS_DIR=
OFFLINE_BUNDLE=
DRY_RUN=no
KEEP_KIT=no
KEEP_LEDGER=no
DISCARD_SALES=no
JSON=no
COMMAND=install
CHANGES=0
export KEEP_KIT KEEP_LEDGER DISCARD_SALES JSON # read by lib/

for part in say kit preflight surroundings packages system units root_helper download bundle provision uninstall \
  doctor repair checks_access checks_machine checks_identity checks_nucleus; do
  if [[ ! -f $SCRIPT_DIR/lib/$part.sh ]]; then
    printf 'refused  lib/%s.sh is missing beside this script: the kit was not copied whole; copy it again.\n' "$part" >&2
    exit 1
  fi
  # shellcheck source=/dev/null
  source "$SCRIPT_DIR/lib/$part.sh"
done

usage() {
  cat <<'TEXT'
Usage: sudo ./pi_bootstrap.sh [install|doctor|repair|uninstall] [options]

  install               make this machine a till (the default); a second run changes nothing
  doctor                say what is wrong, and the command that mends it; ends with 1 if anything is
  repair                mend what is safe to mend while the till sells, then look again
  uninstall             take the till off this machine

  --kit DIR             the kit (default: the folder of this script)
  --dry-run             say what would be done
  --json                with doctor: one JSON object, {"ok", "findings": [{"code", "message", "remedy", "safe"}]}
  --keep-kit            leave the claim's private key in the kit after provisioning
  --discard-sales       with uninstall: destroy sales, and whatever else is only on this card
  --keep-ledger         with uninstall: keep the ledger, those set aside, the outbox, and their users
  --nucleus-dir DIR     install the nucleus with DIR/flavour.sh
  --offline-bundle DIR  take nucleus and Debian packages from DIR, which make_bundle.sh made
  --help                this text

Examples:
  sudo ./pi_bootstrap.sh
  sudo ./pi_bootstrap.sh --kit /boot/firmware/kit --dry-run
  sudo ./pi_bootstrap.sh uninstall --keep-ledger
TEXT
}

parse() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      install | doctor | repair | uninstall) COMMAND=$1 ;;
      --kit | --nucleus-dir | --offline-bundle)
        [[ $# -ge 2 && -d $2 ]] || fatal "$1 wants a folder: ${2:-none was given}."
        case $1 in
          --kit) KIT_DIR=$(cd "$2" && pwd) ;;
          --nucleus-dir) NUCLEUS_DIR=$(cd "$2" && pwd) ;;
          --offline-bundle) OFFLINE_BUNDLE=$(cd "$2" && pwd) ;;
        esac
        shift
        ;;
      --dry-run) DRY_RUN=yes ;;
      --json) JSON=yes ;;
      --keep-kit) KEEP_KIT=yes ;;
      --keep-ledger) KEEP_LEDGER=yes ;;
      --discard-sales) DISCARD_SALES=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fatal "I don't know $1: see --help." ;;
    esac
    shift
  done
  [[ $JSON == no || $COMMAND == doctor ]] || fatal "--json goes with doctor only."
  [[ $KEEP_LEDGER$DISCARD_SALES == nono || $COMMAND == uninstall ]] ||
    fatal "--keep-ledger and --discard-sales go with uninstall only: name it, or leave them out."
  [[ $KEEP_LEDGER$DISCARD_SALES != yesyes ]] || fatal "--keep-ledger or --discard-sales: decide for one of them."
  export KIT_DIR NUCLEUS_DIR OFFLINE_BUNDLE
}

# Each may be interrupted anywhere and run again: what is in place already is left as it is.
STEPS=(
  kit:read_kit
  preflight:preflight
  packages:ensure_packages
  nucleus-ready:check_nucleus_ready
  users:ensure_users
  directories:ensure_directories
  settings:install_kit_settings
  root-helper:install_helper
  clock:ensure_clock
  logs:ensure_logs
  service:ensure_service
  nucleus:install_nucleus
  identity:wait_for_identity
  claim:destroy_claim
  health:check_health
)

install_till() {
  local step number=0
  for step in "${STEPS[@]}"; do
    number=$((number + 1))
    say "step     $number/${#STEPS[@]} ${step%%:*}"
    doing "${step%%:*}"
    "${step#*:}"
  done
  if [[ $CHANGES -eq 0 ]]; then
    say "finished: $THING was set up already, nothing was changed"
  else
    say "finished: $THING, $CHANGES changes$([[ $DRY_RUN == no ]] || printf ' would be made')"
  fi
}

main() {
  trap explain_exit EXIT
  trap 'exit 129' HUP # or a lost session and Ctrl-C would end it without a word
  trap 'exit 130' INT
  trap 'exit 143' TERM
  parse "$@"
  require_root
  open_log
  case $COMMAND in
    install) install_till ;;
    doctor) doctor ;;
    repair) repair ;;
    uninstall) uninstall ;;
  esac
}

main "$@"
