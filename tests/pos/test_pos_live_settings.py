"""Settings that change under a till that sells hold without a restart."""

from __future__ import annotations

import socket

import pytest

from tests.pos.pos_process import Pos, free_port, sale
from tests.pos.test_pos_kinds import refund
from tests.waiting import wait_for


def refunded(pos: Pos) -> int:
    """The answer to a refund that no sale here backs, allowed by a supervisor."""
    body = refund(None, supervisor="S1")
    return pos.client.post("/v1/refunds", json=body).status_code


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_limit_of_unverified_refunds_follows_the_configuration(selling: Pos) -> None:
    assert refunded(selling) == 201
    selling.configure(refund_limit=100)
    wait_for(lambda: refunded(selling) == 409, selling.log)
    selling.configure(refund_limit=200)
    wait_for(lambda: refunded(selling) == 201, selling.log)


def test_the_reserve_follows_the_configuration_and_health_says_what_a_sale_would_be_told(
    selling: Pos,
) -> None:
    selling.configure(reserve_bytes=2**62)
    selling.wait("disk_full")
    refused = selling.sell(body := sale())
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "disk_full")
    selling.configure(reserve_bytes=0)
    selling.wait("selling")
    assert selling.sell(body).status_code == 201


def test_the_largest_body_follows_the_configuration(selling: Pos) -> None:
    wide = sale(
        customer_ref="x" * 100, lines=[{"sku": "1", "description": "x" * 200, "quantity": 1, "total": 1}] * 40
    )
    assert selling.sell(wide).status_code == 201
    selling.configure(max_body_bytes=4_096)
    wait_for(lambda: selling.sell(wide).status_code == 413, selling.log)


def test_the_listener_on_the_shops_network_comes_moves_and_goes_with_the_configuration(selling: Pos) -> None:
    first, second = free_port(), free_port()
    selling.configure(lan_host="127.0.0.1", lan_port=first)
    wait_for(lambda: answers(first), selling.log)
    selling.configure(lan_port=second)
    wait_for(lambda: answers(second) and not answers(first), selling.log)
    assert selling.client.get("/v1/till").json()["lan_url"] == f"https://127.0.0.1:{second}"
    selling.configure(lan_host="")
    wait_for(lambda: not answers(second), selling.log)
    assert selling.sell(sale()).status_code == 201


@pytest.mark.parametrize(("name", "value"), [("port", 1), ("host", "127.0.0.9"), ("machine_id_path", "/x")])
def test_what_only_a_start_can_change_is_told_and_stays(selling: Pos, name: str, value: object) -> None:
    before = selling.configuration.get(name, "127.0.0.1")
    selling.configure(**{name: value})
    wait_for(lambda: f"{name} changes with the next start" in selling.log(), selling.log)
    selling.configuration[name] = before
    assert selling.sell(sale()).status_code == 201
