"""Small correctionlib files of the shapes that CMS publishes: jet energy, jet resolution, b tag, electron energy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def formula(expression: str, *variables: str) -> dict[str, Any]:
    return {"nodetype": "formula", "expression": expression, "parser": "TFormula", "variables": list(variables)}


def binning(name: str, edges: list[float], content: list[Any], flow: str = "clamp") -> dict[str, Any]:
    return {"nodetype": "binning", "input": name, "edges": edges, "content": content, "flow": flow}


def category(name: str, content: dict[Any, Any]) -> dict[str, Any]:
    return {
        "nodetype": "category",
        "input": name,
        "content": [{"key": key, "value": value} for key, value in content.items()],
    }


def _correction(name: str, inputs: dict[str, str], data: Any) -> dict[str, Any]:
    variables = [{"name": one, "type": kind} for one, kind in inputs.items()]
    return {"name": name, "version": 1, "inputs": variables, "output": {"name": "out", "type": "real"}, "data": data}


REAL = {"JetPt": "real", "JetEta": "real"}
LEVELS = {
    "L1FastJet": (
        {"JetA": "real", **REAL, "Rho": "real"},
        formula("max(0.0001,1-y*(z*0.9)/x)", "JetPt", "JetA", "Rho"),
    ),
    "L2Relative": (REAL, binning("JetEta", [-5.2, -1.3, 1.3, 5.2], [
        formula("1.1+0.3/log10(x+2)", "JetPt"), formula("1.05+0.2*exp(-x/40)", "JetPt"), formula("1.12+1/x", "JetPt"),
    ])),
}  # fmt: skip
SMEAR = {
    "nodetype": "transform",
    "input": "JERSF",
    "rule": formula("sqrt(max(x*x-1,0))", "JERSF"),
    "content": {
        "nodetype": "transform",
        "input": "Rho",
        "rule": {"nodetype": "hashprng", "inputs": ["JetPt", "JetEta", "EventID"], "distribution": "normal"},
        "content": binning("GenPt", [-2.0, 0.0, 1e6], [
            formula("1+x*y*z", "JER", "JERSF", "Rho"), formula("1+0.5*y*(x-z)/x", "JetPt", "JERSF", "GenPt"),
        ]),
    },
}  # fmt: skip
"""Stochastic without a partner, scaled with one."""


def jets(path: Path) -> Path:
    """Jet energy scale as a compound, its uncertainty, resolution, its scale factor, smearing."""
    corrections = [_correction(name, inputs, data) for name, (inputs, data) in LEVELS.items()]
    uncertainty = binning("JetEta", [-5.2, 0.0, 5.2], [
        binning("JetPt", [0.0, 50.0, 7000.0], [formula("0.08-0.001*(x-10)", "JetPt"), 0.02]), 0.03,
    ])  # fmt: skip
    factor = {"nom": [1.1, 1.3], "up": [1.2, 1.5], "down": [1.05, 1.1]}
    scale_factor = category("systematic", {k: binning("JetEta", [-5.2, 0.0, 5.2], v) for k, v in factor.items()})
    resolution = formula("sqrt(9/(x*x)+0.81/x+0.0016)+0.0001*y", "JetPt", "Rho")
    smear_inputs = {**REAL, "GenPt": "real", "Rho": "real", "EventID": "int", "JER": "real", "JERSF": "real"}
    corrections += [
        _correction("Regrouped_Absolute", REAL, uncertainty),
        _correction("ScaleFactor", {"JetEta": "real", "systematic": "string"}, scale_factor),
        _correction("PtResolution", {**REAL, "Rho": "real"}, resolution),
        _correction("JERSmear", smear_inputs, SMEAR),
    ]
    stack = {
        "name": "L1L2", "inputs": [{"name": n, "type": "real"} for n in ("JetA", "JetEta", "JetPt", "Rho")],
        "output": {"name": "out", "type": "real"}, "inputs_update": ["JetPt"], "input_op": "*", "output_op": "*",
        "stack": list(LEVELS),
    }  # fmt: skip
    path.write_text(json.dumps({"schema_version": 2, "corrections": corrections, "compound_corrections": [stack]}))
    return path


def b_tag(path: Path, sources: tuple[str, ...] = ("hf",)) -> Path:
    """Scale factors by the shape of the discriminant, by flavour: as in CMS's, of charm other variations exist."""

    def shape(size: float, flavours: tuple[int, ...]) -> dict[str, Any]:
        def content(slope: float) -> Any:
            return binning("pt", [20.0, 50.0, 1e4], [formula(f"0.9+{slope}*x", "discriminant"), 1.05 + slope])

        slopes = {0: 0.2 * size, 4: -0.1 * size, 5: -0.1 * size}
        by_flavour = category("flavor", {flavour: content(slopes[flavour]) for flavour in flavours})
        return binning("abseta", [0.0, 2.5], [by_flavour], "error")

    inputs = {
        "systematic": "string", "flavor": "int", "abseta": "real", "pt": "real", "discriminant": "real",
    }  # fmt: skip
    shapes = {"central": shape(1.0, (0, 4, 5))}
    for source in sources:
        flavours = (4,) if source.startswith("cferr") else (0, 5)
        shapes |= {f"up_{source}": shape(1.5, flavours), f"down_{source}": shape(0.5, flavours)}
    data = category("systematic", shapes)
    path.write_text(json.dumps({"schema_version": 2, "corrections": [_correction("deepJet_shape", inputs, data)]}))
    return path


