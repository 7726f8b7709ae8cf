# shellcheck shell=bash
# Takes asks and writes answers. A verb runs as a process of its own, so that whatever happens to it is answered.

OUTCOME= # of the last verb: done, refused or failed

CLEAR_SECONDS=5 # for what was taken away; whoever leaves more than that has his own memory filled

# One helper at a time: two swaps must not interleave.
locked() {
  install -d -m 755 "$RUN_DIR"
  exec 9>"$RUN_DIR/lock"
  flock 9
}

unlocked() { exec 9>&-; }

# asked VERB: true once per ask. The ask is taken away before it is answered, whatever it is: file, link or folder.
asked() {
  local ask=$RUN_DIR/asks/$1
  [[ -e $ask || -L $ask ]] || return 1
  take_away "$ask"
}

# In one step, however much is in it: who asked with a folder of a million files would hold the lock for minutes.
# A new name is all that it needs, so it also goes where /run has room for nothing new.
take_away() {
  install -d -m 700 "$RUN_DIR/taken"
  mv -T -- "$1" "$RUN_DIR/taken/$EPOCHREALTIME-$BASHPID"
}

# What is left after the time goes with the next call, or when the machine restarts. The folder itself stays:
# another helper may be about to move something there.
clear_taken() {
  [[ ! -d $RUN_DIR/taken ]] || timeout --kill-after=1 "$CLEAR_SECONDS" \
    find "$RUN_DIR/taken" -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system -- {} + || true
}

# A verb prints its outcome, its message and, from the third line on, its detail as JSON (see `reply`).
answer() {
  local verb=$1 told message detail
  told=$(timeout --kill-after=10 "$VERB_SECONDS" "$LIB_DIR/greentill-helper" verb "$verb" </dev/null 9>&-) ||
    told=$'failed\n'"$verb ended with status $?: journalctl -u greentill-helper says more"
  OUTCOME=$(sed -n 1p <<<"$told")
  message=$(sed -n 2p <<<"$told")
  detail=$(sed -n '3,$p' <<<"$told")
  printf '%s: %s, %s\n' "$verb" "$OUTCOME" "$message"
  write_answer "$verb" "$message" <<<"${detail:-"{}"}"
}

write_answer() {
  local verb=$1 message=$2 folder=$RUN_DIR/answers new
  new=$(mktemp "$folder/.$verb.XXXXXX")
  python3 -I -c '
import json, sys
from datetime import datetime, timezone
verb, outcome, message = sys.argv[1:]
at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
print(json.dumps({"verb": verb, "outcome": outcome, "message": message, "at": at, "detail": json.load(sys.stdin)}))
' "$verb" "$OUTCOME" "$message" >"$new"
  chgrp ggc_group "$new"
  chmod 640 "$new"
  mv -T "$new" "$folder/$verb.json"
}

# reply OUTCOME MESSAGE [DETAIL]: what a verb says, and its end.
reply() {
  printf '%s\n%s\n%s\n' "$1" "$2" "${3:-"{}"}"
  exit 0
}

# json KEY VALUE...: an object of strings.
json() {
  python3 -I -c 'import json, sys; print(json.dumps(dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))))' "$@"
}
