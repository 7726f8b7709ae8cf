# shellcheck shell=bash
# Installs what acts as root when a component asks: the helper, its units, and this script for its doctor.

HELPER_UNITS=(greentill-helper.path greentill-helper.service greentill-rotation.timer greentill-rotation.service
  greentill-mend.service)
HELPER_STARTED=(greentill-helper.path greentill-rotation.timer) # greentill-mend.service is for the next boot

install_helper() {
  local unit
  install_helper_files
  place 644 "$TMPFILES_DIR/greentill.conf" < <(fill_in "$SCRIPT_DIR/root/tmpfiles.conf")
  for unit in "${HELPER_UNITS[@]}"; do
    place 644 "$UNIT_DIR/$unit" < <(fill_in "$SCRIPT_DIR/root/units/$unit")
  done
  if helper_runs; then
    already "the root helper listens"
  else
    change "start the root helper" start_helper
  fi
}

fill_in() {
  sed -e "s|@RUN_DIR@|$RUN_DIR|g" -e "s|@ETC_DIR@|$ETC_DIR|g" -e "s|@GREENGRASS_ROOT@|$GREENGRASS_ROOT|g" \
    -e "s|@STATE_DIR@|$STATE_DIR|g" -e "s|@HELPER_DIR@|$HELPER_DIR|g" \
    -e "s|@ROTATION_SECONDS@|$ROTATION_SECONDS|g" "$1"
}

install_helper_files() {
  [[ $SCRIPT_DIR != "$HELPER_DIR/bootstrap" ]] || return 0 # this is the installed copy
  if diff -rq "$SCRIPT_DIR/root/greentill-helper" "$HELPER_DIR/greentill-helper" >/dev/null 2>&1 &&
    diff -rq "$SCRIPT_DIR/root/helper" "$HELPER_DIR/helper" >/dev/null 2>&1 && same_bootstrap; then
    already "root helper in $HELPER_DIR"
  else
    change "install the root helper in $HELPER_DIR" copy_helper
  fi
}

same_bootstrap() {
  local part
  for part in pi_bootstrap.sh lib flavours root; do
    diff -rq "$SCRIPT_DIR/$part" "$HELPER_DIR/bootstrap/$part" >/dev/null 2>&1 || return 1
  done
}

# Made beside its place and moved there whole.
copy_helper() {
  local new=$HELPER_DIR.new part
  rm -rf "$new"
  install -d -m 755 "$new" "$new/bootstrap"
  cp -r "$SCRIPT_DIR/root/greentill-helper" "$SCRIPT_DIR/root/helper" "$new/"
  for part in pi_bootstrap.sh lib flavours root; do
    cp -r "$SCRIPT_DIR/$part" "$new/bootstrap/"
  done
  chown -R root:root "$new"
  chmod -R u=rwX,go=rX "$new"
  chmod 755 "$new/greentill-helper" "$new/bootstrap/pi_bootstrap.sh"
  rm -rf "$HELPER_DIR"
  mv -T "$new" "$HELPER_DIR"
}

helper_runs() {
  systemctl is-enabled --quiet greentill-helper.path greentill-rotation.timer greentill-mend.service 2>/dev/null &&
    systemctl is-active --quiet greentill-helper.path && [[ -d $RUN_DIR/asks ]]
}

start_helper() {
  systemctl daemon-reload
  systemd-tmpfiles --create "$TMPFILES_DIR/greentill.conf"
  systemctl enable greentill-mend.service
  systemctl enable --now "${HELPER_STARTED[@]}"
}

remove_helper() {
  local unit path
  for unit in "${HELPER_STARTED[@]}" greentill-mend.service; do
    if [[ -e $UNIT_DIR/$unit ]]; then
      change "stop $unit" systemctl disable --now "$unit"
    fi
  done
  for path in "${HELPER_UNITS[@]/#/$UNIT_DIR/}" "$TMPFILES_DIR/greentill.conf" "$RUN_DIR" "$HELPER_DIR"; do
    remove_ours "$path"
  done
}
