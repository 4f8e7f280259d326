"""Models from one format into another and back: pyhf and the cards' own reader give the same likelihood."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest

from gpuhiggs import __main__ as program
from gpuhiggs.errors import InputError
from gpuhiggs.inference import Likelihood, Workspace, asimov, fit, flatten, load_workspace, observed
from gpuhiggs.inference.inputs import frozen, load
from gpuhiggs.inference.model import Correlation, ParameterSetting
from gpuhiggs.inference.pyhf_json import to_pyhf
from gpuhiggs.inference.pyhf_patch import patched


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["gpuhiggs", *arguments])
    with pytest.raises(SystemExit) as left:
        program.main()
    return int(left.value.code or 0)


def written(workspace: Workspace, path: Path) -> str:
    path.write_text(workspace.model_dump_json())
    return str(path)


def test_to_pyhf_and_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_channels: Workspace,
    pyhf_twin: Callable[[Workspace], Any], somewhere: Callable[..., Any],
) -> None:  # fmt: skip
    """The same -ln L in pyhf, and in what is read back, far from the nominal point."""
    ours, theirs, back = (str(tmp_path / name) for name in ("ours.json", "pyhf.json", "back.json"))
    written(two_channels, Path(ours))
    assert run(monkeypatch, "convert", ours, theirs) == 0
    assert run(monkeypatch, "convert", theirs, back, "--to", "workspace") == 0
    workspaces = [two_channels, load([Path(theirs)]), load_workspace(Path(back))]
    models = [flatten(workspace) for workspace in workspaces]
    twin = pyhf_twin(two_channels)
    for seed in range(3):
        theta = somewhere(models[0], 1.0, seed)
        expected = twin.nll(theta)
        for workspace, model in zip(workspaces, models, strict=True):
            assert model.names == models[0].names
            found = Likelihood(model, observed(model, workspace)).nll(theta)
            assert found == pytest.approx(expected, rel=1e-10)


def test_to_a_datacard_and_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_channels: Workspace) -> None:
    """The same fit nearly, not to the digit: Combine interpolates normalisations otherwise, and adds MC statistics.

    The shape is held: Combine morphs it at constant integral, which of a peak in wide bins is another model.
    """
    ours, card = written(two_channels, tmp_path / "ours.json"), str(tmp_path / "card.txt")
    assert run(monkeypatch, "convert", ours, card) == 0
    assert (tmp_path / "card.root").is_file()
    workspaces = [two_channels, load([Path(card)], poi=["mu"])]
    results = []
    for workspace in workspaces:
        model = flatten(frozen(workspace, ["scale"], {}))
        results.append(fit(model, asimov(model), minos=["mu"]).parameters["mu"])
    assert results[0].plus is not None
    assert results[1].plus == pytest.approx(results[0].plus, rel=2e-3)
    assert results[1].minus == pytest.approx(results[0].minus, rel=2e-3)


def test_a_patch_set_as_pyhf_applies_it(two_channels: Workspace) -> None:
    spec = to_pyhf(two_channels)
    patch = [{"op": "replace", "path": "/channels/0/samples/0/data/2", "value": 7.5}]
    content = {
        "metadata": {"name": "p", "digests": {"sha256": pyhf.utils.digest(spec)}, "labels": ["m"], "description": "d",
                     "references": {"hepdata": "ins1234567"}},
        "patches": [{"metadata": {"name": "one", "values": [1]}, "patch": patch}],
        "version": "1.0.0",
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
        expected = pyhf.PatchSet(content).apply(pyhf.Workspace(spec), "one")
    assert patched(spec, content, "one") == dict(expected)
    changed = json.loads(json.dumps(spec))
    changed["channels"][0]["samples"][0]["data"][0] += 1.0
    with pytest.raises(InputError, match="the patch set is of another workspace: its sha256 is not"):
        patched(changed, content, "one")
    with pytest.raises(InputError, match="no patch 'two'; known: one"):
        patched(spec, content, "two")
    with pytest.raises(InputError, match="not a JSON patch"):
        patched(spec, "x")


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"parameters": (ParameterSetting(name="ZX", flat=True),)}, "'ZX': a nuisance without its constraint"),
        ({"parameters": (ParameterSetting(name="mu", center=1.0, width=0.1),)}, "factor that is no luminosity"),
        ({"parameters": (ParameterSetting(name="x[0]", fixed=True),)}, "a setting of a single bin has no form in pyhf"),
        ({"correlations": (Correlation(parameters=("ZX", "scale"), coefficient=0.5),)}, "correlated constraints"),
    ],
)  # fmt: skip
def test_what_pyhf_would_leave_out_is_refused(two_channels: Workspace, update: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        to_pyhf(two_channels.model_copy(update=update))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("card.txt", "out.json"), "card.txt: cannot be read as a datacard: No such file"),
        (("ours.json",), "expected a model and the file to write"),
        (("ours.json", "none/out.json"), "out.json: cannot be written: no folder none"),
        (("ours.json", "none/out.txt"), "cannot be written"),
        (("ours.json", "out.json", "--to", "pdf"), "format 'pdf', expected one of datacard, pyhf, workspace"),
    ],
)
def test_bad_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_channels: Workspace, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    written(two_channels, Path("ours.json"))
    assert run(monkeypatch, "convert", *arguments) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ours.json"]


def test_spoiled_workspaces_are_messages(tmp_path: Path, two_channels: Workspace) -> None:
    """Whatever is missing or of another type in pyhf's JSON: one message that names the file."""
    spec = to_pyhf(two_channels)
    random = np.random.default_rng(1)
    path, refused = tmp_path / "w.json", 0
    for _ in range(200):
        changed = json.loads(json.dumps(spec))
        node: Any = changed
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = keys[random.integers(len(keys))]
            inner = node[key]
            if not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
                break
            node = inner
        values: list[Any] = [None, "x", -1.0, [], {}, float("nan"), 3]
        if random.random() < 0.3:
            del node[key]
        else:
            node[key] = values[random.integers(len(values))]
        path.write_text(json.dumps(changed))
        try:
            flatten(load([path]))
        except InputError as error:
            refused += str(path) in str(error) or "parameter" in str(error)
    assert refused > 50
