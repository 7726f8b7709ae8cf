"""A kit is a row, a claim and a folder: all three or none."""

from __future__ import annotations

import hashlib
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fleet_provisioning import kit_files
from fleet_provisioning.errors import NotDeployedError, ProvisioningError, SerialTakenError
from fleet_provisioning.nucleus import VERSIONS
from fleet_provisioning.order import Order
from fleet_provisioning.root_ca import root_ca
from infra.deployments.stack import NUCLEUS

ORDER = Order("PI0001", "ST-367", "dev", ("T1", "T2"))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_the_row_says_where_the_till_belongs_and_until_when_its_claim_works(account: Any, tmp_path: Path):
    kit = account.maker().make(ORDER, tmp_path / "kit", now=NOW)
    row = account.rows()[0]
    assert row["thing"] == kit.thing == "greentill-PI0001"
    assert (row["store"], row["stage"], row["state"]) == ("ST-367", "dev", "pending")
    assert row["terminals"] == ["T1", "T2"]
    assert row["assignment"]["time_zone"] == "America/New_York"
    assert row["assignment"]["terminals"] == ["T1", "T2"]
    assert row["assignment"]["currency_exponent"] == 2
    assert row["claim_certificate_id"] == kit.claim_certificate_id
    assert int(row["claim_expires_at"]) == int(NOW.timestamp()) + 30 * 86400
    assert row["certificate_ids"] == []


def test_the_claim_carries_only_the_claim_policy_and_is_active(account: Any, tmp_path: Path):
    account.maker().make(ORDER, tmp_path / "kit")
    (certificate,) = account.certificates()
    assert certificate["status"] == "ACTIVE"
    policies = account.iot.list_attached_policies(target=certificate["certificateArn"])["policies"]
    assert [policy["policyName"] for policy in policies] == ["greentill-claim"]


def test_the_private_key_is_its_own_readable_by_the_owner_only_and_valid(account: Any, tmp_path: Path):
    keys = []
    for serial in ("PI0001", "PI0002"):
        account.maker().make(Order(serial, "ST-367", "dev"), tmp_path / serial)
        path = tmp_path / serial / "claim.private.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        load_pem_private_key(path.read_bytes(), None)
        keys.append(path.read_bytes())
    assert keys[0] != keys[1]


def test_sums_cover_every_file_and_match(account: Any, tmp_path: Path):
    folder = tmp_path / "kit"
    account.maker(environment={"HTTPS_PROXY": "http://proxy:3128"}).make(ORDER, folder)
    listed = {
        line.split("  ", 1)[1]: line.split()[0] for line in (folder / "SHA256SUMS").read_text().splitlines()
    }
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert set(listed) == files - {"SHA256SUMS"}
    assert {"pi_bootstrap.sh", "lib/kit.sh", "flavours/classic.sh", "till.conf", "root-ca.pem"} <= set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (folder / "environment").read_text() == "HTTPS_PROXY=http://proxy:3128\n"
    assert "NUCLEUS=classic\n" in (folder / "till.conf").read_text()
    subprocess.run([folder / "pi_bootstrap.sh", "--help"], check=True, capture_output=True)


def test_a_serial_that_is_registered_is_refused_and_its_till_keeps_its_row(account: Any, tmp_path: Path):
    account.maker().make(ORDER, tmp_path / "first")
    before = account.rows()
    with pytest.raises(SerialTakenError, match="PI0001 is registered already"):
        account.maker().make(ORDER, tmp_path / "second")
    assert account.rows() == before
    assert len(account.certificates()) == 1
    assert not (tmp_path / "second").exists()


def test_a_kit_that_cannot_be_written_leaves_neither_row_nor_certificate(
    account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any, **__: Any) -> None:
        (tmp_path / "kit" / "claim.private.key").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kit_files, "write", full)
    with pytest.raises(OSError, match="No space"):
        account.maker().make(ORDER, tmp_path / "kit")
    assert account.rows() == []
    assert account.certificates() == []
    assert not (tmp_path / "kit").exists()


def test_a_folder_with_something_in_it_is_not_touched(account: Any, tmp_path: Path):
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(ProvisioningError, match="isn't empty"):
        account.maker().make(ORDER, tmp_path)
    assert (tmp_path / "photo.jpg").read_text() == "mine"
    assert account.rows() == []


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (Order("PI0001", "ST-366", "dev"), r"store 'ST-366' isn't in fleet.toml.*ST-367.*ST-406"),
        (Order("PI0001", "ST-367", "live"), r"stage 'live' isn't in fleet.toml.*dev, prod, staging"),
        (Order("a-b", "ST-367", "dev"), "4 to 32 letters and digits"),
        (Order("PI0001", "ST-367", "dev", ("T1", "T1")), "give each once"),
    ],
)
def test_an_order_that_cannot_be_says_what_is_possible(account: Any, tmp_path: Path, order: Order, says: str):
    with pytest.raises(ProvisioningError, match=says):
        account.maker().make(order, tmp_path / "kit")
    assert account.rows() == []


def test_without_an_identity_stack_it_says_to_deploy_one(bare_account: Any, tmp_path: Path):
    with pytest.raises(NotDeployedError, match="make deploy"):
        bare_account.maker().make(ORDER, tmp_path / "kit")
    assert bare_account.certificates() == []


def test_amazons_four_roots_are_the_default_and_a_wrong_file_is_refused(tmp_path: Path):
    assert len(x509.load_pem_x509_certificates(root_ca(None).encode())) == 4
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ProvisioningError, match="can't be used as PEM"):
        root_ca(tmp_path / "ca.pem")


def test_a_new_till_installs_the_nucleus_that_deployments_pin():
    assert {flavour: version for flavour, (_, version) in NUCLEUS.items()} == VERSIONS
