"""What parameters, processes and decays are called in figures, in the field's notation."""

from __future__ import annotations

import re

PRODUCTION = {
    "ggH": "ggF", "bbH": r"$b\bar{b}H$", "VBF": "VBF", "WH": "$WH$", "ZH": "$ZH$", "VH": "$VH$", "ggZH": r"$gg\to ZH$",
    "ttH": r"$t\bar{t}H$", "tH": "$tH$", "tHq": "$tHq$", "tHW": "$tHW$", "top": r"$t\bar{t}H+tH$",
}  # fmt: skip
DECAY = {
    "bb": r"$b\bar{b}$", "WW": "$WW$", "gg": "$gg$", "tautau": r"$\tau\tau$", "cc": r"$c\bar{c}$", "ZZ": "$ZZ$",
    "gammagamma": r"$\gamma\gamma$", "Zgamma": r"$Z\gamma$", "mumu": r"$\mu\mu$", "ss": r"$s\bar{s}$",
    "inv": "invisible", "invisible": "invisible", "undetected": "undetected", "total": "total", "VV": "$VV$",
}  # fmt: skip
_PARTICLES = {"gamma": r"\gamma", "Zgamma": r"Z\gamma", "tau": r"\tau", "mu": r"\mu", "lambda": r"\lambda"}
_WHOLE = {
    "mu": r"$\mu$", "B_inv": r"$B_\mathrm{inv}$", "B_u": r"$B_\mathrm{u}$", "cos_beta_alpha": r"$\cos(\beta-\alpha)$",
    "tan_beta": r"$\tan\beta$", "m_A": "$m_A$ [GeV]", "sin2_theta": r"$\sin^2\theta$", "xi": r"$\xi$",
}  # fmt: skip


def parameter(name: str) -> str:
    """Return a parameter's name as mathtext."""
    if name in _WHOLE:
        return _WHOLE[name]
    kind, _, rest = name.partition("_")
    if kind == "mu":
        prefix, found = r"\mu", PRODUCTION.get(rest) or DECAY.get(rest) or rest.replace("_", " ")
        inner = found.strip("$") if found.startswith("$") else rf"\mathrm{{{found}}}"
        return rf"${prefix}_{{{inner}}}$"
    if kind == "kappa":
        return rf"$\kappa_{{{_PARTICLES.get(rest, rest)}}}$"
    if kind == "lambda":
        return rf"$\lambda_{{{re.sub('gamma|tau|mu', lambda m: chr(92) + m.group(0) + ' ', rest)}}}$"
    return name.replace("_", " ")


_OPERATORS = {
    "chbox": r"H\mathrm{box}", "chdd": "HD", "chg": "HG", "chb": "HB", "chw": "HW", "chwb": "HWB", "cw": "W", "cg": "G",
    "ctgre": "tG", "ctwre": "tW", "ctbre": "tB", "cthre": "tH", "cbhre": "bH", "cehre": "eH", "cuhre": "uH",
    "chu": "Hu", "chd": "Hd", "che": "He", "cht": "Ht", "cll1": "ll'", "chbtil": r"H\tilde{B}", "chwtil": r"H\tilde{W}",
    "chgtil": r"H\tilde{G}", "chwbtil": r"H\tilde{W}B", "cbgre": "bG", "cbbre": "bB", "cbwre": "bW",
}  # fmt: skip


def operator(name: str) -> str:
    """Return an operator's coefficient in the notation of the Warsaw basis; a digit at the end is its superscript."""
    if name in _OPERATORS:
        return f"$c_{{{_OPERATORS[name]}}}$"
    found = re.fullmatch(r"c(h?)([a-z]+?)(\d+)?", name)
    if found is None:
        return name
    higgs, rest, index = found.groups()
    upper = f"^{{({','.join(index)})}}" if index else ""
    return f"$c_{{{higgs.upper()}{rest}}}{upper}$"
