"""Faults that a till can have: how each is planted, and how it is undone where repair leaves it alone."""

from __future__ import annotations

from dataclasses import dataclass

STATE = "/var/lib/greentill"
ROOT = "/greengrass/v2"
HELPER = "/usr/local/lib/greentill/greentill-helper"
UNITS = "/etc/systemd/system"
WORK = f"{ROOT}/work/com.greentill.Sync"


@dataclass(frozen=True)
class Fault:
    """`plant` and `undo` are scripts for sh as root; without `undo` repair must mend it."""

    code: str
    plant: str
    undo: str = ""
    name: str = ""

    @property
    def safe(self) -> bool:
        return not self.undo

    def __str__(self) -> str:
        return self.name or self.code


def unit_away(then: str) -> str:
    return f"mv {UNITS}/greengrass.service /root/away.service; {then}; systemctl daemon-reload"


def log(line: str, name: str = "com.greentill.Pos") -> str:
    return f"echo {line!r} >>{ROOT}/logs/{name}.log"


def identity(name: str) -> str:
    source = f"/home/pi/nucleus/{name}"
    return f"cp {source}.pem {ROOT}/thingCert.crt; install -m 600 {source}.key {ROOT}/privKey.key"


SETTINGS_BACK = "mv /etc/greentill/till.conf.bak /etc/greentill/till.conf"
UNIT_BACK = (
    f"rm -f {UNITS}/greengrass.service; mv /root/away.service {UNITS}/greengrass.service;"
    "systemctl daemon-reload; systemctl enable greengrass"
)

