"""Where a page is written, and what it replaces."""

from __future__ import annotations

import os

import pytest
from backups import fill

import rekindle
from rekindle import inspection
from rekindle._inspection.pages import files


@pytest.fixture
def home(tmp_path):
    return tmp_path / "backup"


def report(home, name="report.html"):
    return inspection.report(home, home.parent / name)


class TestFile:
    """Where a page is written."""

    def test_an_earlier_page_is_replaced_and_nothing_else(self, home):
        fill(home, 1)
        report(home)
        report(home)
        mine = home.parent / "mine.html"
        mine.write_text("mine")
        with pytest.raises(rekindle.ForeignFileError, match="did not write it"):
            report(home, "mine.html")
        assert mine.read_text() == "mine"
        assert sorted(path.name for path in home.parent.iterdir()) == [
            "backup",
            "mine.html",
            "report.html",
        ]

    @pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
    def test_what_is_no_file_is_not_replaced(self, home, kind):
        fill(home, 1)
        path = home.parent / "x.html"
        if kind == "link":
            (home.parent / "victim.html").write_text("mine")
            path.symlink_to(home.parent / "victim.html")
        elif kind == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
        with pytest.raises(rekindle.ForeignFileError):
            report(home, "x.html")

    @pytest.mark.parametrize("name", ["x.txt", "x", ""])
    def test_its_name_ends_in_html(self, home, name):
        fill(home, 1)
        with pytest.raises(rekindle.ArgumentError):
            inspection.report(home, str(home.parent / name) if name else name)

    @pytest.mark.parametrize("name", ["x.html", "deep/x.html"])
    def test_it_is_not_in_the_backup_folder(self, home, name):
        fill(home, 1)
        (home / "deep").mkdir()
        (home.parent / "link").symlink_to(home)
        for folder in (home, home.parent / "link"):
            with pytest.raises(rekindle.ArgumentError, match="in the backup folder"):
                inspection.report(home, folder / name)
        assert not (home / name).exists()

    def test_a_folder_that_is_missing_is_a_clear_error(self, home):
        fill(home, 1)
        with pytest.raises(rekindle.SaveError, match="cannot be written: No such file"):
            report(home, "no/x.html")

    def test_a_page_that_cannot_be_written_leaves_the_one_before(self, home, monkeypatch):
        page = files.Page(home.parent / "x.html", home)
        page.write("<!DOCTYPE html>first")

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        page = files.Page.__new__(files.Page)
        page.path = str(home.parent / "y.html")
        with pytest.raises(rekindle.SaveError, match="No space left"):
            page.write("second")
        assert [path.name for path in home.parent.iterdir()] == ["x.html"]
