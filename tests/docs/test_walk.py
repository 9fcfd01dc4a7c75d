"""The walk through the code links to the lines at which its functions begin."""

from tests.scripts import script


def test_the_walk_is_current() -> None:
    """`docs/explanation/walk.md` is what `tools/make_walk.py` writes, in at most 100 lines."""
    maker = script("make_walk")
    page = maker.PAGE.read_text(encoding="utf-8")
    assert page == maker.text(), "run python tools/make_walk.py"
    assert len(page.splitlines()) <= 100
    assert len(maker.LINK.findall(page)) >= 10
