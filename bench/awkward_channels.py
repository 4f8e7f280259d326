"""The CMS γγ and 4ℓ channels as a coffea processor has them: Awkward arrays, one operation at a time over all events.

Written for speed as such code is: events are dropped as soon as a cut fails, only what a cut needs is computed before
it. Numbers are those of the selections' YAML files. What is filled is compared with the kernels bin by bin
(``tests/bench/test_awkward_channels.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import awkward as ak
import hist
import numpy as np

Cuts = Mapping[str, Any]
Z_MASS = 91.1876
MUON_MASS, ELECTRON_MASS = 0.1056583755, 0.000510998950


class Found(NamedTuple):
    """What a selection finds of each selected event."""

    index: Any
    """Its place in the columns."""
    category: Any
    weight: Any
    quantities: dict[str, Any]
    """What the histograms of these names are filled with."""


def columns(inputs: Any) -> dict[str, Any]:
    """Return a kernel's columns as Awkward arrays of records, one a collection; nothing is copied."""
    found = {}
    for name, collection in inputs._asdict().items():
        fields = {field: values for field, values in collection._asdict().items() if field != "offsets" and values.size}
        if "offsets" in collection._fields:
            index = ak.index.Index64(collection.offsets)
            lists = {
                field: ak.Array(ak.contents.ListOffsetArray(index, ak.contents.NumpyArray(values)))
                for field, values in fields.items()
            }
            found[name] = ak.zip(lists)
        else:
            found[name] = ak.Array(fields)
    return found


def delta_phi(a: Any, b: Any) -> Any:
    return (a - b + np.pi) % (2 * np.pi) - np.pi


def delta_r2(a: Any, b: Any) -> Any:
    return (a.eta - b.eta) ** 2 + delta_phi(a.phi, b.phi) ** 2


def momentum(pt: Any, eta: Any, phi: Any, mass: Any) -> Any:
    """Return Cartesian components, in double precision."""
    pt = ak.values_astype(pt, np.float64)
    eta, phi = ak.values_astype(eta, np.float64), ak.values_astype(phi, np.float64)
    mass = ak.values_astype(mass, np.float64) if isinstance(mass, ak.Array) else mass
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    return ak.zip({"x": pt * np.cos(phi), "y": pt * np.sin(phi), "z": pt * np.sinh(eta), "e": energy})


def plus(a: Any, b: Any) -> Any:
    return ak.zip({axis: a[axis] + b[axis] for axis in "xyze"})


def mass(p: Any) -> Any:
    return np.sqrt(np.maximum(p.e**2 - p.x**2 - p.y**2 - p.z**2, 0))


def transverse(p: Any) -> Any:
    return np.hypot(p.x, p.y)


def passing(c: dict[str, Any], mask: Any) -> dict[str, Any]:
    return {name: collection[mask] for name, collection in c.items()}


def gate(c: dict[str, Any], dataset: Any) -> dict[str, Any]:
    """Keep the events that pass filters and trigger, with their weight."""
    events = c["events"]
    filters, triggers = np.asarray(events.filters), np.asarray(events.triggers)
    mask = (filters & dataset.required) == dataset.required
    if dataset.accept:
        mask &= (triggers & dataset.accept) != 0
    kept = passing({name: one for name, one in c.items() if name != "events"}, mask)
    return kept | {"weight": events.gen_weight[mask], "index": ak.Array(np.flatnonzero(mask))}


def is_apart(objects: Any, others: Any, dr: float) -> Any:
    """Whether each object is apart from all others of its event."""
    pairs = ak.cartesian({"a": objects[["eta", "phi"]], "b": others[["eta", "phi"]]}, nested=True)
    return ak.all(delta_r2(pairs.a, pairs.b) > dr * dr, axis=-1)


