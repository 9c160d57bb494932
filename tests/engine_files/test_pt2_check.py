"""Archives of torch.export that would run code when they are loaded are refused before."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile

import pytest
import torch
from written import Logits, metadata, write

from videogn.engine_files import open_engine
from videogn.engine_files.pt2_check import UnsafeArchiveError, check_pt2


class _Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("pt2") / "net.pt2", Logits(), metadata())
    open_engine(path)  # as it is, it is fine
    return path


def _changed(archive, out, change):
    """A copy of an archive whose parts, by their names without the first folder, `change` has changed."""
    with zipfile.ZipFile(archive) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    first = next(iter(parts)).partition("/")[0]
    own = {name.partition("/")[2]: content for name, content in parts.items()}
    change(own)
    with zipfile.ZipFile(out, "w") as target:
        for name, content in own.items():
            target.writestr(name.removeprefix("//") if name.startswith("//") else f"{first}/{name}", content)
    return out


def _json(own, name, change):
    content = json.loads(own[name])
    change(content)
    own[name] = json.dumps(content).encode()


def _saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _pickled_weight(own, folder):
    own["data/weights/weight_9"] = _saved(_Code(folder))
    payload = {"path_name": "weight_9", "is_param": True, "use_pickle": True, "tensor_meta": None}
    _json(own, "data/weights/model_weights_config.json", lambda found: found["config"].update({"conv.bias": payload}))


def _pickled_constant(own, folder):
    own["data/constants/opaque_obj_0"] = _saved(_Code(folder))
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    _json(own, "data/constants/model_constants_config.json", lambda found: found["config"].update({"x": payload}))


def _pickled_inputs(own, folder):
    own["data/sample_inputs/model.pt"] = _saved(((_Code(folder),), {}))


def _operator(own, folder):
    def change(found):
        found["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.mkdir"

    _json(own, "models/model.json", change)


def _size(own, folder):
    code = f"__import__('os').mkdir('{folder}')"

    def change(found):
        values = found["graph_module"]["graph"]["tensor_values"]
        next(iter(values.values()))["sizes"][0] = {"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}

    _json(own, "models/model.json", change)


def _range(own, folder):
    _json(own, "models/model.json", lambda found: found["range_constraints"].update({"print(1)": {}}))


def _name(own, folder):
    def change(found):
        found["graph_module"]["graph"]["inputs"][-1]["as_tensor"]["name"] = "x):\n    import os\n#"

    _json(own, "models/model.json", change)


def _tree(own, folder):
    spec = json.dumps([1, {"type": "collections.defaultdict", "context": '["os", "mkdir"]', "children_spec": []}])

    def change(found):
        found["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = spec

    _json(own, "models/model.json", change)


def _library(own, folder):
    own["data/aotinductor/model/model.so"] = b"code"


def _old_form(own, folder):
    own["//version"] = b"1"
    del own["archive_version"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_pickled_weight, "'conv.bias' in it is no plain tensor"),
        (_pickled_constant, "is no plain tensor|it holds 'data/constants/opaque_obj_0'"),
        (_pickled_inputs, "its sample inputs are no plain tensors"),
        (_operator, "its graph has the operator 'torch.os.mkdir'"),
        (_size, "its graph has the size .__import__"),
        (_range, "its graph has the size 'print"),
        (_name, "its graph has the name"),
        (_tree, "its input or output is a"),
        (_library, "it holds 'data/aotinductor/model/model.so'"),
    ],
)
def test_code_is_not_run(archive, tmp_path, change, reason):
    path = _changed(archive, tmp_path / "bad.pt2", lambda own: change(own, tmp_path / "ran"))
    with pytest.raises(ValueError, match=f"is not opened, because it could run code: .*({reason})"):
        open_engine(path)
    assert not (tmp_path / "ran").exists()


def test_the_form_that_torch_would_turn_to(archive, tmp_path):
    """torch.export.load reads it without the archive's reader, which refuses it."""
    path = _changed(archive, tmp_path / "bad.pt2", lambda own: _old_form(own, tmp_path))
    with pytest.raises(UnsafeArchiveError, match=r"it has the form that torch wrote before 2\.8"):
        check_pt2(str(path))
    with pytest.raises(ValueError, match=r"bad\.pt2 is no file of torch\.export"):
        open_engine(path)


def test_torch_alone_would_run_it(archive, tmp_path):
    """Otherwise the check would be needless."""
    path = _changed(archive, tmp_path / "bad.pt2", lambda own: _pickled_inputs(own, tmp_path / "ran"))
    with contextlib.suppress(Exception):  # what follows the code does not matter
        torch.export.load(path)
    assert (tmp_path / "ran").exists()
