# shellcheck shell=bash
# A certificate and its private key: whether they belong together, and putting both where the nucleus reads them.

belong_together() { # CERTIFICATE PRIVATE_KEY
  local certified held
  certified=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) || return 1
  held=$(openssl pkey -in "$2" -pubout 2>/dev/null) || return 1
  [[ $certified == "$held" ]]
}

fingerprint() { openssl x509 -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1; }

# stage SOURCE TARGET: a copy beside the target, with the owner and mode that the nucleus gave it, on the card.
stage() {
  cp "$1" "$2.rotation"
  chown --reference="$2" "$2.rotation"
  chmod --reference="$2" "$2.rotation"
  sync "$2.rotation"
}

# Two files can't be replaced in one step: a cut in between leaves a pair that doesn't match, which mend sees.
# What may fail otherwise (a full card) fails before the first is touched.
put_pair() { # NAME: old or new
  stage "$ROTATION/$1.key" "$PRIVATE_KEY"
  stage "$ROTATION/$1.crt" "$CERTIFICATE"
  mv -T "$PRIVATE_KEY.rotation" "$PRIVATE_KEY"
  mv -T "$CERTIFICATE.rotation" "$CERTIFICATE"
  sync "$(dirname "$PRIVATE_KEY")" "$(dirname "$CERTIFICATE")"
}

in_place() { # NAME: old or new
  cmp --quiet "$ROTATION/$1.key" "$PRIVATE_KEY" && cmp --quiet "$ROTATION/$1.crt" "$CERTIFICATE"
}

destroy() {
  local file
  for file in "$@"; do
    if [[ -e $file ]]; then
      shred --force --remove "$file"
    fi
  done
}
