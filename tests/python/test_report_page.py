"""The report in a real browser, headless: it opens without an error or a request, sorts, filters, opens
trees by mouse and keyboard, shows hostile text as text, has names for screen readers, and opens in time."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium, Page, find_chromium
from cola_analysis import report
from cola_analysis.chain_text import print_chain
from cola_analysis.collect import collect_frames
from cola_analysis.report_html import page as page_of
from cola_analysis.results import load
from report_run import Content, grow, trees, write_run

SLOWEST_OPENING_MS = 2000
READY = "performance.getEntriesByName('cola-report-ready')[0].startTime"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
SHOWN_TREE = """[...document.querySelectorAll('#tree-root [role=treeitem]')].map(i => ({
    chain: Number(i.dataset.chain), text: i.querySelector('.chain-text').textContent,
    level: Number(i.ariaLevel), expanded: i.ariaExpanded, selected: i.ariaSelected, label: i.ariaLabel}))"""

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium: jobs/setup.sh tests installs it")
    with Chromium.start(program) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


def make(folder: Path, name: str, content: Content, control: Content | None = None) -> str:
    """Writes runs and their report; gives the report's address."""
    run = write_run(folder / f"{name}.h5", content)
    out = folder / f"{name}.html"
    arguments = [str(run), "-o", str(out)]
    if control:
        arguments += ["--control", str(write_run(folder / f"{name}-control.h5", control))]
    assert report.main(arguments) == 0
    return out.as_uri()


def question(i: int) -> str:
    return f"Question {i}?" + (" And a long one, of many more words than fit." * 4 if i == 40 else "")


@pytest.fixture(scope="module")
def address(folder: Path) -> str:
    """60 samples, of which one was interrupted and one not begun, beside a control."""
    some = {"n_samples": 60, "unfinished": (7,), "not_begun": (8,), "question": question}
    return make(folder, "small", Content(**some), Content(control=True, **some))


@pytest.fixture
def page(browser: Chromium, address: str) -> Iterator[Page]:
    """The report, freshly opened; nothing may have gone wrong at its end."""
    opened = browser.open(address)
    yield opened
    assert opened.errors == []
    assert opened.requests == [address], "the page asked for something else than itself"
    opened.close()


def column(page: Page, number: int) -> list[str]:
    cell = f"#samples-table tbody td:nth-child({number})"
    return page.evaluate(f"[...document.querySelectorAll('{cell}')].map(c => c.textContent)")


def heading(page: Page, number: int) -> str:
    return page.evaluate(f"document.querySelectorAll('#samples-table th')[{number - 1}].ariaSort")


def tree(page: Page) -> list[dict[str, Any]]:
    return page.evaluate(SHOWN_TREE)


def test_the_page_opens_in_time_with_500_samples_of_200_chains(browser: Chromium, folder: Path) -> None:
    large = Content(n_samples=500, n_chains=200, n_layers=30)
    url = make(folder, "large", large)
    page = browser.open(url)
    assert page.errors == []
    times = page.evaluate(
        f"[{READY}, {PAINTED}, performance.timing.loadEventEnd - performance.timing.navigationStart]"
    )
    assert max(times) < SLOWEST_OPENING_MS, f"ready, painted, loaded after {times} ms"
    assert page.evaluate("document.getElementById('samples-count').textContent").startswith(
        "500 of 500 samples"
    )
    page.click("#expand-all")
    assert len(tree(page)) == 200
    page.close()


def test_the_table_sorts_by_click_and_says_so(page: Page) -> None:
    assert column(page, 1) == [str(i) for i in range(50)], "50 rows a page, by row at first"
    assert heading(page, 1) == "ascending" and heading(page, 7) == "none"
    page.click("#samples-table th:nth-child(7) button")
    assert heading(page, 7) == "ascending" and heading(page, 1) == "none"
    values = [int(v) for v in column(page, 7)]
    assert values == sorted(values) and len(set(values)) > 3
    page.click("#samples-table th:nth-child(7) button")
    assert heading(page, 7) == "descending"
    values = [int(v) for v in column(page, 7)]
    assert values == sorted(values, reverse=True)


def test_samples_without_a_value_come_last_either_way(page: Page) -> None:
    for direction in ("ascending", "descending"):
        page.click("#samples-table th:nth-child(7) button")
        assert heading(page, 7) == direction
        page.click("#pages button:last-child")
        assert column(page, 7)[-2:] == ["–", "–"], "the two samples that are not finished"


