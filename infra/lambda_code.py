"""Code for the functions: files of this repository under their own paths, so imports read the same."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


@contextmanager
def staged(sources: Sequence[str]) -> Iterator[str]:
    """A folder with the given files (paths from the root of the clone) and the package markers above them.

    It lives until CDK has staged it; nothing is bundled, so no container and no network.
    """
    with tempfile.TemporaryDirectory(prefix="lambda-") as folder:
        for source in sources:
            _copy(source, Path(folder))
        yield folder


def _copy(source: str, folder: Path) -> None:
    target = folder / source
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / source, target)
    for parent in Path(source).parents[:-1]:
        (folder / parent / "__init__.py").touch()
