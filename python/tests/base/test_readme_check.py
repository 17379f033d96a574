"""`make readme-check` finds the blocks of a document, and the reason why one does not run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "readme-check.py"


@pytest.fixture(scope="module")
def readme_check():
    spec = importlib.util.spec_from_file_location("readme_check", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["readme_check"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["readme_check"]


TEXT = """\
# Title

```r
f <- function(...) "```"
```

<!-- not run: installs packages -->
```r
install.packages("x")
```

```sh
make demo
```

```{r, include = FALSE}
a <- 1
```

```{r look, fig.width = 7, eval = FALSE}
look()
```

<!-- run -->
```{python, eval = FALSE, python.reticulate = FALSE}
import os
```

<!-- run after backup.R -->
```{r}
b <- 2


c <- 3
```

````markdown
```r
inner()
```
````

```{r whether, eval = ready}
"""


def test_each_block_has_its_line_language_and_reason(readme_check):
    found = readme_check.blocks(TEXT)
    assert [(one.line, one.language, one.skip, one.after) for one in found] == [
        (3, "r", "", ""),
        (8, "r", "installs packages", ""),
        (12, "sh", "language sh", ""),
        (16, "r", "", ""),
        (20, "r", "eval = FALSE", ""),
        (25, "python", "", ""),
        (30, "r", "", "backup.R"),
        (37, "markdown", "language markdown", ""),
        (43, "r", "", ""),
    ]


def test_the_code_is_as_written(readme_check):
    code = {one.line: one.code for one in readme_check.blocks(TEXT)}
    assert code[3] == 'f <- function(...) "```"'
    assert code[30] == "b <- 2\n\n\nc <- 3"
    assert code[37] == "```r\ninner()\n```"


def test_options_come_without_the_name_of_the_chunk(readme_check):
    options = {one.line: one.options for one in readme_check.blocks(TEXT)}
    assert options[16] == "include = FALSE"
    assert options[20] == "fig.width = 7, eval = FALSE"
    assert options[25] == "python.reticulate = FALSE"
    assert options[43] == "eval = ready"


@pytest.mark.parametrize("above", ["<!-- not run -->", "<!-- run after -->", "<!-- run it -->"])
def test_a_mark_that_is_not_understood_is_refused(readme_check, above):
    with pytest.raises(SystemExit, match="line 2: this mark is not understood"):
        readme_check.blocks(f"Text.\n{above}\n```r\n1\n```\n")


def test_an_error_in_a_block_fails_the_check_and_names_the_block(tmp_path):
    document = tmp_path / "page.md"
    document.write_text(
        "```python\nx = 1\n```\n\n```python\n\ny = x / 0\n```\n\n```python\nz = 2\n```\n"
    )
    run = subprocess.run(
        [sys.executable, SCRIPT, document], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert f"{document}:5: FAILED: ZeroDivisionError: division by zero" in run.stdout
    assert f'"{document}", line 7' in run.stdout
    assert f"{document}:10: not reached" in run.stdout
    assert run.stdout.splitlines()[-1] == "1 blocks ran, 0 skipped, 1 failed"


def test_a_block_does_not_find_the_names_of_the_script_that_runs_it(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("```python\nsys.exit\n```\n")
    run = subprocess.run(
        [sys.executable, SCRIPT, document], capture_output=True, text=True, check=False
    )
    assert "FAILED: NameError: name 'sys' is not defined" in run.stdout


def test_blocks_that_hang_fail_the_check(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("```python\nimport threading\nthreading.Event().wait()\n```\n")
    run = subprocess.run(
        [sys.executable, SCRIPT, document],
        env={"README_CHECK_SECONDS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert f"{document}:1: FAILED: still running after 1 s" in run.stdout
