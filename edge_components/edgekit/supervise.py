"""Keeps a component running: `python3 -P -S -u supervise.py WELL_AFTER_SECONDS PROGRAM ARGUMENT...`.

A nucleus gives a component up after three failures in an hour, until the next deployment. So one that has run
well is started again from here, without end; one that fails at its start is the nucleus's to judge, which
rolls such a deployment back.

It stays beside each component as long as that runs: it imports next to nothing, and takes 3 MB.
"""

import ctypes
import os
import signal
import sys
import time

LONGEST_PAUSE_SECONDS = 30.0
PR_SET_PDEATHSIG = 1
ENDINGS = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """Runs `command` until it is told to end, or the command fails before it ever ran well."""

    def __init__(self, command: list[str], well_after: float) -> None:
        self._command = command
        self._well_after = well_after
        self._libc = ctypes.CDLL(None)
        self._child = 0
        self._ending = False

    def run(self) -> int:
        """The exit status; a component that ends with 0 without being asked wants to start afresh."""
        for number in ENDINGS:
            signal.signal(number, self._end)
        well, pause = False, 0.0
        while not self._ending:
            began = time.monotonic()
            status = self._once()
            ran_well = time.monotonic() - began >= self._well_after
            well = well or ran_well
            if self._ending or (status != 0 and not well):
                return status if status >= 0 else 128 - status
            pause = 0.0 if ran_well else min(LONGEST_PAUSE_SECONDS, max(0.5, pause * 2))
            print(f"It ended with {status}: starting it again in {pause:g} s.", file=sys.stderr, flush=True)  # noqa: T201
            self._wait(pause)
        return 0

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._ending and time.monotonic() < until:
            time.sleep(min(0.2, seconds))

    def _end(self, number: int, _frame: object) -> None:
        self._ending = True
        if self._child:
            os.kill(self._child, number)

    def _once(self) -> int:
        """Run the command to its end; its exit status, or less than 0 for a signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)  # until it is known who is to be told of them
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            self._become(parent)
        self._child = child
        if self._ending:
            os.kill(child, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # its number stays its own until it is forgotten
        self._child = 0
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _become(self, parent: int) -> None:
        """Run the command in this new process, which must not outlive the one that supervises it."""
        try:
            for number in ENDINGS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
            self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                os.execv(self._command[0], self._command)  # noqa: S606 - no shell is what is wanted
        except OSError as error:
            print(f"{self._command[0]} does not start: {error}", file=sys.stderr, flush=True)  # noqa: T201
        finally:
            os._exit(127)


if __name__ == "__main__":
    sys.exit(Supervisor(sys.argv[2:], float(sys.argv[1])).run())
