"""Rules, where the emulator's are short: startswith() in their SQL, and calls of functions that failed."""

from __future__ import annotations

from typing import Any

from ministack.services import iot, lambda_svc

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
    iot._dispatch_rule_to_lambda = _call


def _call(account_id: str, region: str, function_arn: str, event: Any) -> None:
    """AWS IoT calls functions asynchronously, so Lambda repeats a call that failed, twice at most."""
    function, config, _name = lambda_svc._get_func_record_for_ref_in_scope(
        function_arn, account_id=account_id, region=region
    )
    if not function or not config:
        iot._broker_logger.warning("IoT rule → Lambda: function %s not found", function_arn)
        return
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)
