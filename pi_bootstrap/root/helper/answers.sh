# shellcheck shell=bash
# Takes asks and writes answers. A verb runs as a process of its own, so that whatever happens to it is answered.

OUTCOME= # of the last verb: done, refused or failed

# One helper at a time: two swaps must not interleave.
locked() {
  install -d -m 755 "$RUN_DIR"
  exec 9>"$RUN_DIR/lock"
  flock 9
}

# asked VERB: true once per ask. The ask is removed before it is answered, whatever it is: file, link or folder.
asked() {
  local ask=$RUN_DIR/asks/$1
  [[ -e $ask || -L $ask ]] || return 1
  rm -rf --one-file-system -- "$ask"
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
