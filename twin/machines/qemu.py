"""The qemu that runs arm64 machines: Debian 13's, kept beside the roots; nothing is installed on this host.

systemd 257 starts every service with pidfd_spawn, which the qemu of Debian 12 (7.2) refuses with EINVAL.
"""

import itertools
import platform
import shutil
from pathlib import Path

from twin.machines.errors import MachineError
from twin.machines.host import command
from twin.machines.roots import Progress, cache_dir, mirror, one_at_a_time, silent

SUITE = "trixie"
PACKAGE = "qemu-user"
PROGRAM = "qemu-aarch64"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
ENTRY = "greentill-arm64"
# An ELF header: 64 bits, little endian, of a program or library (the mask takes both) for AArch64.
MAGIC = bytes.fromhex("7f454c460201010000000000000000000200b700")
MASK = bytes.fromhex("ffffffffffffff00fffffffffffffffffeffffff")
# As Debian registers it: qemu is told argv[0] (P), given the file open (O), and held open itself (F), so that
# it works inside a root that lacks it. Without C: a setuid program gains nothing on this host.
FLAGS = "POF"
DOWNLOAD_SECONDS = 1800.0


def emulate(progress: Progress = silent) -> None:
    """Have the kernel run arm64 programs with our qemu until this host restarts, fetched first if need be.

    Does nothing where they run with it already, or without any. Safe to call from several processes, also
    while machines run: what the kernel knew before stays, and of several entries it takes the newest.
    Raises MachineError when the package can't be had, or the kernel doesn't take the entry.
    """
    if platform.machine() == "aarch64":
        return
    folder = cache_dir().parent / "qemu"
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder / "lock", "prepares qemu", progress):
        qemu = _ensure_qemu(folder, progress)
        if not (BINFMT / "register").exists():
            command(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)])
        wanted = command([str(qemu), "--version"])
        if _answer(folder) != wanted:
            _register(qemu)
            if _answer(folder) != wanted:
                raise MachineError(f"The kernel runs arm64 programs with another qemu: see {BINFMT}.")


def _answer(folder: Path) -> str:
    """What the qemu that the kernel calls says of its version, nothing without one."""
    probe = folder / "probe"
    if not probe.exists():
        probe.write_bytes(MAGIC)
    probe.chmod(0o755)
    try:
        return command([str(probe)], environment={"QEMU_VERSION": "1"})
    except MachineError:
        return ""


def _register(qemu: Path) -> None:
    names = (f"{ENTRY}-{number}" for number in itertools.count(1))
    name = next(name for name in names if not (BINFMT / name).exists())
    magic, mask = ("".join(f"\\x{byte:02x}" for byte in part) for part in (MAGIC, MASK))
    try:
        (BINFMT / "register").write_text(f":{name}:M:0:{magic}:{mask}:{qemu}:{FLAGS}")
    except OSError as error:
        raise MachineError(
            f"The kernel takes no entry for arm64 programs ({error}): see {BINFMT}."
        ) from error


def _ensure_qemu(folder: Path, progress: Progress) -> Path:
    qemu = folder / PROGRAM
    if not qemu.exists():
        progress(f"Fetching Debian's {PACKAGE} (about 70 MB)")
        scratch = folder / "fetched"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            _unpack(_download(scratch), scratch).rename(qemu)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return qemu


def _download(scratch: Path) -> Path:
    """The package from this host's mirror; apt checks it by Debian's signature, with lists of its own."""
    for part in ("lists/partial", "cache/archives/partial"):
        (scratch / part).mkdir(parents=True)
    sources = scratch / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": scratch / "none",
        "Dir::Etc::Preferences": scratch / "none",
        "Dir::Etc::PreferencesParts": scratch / "none",
        "Dir::State": scratch,
        "Dir::State::Status": "/dev/null",
        "Dir::Cache": scratch / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }
    apt = ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in options.items())]
    command([*apt, "update"], DOWNLOAD_SECONDS)
    command([*apt, "download", PACKAGE], DOWNLOAD_SECONDS, directory=scratch)
    return next(scratch.glob(f"{PACKAGE}_*.deb"))


def _unpack(package: Path, scratch: Path) -> Path:
    """Take the one program that we need out of the package, which holds those of thirty other processors."""
    member = f"./usr/bin/{PROGRAM}"
    script = f'dpkg-deb --fsys-tarfile "$1" | tar --extract --directory "$2" {member}'
    command(["sh", "-c", script, "unpack", str(package), str(scratch)])
    return scratch / member
