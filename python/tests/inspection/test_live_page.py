"""The live page, and its drawings of any numbers."""

from __future__ import annotations

import pytest
from html_tags import EVIL, Tags
from pulses import THEN

from rekindle._inspection.moment import Now
from rekindle._inspection.pages import chart, live
from rekindle._inspection.pages.chart import Break, Line


class TestLive:
    """The live page."""

    def now(self, **more):
        return Now("/b", "running", THEN, epoch=1, batch=5, epochs=4, batches=10, **more)

    def test_it_loads_itself_again_while_the_run_goes_on(self):
        assert '<meta http-equiv="refresh" content="2">' in live.html(self.now(), 2.0)
        assert '<meta http-equiv="refresh" content="1">' in live.html(self.now(), 0.1)
        for page in (
            live.html(self.now(), None),
            live.html(Now("/b", "died", THEN, epoch=1, batch=0), 1.0),
        ):
            assert 'http-equiv="refresh"' not in page
        assert "not watched any more" in live.html(self.now(), None)

    def test_it_shows_how_far_the_run_is(self):
        page = live.html(self.now(speed=2.5, left=10.0, loss=0.25, attempt=3), 1.0)
        found = Tags(page)
        assert not found.open
        assert "width:37.50%" in page
        for text in ("Epoch2of 4", "Batch5of 10", "2.5 batches/s", "10 s", "0.25", "Attempt3"):
            assert text in found.text

    def test_names_of_metrics_are_text(self):
        page = live.html(self.now(metrics={EVIL: EVIL}, checkpoint=EVIL, saved=THEN), 1.0)
        assert "script" not in Tags(page).names

    @pytest.mark.parametrize("state", live._STATES)
    def test_every_state_has_a_page(self, state):
        assert not Tags(live.html(Now("/b", state, THEN), 1.0)).open


class TestChart:
    """Drawings of any numbers."""

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0, 10], [0, 2, 4, 6, 8, 10]),
            ([0.13, 0.48], [0.1, 0.2, 0.3, 0.4, 0.5]),
            ([5, 5], [2, 3, 4, 5, 6, 7, 8]),
            ([-1, 1], [-1, -0.5, 0, 0.5, 1]),
        ],
    )
    def test_numbers_of_an_axis_are_round(self, values, expected):
        assert chart.ticks(values, 5) == pytest.approx(expected)

    @pytest.mark.parametrize(
        "values",
        [[0, 0], [1e300, -1e300], [1e308, -1e308], [5e-324, 1e-323], [1e15, 1e15 + 1], [-7, -7]],
    )
    def test_an_axis_has_numbers_for_any_values(self, values):
        found = chart.ticks(values, 5)
        assert 2 <= len(found) <= 20
        assert found[0] <= min(values)
        assert found[-1] >= max(values)

    def test_many_ends_of_attempts_have_no_names(self):
        line = Line("training", [(0.0, 1.0), (9.0, 2.0)])
        few = chart.drawn([line], [Break(5.0, 4.0, "died", "")], "epochs")
        many = chart.drawn([line], [Break(x, x, "died", "") for x in range(9)], "epochs")
        assert few.count(">died<") == 2
        assert ">died<" not in many

    def test_a_point_between_two_that_cannot_be_drawn_is_a_mark(self):
        points = [(1.0, float("nan")), (2.0, 5.0), (3.0, float("nan"))]
        assert chart.drawn([Line("training", points)], [], "epochs").count("<circle") == 2

    def test_numbers_of_an_axis_differ_from_their_neighbors(self):
        for values in ([1e9, 1e9 + 20], [1e-7, 9e-7], [0.001, 0.0002], [-5e8, 3e8], [100, 100.5]):
            found = chart.ticks(values, 5)
            names = [chart._short(value, found) for value in found]
            assert len(set(names)) == len(names)
            assert max(map(len, names)) < 16