def tight_leptons(c: dict[str, Any], muon: Cuts, electron: Cuts) -> Any:
    mu, e = c["muons"], c["electrons"]
    dxy = np.where(mu.pt <= muon["dxy_pt"], muon["low_pt_dxy_max"], muon["high_pt_dxy_max"])
    good = (mu.pt > muon["pt_min"]) & (abs(mu.eta) < muon["eta_max"]) & mu.tight_id & (abs(mu.dz) < muon["dz_max"])
    mu = mu[good & (abs(mu.dxy) < dxy) & (mu.iso04 < muon["iso_max"])]
    barrel = abs(e.eta) <= electron["barrel_eta_max"]
    dxy = np.where(barrel, electron["barrel_dxy_max"], electron["endcap_dxy_max"])
    dz = np.where(barrel, electron["barrel_dz_max"], electron["endcap_dz_max"])
    good = (e.pt > electron["pt_min"]) & (abs(e.eta) < electron["eta_max"]) & e.conversion_veto & e.bdt_wp90
    e = e[good & (abs(e.dxy) < dxy) & (abs(e.dz) < dz) & (e.iso < electron["iso_max"])]
    shared = ["pt", "eta", "phi", "mass", "charge"]
    kinds = (ak.with_field(mu[shared], 13, "kind"), ak.with_field(e[shared], 11, "kind"))
    return ak.concatenate(kinds, axis=1)


def selected_jets(jets: Any, cut: Cuts) -> Any:
    good = (jets.pt > cut["pt_min"]) & (abs(jets.eta) < cut["eta_max"]) & (jets.id & cut["id_mask"] != 0)
    return jets[good & ((jets.pt >= cut["pile_up_id_pt_max"]) | (jets.pile_up_id & cut["pile_up_id_mask"] != 0))]


def two_hardest(jets: Any) -> tuple[Any, Any, Any]:
    """Return (m_jj, the two hardest jets padded with None, their summed momentum), 0 where there are fewer than two."""
    ordered = ak.pad_none(jets[ak.argsort(jets.pt, axis=1, ascending=False, stable=True)], 2)
    first, second = ordered[:, 0], ordered[:, 1]
    total = plus(*(momentum(j.pt, j.eta, j.phi, j.mass) for j in (first, second)))
    return np.asarray(ak.fill_none(mass(total), 0.0)), (first, second), total


def number_of_b(jets: Any, cut: Cuts) -> Any:
    return np.asarray(ak.sum((jets.b_tag > cut["b_tag_min"]) & (abs(jets.eta) < cut["b_eta_max"]), axis=1))


def has_z(leptons: Any, low: float, high: float) -> Any:
    pairs = ak.combinations(leptons, 2, fields=["a", "b"])
    pairs = pairs[(pairs.a.kind == pairs.b.kind) & (pairs.a.charge + pairs.b.charge == 0)]
    both = plus(*(momentum(one.pt, one.eta, one.phi, one.mass) for one in (pairs.a, pairs.b)))
    m = mass(both)
    return np.asarray(ak.any((m > low) & (m < high), axis=1))


# --- γγ --------------------------------------------------------------------------------------------------------------


def best_pair(c: dict[str, Any], cut: Cuts) -> tuple[dict[str, Any], Any, Any, Any]:
    """Keep events with a diphoton; return them, the photons by pt, and the mass."""
    photon, pair = cut["photon"], cut["pair"]
    p = c["photons"]
    good = (p.pt > photon["pt_min"]) & (p.is_barrel | p.is_endcap) & p.electron_veto & (p.hoe < photon["hoe_max"])
    isolated = (p.iso_chg * p.pt < photon["charged_iso_max"]) | (p.iso_chg < photon["charged_rel_iso_max"])
    good = good & (p.id > photon["id_min"]) & ((p.r9 > photon["iso_r9_min"]) | isolated)
    c = c | {"photons": p[good]}
    c = passing(c, ak.num(c["photons"]) >= 2)
    pairs = ak.combinations(c["photons"], 2, fields=["a", "b"])
    a, b = pairs.a, pairs.b
    cosh = np.cosh(ak.values_astype(a.eta, np.float64) - b.eta)
    m = np.sqrt(2 * ak.values_astype(a.pt, np.float64) * b.pt * (cosh - np.cos(delta_phi(a.phi, b.phi))))
    hard, soft = np.maximum(a.pt, b.pt), np.minimum(a.pt, b.pt)
    good = (hard > pair["leading_pt_min"]) & (hard > pair["leading_scaled_pt_min"] * m)
    good = good & (soft > pair["subleading_scaled_pt_min"] * m) & (m > pair["mass_min"]) & (m < pair["mass_max"])
    pairs, m = pairs[good], m[good]
    some = ak.num(pairs) > 0
    c, pairs, m = passing(c, some), pairs[some], m[some]
    best = ak.argmax(pairs.a.pt + pairs.b.pt, axis=1, keepdims=True)
    return c, pairs[best][:, 0].a, pairs[best][:, 0].b, m[best][:, 0]