def declared(folder: Path) -> dict[str, Any]:
    """What a configuration says of them."""
    jet, tag = str(jets(folder / "jets.json")), str(b_tag(folder / "btag.json"))
    kinematics = {"JetPt": "pt", "JetEta": "eta"}
    smear = {**kinematics, "GenPt": "gen_pt", "Rho": "rho", "EventID": "event", "JER": "jer", "JERSF": "jer_sf"}
    shape = {"flavor": "flavour", "abseta": "abs_eta", "pt": "pt", "discriminant": "tag"}
    scale_factor = {"file": jet, "name": "ScaleFactor", "columns": {"JetEta": "eta"}, "fixed": {"systematic": "nom"}}
    jec = {"file": jet, "name": "L1L2", "columns": {**kinematics, "JetA": "area", "Rho": "rho"}}
    resolution = {"file": jet, "name": "PtResolution", "columns": {**kinematics, "Rho": "rho"}}
    b_weight = {"file": tag, "name": "deepJet_shape", "columns": shape, "fixed": {"systematic": "central"}}
    return {
        "jet": {
            "met_pt_min": 15.0,
            "inputs": {
                "raw": "Jet_rawFactor", "area": "Jet_area", "rho": "fixedGridRhoFastjetAll", "event": "event",
                "gen_pt": "GenJet_pt[Jet_genJetIdx]", "flavour": "Jet_hadronFlavour", "tag": "Jet_btagDeepFlavB",
            },
            "steps": {
                "uncalibrated": {"formula": "1 - raw", "scales_pt": True},
                "jec": {"correction": jec, "scales_pt": True},
                "jer": {"correction": resolution, "of": "simulation"},
                "jer_sf": {"correction": scale_factor, "of": "simulation"},
                "smear": {
                    "correction": {"file": jet, "name": "JERSmear", "columns": smear}, "scales_pt": True,
                    "of": "simulation",
                },
                "b_tag": {
                    "correction": b_weight, "of": "simulation", "where": "abs_eta < 2.5 && pt > 20 && tag >= 0",
                },
            },
            "weights": ["b_tag"],
        },
        "photon": {
            "met_pt_min": None,
            "inputs": {"r9": "Photon_r9", "event": "event"},
            "steps": {
                "normal": {"random": ["event", "index"]},
                "size": {"formula": "0.01 + 0.005*(r9 < 0.94)"},
                "smear": {"formula": "1 + size*normal", "scales_pt": True, "of": "simulation"},
                "scale": {"formula": "0.999 + 0.002*(abs_eta > 1.5)", "scales_pt": True, "of": "data"},
            },
        },
        "event": {
            "inputs": {"n_pile_up": "Pileup_nTrueInt"},
            "steps": {"k_factor": {"formula": "1.1 + 0.002*n_pile_up", "of": "simulation"}},
            "weights": ["k_factor"],
        },
    }  # fmt: skip


def varied(folder: Path) -> dict[str, Any]:
    """Variations of them."""
    source = {
        "file": str(folder / "jets.json"), "name": "Regrouped_Absolute", "columns": {"JetPt": "pt", "JetEta": "eta"},
    }  # fmt: skip
    smearing = {"step": "size", "up": "0.012 + 0.005*(r9 < 0.94)", "down": "0.008 + 0.005*(r9 < 0.94)"}
    return {
        "shifts": {
            "CMS_scale_j": {"object": "jet", "correction": source},
            "CMS_res_j": {
                "object": "jet", "calibration": {"step": "jer_sf", "input": "systematic", "up": "up", "down": "down"},
            },
            "CMS_res_g": {"object": "photon", "calibration": smearing},
        },
        "weights": {
            "CMS_btag_hf": {
                "object": "jet",
                "calibration": {
                    "step": "b_tag", "input": "systematic", "up": "up_hf", "down": "down_hf", "where": "flavour != 4",
                },
            },
            "k_factor": {
                "calibration": {"step": "k_factor", "up": "1.2 + 0.002*n_pile_up", "down": "1 + 0.002*n_pile_up"},
            },
        },
    }  # fmt: skip


def published_jets(folder: Path) -> None:
    """The same under the names of CMS's files for 2018: ``jet_jerc.json.gz`` and ``jer_smear.json.gz``."""
    content = json.loads(jets(folder / "jets.json").read_text())
    tag, kind = "Summer19UL18_V5_MC", "AK4PFchs"
    sources = (
        "Absolute", "Absolute_2018", "BBEC1", "BBEC1_2018", "EC2", "EC2_2018", "FlavorQCD", "HF", "HF_2018",
        "RelativeBal", "RelativeSample_2018",
    )  # fmt: skip
    by_name = {one["name"]: one for one in content["corrections"]}
    smear = by_name.pop("JERSmear")
    uncertainty = by_name.pop("Regrouped_Absolute")
    renamed = {
        "ScaleFactor": f"Summer19UL18_JRV2_MC_ScaleFactor_{kind}",
        "PtResolution": f"Summer19UL18_JRV2_MC_PtResolution_{kind}",
    }
    corrections = [one | {"name": renamed.get(name, name)} for name, one in by_name.items()]
    corrections += [uncertainty | {"name": f"{tag}_Regrouped_{source}_{kind}"} for source in sources]
    [stack] = content["compound_corrections"]
    jerc = content | {
        "corrections": corrections, "compound_corrections": [stack | {"name": f"{tag}_L1L2L3Res_{kind}"}],
    }  # fmt: skip
    (folder / "2018_UL" / "jet_jerc.json.gz").write_text(json.dumps(jerc))
    (folder / "jer_smear.json.gz").write_text(json.dumps({"schema_version": 2, "corrections": [smear]}))
