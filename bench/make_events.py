"""Make a large sample out of a small one: draw its events again and again, and smear what is measured in them.

    python -m venv root && root/bin/pip install root==0.1a12
    root/bin/python bench/make_events.py SMALL.root FOLDER [--events 5000000] [--codecs zlib zstd] [--tree Events]

ROOT itself writes, with its own basket sizes: one file a codec, FOLDER/events-CODEC.root, at the settings that ROOT
(ZLIB 1, LZ4 4, ZSTD 5) and CMS (LZMA 9) use. Every branch of the tree is there. Events are drawn whole, so their
numbers of objects, charges and flags are real ones; momenta are scaled by 5 %, angles moved by 0.05, other floats
scaled by 1 %, so that neither an event nor a value repeats; masses of leptons, zeros and negative values, which mark
what is not there, stay. The same arguments make the same events. Runs in ROOT's environment, so it imports nothing of
gpuhiggs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

SETTINGS = {"zlib": 101, "lz4": 404, "zstd": 505, "lzma": 209, "uncompressed": 0}
"""ROOT's compression settings: 100 × algorithm + level."""

_MAKE = r"""
#include <cmath>
#include <memory>
#include <string>
#include <vector>
#include "TFile.h"
#include "TLeaf.h"
#include "TRandom3.h"
#include "TTree.h"

enum class Kind { momentum, angle, azimuth, other };

Kind kind(const std::string& name) {
    auto ends = [&](const std::string& end) {
        return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
    };
    if (ends("_pt") || ends("_sumet")) return Kind::momentum;
    if (ends("_eta")) return Kind::angle;
    if (ends("_phi")) return Kind::azimuth;
    return Kind::other;
}

bool smeared(TLeaf* leaf) {
    const std::string name = leaf->GetName();
    const bool lepton = name.rfind("Jet", 0) != 0;
    return std::string(leaf->GetTypeName()) == "Float_t" && !(lepton && name.find("_mass") != std::string::npos);
}

void smear(float& value, Kind kind, TRandom3& random) {
    const double noise = random.Gaus();
    if (kind == Kind::angle) {
        value += 0.05 * noise;
    } else if (kind == Kind::azimuth) {
        value = std::remainder(value + 0.05 * noise, 2 * M_PI);
    } else if (value > 0) {
        value *= std::exp((kind == Kind::momentum ? 0.05 : 0.01) * noise);
    }
}

void make_events(const char* from, const char* tree, const char* to, int setting, long long n) {
    TFile source(from);
    auto small = source.Get<TTree>(tree);
    small->LoadBaskets();
    TFile file(to, "RECREATE", "", setting);
    auto large = small->CloneTree(0);
    large->SetAutoFlush(-30000000);  // ROOT's default, which files on the way may have lost
    for (auto branch : *large->GetListOfBranches()) static_cast<TBranch*>(branch)->SetCompressionSettings(setting);
    std::vector<std::pair<TLeaf*, Kind>> leaves;
    for (auto one : *small->GetListOfLeaves()) {
        auto leaf = static_cast<TLeaf*>(one);
        if (smeared(leaf)) leaves.emplace_back(leaf, kind(leaf->GetName()));
    }
    TRandom3 random(1);
    const auto entries = small->GetEntries();
    for (long long i = 0; i < n; ++i) {
        small->GetEntry(random.Integer(entries));
        for (auto [leaf, kind] : leaves) {
            auto values = static_cast<float*>(leaf->GetValuePointer());
            for (int k = 0; k < leaf->GetLen(); ++k) smear(values[k], kind, random);
        }
        large->Fill();
    }
    file.Write();
}
"""


def main() -> None:
    """Write one file a codec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--codecs", nargs="+", choices=SETTINGS, default=["zlib", "zstd"])
    parser.add_argument("--tree", default="Events")
    arguments = parser.parse_args()
    import ROOT

    ROOT.gInterpreter.Declare(_MAKE)
    for codec in arguments.codecs:
        path = arguments.folder / f"events-{codec}.root"
        ROOT.make_events(str(arguments.small), arguments.tree, str(path), SETTINGS[codec], arguments.events)
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