def diphoton(c: dict[str, Any], cuts: Cuts, dataset: Any) -> Found:
    """Select, reconstruct and tag."""
    c, first, second, m_gg = best_pair(gate(c, dataset), cuts)
    both = ak.concatenate([ak.singletons(first), ak.singletons(second)], axis=1)
    leptons = tight_leptons(c, cuts["muon"], cuts["electron"])
    leptons = leptons[is_apart(leptons, both, cuts["lepton"]["dr_min"])]
    jets = selected_jets(c["jets"], cuts["jet"])
    jets = jets[is_apart(jets, both, cuts["jet"]["dr_min"])]
    jets = jets[is_apart(jets, leptons, cuts["jet"]["dr_min"])]
    m_jj, hardest, total = two_hardest(jets)
    diphoton = plus(*(momentum(one.pt, one.eta, one.phi, 0.0) for one in (first, second)))
    pt_gg, min_id = np.asarray(transverse(diphoton)), np.asarray(np.minimum(first.id, second.id))
    n_jets = np.asarray(ak.num(jets))
    category = diphoton_tags(c, cuts, leptons, jets, (m_jj, hardest, total), diphoton, pt_gg, min_id)
    quantities = {"m_gg": m_gg, "pt_gg": pt_gg, "n_jets": n_jets, "m_jj": m_jj, "min_photon_id": min_id}
    return Found(np.asarray(c["index"]), category, np.asarray(c["weight"]), quantities)


def diphoton_tags(
    c: dict[str, Any], cuts: Cuts, leptons: Any, jets: Any, dijet: Any, diphoton: Any, pt_gg: Any, min_id: Any
) -> Any:
    cut = cuts["category"]
    m_jj, (first, second), total = dijet
    n_jets, n_b, n_leptons = np.asarray(ak.num(jets)), number_of_b(jets, cuts["jet"]), np.asarray(ak.num(leptons))
    met = c["met"]
    recoils = (met.pt > cut["met_min"]) & (
        abs(delta_phi(np.arctan2(diphoton.y, diphoton.x), met.phi)) > cut["met_delta_phi_min"]
    )
    pt_j1 = ak.fill_none(first.pt, 0.0)
    pt_hjj = ak.fill_none(np.hypot(diphoton.x + total.x, diphoton.y + total.y), 0.0)
    two = (n_jets >= 2) & (min_id > cut["jet_photon_id_min"])
    vbf = two & (m_jj > cut["vbf_m_jj_min"]) & (pt_j1 > cut["vbf_leading_jet_pt_min"])
    block = np.where(m_jj > cut["vbf_m_jj_high"], 8, 6) + (pt_hjj > cut["vbf_pt_hjj_high"])
    central = np.maximum(abs(ak.fill_none(first.eta, 9.0)), abs(ak.fill_none(second.eta, 9.0))) < cut["vh_jet_eta_max"]
    vh = two & (m_jj > cut["vh_m_jj_min"]) & (m_jj < cut["vh_m_jj_max"]) & central
    boosted = sum((pt_gg > cut[f"pt_boosted_{i}"]).astype(int) for i in (2, 3, 4))
    medium = (pt_gg > cut["pt_medium"]).astype(int) + (pt_gg > cut["pt_high"])
    ggf = np.where(n_jets == 0, 11 + (pt_gg > cut["pt_0j_high"]), np.where(n_jets == 1, 13, 16) + medium)
    ggf = np.where(pt_gg > cut["pt_boosted_1"], 19 + boosted, ggf)
    tth_leptonic = (n_leptons >= 1) & (n_jets >= cut["tth_leptonic_jets_min"]) & (n_b >= cut["tth_leptonic_b_jets_min"])
    hadronic = (n_leptons == 0) & (n_jets >= cut["tth_hadronic_jets_min"]) & (n_b >= cut["tth_hadronic_b_jets_min"])
    tags = [
        tth_leptonic, has_z(leptons, cut["zh_mass_min"], cut["zh_mass_max"]),
        ak.any(leptons.pt > cut["wh_lepton_pt_min"], axis=1), hadronic, recoils, vbf & (pt_gg > cut["pt_boosted_1"]),
        vbf, vh,
    ]  # fmt: skip
    return np.select([np.asarray(tag) for tag in tags], [0, 1, 2, 3, 4, 5, np.asarray(block), 10], ggf)


