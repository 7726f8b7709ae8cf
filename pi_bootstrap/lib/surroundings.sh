# shellcheck shell=bash
# Preflight of what is around the machine: time and network. A till that has its identity already only hears of
# it, since it sells without both; one that is to get its identity now needs both.

CONNECT_SECONDS=10

needed() {
  if flavour_provisioned 2>/dev/null; then
    note "$*"
  else
    problem "$*"
  fi
}

# TLS needs a clock that is not before the claim's certificate; a Pi starts at its image's date.
require_clock() {
  local made now
  now=$(date +%s)
  made=$(claim_made_at)
  if [[ $now -lt $((made - 3600)) ]]; then
    needed "the clock says $(date -u +%F\ %T) UTC, but this kit was made on $(date -u -d "@$made" +%F): connect the" \
      "network and wait a minute, or set it: sudo date -u -s 'YYYY-MM-DD hh:mm:ss'"
  elif command -v openssl >/dev/null && [[ -s $KIT_DIR/claim.pem.crt ]] &&
    ! openssl x509 -in "$KIT_DIR/claim.pem.crt" -noout -checkend 0 >/dev/null; then
    needed "the clock says $(date -u +%F\ %T) UTC, when the kit's certificate has ended: set the clock, or make a new kit."
  elif [[ $(timedatectl show --property NTPSynchronized --value 2>/dev/null) == no ]]; then
    note "the clock is not synchronized (yet): $(date -u +%F\ %T) UTC"
  fi
}

claim_made_at() {
  local from
  from=$(openssl x509 -in "$KIT_DIR/claim.pem.crt" -noout -startdate 2>/dev/null | cut -d= -f2) || true
  if [[ -n $from ]]; then
    date -d "$from" +%s
  else
    stat -c %Y "$KIT_DIR/SHA256SUMS"
  fi
}

require_network() {
  local port
  UNKNOWN_NAME=''
  use_proxy
  for port in 8883 8443; do
    require_port "$IOT_DATA_ENDPOINT" "$port"
  done
  port=${IOT_CREDENTIALS_ENDPOINT##*:}
  [[ $port =~ ^[0-9]+$ ]] || port=443
  require_port "${IOT_CREDENTIALS_ENDPOINT%:*}" "$port"
}

# The kit's proxy is what the nucleus will go through; the session's own doesn't count.
use_proxy() {
  local name value
  PROXY='' PROXY_EXCEPT=''
  while IFS='=' read -r name value; do
    case ${name^^} in
      HTTPS_PROXY | ALL_PROXY) PROXY=$value ;;
      NO_PROXY) PROXY_EXCEPT=$value ;;
    esac
  done <"$KIT_DIR/environment"
  if [[ -n $PROXY && ! $PROXY =~ ^https?://[^[:space:]]+$ ]]; then
    needed "the kit's HTTPS_PROXY is no address like http://proxy:3128: make the kit again."
    PROXY=''
  fi
}

require_port() {
  local host=$1 port=$2 status=0 way=''
  [[ -z $PROXY ]] || way=" through the kit's proxy"
  [[ $host != "$UNKNOWN_NAME" ]] || return 0 # told already
  if command -v curl >/dev/null; then
    tls_answers "$host" "$port" || status=$?
  elif ! timeout "$CONNECT_SECONDS" getent hosts "$host" >/dev/null; then
    status=6
  else
    # shellcheck disable=SC2016 # the inner shell's own arguments
    timeout "$CONNECT_SECONDS" bash -c '</dev/tcp/$1/$2' connect "$host" "$port" 2>/dev/null || status=7
  fi
  case $status in
    5) needed "the kit's proxy has a name that is not known here (DNS)." ;;
    6)
      UNKNOWN_NAME=$host
      needed "the name $host is not known here (DNS): look at the network cable and /etc/resolv.conf."
      ;;
    7 | 28) needed "$host can't be reached on port $port$way: allow outgoing TCP $port in the store's router or firewall." ;;
    97) needed "the kit's proxy refuses $host port $port: allow CONNECT to it." ;;
    60) needed "$host on port $port shows another certificate than AWS IoT's: TLS is inspected, a captive portal answers," \
      "or the clock is wrong: it says $(date -u +%F\ %T) UTC." ;;
    77) needed "the kit's root-ca.pem holds no certificate authorities: make the kit again." ;;
  esac
}

# Ends with curl's status. Whatever the server says to somebody without a certificate, it has been reached.
tls_answers() {
  local told status=0
  told=$(env -u HTTPS_PROXY -u https_proxy -u ALL_PROXY -u all_proxy \
    curl --silent --output /dev/null --write-out '%{http_connect}' --connect-timeout "$CONNECT_SECONDS" \
    --max-time "$((CONNECT_SECONDS * 2))" --cacert "$KIT_DIR/root-ca.pem" --proxy "$PROXY" --noproxy "$PROXY_EXCEPT" \
    "https://$1:$2/" 2>/dev/null) || status=$?
  if [[ $status -eq 56 && $told =~ ^[45] ]]; then
    status=97
  elif [[ $status -eq 28 && $told == 200 ]]; then
    status=0
  fi
  return "$status"
}
