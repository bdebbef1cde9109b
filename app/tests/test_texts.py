"""What the texts name exists, and the page about the architecture says what is so."""

import re
from pathlib import Path

import test_layers

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
#: What is made while the lab is used is in no checkout.
MADE = {".git", ".lab", "target"}
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - MADE
#: The sub-packages of the application.
PARTS = [layer for layer in test_layers.LAYERS if layer != "__main__"]


def absent_links(text: str, folder: Path) -> list[str]:
    """The links to files of the project that lead to none."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    return [link for link in links if "://" not in link and not (folder / link).exists()]


def anchors(text: str) -> set[str]:
    """The anchors of a text's titles, as GitHub makes them: ``Why?`` is ``why``, ``Why ?``
    is ``why-``, and the second of two equal ones ends in ``-1``."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    made: dict[str, int] = {}
    found = set()
    for title in re.findall(r"^#{1,6} +(.+?)\s*$", text, flags=re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        earlier = made.get(slug, 0)
        made[slug] = earlier + 1
        found.add(f"{slug}-{earlier}" if earlier else slug)
    return found


def absent_anchors(text: str, folder: Path) -> list[str]:
    """The links to a title that its page does not have; one without a page is in the text."""
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text)
    here = [(page, anchor) for page, anchor in links if "://" not in page]
    pages = {page: (folder / page).read_text("utf-8") if page else text for page, _ in here}
    return [f"{page}#{anchor}" for page, anchor in here if anchor not in anchors(pages[page])]


def absent_paths(text: str) -> list[str]:
    """The paths from the root, shown as code, at which there is nothing; NAME is any name."""
    shown = [code for code in re.findall(r"`([^`\s]+)`", text) if "/" in code]
    paths = [code for code in shown if code.partition("/")[0] in FOLDERS]
    return [path for path in paths if not any(ROOT.glob(path.rstrip("/").replace("NAME", "*")))]


def stacked(about: str) -> list[set[str]]:
    """The layers in the first drawing that follows some words, the lowest first."""
    drawing = PAGE.partition(about)[2].partition("```text\n")[2].partition("```")[0]
    named = [line for line in drawing.splitlines() if not line.startswith(" ")]
    starts = [re.split(r"\s{2,}", line)[0] for line in named]
    return [set(start.split(", ")) for start in reversed(starts)]


def test_what_a_text_links_to_exists():
    assert len(TEXTS) > 10
    assert {text.name: absent_links(text.read_text("utf-8"), text.parent) for text in TEXTS} == {
        text.name: [] for text in TEXTS
    }


def test_the_title_that_a_text_links_to_exists():
    assert {text.name: absent_anchors(text.read_text("utf-8"), text.parent) for text in TEXTS} == {
        text.name: [] for text in TEXTS
    }


def test_a_title_has_the_anchor_that_github_makes():
    text = "# A — `b/c` ?\n## Same\n## Same\n```sh\n# no title\n```\n### [Link](x.md), *so*\n"
    assert anchors(text) == {"a--bc-", "same", "same-1", "link-so"}
    assert absent_anchors("[a](#b) [c](#same)\n# Same", ROOT) == ["#b"]


def test_a_path_that_a_text_shows_exists():
    assert {text.name: absent_paths(text.read_text("utf-8")) for text in TEXTS} == {
        text.name: [] for text in TEXTS
    }


def test_a_path_and_a_link_to_nothing_are_told():
    assert absent_paths("`app/pra/gone.py`, `app/pra/base/clock.py`, `app/gone/NAME.py`") == [
        "app/pra/gone.py",
        "app/gone/NAME.py",
    ]
    assert absent_links("[a](gone.md#there) [b](format.md#x)", ROOT / "docs") == ["gone.md"]


def test_a_module_that_the_architecture_names_exists():
    # A file of that name is none: offsite.md, offsite.rs.
    module = rf"\b((?:{'|'.join(PARTS)})\.(?!md\b|rs\b)[a-z_]+)\b"
    named = set(re.findall(module, PAGE))
    assert len(named) > 20
    assert named - set(test_layers.graph_of(test_layers.PACKAGE)) == set()


def test_the_architecture_shows_the_layers_of_the_package():
    assert stacked("The package, `app/pra/`") == [{part} for part in PARTS]


def test_the_architecture_shows_the_layers_of_the_task_runner():
    source = (ROOT / "xtask/tests/layers.rs").read_text("utf-8")
    listed = source.partition("const LAYERS: &[&[&str]] = &[")[2].partition("\n];")[0]
    code = re.sub(r"//.*", "", listed)
    layers = [set(re.findall(r'"(\w+)"', layer)) for layer in re.findall(r"&\[(.*?)\]", code, re.S)]
    assert len(layers) > 10
    assert stacked("The task runner, `xtask/src/`") == layers
