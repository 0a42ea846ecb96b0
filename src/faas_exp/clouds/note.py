"""A note on the controller: where an environment was made.

The same name elsewhere is another environment. Without the note, a teardown with the wrong credentials or region would
find nothing, report that nothing is left, and forget the keys of machines that run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from faas_exp.clouds.errors import CloudError


@dataclass(frozen=True)
class Note:
    """One cloud's note.

    Attributes:
        name: of the file, in the environment's folder.
        holds: what stands in it, and what to do where it can't be read; a sentence or two.
        error: raised where it can't be read.
    """

    name: str
    holds: str
    error: type[CloudError]

    def read(self, folder: Path) -> dict[str, str]:
        """What it says; nothing where there is none yet.

        Raises:
            CloudError: it is there and can't be read.
        """
        path = folder / self.name
        try:
            noted = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self.error(f"{path}: can't be read ({error}). {self.holds}") from None
        return dict(noted)

    def write(self, folder: Path, wanted: dict[str, str]) -> None:
        """Say this from now on; never half of it."""
        if self.read(folder) == wanted:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f".{self.name}.new"
        draft.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
        draft.rename(folder / self.name)
