from __future__ import annotations

import subprocess
import sys

import analysis


def test_parts_come_when_they_are_used():
    loaded = "'statsmodels' in sys.modules"
    code = f"import sys, analysis; print({loaded}, callable(analysis.fit), {loaded})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "True", "True"]


def test_completion_shows_the_public_names_only():
    assert dir(analysis) == sorted([*analysis.__all__, "figures"])


def test_no_module_hides_a_function():
    """A submodule named like a function would replace it, depending on what was imported first."""
    import pkgutil

    modules = {module.name for module in pkgutil.iter_modules(analysis.__path__)}
    assert not modules & set(analysis.__all__)


def test_every_name_that_dir_gives_is_there_after_the_import_alone():
    code = "import analysis; print([name for name in dir(analysis) if not hasattr(analysis, name)])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