ACCESS = [
    Fault("group-missing", "sed -i /^ggc_group:/d /etc/group /etc/gshadow"),
    Fault("user-missing", "userdel ggc_user"),
    Fault("printer-group", "gpasswd -d ggc_user lp"),
    Fault("home-missing", "rm -rf /home/ggc_user"),
    Fault("home-owner", "chown root /home/ggc_user"),
    Fault("operator-group", "gpasswd -d pi ggc_group"),
    Fault(
        "operator-session",
        "setpriv --reuid pi --regid pi --clear-groups sleep 1000 >/dev/null 2>&1 & echo $! >/root/pid",
        "kill $(cat /root/pid)",
    ),
    Fault("root-sudo", "sed -i.bak '/^root/d' /etc/sudoers", "mv /etc/sudoers.bak /etc/sudoers"),
    Fault("sudoers-syntax", "echo nonsense >/etc/sudoers.d/odd", "rm /etc/sudoers.d/odd"),
    Fault("path-mode", f"chmod 700 {ROOT}"),
    Fault("path-mode", "chmod 750 /var/lib", name="path-mode above the ledger"),
    Fault("path-owner", "chown ggc_user /greengrass"),
    Fault("state-mode", f"chmod 755 {STATE}"),
    Fault(
        "state-mode",
        f"sudo -u ggc_user touch {STATE}/sync.db; chmod 400 {STATE}/sync.db",
        name="read-only file",
    ),
    Fault("state-owner", f"rm -f {STATE}/ledger.db; echo sold >{STATE}/ledger.db"),
    Fault("work-owner", f"rm -rf {WORK}; install -D /dev/null {WORK}/old"),
    Fault(
        "artifact-mode",
        f"install -D -m 700 /dev/null {ROOT}/packages/artifacts/com.greentill.Pos/1.0.0/pos.py",
    ),
    Fault("secret-mode", "chmod 644 /etc/greentill/environment"),
    Fault("key-mode", f"chmod 644 {ROOT}/privKey.key"),
    Fault(
        "denied",
        "install -m 600 /dev/null /srv/prices.csv; "
        + log("PermissionError: [Errno 13] Permission denied: '/srv/prices.csv'"),
        "rm /srv/prices.csv",
    ),
]
MACHINE = [
    Fault("noexec", "mount -o remount,noexec /tmp", "mount -o remount,exec /tmp"),
    Fault("disk-full", "mount -t tmpfs -o size=4m tmpfs /tmp", "umount /tmp"),
    Fault(
        "inodes-full",
        "mount -t tmpfs -o nr_inodes=16 tmpfs /tmp; touch $(seq -f /tmp/%g 20) || true",
        "umount /tmp",
    ),
    Fault(
        "read-only",
        f"mount --bind {STATE} {STATE}; mount -o remount,bind,ro {STATE}",
        f"umount {STATE}",
    ),
    Fault(
        "clock-behind",
        f"sudo -u ggc_user touch -d '2 days' {STATE}/ledger.db-wal",
        f"rm {STATE}/ledger.db-wal",
    ),
    Fault("dns", "sed -i.bak s/data.iot/other.iot/ /etc/hosts", "cat /etc/hosts.bak >/etc/hosts"),
    Fault(
        "pip-refused", log("error: externally-managed-environment"), f"rm {ROOT}/logs/com.greentill.Pos.log"
    ),
    Fault(
        "time-wait-unbounded",
        f"printf '[Service]\\nType=oneshot\\nExecStart=true\\n' >{UNITS}/chrony-wait.service;"
        f"rm {UNITS}/chrony-wait.service.d/greentill.conf; systemctl daemon-reload",
    ),
    Fault("stale-file", "touch -d '1 hour ago' /etc/greentill/till.conf.new"),
]
NUCLEUS = [
    Fault("unit-missing", unit_away("true"), UNIT_BACK),
    Fault("unit-masked", unit_away(f"ln -s /dev/null {UNITS}/greengrass.service"), UNIT_BACK),
    Fault("unit-disabled", "systemctl disable greengrass"),
    Fault("drop-in-missing", f"rm {UNITS}/greengrass.service.d/greentill.conf"),
    Fault("helper-stopped", "systemctl disable --now greentill-helper.path"),
    Fault("helper-missing", f"mv {HELPER} /root/away", f"mv /root/away {HELPER}"),
    Fault("till-silent", "systemctl stop till", "systemctl start till"),
    Fault("claim-key-left", f"install -D -m 600 /dev/null {ROOT}/claim-certs/claim.private.key"),
    Fault("runtime-missing", f"mv {STATE}/runtime {STATE}/away", f"mv {STATE}/away {STATE}/runtime"),
    Fault(
        "runtime-broken",
        f'mv {STATE}/runtime/1.0.0/ready /root; echo \'{{"python": "3.9"}}\' >{STATE}/runtime/1.0.0/ready;'
        f"chown ggc_user {STATE}/runtime/1.0.0/ready",
        f"mv /root/ready {STATE}/runtime/1.0.0/ready; chown ggc_user:ggc_group {STATE}/runtime/1.0.0/ready",
    ),
    Fault(
        "runtime-not-ready",
        "python3 /root/launcher.py --runtime 9.9.9 edge_components.pos >/dev/null 2>&1 & echo $! >/root/pid",
        "kill $(cat /root/pid)",
    ),
    Fault(
        "component-broken",
        log(
            "service-set-state. {serviceName=com.greentill.Pos, currentState=ERRORED, newState=BROKEN}",
            "greengrass",
        ),
        log(
            "service-set-state. {serviceName=com.greentill.Pos, currentState=STARTING, newState=RUNNING}",
            "greengrass",
        ),
    ),
    Fault(
        "config-update-name",
        """echo '{"com.example.HelloWorld": {"MERGE": {"Message": "friend"}}}' >/home/pi/hello.json""",
        "mv /home/pi/hello.json /home/pi/hello-config-update.json",
    ),
]
IDENTITY = [
    Fault("certificate-expired", identity("expired"), identity("good")),
    Fault("certificate-expiring", identity("expiring"), identity("good")),
    Fault("certificate-not-yet-valid", identity("future"), identity("good")),
    Fault("certificate-missing", f"echo half >{ROOT}/thingCert.crt", identity("good")),
    Fault("key-mismatch", f"cp /home/pi/nucleus/expired.key {ROOT}/privKey.key", identity("good")),
    Fault("key-missing", f"rm {ROOT}/privKey.key", identity("good")),
    Fault("not-provisioned", f"rm {ROOT}/thingCert.crt", identity("good")),
    Fault("settings-damaged", "sed -i.bak /^REGION/d /etc/greentill/till.conf", SETTINGS_BACK),
    Fault("settings-writable", "chmod 666 /etc/greentill/flavour.sh", "chmod 644 /etc/greentill/flavour.sh"),
]
FAULTS = [*ACCESS, *IDENTITY, *MACHINE, *NUCLEUS]
