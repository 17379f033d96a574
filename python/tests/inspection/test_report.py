"""The report of a run: metrics, attempts, settings; text from a folder of anybody."""

from __future__ import annotations

import math
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from backups import everything_in, fill, flip
from html_tags import EVIL, Tags
from pulses import THEN, pulse, write

import rekindle
from rekindle import inspection
from rekindle._format.witness import STEP
from rekindle._saving.attempts import Attempt, Attempts

GOLDEN = Path(__file__).parents[1] / "golden"
ATTEMPTS = Attempts(
    (
        Attempt(1, THEN, to_epoch=1, to_batch=8, until=THEN + 60, ended="died", held=0.5),
        Attempt(2, THEN + 100, 1, THEN + 40, 1, 2, 3, 0, THEN + 200, "running", 0.25, "verified"),
    ),
    5,
    10,
)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


def state(metrics, attempts=ATTEMPTS, **more):
    epochs = list(range(max(map(len, metrics.values()))))
    return {"history": {"epoch": epochs, "metrics": metrics}, **attempts.as_state(), **more}


def report(home, name="report.html"):
    path = inspection.report(home, home.parent / name)
    return Path(path).read_text(encoding="utf-8")


class TestReport:
    """`inspection.report()`"""

    def test_it_has_the_metrics_the_attempts_and_the_settings(self, home):
        metrics = {"loss": [3.0, 2.0, 1.0], "val_loss": [4.0, 3.0, 2.0], "mae": [1.0, 0.5, 0.2]}
        settings = {"fingerprint": {"optimizer": "Adam", "absent": None}, "versions": {"jax": "9"}}
        fill(home, 1, state=state(metrics, **settings))
        found = Tags(report(home))
        assert not found.open
        for text in ("loss", "mae", "verified", "checkpoint 1", "optimizer", "Adam", "died"):
            assert text in found.text
        assert "absent" not in found.text
        # Attempt 2 trained 6 batches again that attempt 1 had trained after its checkpoint.
        assert "Batches trained again6" in found.text

    def test_every_drawing_is_well_formed_and_within_its_frame(self, home):
        fill(home, 1, state=state({"loss": [3.0, math.pi, 1.0], "val_loss": [4.0, 3.0, 2.0]}))
        drawings = re.findall(r'<svg class="(?:wide|narrow)".*?</svg>', report(home), re.DOTALL)
        assert len(drawings) == 2
        for text in drawings:
            root = ET.fromstring(text)
            width, height = map(float, root.get("viewBox").split()[2:])
            for node in root.iter():
                for name in ("x", "x1", "x2", "cx"):
                    assert 0 <= float(node.get(name, 0)) <= width
                for name in ("y", "y1", "y2", "cy"):
                    assert 0 <= float(node.get(name, 0)) <= height
            assert len(root.findall("polyline")) == 2
            assert len(root.findall("rect")) == 2

    def test_text_of_a_folder_of_anybody_is_text(self, home):
        settings = {EVIL: EVIL, "data": {"a": EVIL}}
        fill(home, 1, state=state({EVIL: [1.0, 2.0]}, fingerprint=settings, versions={EVIL: 1}))
        page = report(home)
        found = Tags(page)
        assert "script" not in found.names
        assert not {name for name in found.attributes if name.startswith("on")}
        assert "<script>alert(1)</script>" in found.text
        assert "\x1b" not in page
        assert "\u202e" not in page
        # Nothing is loaded from elsewhere.
        assert not {"src", "href"} & found.attributes

    def test_a_name_of_a_folder_is_text_too(self, tmp_path):
        home = tmp_path / "<b>backup"
        fill(home, 1)
        assert "b" not in Tags(report(home)).names

    def test_numbers_that_cannot_be_drawn_are_left_out(self, home):
        metrics = {
            "loss": [1.0, float("nan"), 3.0],
            "huge": [1e308, -1e308, 1e308],
            "none": [float("inf"), float("nan")],
            "same": [0.1, 0.1],
            "tiny": [1e-320, 2e-320],
            "text": ["a", "b"],
            "flag": [True, False],
            "whole": [10**350, 1],
        }
        metrics = {
            name: [
                {"$": ["float", str(one)]} if isinstance(one, float) and one - one != 0 else one
                for one in values
            ]
            for name, values in metrics.items()
        }
        fill(home, 1, state=state(metrics))
        page = report(home)
        assert "nan" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL).lower()
        assert page.count("There is no number to draw.") == 1

    def test_of_very_many_metrics_some_are_drawn_and_the_page_says_so(self, home):
        fill(home, 1, state=state({f"m{index}": [1.0, 2.0] for index in range(500)}))
        assert "The first 40 of 500 metrics are drawn." in report(home)

    def test_a_long_run_is_drawn_with_its_peaks_in_a_small_file(self, home):
        values = [1.0 + (epoch == 7777) * 99 for epoch in range(10_000)]
        fill(home, 1, state=state({"loss": values}))
        page = report(home)
        assert len(page) < 200_000
        assert ">100</text>" in page

    def test_before_the_first_checkpoint_the_witness_has_the_attempts(self, home):
        home.mkdir()
        records = [(STEP, 1, 0, batch, 0, 1.0 / (batch + 1)) for batch in range(9)]
        write(home, pulse(0, 9, 0.0), records)
        found = Tags(report(home)).text
        assert "loss within epochs" in found
        assert "died" in found

    def test_of_a_loop_of_the_users_own_there_is_what_there_is(self, home):
        fill(home, 1, state={}, prefix="model")
        found = Tags(report(home)).text
        assert "No checkpoint has the end of an epoch yet." in found
        assert "does not record attempts" in found

    @pytest.mark.parametrize(
        "folder",
        [path.parent.relative_to(GOLDEN) for path in sorted(GOLDEN.rglob("checkpoint"))],
        ids=str,
    )
    def test_backups_of_earlier_versions_have_one_too(self, folder, tmp_path):
        home = tmp_path / "backup"
        shutil.copytree(GOLDEN / folder, home)
        recorded = any('"attempts"' in path.read_text() for path in home.glob("ckpt-*.json"))
        assert ("does not record attempts" in report(home)) is not recorded
        if folder.name != "manager":
            assert bool(inspection.history(home).attempts) is recorded

    def test_the_folder_stays_as_it_is(self, home):
        fill(home, 2)
        write(home, pulse(2, 4, 0.0))
        before = everything_in(home)
        report(home)
        assert everything_in(home) == before

    def test_without_a_backup_there_is_none(self, home):
        for _ in range(2):
            with pytest.raises(rekindle.RestoreError, match=r"There is no (folder|checkpoint)"):
                report(home)
            home.mkdir(exist_ok=True)
        assert not (home.parent / "report.html").exists()

    def test_a_damaged_checkpoint_is_passed_over(self, home):
        fill(home, 3)
        flip(home / "ckpt-3.safetensors", 0)
        assert "ckpt-" in report(home)
        flip(home / "ckpt-3.json")
        assert "ckpt-2" in report(home)

    @pytest.mark.parametrize("attempts", [5, {"rows": [{"number": 10**18, "epoch": 10**18}]}])
    def test_forged_attempts_end_nothing(self, home, attempts):
        fill(home, 1, state=state({"loss": [1.0]}) | {"attempts": attempts})
        report(home)


class TestHistory:
    """The attempts that come with a history."""

    def test_it_has_the_attempts_and_what_came_after_the_checkpoint(self, home):
        fill(home, 2, state=state({"loss": [1.0]}))
        write(home, pulse(3, 9, 201.0, attempt=2))
        found = inspection.history(home)
        assert [row.ended for row in found.attempts] == ["died", "died"]
        assert (found.attempts[-1].to_batch, found.batches) == (9, 10)
        # An older checkpoint has only what was known then.
        assert inspection.history(home, 1).attempts[-1].to_batch == 0
