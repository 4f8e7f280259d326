"""The text of datacards: every directive as Combine's users write it, and cards spoiled at random."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import uproot

from gpuhiggs.errors import InputError
from gpuhiggs.inference import Workspace, asimov, batch, combine, fit, flatten
from gpuhiggs.inference.parameters import Gaussian

CARD = """# a comment
imax * number of channels
jmax *
kmax *
---------------
Observation 5 7
---------------
bin      a   a   b   b
process  s   z   s   z
process  0   1   0   1
rate     2.0 3.0 4.0 5.0
---------------
lumi lnN 1.02 - 1.02 --   what it is
"""


def written(folder: Path, text: str = CARD, name: str = "card.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def expected(workspace: Workspace, **values: float) -> list[float]:
    model = flatten(workspace)
    found: list[float] = batch.expected(model, model.values(values))[0].tolist()
    return found


def test_observations_without_bins_are_those_of_the_processes(tmp_path: Path) -> None:
    workspace = combine.read(written(tmp_path))
    assert [(c.name, c.observed) for c in workspace.channels] == [("a", (5.0,)), ("b", (7.0,))]
    assert expected(workspace, lumi=2.0, r=3.0) == pytest.approx([6 * 1.02**2 + 3, 12 * 1.02**2 + 5])


def test_a_compressed_card(tmp_path: Path) -> None:
    path = tmp_path / "card.txt.gz"
    path.write_bytes(gzip.compress(CARD.encode()))
    assert len(combine.read(path).channels) == 2


def test_parameters_of_expressions(tmp_path: Path) -> None:
    """extArg floats as in Combine, unless it says [const]; pow is a power; flatParam changes nothing."""
    lines = """c extArg 2 [const]
e extArg 1.5 [0,4]
p param 1 0.1 [0.5,2]
p flatParam
k rateParam a z 1
l rateParam b z pow(@0,2)*@1*@2*@3 k,c,e,p
"""
    workspace = combine.read(written(tmp_path, CARD + lines))
    model = flatten(workspace)
    assert model.parameters[model.index("c")].fixed
    assert not model.parameters[model.index("e")].fixed
    assert model.bounds("e") == (0.0, 4.0)
    assert model.parameters[model.index("p")].constraint == Gaussian(1.0, 0.1)
    assert model.bounds("p") == (0.5, 2.0)
    assert expected(workspace, k=1.2, e=1.4, p=0.9)[1] == pytest.approx(4 + 5 * 1.2**2 * 2 * 1.4 * 0.9)


def test_rates_by_pattern_and_truncated_gaussians(tmp_path: Path) -> None:
    workspace = combine.read(written(tmp_path, CARD + "k rateParam * z* 1 [0, 5]\nt trG 0.5 -0.2 - -\n"))
    assert expected(workspace, k=2.0, t=0.5) == pytest.approx([2 * 1.25 + 3 * 2 * 0.9, 4 + 5 * 2])
    assert flatten(workspace).bounds("t") == (-2.0, 5.0)


def test_edits(tmp_path: Path) -> None:
    lines = """x lnN 1.1 1.2 1.3 -
