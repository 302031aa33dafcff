"""The pages that are made from the registry and the committed results: none missing, none empty."""

import importlib.util
import json
import re
from html import unescape
from urllib.parse import unquote

import pytest

from bionet import zoo
from bionet.zoo.catalogue import SPECS
from bionet.zoo.methods import METHODS

IDS = [spec.id for spec in SPECS]
HREF = re.compile(r'<a [^>]*?href="([^"]*)"')
NAMED = re.compile(r'\b(?:id|name)="([^"]*)"')
TAG = re.compile(r"<[^>]+>")


@pytest.fixture(scope="module")
def results(extension):
    return extension("zoo_results")


@pytest.fixture(scope="module")
def found(results):
    """What has been measured."""
    return results.everything()


def text(html):
    """What a reader sees of a page."""
    article = html.partition("<article")[2].partition("</article>")[0]
    return " ".join(unescape(TAG.sub(" ", article)).split())


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_every_recipe_has_a_page_with_all_that_belongs_there(spec, site, found, results):
    page = site / "zoo" / f"{spec.id}.html"
    html = page.read_text("utf-8")
    seen = text(html)
    for part in ("What was measured", "What it costs", "How to run it", "Its numbers", "Sources"):
        assert part in seen
    recipe = zoo.get(spec.id)
    for field in vars(recipe.defaults):
        assert f"<code>{field}</code>" in html
    assert f"bionet demo {spec.id}" in seen
    for dataset in spec.datasets:
        assert f"bionet run {spec.id} --data {dataset}" in seen
    for paper in spec.references:
        assert paper.title in seen
        assert paper.key in seen
    own = results.of_recipe(spec.id, found)
    for each in own:
        assert results.told(each.values) in seen
        assert each.command in seen
        assert f" {each.seeds} " in seen
    for picture in re.findall(r'<img alt="([^"]+)" src="(curves/[^"]+)"', html):
        assert picture[0].startswith(f"Validation loss of {spec.id}")
        assert (site / "zoo" / picture[1]).read_text("utf-8").startswith("<svg")
    assert ("curves/" in html) == any(each.curves for each in own)
    assert ("Nothing yet" in seen) == (not own)


def test_a_recipe_without_lines_says_so(extension):
    page = extension("zoo_pages").page(SPECS[0], [])
    assert "Nothing yet: no committed line fits the recipe as it is now." in page
    assert "curves/" not in page
    assert extension("zoo_tables").recipes([]).count("none yet") >= len(IDS)


def test_every_value_of_the_evidence_is_in_both_matrices(site, found, results):
    seen = text((site / "explanation" / "choosing-an-approach.html").read_text("utf-8"))
    evidence = [each for each in found if each.study == "evidence"]
    assert len(evidence) >= 19
    for each in evidence:
        assert seen.count(results.told(each.values)) >= 2
    assert "none yet" in seen
    for method in METHODS:
        assert method in seen


def test_every_row_of_the_table_is_there_without_scripts(site, found, results):
    html = (site / "zoo" / "index.html").read_text("utf-8")
    table = html.partition('<div class="recipes">')[2].partition("</table>")[0]
    rows = table.count("<tr>") - 1
    assert rows == sum(max(1, len(results.of_recipe(id, found))) for id in IDS)
    for id in IDS:
        assert f'href="{id}.html"' in table


def test_every_study_has_a_page(site, root):
    for readme in root.glob("research/studies/*/README.md"):
        html = (site / "studies" / readme.parent.name / "index.html").read_text("utf-8")
        title = readme.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert title in text(html)


def test_every_link_of_every_page_leads_somewhere(site):
    pages = [path for path in site.rglob("*.html") if path.name != "404.html"]
    html = {path.resolve(): path.read_text("utf-8") for path in pages}
    named = {path: {unescape(name) for name in NAMED.findall(html[path])} for path in html}
    broken, checked = [], 0
    for path, source in html.items():
        for href in set(HREF.findall(source)):
            target, _, anchor = unquote(unescape(href)).partition("#")
            if re.match(r"[a-z]+:|//", target):
                continue
            checked += 1
            there = (path.parent / target).resolve() if target else path
            if not there.is_file() or (anchor and anchor not in named.get(there, {anchor})):
                broken.append(f"{path.relative_to(site.resolve())}: {href}")
    assert checked > 1000
    assert broken == []