def fill(found: Found, axes: Mapping[str, Any], categories: int, weight: Any | None = None) -> dict[str, Any]:
    """Return the contents of each histogram, flow bins included, by category."""
    contents = {}
    for name, x in found.quantities.items():
        made: Any = hist.Hist(hist.axis.Integer(0, categories, flow=False), axes[name], storage=hist.storage.Weight())
        made.fill(found.category, np.asarray(x), weight=found.weight if weight is None else weight)
        contents[name] = made.values(flow=True)
    return contents


# --- 4ℓ --------------------------------------------------------------------------------------------------------------


def relaxed(c: dict[str, Any], cuts: Cuts) -> Any:
    """Return muons and electrons that pass all but identification and isolation, with what these look at."""
    mu, e, muon, electron = c["muons"], c["electrons"], cuts["muon"], cuts["electron"]

    def vertex(one: Any, cut: Cuts) -> Any:
        good = (one.pt > cut["pt_min"]) & (abs(one.eta) < cut["eta_max"]) & (abs(one.dxy) < cut["dxy_max"])
        return good & (abs(one.dz) < cut["dz_max"]) & (abs(one.sip3d) < cut["sip3d_max"])

    mu = mu[vertex(mu, muon) & (mu.is_global | (mu.is_tracker & (mu.n_stations > 0)))]
    e = e[vertex(e, electron)]
    eta = abs(e.eta + e.delta_eta_sc)
    low = e.pt <= electron["bdt_pt"]
    names = ("inner", "middle", "outer")
    limits = [np.where(low, electron[f"bdt_low_pt_{n}"], electron[f"bdt_high_pt_{n}"]) for n in names]
    limit = np.where(eta < electron["bdt_eta_inner"], limits[0], np.where(eta < electron["bdt_eta_outer"], *limits[1:]))
    shared = ["pt", "eta", "phi", "mass", "charge"]
    tight_mu = mu.is_pf | ((mu.high_pt_id > 0) & (mu.pt > muon["high_pt_min"]))
    muons = ak.zip({f: mu[f] for f in shared} | {"kind": mu.pt * 0 + 13, "tight": tight_mu, "iso": mu.iso})
    electrons = ak.zip({f: e[f] for f in shared} | {"kind": e.pt * 0 + 11, "tight": e.bdt > limit, "iso": e.pt * 0})
    return ak.concatenate([muons, electrons], axis=1)