def test_the_table_sorts_by_keyboard(page: Page) -> None:
    page.evaluate("document.querySelector('#samples-table th:nth-child(2) button').focus()")
    page.press("Enter")
    assert heading(page, 2) == "ascending"
    page.press(" ")
    assert heading(page, 2) == "descending"
    assert column(page, 2)[0] == "Question 9?", "texts in the order of their language"


def test_the_table_filters_by_text_and_outcome(page: Page) -> None:
    page.evaluate("document.getElementById('search').focus()")
    page.type("QUESTION 1")
    assert column(page, 2) == ["Question 1?", *(f"Question {i}?" for i in range(10, 20))]
    assert "11 of 60 samples" in page.evaluate("document.getElementById('samples-count').textContent")
    choose(page, "outcome-choice", "0")
    page.evaluate("document.getElementById('search').value = ''")
    choose(page, "outcome-choice", "0")
    assert column(page, 1) == ["7", "8"], "those not counted"


def choose(page: Page, name: str, value: str) -> None:
    page.evaluate(
        f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change', {{bubbles: true}})) }})"
        f"(document.getElementById({json.dumps(name)}))"
    )


def test_numbers_of_the_table_are_those_of_the_file(page: Page) -> None:
    grown, golds, targets = trees(Content(n_samples=60))
    for i in (0, 3, 11):
        row = page.evaluate(
            f"[...document.querySelector('[data-sample=\"{i}\"]').cells].map(c => c.textContent)"
        )
        right = [n for n, chain in enumerate(grown[i]) if chain.prediction == targets[i]]
        assert row[3:5] == ["ABCD"[golds[i]], "ABCD"[grown[i][0].prediction]]
        assert row[5:9] == [
            "30",
            str(len(right)),
            str(right[0] + 1),
            str(min(len(grown[i][n].layers) for n in right)),
        ]


def test_a_question_of_the_table_leads_to_its_tree(page: Page) -> None:
    page.click("#samples-table tbody tr:nth-child(4) button")
    assert page.evaluate("document.activeElement.id") == "tree"
    assert "Question 3?" in page.evaluate("document.getElementById('sample-text').textContent")
    assert page.evaluate("document.querySelector('[aria-current=true]').dataset.sample") == "3"


def test_the_tree_opens_by_click(page: Page) -> None:
    grown = grow(Content(), 0)
    children = [i for i, chain in enumerate(grown) if chain.parent == 0]
    assert [node["chain"] for node in tree(page)] == [0, *children]
    deep = next(c for c in children if any(g.parent == c for g in grown))
    page.click(f"[data-chain='{deep}'] > .node .twisty")
    opened = {node["chain"]: node for node in tree(page)}
    assert opened[deep]["expanded"] == "true"
    below = [i for i, chain in enumerate(grown) if chain.parent == deep]
    assert [opened[c]["level"] for c in below] == [3] * len(below)
    page.click(f"[data-chain='{deep}'] > .node .twisty")
    assert [node["chain"] for node in tree(page)] == [0, *children]


def test_the_tree_moves_and_opens_by_keyboard(page: Page) -> None:
    page.evaluate("document.querySelector('#tree-root [tabindex=\"0\"]').focus()")
    chosen = "Number(document.activeElement.dataset.chain)"
    shown = [node["chain"] for node in tree(page)]
    page.press("ArrowDown")
    assert page.evaluate(chosen) == shown[1]
    assert next(n for n in tree(page) if n["chain"] == shown[1])["selected"] == "true"
    before = len(tree(page))
    page.press("ArrowRight")
    assert len(tree(page)) > before, "right opens"
    page.press("ArrowRight")
    assert page.evaluate(chosen) not in shown, "right again goes to the first child"
    page.press("ArrowLeft")
    assert page.evaluate(chosen) == shown[1], "left goes to the parent"
    page.press("ArrowLeft")
    assert len(tree(page)) == before, "left again closes it"
    page.press("End")
    assert page.evaluate(chosen) == shown[-1]
    stops = "document.querySelectorAll('#tree-root [tabindex=\"0\"]').length"
    assert page.evaluate(stops) == 1, "the tab key stops once at the tree"
    page.press("Home")
    assert page.evaluate(chosen) == 0
    page.press("Enter")
    assert len(tree(page)) == 1, "enter closes"
    page.press("*")
    assert len(tree(page)) == before


