from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from rekindle._format.decode import decode
from rekindle._format.manifest import Damage, Position
from rekindle._format.snapshot import Snapshot

ARTICLE = Path(__file__).parents[3] / "vignettes" / "format-on-disk.Rmd"


@pytest.fixture(scope="module")
def reader() -> dict:
    """The reader from the article, exactly as printed there."""
    text = ARTICLE.read_text(encoding="utf-8")
    code = re.search(r"```\{python reader\}\n(.*?)```", text, re.DOTALL)[1]
    lines = [line for line in code.splitlines() if line.strip() and "import" not in line]
    assert len(lines) <= 30
    found: dict = {}
    exec(compile(code, str(ARTICLE), "exec"), found)  # noqa: S102  (our own article)
    return found


class TestTheReaderInTheArticle:
    def test_it_reads_the_newest_save(self, reader, folder, home, snapshot):
        for index in range(1, 13):
            folder.commit(snapshot(index))
        save, arrays = reader["newest"](str(home))
        assert save["number"] == 12
        assert save["state"] == {"index": 12}
        assert (save["step"], save["epoch"], save["batch"]) == (120, 12, 0)
        for name, array in snapshot(12).arrays.items():
            np.testing.assert_array_equal(arrays[name], array)

    def test_it_reads_a_number_that_was_saved_again(self, reader, folder, home, snapshot):
        for index in (1, 2):
            folder.commit(snapshot(index))
        folder.commit(snapshot(3), number=1)
        assert reader["newest"](str(home))[0]["state"] == {"index": 3}

    @pytest.mark.parametrize(("name", "at"), [("ckpt-2.json", -60), ("ckpt-2.safetensors", -1)])
    def test_it_passes_over_a_damaged_save(self, reader, fill, home, name, at):
        fill(2)
        data = bytearray((home / name).read_bytes())
        data[at] ^= 1
        (home / name).write_bytes(data)
        assert reader["newest"](str(home))[0]["number"] == 1

    def test_an_empty_folder_has_no_save(self, reader, tmp_path):
        assert reader["newest"](str(tmp_path)) is None


def test_the_article_has_every_member_of_a_manifest(folder, home, snapshot):
    folder.commit(snapshot(1))
    text = ARTICLE.read_text(encoding="utf-8")
    for member in json.loads((home / "ckpt-1.json").read_bytes()):
        assert f"`{member}`" in text


def test_the_state_file_speaks_tensorflows_language(folder, home, snapshot):
    for index in (1, 2):
        folder.commit(snapshot(index))
    folder.keep(folder.numbers)
    lines = (home / "checkpoint").read_text().splitlines()
    assert lines[0].startswith("# rekindle ")
    assert lines[1:4] == [
        'model_checkpoint_path: "ckpt-2"',
        'all_model_checkpoint_paths: "ckpt-1"',
        'all_model_checkpoint_paths: "ckpt-2"',
    ]
    assert [line.split(":")[0] for line in lines[4:]] == ["all_model_checkpoint_timestamps"] * 2


def test_a_manifest_is_one_fact_a_line(folder, home):
    folder.commit(Snapshot({"x": np.ones(2, np.float32)}, {"a": [1, "é"]}, Position(5, 1, 0)))
    lines = (home / "ckpt-1.json").read_text("ascii").splitlines()
    assert lines[0] == '{"rekindle_format":1,'
    assert '"step":5,' in lines
    assert '"a":[1,"\\u00e9"]' in lines
    assert re.fullmatch(r'"xxh3_128":"[0-9a-f]{32}"\}', lines[-1])


def test_a_whole_manifest_of_another_number_is_damage(folder, home, snapshot):
    folder.commit(snapshot(1))
    data = (home / "ckpt-1.json").read_bytes()
    with pytest.raises(Damage, match="it is the manifest of checkpoint 1, not 2"):
        decode(data, prefix="ckpt", number=2, path="x")