def dressed(c: dict[str, Any], leptons: Any, cut: Cuts, iso_max: float) -> Any:
    """Return the selected leptons, with their momenta alone and with their FSR photons."""
    p = c["fsr_photons"]
    p = p[(p.pt > cut["pt_min"]) & (abs(p.eta) < cut["eta_max"]) & (p.iso < cut["iso_max"])]
    near = ak.cartesian({"p": p[["eta", "phi"]], "l": leptons[["eta", "phi"]]}, nested=True)
    distance = delta_r2(near.p, near.l)
    owner = ak.fill_none(ak.argmin(distance, axis=-1), -1)
    dr = np.sqrt(ak.fill_none(ak.min(distance, axis=-1), 1e9))
    score = dr / (p.pt * p.pt)
    good = (dr < cut["dr_max"]) & (dr > cut["dr_min"]) & (score < cut["dr_over_et2_max"])
    p, owner, score = p[good], owner[good], score[good]
    of = ak.cartesian({"l": ak.local_index(leptons, axis=1), "o": owner}, nested=True)
    scores = ak.cartesian({"l": leptons.pt, "s": score}, nested=True).s
    mine = ak.argmin(ak.mask(scores, of.l == of.o), axis=-1)
    taken = p[ak.drop_none(mine, axis=1)]
    around = ak.cartesian({"l": leptons[["eta", "phi"]], "p": taken}, nested=True)
    d = delta_r2(around.l, around.p)
    cone = (d > cut["cone_min"] ** 2) & (d < cut["cone_max"] ** 2)
    iso = leptons.iso - ak.sum(ak.where(cone, around.p.pt, 0.0), axis=-1) / leptons.pt
    nothing = ak.zip({name: np.zeros((len(p), 1), np.float32) for name in ("pt", "eta", "phi")})
    place = ak.where(ak.is_none(mine, axis=1), ak.num(p), ak.fill_none(mine, 0))
    radiated = ak.concatenate([p[["pt", "eta", "phi"]], nothing], axis=1)[place]
    bare = momentum(leptons.pt, leptons.eta, leptons.phi, leptons.mass)
    whole = plus(bare, momentum(radiated.pt, radiated.eta, radiated.phi, 0.0))
    fields = {name: leptons[name] for name in ("pt", "eta", "phi", "charge", "kind")}
    found = ak.zip(fields | {"bare": bare, "p": whole, "fsr": radiated}, depth_limit=2)
    return found[leptons.tight & ((leptons.kind == 11) | (iso < iso_max))]


def zz_candidates(leptons: Any, cut: Cuts) -> tuple[Any, Any]:
    """Return all pairs of pairs, with their masses, and whether each passes every cut."""
    indexed = ak.with_field(leptons, ak.local_index(leptons, axis=1), "index")
    z = ak.combinations(indexed, 2, fields=["a", "b"])
    z = z[(z.a.kind == z.b.kind) & (z.a.charge + z.b.charge == 0)]
    p = plus(z.a.p, z.b.p)
    z = ak.zip({"a": z.a, "b": z.b, "p": p, "m": mass(p), "pt": z.a.pt + z.b.pt}, depth_limit=2)
    zz = ak.combinations(z, 2, fields=["first", "second"])
    f, s = zz.first, zz.second
    zz = zz[(f.a.index != s.a.index) & (f.a.index != s.b.index) & (f.b.index != s.a.index) & (f.b.index != s.b.index)]
    f, s = zz.first, zz.second
    swap = abs(s.m - Z_MASS) < abs(f.m - Z_MASS)
    m_z1, m_z2 = ak.where(swap, s.m, f.m), ak.where(swap, f.m, s.m)
    pt_z2 = ak.where(swap, f.pt, s.pt)
    four = (f.a, f.b, s.a, s.b)
    good = (m_z1 > cut["z1_mass_min"]) & (m_z1 < cut["z_mass_max"])
    good = good & (m_z1 > cut["z_mass_min"]) & (m_z2 > cut["z_mass_min"]) & (m_z2 < cut["z_mass_max"])
    for i, one in enumerate(four):
        for other in four[i + 1 :]:
            good = good & (delta_r2(one, other) > cut["dr_min"] ** 2)
            opposite = one.charge + other.charge == 0
            good = good & (~opposite | (mass(plus(one.bare, other.bare)) > cut["m_ll_min"]))
    pts = np.sort(np.stack([ak.to_numpy(ak.flatten(one.pt)) for one in four]), axis=0)
    good = good & ak.unflatten((pts[3] > cut["leading_pt_min"]) & (pts[2] > cut["subleading_pt_min"]), ak.num(zz))
    straight = f.a.charge + s.a.charge == 0  # the other pairing of opposite charges
    other = [
        ak.where(straight, mass(plus(f.a.p, s.a.p)), mass(plus(f.a.p, s.b.p))),
        ak.where(straight, mass(plus(f.b.p, s.b.p)), mass(plus(f.b.p, s.a.p))),
    ]
    flip = abs(other[1] - Z_MASS) < abs(other[0] - Z_MASS)
    za, zb = ak.where(flip, other[1], other[0]), ak.where(flip, other[0], other[1])
    spoiled = (f.a.kind == s.a.kind) & (abs(za - Z_MASS) < abs(m_z1 - Z_MASS)) & (zb < cut["z_mass_min"])
    total = plus(f.p, s.p)
    m4l = mass(total)
    good = good & ~spoiled & (m4l > cut["m4l_min"])
    kind = ak.where(f.a.kind != s.a.kind, 2, ak.where(f.a.kind == 13, 0, 1))
    quantities = {
        "m_z1": m_z1, "m_z2": m_z2, "m4l": m4l, "pt4l": transverse(total), "pt_z2": pt_z2, "state": kind,
        "a": f.a.index, "b": f.b.index, "c": s.a.index, "d": s.b.index,
    }  # fmt: skip
    return ak.zip(quantities), good


