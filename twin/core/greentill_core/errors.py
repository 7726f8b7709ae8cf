"""What can go wrong, split by what the core does about it."""


class CoreError(Exception):
    """The core was told something that it can't do; trying again won't help."""


class NotReachableError(Exception):
    """The cloud did not answer, or not sensibly: try again later."""


class DeploymentError(CoreError):
    """A deployment can't be carried out; the sentence goes into the job's status."""
