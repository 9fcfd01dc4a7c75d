"""The walk through the code links to the lines at which its functions begin, and its command takes these steps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.scripts import script

# named where they are run elsewhere: when a model is recorded and rewritten, and where a platform has no library
ELSEWHERE = {"record", "frequencies", "transform_frequencies"}
TRACED = """
import json, sys
calls = {}
def note(frame, event, argument):
    if event == "call" and "pointillist" in frame.f_code.co_filename:
        calls.setdefault((frame.f_code.co_filename, frame.f_code.co_name), len(calls))
sys.setprofile(note)
from pointillist.commands.cli import main
sys.argv[1:] = json.loads(sys.argv[1])
try:
    main()
finally:
    sys.setprofile(None)
    open("calls.json", "w").write(json.dumps([[*place, at] for place, at in calls.items()]))
"""


def test_the_walk_is_current() -> None:
    """`docs/explanation/walk.md` is what `tools/make_walk.py` writes, in at most 100 lines."""
    maker = script("make_walk")
    page = maker.PAGE.read_text(encoding="utf-8")
    assert page == maker.text(), "run python tools/make_walk.py"
    assert len(page.splitlines()) <= 100
    assert len(maker.LINK.findall(page)) >= 10


def test_the_command_takes_the_steps_of_the_walk_in_their_order(tmp_path: Path) -> None:
    """Each Python function of the numbered steps is called, the first time after the one before it."""
    maker = script("make_walk")
    page = maker.PAGE.read_text(encoding="utf-8")
    command = re.search(r"```bash\npointillist (.*)\n```", page)
    assert command is not None
    subprocess.run([sys.executable, "-c", TRACED, json.dumps(command[1].split())], cwd=tmp_path, check=True)
    calls = {(Path(file).name, name): at for file, name, at in json.loads((tmp_path / "calls.json").read_text())}
    steps = [line for line in re.split(r"\n(?=\d+\. |\n|#)", page) if re.match(r"\d+\. ", line)]
    named = [(Path(path).name, name) for step in steps for name, path in maker.LINK.findall(step)]
    functions = [(file, name) for file, name in named if file.endswith(".py") and name.islower()]
    walked = [place for place in functions if place[1] not in ELSEWHERE]
    missing = [place for place in walked if place not in calls]
    assert not missing
    order = [calls[place] for place in walked]
    assert order == sorted(order), [place for _, place in sorted(zip(order, walked, strict=True))]
