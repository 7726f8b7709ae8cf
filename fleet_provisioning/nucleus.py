"""Which release of a nucleus flavour a new till installs: the one that deployments pin."""

VERSIONS = {"classic": "2.18.2", "lite": "2.6.0"}
