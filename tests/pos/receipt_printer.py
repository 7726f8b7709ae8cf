"""A network printer as the till meets it: takes bytes, answers ESC/POS's questions."""

from __future__ import annotations

import socket
import threading

_QUESTIONS = {b"\x10\x04\x02": "offline", b"\x10\x04\x04": "paper", b"\x1dr\x01": "done"}


class ReceiptPrinter:
    """Listens on loopback; its answers can be changed, and None keeps it silent. Use it as a context."""

    def __init__(self) -> None:
        self.answers: dict[str, int | None] = {"offline": 0x12, "paper": 0x12, "done": 0x00}
        self.finishes = threading.Event()  # cleared: it takes a receipt, and is not done with it
        self.finishes.set()
        self.receipts: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ReceiptPrinter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.finishes.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.1)
                self._print(connection)

    def _print(self, connection: socket.socket) -> None:
        paper = b""
        while not self._ended.is_set():
            try:
                came = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not came:
                break
            paper = self._answered(paper + came, connection)
        if paper:
            self.receipts.append(paper)

    def _answered(self, paper: bytes, connection: socket.socket) -> bytes:
        for question, name in _QUESTIONS.items():
            if question in paper:
                paper = paper.replace(question, b"")
                if name == "done":
                    self.finishes.wait()
                    self.receipts.append(paper)  # before the answer, after which a test looks for it
                    paper = b""
                answer = self.answers[name]
                if answer is not None:
                    connection.sendall(bytes([answer]))
        return paper
