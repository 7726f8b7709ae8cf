"""Rule SQL, where the emulator's is short: startswith(), without which a rule over it never matches."""

from __future__ import annotations

from typing import Any

from ministack.services import iot

NAME = "startswith"


def install() -> None:
    """Any other function that the emulator lacks still warns in its log."""
    evaluate = iot._eval_select_function
    iot._IMPLEMENTED_SQL_FUNCS |= {NAME}

    def with_startswith(name: str, arguments: list[str], *message: Any) -> Any:
        if name != NAME:
            return evaluate(name, arguments, *message)
        values = [iot._eval_select_expr(argument, *message) for argument in arguments]
        if len(values) != 2 or not all(isinstance(value, str) for value in values):
            return iot._MISSING
        text, prefix = values
        return text.startswith(prefix)

    iot._eval_select_function = with_startswith