def test_every_chain_of_a_tree_is_the_one_in_the_file(page: Page) -> None:
    """The page makes layers from edits, and their text; the file has the layers."""
    for sample in (0, 13):
        choose(page, "sample-choice", str(sample))
        page.click("#expand-all")
        shown = {node["chain"]: node["text"] for node in tree(page)}
        assert shown == {i: print_chain(chain.layers) for i, chain in enumerate(grow(Content(), sample))}


def test_a_chain_tells_its_edit_visits_value_prediction_and_verdict(page: Page) -> None:
    grown, _, targets = trees(Content())
    chain = next(i for i, c in enumerate(grown[0]) if c.depth == 1 and c.n_visits > 1)
    page.click(f"[data-chain='{chain}'] > .node .chain-text")
    facts = dict(
        page.evaluate(
            "[...document.querySelectorAll('#chain-detail dt')]"
            ".map(t => [t.textContent, t.nextElementSibling.textContent])"
        )
    )
    its = grown[0][chain]
    assert facts["Visits"] == str(its.n_visits)
    assert facts["Value"].startswith(f"{its.total / its.n_visits:.3f} ")
    assert facts["Prediction"] == f"{'ABCD'[its.prediction]}: choice {its.prediction}"
    assert facts["Verdict"] == ("right" if its.prediction == targets[0] else "wrong")
    kind, position, block, times = its.edit
    last = position + block - 1
    layers = f"layer {position}" if block == 1 else f"layers {position}-{last}"
    more = f", {times} more pass{'es' if times > 1 else ''}"
    assert facts["Edit"] == (f"skip {layers}" if kind == 1 else f"repeat {layers}{more}")
    assert facts["Layers"].startswith(f"{len(its.layers)};")


def test_only_branches_with_a_right_chain(page: Page) -> None:
    grown, _, targets = trees(Content())
    keep: set[int] = set()
    for i, chain in enumerate(grown[0]):
        if chain.prediction == targets[0]:
            while i >= 0:
                keep.add(i)
                i = grown[0][i].parent
    page.click("#only-right")
    page.click("#expand-all")
    assert {node["chain"] for node in tree(page)} == keep


def test_a_sample_that_was_not_begun_says_so(page: Page) -> None:
    choose(page, "sample-choice", "8")
    assert tree(page) == []
    assert "not begun" in page.evaluate("document.getElementById('tree-empty').textContent")


def test_the_controls_samples_can_be_shown(page: Page) -> None:
    choose(page, "file-choice", "1")
    assert page.evaluate("document.querySelectorAll('#samples-table th').length") == 9, (
        "no control of a control"
    )
    page.click("#samples-table tbody tr:nth-child(1) button")
    assert "looked for" in page.evaluate("document.getElementById('sample-text').textContent")


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(page: Page) -> None:
    page.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    page.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_screen_readers_get_roles_and_names(page: Page) -> None:
    nodes = page.accessible()

    def named(role: str) -> list[str]:
        return [node["name"] for node in nodes if node["role"] == role]

    assert named("tree") == ["Chains of the sample, children under the chain that they were edited from"]
    assert all("predicts" in name and "layers" in name for name in named("treeitem"))
    assert len(named("treeitem")) == len(tree(page))
    for role in ("button", "link", "combobox", "searchbox", "radio", "checkbox", "table", "region", "image"):
        assert named(role), f"no {role}"
        assert all(named(role)), f"a {role} without a name"
    sorted_by = [node.get("sort") for node in nodes if node["role"] == "columnheader"]
    assert len(sorted_by) > 10
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), "no level is left out"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)), "an id stands twice"


def test_themes_differ_follow_the_system_and_can_be_switched(
    browser: Chromium, address: str, tmp_path: Path
) -> None:
    shots = os.environ.get("COLA_REPORT_SHOTS")  # a folder to look at them in
    folder = Path(shots) if shots else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = browser.open(address), browser.open(address, dark=True)
    assert light.evaluate(ground) == "rgb(246, 247, 248)"
    assert dark.evaluate(ground) == "rgb(19, 22, 25)"
    pictures = {}
    for name, page in (("light", light), ("dark", dark)):
        for anchor in ("main", "results", "samples", "tree", "provenance"):
            page.evaluate(f"document.getElementById('{anchor}').scrollIntoView()")
            pictures[name, anchor] = page.screenshot(folder / f"{name}-{anchor}.png")
    assert all(pictures["light", anchor] != pictures["dark", anchor] for _, anchor in pictures)
    page = light
    page.click("#theme input[value=dark]")
    assert page.evaluate(ground) == "rgb(19, 22, 25)"
    page.click("#theme input[value=auto]")
    assert page.evaluate(ground) == "rgb(246, 247, 248)"
    dark.click("#theme input[value=light]")
    assert dark.evaluate(ground) == "rgb(246, 247, 248)"
    assert light.errors + dark.errors == []
    dark.click("#theme input[value=auto]")
    for page in (light, dark):
        page.close()


