"""An image's name → a folder that is ready to start, and the command to start there."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faas_exp.errors import FaasExpError
from faas_exp.functions import bundle
from faas_exp.gateway.model import FunctionSpec, InvalidFunctionError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True)
class Prepared:
    """What a replica is started from."""

    folder: Path
    command: tuple[str, ...]


class Images:
    """The functions of one folder, built on demand.

    Args:
        functions_dir: holds a folder per function.
        cache_dir: holds what was built.
    """

    def __init__(self, functions_dir: Path, cache_dir: Path) -> None:
        self._functions = functions_dir
        self._cache = cache_dir

    def resolve(self, image: str) -> Path:
        """The function's folder for ``registry/anything/<name>:tag@digest``.

        Raises:
            InvalidFunctionError: no such folder; names those that exist.
        """
        name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
        folder = self._functions / name
        if not _NAME.match(name) or not folder.is_dir():
            known = ", ".join(self._known()) or f"nothing, since {self._functions} holds no function"
            raise InvalidFunctionError(f"image: found {image!r}, allowed: an image whose last part is one of {known}")
        return folder

    async def check(self, spec: FunctionSpec) -> None:
        """Whether a deployment can be started here, as far as that is known without building.

        Raises:
            InvalidFunctionError: image unknown, function's folder faulty, or a program missing.
        """
        await asyncio.to_thread(self._check, spec)

    async def prepare(self, spec: FunctionSpec) -> Prepared:
        """Builds what must be built; quick when it was built before.

        Raises:
            FaasExpError: the build failed; the text says how.
        """
        return await asyncio.to_thread(self._prepare, spec)

    def _known(self) -> list[str]:
        try:
            return sorted(folder.name for folder in self._functions.iterdir() if (folder / "Containerfile").is_file())
        except OSError:
            return []

    def _check(self, spec: FunctionSpec) -> None:
        folder = self.resolve(spec.image)
        missing = _ask(lambda: bundle.missing_programs(folder))
        command = self._command(spec, folder)
        program = command[0]
        if not missing and "/" not in program and shutil.which(program) is None:
            missing = [program]
        if missing:
            packages = " ".join(bundle.debian_packages(missing))
            raise InvalidFunctionError(
                f"{folder.name} needs {', '.join(missing)}, not on PATH (Debian: apt-get install {packages})"
            )

    def _prepare(self, spec: FunctionSpec) -> Prepared:
        folder = self.resolve(spec.image)
        return Prepared(bundle.build(folder, self._cache), tuple(self._command(spec, folder)))

    def _command(self, spec: FunctionSpec, folder: Path) -> list[str]:
        if spec.env_process:
            try:
                words = shlex.split(spec.env_process)
            except ValueError as error:
                raise InvalidFunctionError(f"envProcess: {error}") from None
            if words:
                return words
        return _ask(lambda: bundle.read_command(folder))


def _ask(question: Callable[[], list[str]]) -> list[str]:
    try:
        return question()
    except InvalidFunctionError:
        raise
    except FaasExpError as error:
        raise InvalidFunctionError(str(error)) from error
