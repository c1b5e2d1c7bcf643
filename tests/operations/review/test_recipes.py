"""The recipes of docs/review.md for pull requests: what they run and what posts it are run."""

import http.server
import os
import shlex
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.__main__ import main
from operations.review.command import FAILED
from tests.docs import pages
from tests.docs.commands import check
from tests.operations.review.checkouts import Checkout
from tests.test_makefile import recipe

GITHUB, _GITLAB = (yaml.safe_load(block.text) for block in pages.blocks("yaml"))
GITLAB: dict[str, Any] = _GITLAB["review"]
STEPS: list[dict[str, Any]] = GITHUB["jobs"]["review"]["steps"]
[RUN] = (step["run"] for step in STEPS if "run" in step)
# What GitLab's "Predefined CI/CD variables reference" has, and the one that the page asks for.
VARIABLES = {
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD",
    "CI_MERGE_REQUEST_IID": "17",
    "CI_MERGE_REQUEST_PROJECT_ID": "4711",
    "REVIEW_TOKEN": "of-the-project",
}


@pytest.mark.parametrize("command", [RUN, *GITLAB["script"]], ids=["GitHub", "GitLab"])
def test_the_command_writes_the_file_that_is_posted_and_fails_if_it_is_dangerous(
    command: str, checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(shlex.split(command))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    program, task, *variables = shlex.split(os.path.expandvars(command))
    assert (program, task) == ("make", "review")
    asked = recipe(task, *variables).strip().splitlines()[-1]
    words = shlex.split(asked.partition(" || ")[0])
    assert words[:3] == ["python", "-m", "operations"]
    checkout.template(sizes=["small"], retained=False)
    monkeypatch.chdir(tmp_path)
    assert main(words[3:]) == FAILED
    [written] = tmp_path.glob("*.md")
    assert written.read_text().startswith("#")
    assert written.name in (STEPS[-1]["with"]["path"], *GITLAB["artifacts"]["paths"])


def test_github_posts_it_with_the_inputs_that_the_action_has() -> None:
    # action.yml of marocchino/sticky-pull-request-comment, version 3.
    assert STEPS[-1]["uses"] == "marocchino/sticky-pull-request-comment@v3"
    assert STEPS[-1]["with"].keys() <= {"header", "path"}
    path = STEPS[-1]["with"]["path"]
    # Also when the review fails by --fail-on; not when there is none.
    assert STEPS[-1]["if"] == f"${{{{ !cancelled() && hashFiles('{path}') != '' }}}}"
    assert GITHUB["permissions"]["pull-requests"] == "write"
    assert STEPS[0]["with"]["fetch-depth"] == 0


class Api(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    taken: list[tuple[str, str | None, dict[str, list[str]]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.taken.append((self.path, self.headers["PRIVATE-TOKEN"], urllib.parse.parse_qs(body)))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    Api.taken = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v4"
        server.shutdown()
        thread.join()


def test_gitlab_posts_it_as_a_note_of_the_merge_request(api: str, tmp_path: Path) -> None:
    [post] = GITLAB["after_script"]  # runs also when the review fails by --fail-on
    review = "# Review\n\n| a & b | `c+d` |\n| 100 % | ä |\n"
    (tmp_path / "review.md").write_text(review, encoding="utf-8")
    subprocess.run(
        ["bash", "-c", post],
        cwd=tmp_path,
        env=VARIABLES | {"CI_API_V4_URL": api, "PATH": os.environ["PATH"], "NO_PROXY": "*"},
        check=True,
    )
    # "Create new merge request note", GitLab REST API.
    path = "/api/v4/projects/4711/merge_requests/17/notes"
    assert Api.taken == [(path, "of-the-project", {"body": [review]})]
    assert GITLAB["variables"]["GIT_DEPTH"] == 0
