"""The programs of ``docs/guide-python.md``, each run, with what it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mosquitto import Mosquitto

GUIDE = Path(__file__).parents[2] / "docs" / "guide-python.md"
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_every_program_of_the_guide_has_its_output_under_it() -> None:
    assert len(PROGRAMS) == GUIDE.read_text().count("```python\n") == 4


@pytest.mark.parametrize("index", range(len(PROGRAMS)))
def test_the_programs_of_the_guide_print_what_it_says(index: int, broker: Mosquitto, tmp_path: Path) -> None:
    program, printed = PROGRAMS[index]
    here = program.replace('Client("localhost"', f'Client("localhost", {broker.port}').replace("1883", str(broker.port))
    file = tmp_path / "program.py"
    file.write_text(here)
    command = [sys.executable, "-X", "dev", "-W", "error", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout == printed.replace("1883", str(broker.port))
