"""Gives an installed `realingo` its types: for a single file, type checkers read a package of stubs (PEP 561)."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

STUBS = "realingo-stubs/__init__.pyi"


class BuildWithStubs(build_py):
    """Puts `realingo.py` into the wheel a second time, as stubs of itself."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            stubs = Path(self.build_lib, STUBS)
            self.mkpath(str(stubs.parent))
            self.copy_file("realingo.py", str(stubs))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib, STUBS))]


setup(cmdclass={"build_py": BuildWithStubs})
