# shellcheck shell=bash
# A new certificate for the till, in three asks: request, swap, keep (or restore). In $ROTATION lie
#   new.key, new.crt   the pair that comes; the key is made here and never leaves
#   old.key, old.crt   the pair that goes, while there is a way back
#   pending            there from before the pair in use is touched until it is kept or restored

CERTIFICATE_BYTES=8192

verb_request_certificate() {
  local csr
  find_pair || reply refused "this till has no certificate yet"
  [[ ! -e $ROTATION/pending ]] || reply refused "the last swap is neither kept nor restored" "$(in_use)"
  install -d -m 700 "$ROTATION"
  # a cut while the key was destroyed leaves something that is none
  if ! openssl pkey -in "$ROTATION/new.key" -noout 2>/dev/null; then
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$ROTATION/new.key.made"
    sync "$ROTATION/new.key.made"
    mv -T "$ROTATION/new.key.made" "$ROTATION/new.key"
  fi
  csr=$(openssl req -new -sha256 -key "$ROTATION/new.key" -subj "/CN=$(setting THING)")
  reply "done" "a request for the new key" "$(in_use csr "$csr"$'\n')"
}

verb_swap_certificate() {
  find_pair || reply refused "this till has no certificate yet"
  take_certificate || reply refused "no certificate of at most $CERTIFICATE_BYTES bytes was given" "$(in_use)"
  if [[ -e $ROTATION/pending ]]; then
    cmp --quiet "$ROTATION/given.crt" "$CERTIFICATE" ||
      reply refused "the last swap is neither kept nor restored" "$(in_use)"
    reply "done" "this certificate is in use already" "$(in_use)"
  fi
  belong_together "$ROTATION/given.crt" "$ROTATION/new.key" ||
    reply refused "the certificate doesn't belong to the key that was made here" "$(in_use)"
  mv -T "$ROTATION/given.crt" "$ROTATION/new.crt"
  gets_credentials || reply refused "AWS IoT gives no credentials for the new certificate" "$(in_use)"
  swap_pair
  restart_nucleus
  reply "done" "the nucleus runs with the new certificate" "$(in_use)"
}

verb_keep_certificate() {
  find_pair || reply refused "this till has no certificate yet"
  if [[ -e $ROTATION/pending ]]; then
    forget_pending
    clear_rotation
    reply "done" "the certificate that was replaced is destroyed" "$(in_use)"
  fi
  reply "done" "there was no earlier certificate to destroy" "$(in_use)"
}

verb_restore_certificate() {
  find_pair || reply refused "this till has no certificate yet"
  [[ -e $ROTATION/pending ]] || reply refused "there is no earlier certificate to put back" "$(in_use)"
  restore_pair
  restart_nucleus
  reply "done" "the nucleus runs with the earlier certificate" "$(in_use)"
}

in_use() { json fingerprint "$(fingerprint "$CERTIFICATE")" "$@"; }

# Reads what was left for us without following a link or waiting at a pipe, and keeps one certificate of it.
take_certificate() {
  local given=$RUN_DIR/asks/certificate.pem raw=$ROTATION/given.raw
  install -d -m 700 "$ROTATION"
  rm -f "$raw" "$ROTATION/given.crt"
  dd if="$given" of="$raw" iflag=nofollow,nonblock,fullblock bs=$((CERTIFICATE_BYTES + 1)) count=1 status=none ||
    return 1
  take_away "$given"
  [[ -s $raw && $(stat -c %s "$raw") -le $CERTIFICATE_BYTES ]] || return 1
  openssl x509 -in "$raw" -out "$ROTATION/given.crt" || return 1
  rm -f "$raw"
}

# The answer holds credentials: it is looked at and not kept. A certificate that was just made may take a moment.
gets_credentials() {
  curl --silent --show-error --fail --proto '=https' --max-time 20 --retry 4 --retry-all-errors --retry-delay 3 \
    --cacert "$ETC_DIR/root-ca.pem" --cert "$ROTATION/new.crt" --key "$ROTATION/new.key" \
    --header "x-amzn-iot-thingname: $(setting THING)" \
    "https://$(setting IOT_CREDENTIALS_ENDPOINT)/role-aliases/$(setting ROLE_ALIAS)/credentials" |
    python3 -I -c 'import json, sys; sys.exit(not json.load(sys.stdin)["credentials"]["accessKeyId"])'
}

swap_pair() {
  cp "$PRIVATE_KEY" "$ROTATION/old.key"
  cp "$CERTIFICATE" "$ROTATION/old.crt"
  sync "$ROTATION"/* "$ROTATION"
  : >"$ROTATION/pending"
  sync "$ROTATION/pending" "$ROTATION"
  put_pair new
  systemctl restart greentill-rotation.timer # counts from now
}

restore_pair() {
  in_place old || put_pair old
  forget_pending
  clear_rotation
}

forget_pending() {
  rm -f "$ROTATION/pending"
  sync "$ROTATION"
}

clear_rotation() {
  destroy "$ROTATION"/{old,new}.key "$PRIVATE_KEY.rotation"
  rm -f "$ROTATION"/{old,new,given}.crt "$ROTATION/given.raw" "$CERTIFICATE.rotation"
}

expire_rotation() {
  if [[ -e $ROTATION/pending ]] && find_pair; then
    printf 'nobody kept the new certificate in time: the earlier one is put back\n'
    restore_pair
    restart_nucleus
  fi
}

# What a cut left half done is finished the safe way: back, unless the new pair was kept.
mend_rotation() { # [restart]
  [[ -d $ROTATION ]] && find_pair || return 0
  if [[ ! -e $ROTATION/pending ]]; then
    if [[ -e $ROTATION/old.key ]] || cmp --quiet "$ROTATION/new.key" "$PRIVATE_KEY"; then
      clear_rotation
    fi
  elif ! belong_together "$CERTIFICATE" "$PRIVATE_KEY" || cmp --quiet "$ROTATION/old.crt" "$CERTIFICATE"; then
    printf 'a swap was interrupted: the earlier certificate is put back\n'
    restore_pair
    [[ ${1:-} != restart ]] || restart_nucleus
  fi
}
