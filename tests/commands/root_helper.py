"""The helper that runs as root, as far as a component sees it: asks in one folder, answers in another."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Reply = tuple[str, str, dict[str, Any]]  # outcome, message, detail


class RootHelper:
    """`verbs` answer; `asked` remembers in which order; what nobody answers stays unanswered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verbs: dict[str, Callable[[], Reply]] = {}
        self.asked: list[str] = []
        self._ended = threading.Event()
        for name in ("asks", "answers"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> RootHelper:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def given(self) -> str:
        return (self.folder / "asks" / "certificate.pem").read_text()

    def forget(self) -> None:
        """The machine was restarted: /run is empty."""
        for path in (self.folder / "answers").iterdir():
            path.unlink()

    def _serve(self) -> None:
        while not self._ended.wait(0.01):
            for verb in list(self.verbs):
                ask = self.folder / "asks" / verb
                if ask.exists():
                    ask.unlink()
                    self.asked.append(verb)
                    self._answer(verb, *self.verbs[verb]())

    def _answer(self, verb: str, outcome: str, message: str, detail: dict[str, Any]) -> None:
        answer = self.folder / "answers" / f"{verb}.json"
        partial = answer.with_suffix(".new")
        partial.write_text(
            json.dumps({"verb": verb, "outcome": outcome, "message": message, "at": "", "detail": detail})
        )
        partial.replace(answer)
