"""The pages that are made from the registry and the committed results: none missing, none empty."""

import importlib.util
import json
import re
from html import unescape
from urllib.parse import unquote

import pytest

from bionet import zoo
from bionet.studies.design.configuration import final_trials
from bionet.studies.design.loading import load_study
from bionet.training.registry import METHODS
from bionet.zoo.catalogue import SPECS

IDS_TO_SPECS = {spec.id: spec for spec in SPECS}
IDS = list(IDS_TO_SPECS)
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


def plain(text):
    """Spaces where no line ends, as any others."""
    return text.replace("\u00a0", " ")


def text(html):
    """What a reader sees of a page."""
    article = html.partition("<article")[2].partition("</article>")[0]
    return " ".join(unescape(TAG.sub(" ", article)).split())


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_every_recipe_has_a_page_with_all_that_belongs_there(spec, site, found, results):
    page = site / "zoo" / f"{spec.id}.html"
    html = page.read_text("utf-8")
    seen = text(html)
    for part in ("What was measured", "What it costs", "How to run it", "Its numbers", "Sources"):
        assert part in seen
    recipe = zoo.get(spec.id)
    for field in recipe.flat:
        assert f"<code>{field}</code>" in html
    assert f"bionet demo {spec.id}" in seen
    for dataset in spec.datasets:
        assert f"bionet run {spec.id} --data {dataset}" in seen
    for paper in spec.references:
        assert paper.title in seen
        assert paper.key in seen
    own = results.of_recipe(spec.id, found)
    for each in own:
        assert plain(results.told(each.values)) in seen
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


@pytest.mark.slow
def test_every_value_of_the_evidence_is_in_both_matrices(site, found, results):
    seen = text((site / "explanation" / "choosing-an-approach.html").read_text("utf-8"))
    evidence = [each for each in found if each.study == "evidence"]
    assert len(evidence) >= 19
    for each in evidence:
        assert seen.count(plain(results.told(each.values))) >= 2
    assert "none yet" in seen
    for method in METHODS:
        assert method in seen


def test_a_method_without_a_recipe_is_told_by_what_studies_measured_of_it(extension, results):
    values = (0.5, 0.6)
    arm = results.Measured(
        "classification-local", "digits", "contrastive", "accuracy", values, "a-study/a-part",
        arm="contrastive", changed=True,
    )  # fmt: skip
    family = extension("zoo_tables").family
    told = next(row for row in family([arm], "local", "../").splitlines() if "`contrastive`" in row)
    assert results.told(values) in told
    assert "other settings" in told
    assert "a-study: a-part" in told
    nothing = next(row for row in family([], "local", "../").splitlines() if "`contrastive`" in row)
    assert "none yet" in nothing


@pytest.mark.slow
def test_every_row_of_the_table_is_there_without_scripts(site, found, results):
    html = (site / "zoo" / "index.html").read_text("utf-8")
    table = html.partition('<div class="recipes">')[2].partition("</table>")[0]
    rows = table.count("<tr>") - 1
    unmeasured = [id for id in IDS if not results.of_recipe(id, found)]
    assert rows == len(unmeasured) + sum(len(results.sets(found, id)) for id in IDS)
    for id in IDS:
        assert f'href="{id}.html"' in table


@pytest.mark.slow
def test_every_study_has_a_page(site, root):
    for readme in root.glob("research/studies/*/README.md"):
        html = (site / "studies" / readme.parent.name / "index.html").read_text("utf-8")
        title = readme.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert title in text(html)


@pytest.mark.slow
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


STUDY = """
from bionet.studies import Arm, Budget, Study

SMALL = {"hidden": 8}
STUDY = Study(
    name="toys",
    question="Which toy?",
    arms={
        "local": Arm("prototypes-local"),
        "wide": Arm("prototypes-local", {"hidden": 512}),
        "es": Arm("prototypes-local", SMALL, method="es"),
        "alone": Arm("prototypes-es"),
        "frozen": Arm("prototypes-local", control=True),
    },
    seeds=range(5),
    budget=Budget(1, "epochs"),
    control="frozen",
)
"""
REACHED = {"local": 0.9, "wide": 0.95, "es": 0.5, "frozen": 0.4}


def line(trial, value):
    """A line of a study, in the shape that all studies have."""
    named = {name: getattr(trial, name) for name in ("study", "arm", "seed", "stage", "config")}
    return named | {
        "trial": trial.hash,
        "metric": "accuracy",
        "metrics": {"accuracy": value},
        "curve": [],
        "seconds": {"compile": 1.0, "run": 2.0},
        "device": "cpu:0",
    }


@pytest.fixture
def toys(tmp_path):
    """A study in a part of another one's folder, with lines that count and lines that do not."""
    folder = tmp_path / "studies" / "games" / "toys"
    folder.mkdir(parents=True)
    (folder / "study.py").write_text(STUDY, "utf-8")
    (folder.parent / "README.md").write_text("# Games\n\n**Question.** Which?\n", "utf-8")
    study = load_study(folder).study
    lines = []
    for arm, value in REACHED.items():
        trials = final_trials(study, arm)
        lines += [line(trial, value + trial.seed / 100 * (arm == "local")) for trial in trials]
    first = final_trials(study, "alone")[0]
    lines += [line(first, 0.3)]  # a single seed has no interval
    lines += [lines[0] | {"trial": "0" * 16, "metrics": {"accuracy": 0.1}}]  # of another protocol
    text = "\n".join(map(json.dumps, lines))
    (folder / "results.jsonl").write_text(text + '\n{"half', "utf-8")
    return folder


