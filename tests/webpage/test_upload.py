"""Requests that no browser sends: files of the server and addresses in the place of an upload."""

from __future__ import annotations

import json
import os

import pytest

from videogn.webpage.answers import Answer

pytest.importorskip("gradio")


@pytest.fixture(scope="module")
def visitor(tmp_path_factory):
    """A function that sends the page a file and returns what comes of it; and the paths that were answered."""
    from fastapi.testclient import TestClient

    from videogn.webpage.page import make_page
    from videogn.webpage.server import application_of

    seen: list[str] = []

    def answer(path):
        seen.append(path)
        return Answer("seen", {}, [], [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        page = make_page(answer, network="n", max_mib=1, max_seconds=1)
        with TestClient(application_of(page, max_bytes=2**20)) as client:

            def send(**file):
                event = {"data": [{**file, "meta": {"_type": "gradio.FileData"}}], "fn_index": 0, "trigger_id": 2}
                name = {"session_hash": f"visitor{len(seen)}"}
                client.post("/gradio_api/queue/join", json=event | name).raise_for_status()
                lines = client.get("/gradio_api/queue/data", params=name).text.splitlines()
                events = [json.loads(line.removeprefix("data: ")) for line in lines if line]
                return next(each["output"] for each in events if each["msg"] == "process_completed")

            yield client, send, seen


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["absolute", "relative", "above", "link", "address"])
def test_what_was_not_uploaded_is_neither_seen_nor_deleted(visitor, tmp_path, monkeypatch, kind, stream):
    _, send, seen = visitor
    secret, uploads = tmp_path / "secret.mp4", os.environ["GRADIO_TEMP_DIR"]
    secret.write_text("secret")
    monkeypatch.chdir(tmp_path)
    path = {
        "absolute": str(secret),
        "relative": "secret.mp4",
        "above": os.path.join(uploads, os.path.relpath(secret, uploads)),
        "link": os.path.join(uploads, "link.mp4"),
        "address": "http://127.0.0.1:9/secret.mp4",
    }[kind]
    if kind == "link":
        os.symlink(secret, path)
    before = len(seen)
    output = send(path=path, is_stream=stream)
    assert (output.get("data"), len(seen)) == (None, before)
    assert secret.read_text() == "secret"
    if kind == "link":
        os.unlink(path)


def test_an_upload_is_seen_and_deleted(visitor):
    client, send, seen = visitor
    (path,) = client.post("/gradio_api/upload", files={"files": ("../a.mp4", b"video")}).json()
    assert "seen" in send(path=path)["data"][1]
    assert seen[-1] == path
    assert not os.path.exists(path)