def four_lepton(c: dict[str, Any], cuts: Cuts, dataset: Any) -> Found:
    """Select, reconstruct and categorise."""
    c = gate(c, dataset)
    loose = relaxed(c, cuts)
    some = ak.num(loose) >= 4
    c, loose = passing(c, some), loose[some]
    leptons = dressed(c, loose, cuts["fsr"], cuts["muon"]["iso_max"])
    some = ak.num(leptons) >= 4
    c, leptons = passing(c, some), leptons[some]
    zz, good = zz_candidates(leptons, cuts["zz"])
    zz = zz[good]
    some = ak.num(zz) > 0
    c, leptons, zz = passing(c, some), leptons[some], zz[some]
    distance = abs(zz.m_z1 - Z_MASS)
    zz = zz[distance == ak.min(distance, axis=1)]
    best = zz[ak.argmax(zz.pt_z2, axis=1, keepdims=True)][:, 0]
    category = four_lepton_tags(c, cuts, leptons, best) * 3 + np.asarray(best.state)
    quantities = {name: np.asarray(best[name]) for name in ("m4l", "m_z1", "m_z2", "pt4l")}
    return Found(np.asarray(c["index"]), category, np.asarray(c["weight"]), quantities)


def four_lepton_tags(c: dict[str, Any], cuts: Cuts, leptons: Any, best: Any) -> Any:
    cut = cuts["category"]
    jets = selected_jets(c["jets"], cuts["jet"])
    jets = jets[is_apart(jets, leptons, cuts["jet"]["dr_min"])]
    jets = jets[is_apart(jets, leptons.fsr[leptons.fsr.pt > 0], cuts["jet"]["dr_min"])]
    n, n_b = np.asarray(ak.num(jets)), number_of_b(jets, cuts["jet"])
    m_jj = two_hardest(jets)[0]
    index = ak.local_index(leptons, axis=1)
    extra = leptons[(index != best.a) & (index != best.b) & (index != best.c) & (index != best.d)]
    pairs = ak.combinations(extra, 2, fields=["a", "b"])
    pairs = pairs[(pairs.a.kind == pairs.b.kind) & (pairs.a.charge + pairs.b.charge == 0)]
    m = mass(plus(pairs.a.p, pairs.b.p))
    zz = cuts["zz"]
    n_z = np.asarray(ak.sum((m > zz["z_mass_min"]) & (m < zz["z_mass_max"]), axis=1))
    n_extra = np.asarray(ak.num(extra))
    few, many = (n == 2) | (n == 3), (n >= 4) & (n_b == 0)
    alone = n_extra == 0
    tags = [
        alone & ((few & (n_b <= 1)) | many) & (m_jj > cut["vbf_m_jj_min"]),
        alone & (few | many) & (m_jj > cut["vh_m_jj_min"]) & (m_jj < cut["vh_m_jj_max"]),
        ((n <= 3) & (n_b == 0) & ((n_extra == 1) | (n_z >= 1))) | ((n == 0) & (n_extra >= 1)),
        (n >= 4) & (n_b >= 1) & alone, n_extra >= 1, (n <= 1) & np.asarray(c["met"].pt > cut["met_min"]),
    ]  # fmt: skip
    return np.select(tags, range(6), 6)


SELECTIONS = {"diphoton": diphoton, "four_lepton": four_lepton}
"""By name of the channel."""