def test_lines_of_studies_become_cells(toys, results, extension):
    local, wide, es = results._studies(toys.parents[1])
    place = (local.recipe, local.dataset, local.method)
    assert place == ("prototypes-local", "prototypes", "two-phase")
    assert local.values == pytest.approx((0.9, 0.91, 0.92, 0.93, 0.94))
    assert local.seconds == (2.0,) * 5
    assert es.control == (0.4,) * 5
    assert [arm.changed for arm in (local, wide, es)] == [False, True, True]
    assert (es.method, es.command) == ("es", "bionet study run research/studies/games/toys")
    tables = extension("zoo_tables")
    cells = plain(tables.matrix([local, wide, es], "application", "../"))
    link = "([games: toys](../studies/games/index.md))"
    assert f"<br>50.0 % on prototypes, other settings {link}<br>" in cells
    assert "(local), 95.0 % (wide) on prototypes, other settings" in cells
    assert "frozen 40.0 %" in cells
    many = plain(tables.matrix([local, wide, wide, wide], "application", "../"))
    assert "92.0 to 95.0 %, 4 arms on prototypes" in many  # a range, and no best of several
    rows = plain(tables.recipes([local, wide, es])).splitlines()
    (row,) = [row for row in rows if "| es | binary-rnn | zeroth-order | 50.0 % |" in row]
    assert "[games: toys](../studies/games/index.md), 5 seeds, other settings</span> | 2 s |" in row
    page = plain(extension("zoo_pages").page(IDS_TO_SPECS["prototypes-local"], [], [[es]]))
    assert "| prototypes | `es` | 50.0 % | 40.0 % | 5 | others | [games: toys]" in page


def test_a_study_without_lines_or_page_gives_nothing(toys, results):
    (toys.parent / "README.md").unlink()
    assert list(results._studies(toys.parents[1])) == []
    (toys.parent / "README.md").write_text("# Games\n", "utf-8")
    (toys / "results.jsonl").write_text("", "utf-8")
    assert list(results._studies(toys.parents[1])) == []
    (toys / "results.jsonl").unlink()
    assert list(results._studies(toys.parents[1])) == []


def test_the_parts_of_a_study_are_pages(toys, extension):
    pages, research = extension("study_pages"), toys.parents[2]
    files = dict(pages.files(research))
    assert set(files) == {"games/index.md", "findings.md"}
    command = "`bionet study run research/studies/games/toys`"
    assert f"- toys (no report yet): {command}\n" in files["games/index.md"]
    assert "## [Games](games/index.md)\n\n**Question.** Which?" in files["findings.md"]
    (toys / "report.md").write_text("# Report\n\n![a](figures/a.svg)\n", "utf-8")
    (toys / "figures").mkdir()
    (toys / "figures" / "a.svg").write_text("<svg/>", "utf-8")
    files = dict(pages.files(research))
    assert f"- [toys](toys/report.md): {command}\n" in files["games/index.md"]
    assert files["games/toys/report.md"] == "# Report\n\n![a](figures/a.svg)\n"
    assert files["games/toys/figures/a.svg"] == toys / "figures" / "a.svg"
    names = ("report.md", "compare.md", "toys/report.md", "toys/more.md")
    assert [pages.title(name) for name in names] == ["Report", "Compare", "toys", "Toys/more"]


def test_what_is_told_of_values(results):
    assert plain(results.told((0.5,))) == "50.0 %"
    assert plain(results.told((0.5, 0.5))) == "50.0 %"
    told = results.told((0.45, 0.5, 0.55))
    assert re.fullmatch(r"50\.0\u00a0% \[4\d\.\d,\u00a05\d\.\d\]", told)
    assert [plain(results.took(seconds)) for seconds in ([0.123], [1, 3, 99], [1234.5])] == [
        *("0.123 s", "3 s", "1,234 s"),
    ]


def test_the_readme_has_what_the_lines_say(root, found, results):
    """The evidence is told in README.md with the same interval as on the site."""
    readme = (root / "README.md").read_text("utf-8")
    evidence = [each for each in found if each.study == "evidence"]
    named = [each for each in evidence if f"| `{each.recipe}`" in readme]
    assert len(named) >= 19
    for each in named:
        rows = [row for row in readme.splitlines() if row.startswith(f"| `{each.recipe}`")]
        for values in filter(None, (each.values, each.control, each.ablation)):
            told = plain(results.told(values)).removesuffix(".0 %")
            assert any(told in row for row in rows), f"{each.recipe} on {each.dataset}: {told}"


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
        "# Toys\n\n**Question.** Why? [lines](results.jsonl)\n\n"
        "[run](run.py) ![a](a.svg) [more](report.md#x) [net](https://example.com)\n",
        "utf-8",
    )
    for name in ("a.svg", "report.md", "run.py"):
        (folder / name).write_text("x", "utf-8")
    files = dict(extension("study_pages").files(tmp_path))
    assert set(files) == {"toys/index.md", "toys/a.svg", "toys/report.md", "findings.md"}
    page = files["toys/index.md"]
    assert "\nrun ![a](a.svg) [more](report.md#x) [net](https://example.com)\n" in page
    assert "## [Toys](toys/index.md)\n\n**Question.** Why? lines\n" in files["findings.md"]


def test_the_table_of_the_variance_is_that_of_its_lines(root, extension):
    path = root / "research" / "studies" / "es-variance" / "run.py"
    spec = importlib.util.spec_from_file_location("es_variance", path)
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    assert extension("study_pages").first_table("es-variance") == run.table()
