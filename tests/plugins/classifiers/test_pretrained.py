"""Where pretrained models come from: a folder, a hub (a small one on this machine), its cache."""

import re
import shutil
import threading
from functools import partial
from hashlib import sha1
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import torch
import transformers
from huggingface_hub import constants

from biasloop.errors import ClassifierError
from biasloop.plugins.classifiers.deep.batches import tokenise
from biasloop.plugins.classifiers.deep.pretrained import find_pretrained
from support.tiny_checkpoint import make_encoder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(SimpleHTTPRequestHandler):
    """Serves the files of the one repository people/tiny, as the hub does."""

    missing = ""

    def send_head(self):
        match = re.fullmatch(rf"/people/tiny/resolve/(?:main|{COMMIT})/(.+)", self.path)
        self.path = f"/{match[1]}" if match else "/no such file"
        self.missing = "EntryNotFound" if match else "RepoNotFound"
        return super().send_head()

    def end_headers(self):
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{sha1(self.path.encode()).hexdigest()}"')
        if self.missing:
            self.send_header("X-Error-Code", self.missing)
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """A hub with one model, and an empty cache; gives a function that closes it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def close():
        server.shutdown()
        server.server_close()
        thread.join()

    yield close
    close()


def test_a_model_is_fetched_once_and_then_needs_no_hub(hub):
    fetched = find_pretrained("people/tiny")
    assert fetched.id == COMMIT
    weights = fetched.model().state_dict()
    hub()
    again = find_pretrained("people/tiny", COMMIT)
    assert again.id == COMMIT
    for name, tensor in again.model().state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_a_wrong_id_is_reported_in_one_line(hub):
    with pytest.raises(ClassifierError, match=r"cannot be downloaded.*check the id") as error:
        find_pretrained("people/none")
    assert "\n" not in str(error.value)


def test_a_missing_hub_is_reported_in_one_line_without_retries(hub, monkeypatch):
    hub()
    calls = []
    head = httpx.head
    monkeypatch.setattr(httpx, "head", lambda *a, **k: calls.append(a) or head(*a, **k))
    with pytest.raises(ClassifierError, match="does not answer; check the network") as error:
        find_pretrained("people/tiny")
    assert "\n" not in str(error.value)
    assert len(calls) == 1


def test_offline_by_setting_asks_nobody(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(httpx, "head", lambda *_a, **_k: pytest.fail("it asked"))
    with pytest.raises(ClassifierError, match="HF_HUB_OFFLINE forbids"):
        find_pretrained("people/tiny")


def test_a_folder_that_is_not_there_or_holds_no_model(folder, tmp_path):
    with pytest.raises(ClassifierError, match=r"there is no folder \./nowhere"):
        find_pretrained("./nowhere")
    with pytest.raises(ClassifierError, match="holds no model that transformers"):
        find_pretrained(str(tmp_path))
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ClassifierError, match="damaged holds no model"):
        find_pretrained(str(damaged)).model()


def test_an_encoder_decoder_is_refused(tmp_path):
    transformers.BartConfig().save_pretrained(tmp_path)
    with pytest.raises(ClassifierError, match="encoder-decoder"):
        find_pretrained(str(tmp_path))


def test_the_id_follows_the_content_of_the_folder(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert find_pretrained(str(copy)).id == find_pretrained(str(folder)).id
    (copy / "README.md").write_text("says nothing")
    assert find_pretrained(str(copy)).id == find_pretrained(str(folder)).id
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert find_pretrained(str(copy)).id != find_pretrained(str(folder)).id


def test_no_text_is_longer_than_the_model_reads(folder, tmp_path):
    pretrained = find_pretrained(str(folder))
    assert (pretrained.max_length(50), pretrained.max_length(1000)) == (50, 128)
    pretrained.tokenizer.model_max_length = 10**30  # as of a tokenizer that does not know it
    assert pretrained.max_length(1000) == 126
    tokens = tokenise(pretrained.tokenizer, ["parola " * 500, "", "\ud800"], 20)
    assert len(tokens[0]) == 20
    assert all(tokens)


def test_attention_weights_are_not_dropped_and_all_else_is(folder):
    pretrained = find_pretrained(str(folder))
    before, after = pretrained.config, pretrained.model().config
    assert (before.attention_probs_dropout_prob, after.attention_probs_dropout_prob) == (0.1, 0.0)
    assert before.hidden_dropout_prob == after.hidden_dropout_prob == 0.1
