"""Rules for lifecycles: only install and run, and no brace in a script that isn't a recipe variable."""

import re
from typing import Any

from release.check_values import text, unknown_keys

STEPS = {
    "install",
    "run",
}  # lite ignores shutdown and recover, reboots for bootstrap; startup fails on systemd 252
STEP_KEYS = {"Script", "Setenv", "Timeout", "RequiresPrivilege"}
VARIABLES = {
    "artifacts:path",
    "artifacts:decompressedPath",
    "work:path",
    "kernel:rootPath",
    "iot:thingName",
}
CONFIGURATION = "configuration:"
LARGEST_TIMEOUT = 3600  # seconds


def lifecycle(where: str, steps: Any, pointers: frozenset[str]) -> list[str]:
    """`pointers` are the JSON pointers that the default configuration has."""
    if not isinstance(steps, dict) or not steps:
        return [f"{where}: allowed: an object with install or run."]
    findings = unknown_keys(where, steps, STEPS)
    for name, step in steps.items():
        if name not in STEPS:
            continue
        here = f"{where}/{name}"
        if name == "install" and not isinstance(step, dict):
            findings.append(f"{here}: allowed: an object with Script and Timeout.")
        elif isinstance(step, dict):
            findings += _step(here, name, step, pointers)
        else:
            findings += _script(here, step, pointers)
    return findings


def _step(where: str, name: str, step: dict[str, Any], pointers: frozenset[str]) -> list[str]:
    findings = [
        *unknown_keys(where, step, STEP_KEYS),
        *_script(f"{where}/Script", step.get("Script"), pointers),
        *_timeout(f"{where}/Timeout", step.get("Timeout"), required=name == "install"),
    ]
    if step.get("RequiresPrivilege", False) is not False:
        findings.append(f"{where}/RequiresPrivilege: allowed: false; components run as ggc_user.")
    environment = step.get("Setenv", {})
    if not isinstance(environment, dict):
        return [*findings, f"{where}/Setenv: allowed: an object of strings."]
    for key, value in environment.items():
        findings += _script(f"{where}/Setenv/{key}", value, pointers)
    return findings


def _timeout(where: str, value: Any, *, required: bool) -> list[str]:
    if value is None and not required:
        return []
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_TIMEOUT:
        return []
    why = " (left out, it is 120 s)" if value is None else ""
    return [f"{where}: {value!r}{why}; allowed: whole seconds, 1 to {LARGEST_TIMEOUT}."]


def _script(where: str, script: Any, pointers: frozenset[str]) -> list[str]:
    if findings := text(where, script):
        return findings
    findings = []
    rest = script
    for variable in re.findall(r"\{([^{}\s]*)\}", script):
        if variable in VARIABLES or variable.removeprefix(CONFIGURATION) in pointers:
            rest = rest.replace("{" + variable + "}", "", 1)
        elif ":" in variable:
            allowed = ", ".join(sorted(VARIABLES))
            findings.append(
                f"{where}: variable {{{variable}}}; allowed: {allowed}, or configuration:/ with a default."
            )
            rest = rest.replace("{" + variable + "}", "", 1)
    if "{" in rest or "}" in rest:
        position = script.find("{" if "{" in rest else "}")
        findings.append(
            f"{where}: a brace that is no recipe variable, near {script[position : position + 30]!r}; "
            "lite cuts the script there; allowed: no other braces."
        )
    return findings
