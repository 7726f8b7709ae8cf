"""What can go wrong with a machine, in one sentence that says what to do."""


class MachineError(Exception):
    """A machine, its root image or its network could not be brought into the state asked for."""