def line(arm, seed, value, **config):
    """A line of a study, in the shape that all studies have."""
    config = {"recipe": "prototypes-local", "dataset": None, "method": None} | config
    return {
        "study": "toys",
        "arm": arm,
        "seed": seed,
        "stage": "final",
        "config": config,
        "metric": "accuracy",
        "metrics": {"accuracy": value},
        "seconds": {"compile": 1.0, "run": 2.0},
        "device": "cpu:0",
    }


def test_lines_of_studies_become_cells(tmp_path, results, extension):
    lines = [line("local", seed, 0.9 + seed / 100) for seed in range(5)]
    lines += [line("es", seed, 0.5, method="es") for seed in range(5)]
    lines += [line("frozen", seed, 0.4, control=True) for seed in range(5)]
    lines += [line("other", 0, 0.1, recipe="gone"), line("tuned", 0, 0.2) | {"stage": "tuning"}]
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "results.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    local, es = results._studies(tmp_path)
    place = (local.recipe, local.dataset, local.method)
    assert place == ("prototypes-local", "prototypes", "two-phase")
    assert local.values == pytest.approx((0.9, 0.91, 0.92, 0.93, 0.94))
    assert es.control == (0.4,) * 5
    assert (es.method, es.command) == ("es", "bionet study run research/studies/toys")
    matrix = extension("zoo_tables").matrix([local, es], "application", "../")
    assert "50.0 % on prototypes ([toys](../studies/toys/index.md))" in matrix
    assert "frozen 40.0 %" in matrix
    both = extension("zoo_tables").matrix([es, es], "application", "../")
    assert "50.0 to 50.0 % on prototypes, 2 arms" in both  # a range, and no best of several


def test_what_is_told_of_values(results):
    assert results.told((0.5,)) == "50.0 %"
    assert results.told((0.5, 0.5)) == "50.0 %"
    assert re.fullmatch(r"50\.0 % \[4\d\.\d, 5\d\.\d\]", results.told((0.45, 0.5, 0.55)))


def test_a_curve_has_a_line_for_each_seed_and_one_for_the_mean(extension):
    curves = extension("zoo_curves")
    svg = curves.curve([[3.0, 1.0, 0.5], [1.0, 1.0, 0.5]], "epoch", "a < b")
    assert svg.count("<polyline") == 3
    assert "<title>a &lt; b</title>" in svg
    assert len(svg) < 4000
    assert curves.ticks(0.13, 0.94) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert curves.ticks(2.0, 2.0)[0] < 2.0 < curves.ticks(2.0, 2.0)[-1]
    assert curves.curve([[2.0]], "epoch", "one").count("<polyline") == 2


def test_links_of_a_study_lead_somewhere_on_the_site(tmp_path, extension):
    folder = tmp_path / "studies" / "toys"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(
        "# Toys\n\n[run](run.py) ![a](a.svg) [more](report.md#x) [net](https://example.com)\n",
        "utf-8",
    )
    for name in ("a.svg", "report.md", "run.py"):
        (folder / name).write_text("x", "utf-8")
    (tmp_path / "FINDINGS.md").write_text("[toys](studies/toys/README.md)", "utf-8")
    files = dict(extension("study_pages").files(tmp_path))
    assert set(files) == {"toys/index.md", "toys/a.svg", "toys/report.md", "findings.md"}
    page = files["toys/index.md"]
    assert "\nrun ![a](a.svg) [more](report.md#x) [net](https://example.com)\n" in page
    assert files["findings.md"] == "[toys](toys/index.md)"


def test_the_table_of_the_variance_is_that_of_its_lines(root, extension):
    path = root / "research" / "studies" / "es-variance" / "run.py"
    spec = importlib.util.spec_from_file_location("es_variance", path)
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    assert extension("study_pages").first_table("es-variance") == run.table()
