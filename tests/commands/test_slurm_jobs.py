"""The Slurm jobs of the documentation, run by bash with stand-ins for Ray, Slurm and Realingo."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "machines.md"
JOBS = [
    text
    for text in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    if "#SBATCH" in text
]
STAND_IN = '#!/bin/bash\necho "${0##*/} $*" >> calls\n'
STATUS = 'if [ "$1" = status ]; then echo again >> asked; for _ in $(cat asked); do echo " 1 node_0a"; done; fi\n'


def calls(folder: Path, job: str, search_status: int) -> list[str]:
    """What a job calls, in its order, where the search ends with `search_status`; a node joins between two looks."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text('export PATH="$PWD/.venv/bin:$PATH"\n')
    ends = f'[ "$1" = search ] && exit {search_status} || exit 0\n'
    for name, more in {"ray": STATUS, "srun": "", "sleep": "", "hostname": "echo first\n", "realingo": ends}.items():
        (programs / name).write_text(STAND_IN + more)
        (programs / name).chmod(0o755)
    (folder / "job.sh").write_text(job, encoding="utf-8")
    subprocess.run(["bash", "job.sh"], cwd=folder, env={"PATH": os.environ["PATH"]}, timeout=30, check=False)
    return (folder / "calls").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("job", JOBS, ids=["one node", "several nodes"])
@pytest.mark.parametrize(("status", "confirms"), [(0, 1), (1, 0), (130, 0)])
def test_a_job_confirms_only_a_search_that_has_ended_well(tmp_path: Path, job: str, status: int, confirms: int) -> None:
    found = [each for each in calls(tmp_path, job, status) if each.startswith("realingo")]
    assert [each.split()[1] for each in found] == ["search", "confirm"][: 1 + confirms]


def test_the_search_on_several_nodes_begins_when_all_of_them_have_joined(tmp_path: Path) -> None:
    found = calls(tmp_path, JOBS[1], 0)
    nodes = int(re.findall(r"--nodes=(\d+)", JOBS[1])[0])
    names = [" ".join(each.split()[:2]) for each in found if not each.startswith(("sleep", "hostname", "srun"))]
    assert names == [
        "ray get-auth-token",
        "ray start",
        *["ray status"] * nodes,
        "realingo search",
        "realingo confirm",
        "ray stop",
    ]
    joining = next(each for each in found if each.startswith("srun"))
    assert f"--ntasks {nodes - 1} " in joining
    assert joining.endswith("ray start --address first:6379 --block")
