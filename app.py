"""The CDK app: `npx cdk synth`, `diff`, `deploy --all`, `destroy --all`. Synth needs no network."""

import os
import sys
from pathlib import Path

# Node 20 is what Debian 12 users have; jsii's banner about it would bury the one sentence that matters.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

from infra.errors import SettingsError
from infra.fleet import build_app

if __name__ == "__main__":
    try:
        build_app(Path(__file__).parent).synth()
    except SettingsError as error:
        sys.exit(f"error: {error}")
