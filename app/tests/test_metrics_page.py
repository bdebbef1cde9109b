"""docs/metrics.md lists what /metrics tells: names, types, labels and the words of labels."""

import re
from pathlib import Path

from pra.base import errors
from pra.base.metrics import Metric
from pra.events import figures, job_figures, postgres_figures, volume_figures, volumes_seen
from pra.points import catalogue
from pra.postgres import standbys
from pra.recovery import automatic
from pra.state import jobs
from pra.web import counting, metrics

PAGE = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text("utf-8")
ROW = re.compile(r"^\| `(pra_\w+)` \| (\w+) \|([^|]*)\| (.*) \|$", re.MULTILINE)
MODULES = (figures, job_figures, postgres_figures, volume_figures, counting, metrics)


def declared():
    """Every metric of the application, as a row of the page says it."""
    found = {one for module in MODULES for one in vars(module).values() if isinstance(one, Metric)}
    kinds = {True: "counter", False: "gauge"}
    return {one.name: (kinds[one.counter], one.labels) for one in found} | {
        counting.DURATION.name: ("histogram", counting.DURATION.labels)
    }


def rows():
    """Every row of the page: type, labels, meaning, by name."""
    return {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in ROW.findall(PAGE)
    }


def words(name):
    """The words that stand as code in what a row means."""
    return set(re.findall(r"`([\w -]+)`", rows()[name][2]))


def test_the_page_lists_every_metric_with_its_type_and_labels():
    assert len(declared()) > 30
    assert {name: row[:2] for name, row in rows().items()} == declared()


def test_the_page_lists_the_words_that_labels_have():
    assert words("pra_unprotected") == {
        *volumes_seen.REASONS,
        postgres_figures.UNREACHABLE,
        *standbys.REASONS,
    }
    assert words("pra_points") == set(catalogue.STATES)
    assert words("pra_http_refusals_total") == set(errors.KINDS)
    assert words("pra_job_runs_total") == set(jobs.OUTCOMES)
    assert words("pra_auto_restore") == {"PRA_AUTO_RESTORE", *automatic.STATES}


def test_the_runbook_says_what_to_do_about_each_reason_of_a_refusal():
    root = Path(__file__).resolve().parents[2]
    rule = (root / "monitoring/rules/rules.yaml").read_text("utf-8")
    of_users = re.search(r'refusals_total\{reason!~"([\w|]+)"', rule)[1].split("|")
    runbook = (root / "docs/runbook.md").read_text("utf-8")
    section = re.search(r"### RequestsRefused\n(.*?)\n###", runbook, re.DOTALL)[1]
    said = set(re.findall(r"`(\w+)`", section)) - {"reason"}
    assert said == set(errors.KINDS) - set(of_users)


def test_no_label_is_one_that_prometheus_gives_each_series_by_itself():
    # It would rename ours, and a rule that selects by it would never find anything.
    its = {"job", "instance", "pod", "namespace", "service", "endpoint", "container", "node"}
    for name, (_, labels) in declared().items():
        assert not its & set(labels), name


def test_names_end_as_the_conventions_want():
    for name, (kind, _) in declared().items():
        assert name.startswith("pra_")
        assert name.endswith("_total") == (kind == "counter")