nuisance edit add z b y lnN 0.9/1.5
nuisance edit add z b x lnN 1.4
nuisance edit drop s a x
nuisance edit rename * b x w
nuisance edit changepdf y lnU
nuisance edit freeze lu.*
nuisance edit drop * * nothing ifexists
g group = x y
g group += w
"""
    workspace = combine.read(written(tmp_path, CARD + lines))
    model = flatten(workspace)
    assert expected(workspace, x=1.0, w=1.0, y=1.0) == pytest.approx([2 + 3 * 1.2, 4 * 1.3 + 5 * 1.4 * 1.5])
    assert model.parameters[model.index("y")].constraint is None
    assert model.parameters[model.index("lumi")].fixed
    assert model.groups == {"g": ("x", "y", "w")}


def test_cards_are_combined_under_new_names(tmp_path: Path) -> None:
    one = written(tmp_path)
    other = written(tmp_path, CARD.replace("5 7", "5").replace("  b   b", ""), "other.txt")
    other.write_text(
        "bin x\nobservation 4\nbin x x\nprocess s z\nprocess 0 1\nrate 1 2\nlumi lnN 1.02 -\n* autoMCStats 10\n"
    )
    workspace = combine.read(one, other, labels=("old", "new"))
    assert [c.name for c in workspace.channels] == ["old_a", "old_b", "new"]
    assert set(flatten(workspace).names) == {"r", "lumi"}
    with pytest.raises(InputError, match="channel 'a' is given 2 times"):
        combine.read(one, one)


def test_one_strength_for_each_signal(tmp_path: Path) -> None:
    text = CARD.replace("s   z   s   z", "s1  z   s2  z")
    assert combine.read(written(tmp_path, text), pois=["r_*"]).pois == ("r_s2",)


def templates(path: Path, names: Mapping[str, tuple[float, ...]]) -> None:
    with uproot.recreate(path) as file:
        for name, values in names.items():
            filled: hist.Hist[Any] = hist.Hist(hist.axis.Regular(len(values), 0, 1), storage=hist.storage.Weight())
            view: Any = filled.view()
            view["value"], view["variance"] = values, np.abs(values)
            file[name] = filled


SHAPED = """imax 1
shapes *        b in/$CHANNEL_$MASS.root  $PROCESS    $PROCESS_$SYSTEMATIC
shapes z        b z_$SYSTEMATIC.root        $PROCESS      $PROCESS
shapes fake     * FAKE
bin b
observation -1
bin b b b
process s z w
process 0 1 2
rate -1 -1 -1
jes shape  1 - -
mix shape? 1.1 - 0.9/1.2
"""


@pytest.fixture
def shaped(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    contents = {"data_obs": (3.0, 4.0), "s": (1.0, 2.0), "w": (2.0, 1.0)}
    up, down = {"s_jesUp": (1.2, 2.0)}, {"s_jesDown": (0.9, 2.0)}
    mixed = {"s_mixUp": (2.0, 1.0), "s_mixDown": (1.0, 2.0)}
    templates(tmp_path / "in" / "b_125.root", contents | up | down | mixed)
    templates(tmp_path / "z_.root", {"z": (2.0, 2.0)})
    return written(tmp_path, SHAPED)


def test_names_of_files_and_templates(shaped: Path) -> None:
    workspace = combine.read(shaped, mass="125")
    assert workspace.channels[0].observed == (3.0, 4.0)
    assert expected(workspace) == pytest.approx([5.0, 5.0])
    assert expected(workspace, jes=1.0)[0] == pytest.approx(5.2)
    assert sum(expected(workspace, mix=1.0)) == pytest.approx(7 + 3 * 1.2)  # a template of s, a factor of w


def test_a_renamed_shape_keeps_its_templates(shaped: Path) -> None:
    with shaped.open("a") as file:
        file.write("nuisance edit rename jes energy\n")
    workspace = combine.read(shaped, mass="125")
    assert expected(workspace, energy=1.0)[0] == pytest.approx(5.2)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("jes shape  1", "jet shape  1", r"line 11: 's' in 'b': shape 'jet' has no up variation: .*line 2: no"),
        ("rate -1 -1 -1", "rate 4 -1 -1", "line 10: rate 4 of 's' in 'b', but its template has 3 events"),
        ("observation -1", "observation 12", "channel 'b': observation 12, but data_obs has 7"),
        ("in/$CHANNEL", "out/$CHANNEL", "line 2: the file 'out/b_125.root' is missing"),
        ("process s z w", "process s z v", r"line 2: no histogram 'v' in .*b_125.root"),
        ("rate -1 -1 -1", "rate -1 -1 -1 4", "line 10: 4 values for 3 columns"),
        ("imax 1", "imax 2", "line 1: imax 2, but there are 1 channels"),
        ("1.1 - 0.9/1.2", "1.1/1.2 - -", "line 12: 's' in 'b': 'mix' has templates, so '1.1/1.2' should be one"),
        ("jes shape", "jes shapeN", "line 11: 'jes': shapeN is not supported"),
        ("rate -1", "rate -2", "line 10: rate of 's' in 'b': -2, expected a number >= 0, or -1"),
        ("process s z w", "process s z s", "line 10: process 's' stands twice in channel 'b'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_shapes_is_said_with_its_line(shaped: Path, old: str, new: str, words: str) -> None:
    text = shaped.read_text()
    assert old in text
    shaped.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words) as caught:
        combine.read(shaped, mass="125")
    assert str(shaped) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("g group x", "expected group = MEMBERS of a new one"),
        ("g group = nothing", "group 'g' of nothing, which is no parameter of the card"),
        ("k rateParam c z 1", "no channel 'c'; known: a, b"),
        ("k rateParam a y 1", "no process 'y'; known: s, z"),
        ("k rateParam a z 1 [2]", r"range '\[2\]', expected \[LOW,HIGH\]"),
        ("k rateParam a z @0*@1 j", "@1 of '@0\\*@1' has no argument"),
        ("k rateParam a z @0 j", "rateParam 'k' of j, which is no parameter"),
        ("k rateParam a z exp(@0) r", r"'exp\(r\)' is not a polynomial"),
        ("k param 1 -0.1/+0.2", "the asymmetric error '-0.1/\\+0.2' is not supported"),
        ("k extArg w.root:w", "from a RooWorkspace"),
        ("k flatParam", "'k' is no rateParam or extArg here: it lives in a RooWorkspace: refused"),
        ("c autoMCStats 10", "autoMCStats of channel 'c', which is none"),
        ("a autoMCStats", "the line ends too early"),
        ("side gmN 3.5 - 1 - -", "gmN of '3.5' events, expected an integer"),
        ("nuisance edit freeze nothing", "there is nothing of this name"),
        ("nuisance edit add s a lumi lnN 1.1", "'lumi' acts on 's' in 'a' already; say overwrite"),
        ("nuisance edit changepdf lumi shape", "'lumi' is lnN, which cannot become shape"),
        ("nuisance edit add s ( x lnN 1.1", "missing \\), unterminated"),
    ],
)
def test_bad_lines(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        combine.read(written(tmp_path, CARD + line + "\n"))
    assert "card.txt, line 14" in str(caught.value) or "card.txt: line 14" in str(caught.value)


def spoiled(text: str, random_: random.Random) -> str:
    """A card after a few slips of the hand: words lost, doubled, swapped, misspelt, lines lost or cut."""
    lines = text.splitlines()
    for _ in range(random_.randint(1, 3)):
        k = random_.randrange(len(lines))
        words = lines[k].split()
        if not words:
            continue
        w, slip = random_.randrange(len(words)), random_.randrange(9)
        if slip == 0:
            del words[w]
        elif slip == 1:
            words.insert(w, words[random_.randrange(len(words))])
        elif slip == 2:
            words[w] = words[w][: random_.randrange(len(words[w]) + 1)]
        elif slip == 3:
            words[w] = random_.choice(
                ["-", "nan", "-1", "0", "1e999", "x", "*", "[", "$PROCESS", "@0", "1/0", "é", "\x00"]
            )
        elif slip == 4:
            lines[k], lines[0] = lines[0], lines[k]
            continue
        elif slip == 5:
            words = words[:w]
        elif slip == 6:
            words[w] += random_.choice("0/:.*(]@#")
        elif slip == 7:
            words = [*random_.choice(lines).split()[:2], *words]
        else:
            words = words[::-1]
        lines[k] = " ".join(words)
    return "\n".join(lines)


def test_a_spoiled_card_is_an_error_of_it_or_a_model(tmp_path: Path, shared: Path) -> None:
    """Whatever the slip, a message that names the file: never a traceback."""
    cards = shared / "problems" / "combine"
    for path in cards.glob("datacard_part3*.root"):
        shutil.copy(path, tmp_path)
    texts = [path.read_text() for path in sorted(cards.glob("*.txt"))]
    more = "k rateParam * * 1 [0,5]\nl rateParam * * @0*2 k\ng group = lumi\ne extArg 1 [0,2]\nq param 0 1\n"
    texts = [text + more + "nuisance edit freeze lumi ifexists\n" for text in texts]
    random_, said = random.Random(1), list[str]()
    for _ in range(300):
        path = written(tmp_path, spoiled(random_.choice(texts), random_))
        try:
            flatten(combine.read(path))
        except InputError as error:
            said.append(str(error))
    assert all("card.txt" in words for words in said)
    assert len(said) > 100


def test_a_counting_experiment_of_the_manual(shared: Path) -> None:
    """The 35/pb H→WW card: a gmN of 4 events beside log-normals; its fit closes on what it expects."""
    workspace = combine.read(shared / "problems" / "combine" / "realistic-counting-experiment.txt")
    model = flatten(workspace)
    result = fit(model, asimov(model), minos=["r"])
    assert result.converged
    assert result.parameters["r"].value == pytest.approx(1.0, abs=1e-4)
