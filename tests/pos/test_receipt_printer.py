"""The till's own receipt printer, over real sockets: what comes out, what is said when nothing can."""

from __future__ import annotations

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge_components.pos.printing import PrinterError, PrinterSettings, deliver
from tests.pos.pos_process import Pos, free_port, sale
from tests.pos.receipt_printer import ReceiptPrinter

DRAWER = b"\x1bp"


@pytest.fixture
def printer() -> Iterator[ReceiptPrinter]:
    with ReceiptPrinter() as found:
        yield found


@pytest.fixture
def pos(tmp_path: Path, printer: ReceiptPrinter) -> Iterator[Pos]:
    settings = {"host": "127.0.0.1", "port": printer.port, "timeout_seconds": 60}
    till = Pos(tmp_path, printer=settings)
    yield till
    till.kill()
    till.client.close()


def sold(pos: Pos, **changes: object) -> str:
    receipt_no: str = pos.sell(sale(**changes)).json()["receipt_no"]
    return receipt_no


def printed(pos: Pos, receipt_no: str, **body: object):
    return pos.client.post(f"/v1/receipts/{receipt_no}/print", json=body)


def test_a_receipt_comes_out_whole_and_opens_the_drawer_when_that_is_wanted(selling, printer):
    receipt_no = sold(selling)
    assert printed(selling, receipt_no).json() == {"receipt_no": receipt_no}
    assert printer.receipts[0] == selling.client.get(f"/v1/receipts/{receipt_no}/escpos").content
    assert DRAWER not in printer.receipts[0]
    assert printed(selling, receipt_no, drawer=True).status_code == 200
    assert DRAWER in printer.receipts[1]
    card = sold(selling, payments=[{"method": "card", "amount": 300}])
    assert printed(selling, card, drawer=True).status_code == 200
    assert DRAWER not in printer.receipts[2]


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (("paper", 0x72), "printer_no_paper", "out of paper"),
        (("offline", 0x32), "printer_no_paper", "out of paper"),
        (("offline", 0x16), "printer_cover_open", "cover is open"),
        (("offline", 0x52), "printer_failed", "fault"),
        (("done", 0x0C), "printer_no_paper", "out of paper"),
    ],
)
def test_a_printer_that_cannot_print_says_why_and_what_to_do(selling, printer, state, code, words):
    question, answer = state
    printer.answers[question] = answer
    said = printed(selling, sold(selling))
    assert said.status_code == 503
    assert said.json()["error"]["code"] == code
    assert words in said.json()["error"]["message"]
    assert len(printer.receipts) == (question == "done")  # nothing is sent to a printer that can't


def test_a_printer_that_answers_no_questions_is_printed_on_all_the_same(selling, printer):
    printer.answers = dict.fromkeys(printer.answers)
    assert printed(selling, sold(selling)).status_code == 200
    assert len(printer.receipts) == 1


def test_a_printer_that_never_finishes_is_given_up(selling, printer):
    printer.answers["done"] = None
    selling.configuration["printer"]["timeout_seconds"] = 1
    selling.stop()
    selling.start()
    assert printed(selling, sold(selling)).json()["error"]["code"] == "printer_stopped"


def test_a_printer_that_is_off_is_named_with_its_address(pos, printer):
    pos.configuration["printer"]["port"] = free_port()
    pos.assign()
    pos.start()
    error = printed(pos, sold(pos)).json()["error"]
    assert error["code"] == "printer_unreachable"
    assert f"127.0.0.1:{pos.configuration['printer']['port']}" in error["message"]


def test_a_till_without_a_printer_and_a_receipt_that_is_not_there_are_told_apart(pos, printer):
    del pos.configuration["printer"]
    pos.assign()
    pos.start()
    answer = printed(pos, sold(pos))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_printer")
    assert pos.client.get("/v1/till").json()["printer"] is None
    assert printed(pos, "AAAAAA-000000001").json()["error"]["code"] == "receipt_unknown"


def test_another_sites_page_cannot_make_the_till_print(selling, printer):
    path = f"/v1/receipts/{sold(selling)}/print"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert selling.client.post(path, content="drawer=true", headers=form).status_code == 415
    assert printed(selling, sold(selling), drawer="yes").status_code == 422
    assert printer.receipts == []


def test_selling_goes_on_while_the_printer_hangs_and_few_receipts_wait_for_it(selling, printer):
    printer.finishes.clear()
    receipt_no = sold(selling)
    answers: list[str] = []

    def ask() -> None:
        url = f"{selling.url}/v1/receipts/{receipt_no}/print"
        answer = httpx.post(url, json={}, timeout=120, trust_env=False)
        answers.append(answer.json().get("error", {}).get("code", "printed"))

    waiting = [threading.Thread(target=ask) for _ in range(8)]
    for one in waiting:
        one.start()
    _until(lambda: answers.count("printer_busy") == 4)  # the other four wait
    assert selling.sell(sale()).status_code == 201  # though nothing is printed yet
    assert len(answers) == 4
    printer.finishes.set()
    for one in waiting:
        one.join()
    assert answers.count("printed") == 4


def test_a_printer_on_a_cable_is_written_to_and_asked_through_its_device():
    printer, till = pty.openpty()
    tty.setraw(till)
    came: list[bytes] = []

    def answer() -> None:
        while b"".join(came).count(b"\x1dr\x01") == 0:
            came.append(os.read(printer, 4096))
            os.write(printer, b"\x12" if b"\x10\x04" in came[-1] else b"\x00")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        deliver(PrinterSettings(device=os.ttyname(till), timeout_seconds=20), b"receipt")
    finally:
        thread.join()
        os.close(printer)
        os.close(till)
    assert b"receipt" in b"".join(came)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(PrinterError, match="/dev/usb/lp99 can't be opened"):
        deliver(PrinterSettings(device="/dev/usb/lp99"), b"receipt")


def test_a_printer_that_hangs_up_in_the_middle_is_told_from_one_that_printed():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(3)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        settings = PrinterSettings(host="127.0.0.1", port=listener.getsockname()[1], timeout_seconds=20)
        with pytest.raises(PrinterError, match="stopped before it was done"):
            deliver(settings, b"x" * 10_000_000)
        thread.join()


def _until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