def test_boxes_are_stops_of_the_tab_key_only_while_they_scroll(page: Page) -> None:
    stops = "document.querySelectorAll('.scroll[tabindex]').length"
    few = page.evaluate(stops)
    page.resize(400, 800)
    assert page.evaluate(f"new Promise(r => setTimeout(() => r({stops}), 200))", wait=True) > few


def test_a_narrow_window_does_not_scroll_sideways(page: Page) -> None:
    page.resize(400, 800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    '"><img src=x onerror="window.hacked = 3">',
    "<!--<script>",
    "]]></svg><b>bold</b>",
    "$\\frac{1}{0}$ \\begin{align} {{ 7 * 7 }} {% if %} &lt;b&gt; &amp;",
    "javascript:window.hacked = 4",
    "nul \x00 escape \x1b bell \x07 \u2028 \u202e right to left",
    "' onfocus='window.hacked = 5' autofocus x='",
]


@pytest.mark.parametrize("grader", ["", "number"])
def test_hostile_text_is_shown_as_text(browser: Chromium, folder: Path, grader: str) -> None:
    def nasty(i: int) -> str:
        return HOSTILE[i % len(HOSTILE)]

    named = {
        "model_dir": "models/" + "".join(HOSTILE[1:3]).replace("/", "_"),
        "task": "$\\frac{1}{0}$ <b>&amp;",
    }
    named |= {"devices": HOSTILE[0], "host": HOSTILE[7].replace("\x00", "")}
    content = {
        "n_samples": len(HOSTILE),
        "grader": grader,
        "question": nasty,
        "choice": nasty,
        "label": nasty,
        "answer": nasty,
        "changed": named,
    }
    url = make(
        folder,
        f"hostile-{grader}",
        Content(**content),
        Content(control=True, **content),
    )
    page = browser.open(url)
    for i, text in enumerate(HOSTILE):
        choose(page, "sample-choice", str(i))
        page.click("#expand-all")
        shown = page.evaluate("document.querySelector('.question-text').textContent")
        assert visible(shown) == visible(text)
        table = page.evaluate("document.getElementById('samples-table').textContent")
        assert visible(text) in visible(table)
        answers = page.evaluate("document.getElementById('tree-root').textContent")
        assert grader or visible(HOSTILE[0]) in visible(answers), "labels in the tree"
    for text in (named["task"], named["devices"]):
        assert text in page.evaluate("document.querySelector('.attributes').textContent")
    assert named["task"] in page.evaluate("document.querySelector('figure svg').textContent")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('script:not([type])').length") == 1
    foreign = "b, img, main script, [onerror], [onfocus], [autofocus]"
    assert page.evaluate(f"document.querySelectorAll('{foreign}').length") == 0
    assert page.errors == [] and page.requests == [url]
    page.close()


def visible(text: str) -> str:
    """Without the characters that are shown as pictures of themselves."""
    return "".join(c for c in text if c.isprintable() and not 0x2400 <= ord(c) < 0x2422)


def test_the_policy_stops_a_script_that_slipped_through(
    browser: Chromium, address: str, folder: Path
) -> None:
    """The second wall: were a text not escaped, its script would still not run."""
    html = Path(address.removeprefix("file://")).read_text()
    broken = folder / "broken.html"
    broken.write_text(
        html.replace("<main", "<script>window.hacked = 1</script><img src=x onerror='hacked = 2'><main")
    )
    page = browser.open(broken.as_uri())
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in error for error in page.errors)
    page.close()


def test_trees_beyond_the_limit_are_left_out_and_said(browser: Chromium, folder: Path) -> None:
    results = load([write_run(folder / "limited.h5", Content(n_samples=5))])
    frames = collect_frames(results, only_for_text=True)  # no figures: they take most of the time
    out = folder / "limited.html"
    out.write_text(page_of(report.contents_of(results, frames, most_chains=95)))
    url = out.as_uri()
    page = browser.open(url)
    choose(page, "sample-choice", "2")
    assert len(tree(page)) > 1
    choose(page, "sample-choice", "3")
    assert tree(page) == []
    assert "--max-chains" in page.evaluate("document.getElementById('tree-empty').textContent")
    assert page.errors == []
    page.close()
