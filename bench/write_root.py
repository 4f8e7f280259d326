"""Write the files that ``bench/read.py`` reads, with ROOT itself and its own basket sizes.

    python -m venv root && root/bin/pip install root==0.1a12
    root/bin/python bench/write_root.py FOLDER [--events 1000000]

One file a codec, at the settings that ROOT (ZLIB 1, LZ4 4, ZSTD 5) and CMS (LZMA 9) use: muons and electrons as NanoAOD
has them, floats with a mantissa of 10 bits as CMS writes them. And ``wide-zlib.root`` with 1,502 branches, for what it
takes to open a file. Runs in ROOT's environment, so it imports nothing of gpuhiggs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

SETTINGS = {"zlib": 101, "lz4": 404, "zstd": 505, "lzma": 209, "uncompressed": 0}
"""ROOT's compression settings: 100 × algorithm + level."""

_WRITE = r"""
#include <cstdint>
#include <cstring>
#include "TFile.h"
#include "TTree.h"
#include "TRandom3.h"

float ten_bits(double value) {
    float rounded = static_cast<float>(value);
    std::uint32_t bits;
    std::memcpy(&bits, &rounded, 4);
    bits = (bits + 0x1000u) & 0xffffe000u;
    std::memcpy(&rounded, &bits, 4);
    return rounded;
}

struct Leptons {
    UInt_t n;
    Float_t pt[16], eta[16], phi[16], mass[16], iso[16];
    Int_t charge[16];

    void book(TTree& tree, const std::string& name) {
        tree.Branch(("n" + name).c_str(), &n, ("n" + name + "/i").c_str());
        auto jagged = [&](const char* field, void* address, const char* type) {
            const std::string branch = name + "_" + field;
            tree.Branch(branch.c_str(), address, (branch + "[n" + name + "]/" + type).c_str());
        };
        jagged("pt", pt, "F");
        jagged("eta", eta, "F");
        jagged("phi", phi, "F");
        jagged("mass", mass, "F");
        jagged("pfRelIso03_all", iso, "F");
        jagged("charge", charge, "I");
    }

    void fill(TRandom3& random, double mean, float m) {
        n = static_cast<UInt_t>(std::min<double>(random.PoissonD(mean), 16));
        for (UInt_t i = 0; i < n; ++i) {
            pt[i] = ten_bits(3 + random.Exp(20));
            eta[i] = ten_bits(random.Gaus(0, 1.5));
            phi[i] = ten_bits(random.Uniform(-3.14159, 3.14159));
            mass[i] = m;
            iso[i] = random.Uniform() < 0.4 ? 0 : ten_bits(random.Exp(0.2));
            charge[i] = random.Uniform() < 0.5 ? -1 : 1;
        }
    }
};

void write_events(const char* path, int setting, long long n) {
    TFile file(path, "RECREATE", "", setting);
    TTree tree("Events", "Events");
    static Leptons muons, electrons;
    UInt_t run = 1;
    Float_t weight;
    Bool_t fired;
    tree.Branch("run", &run, "run/i");
    tree.Branch("genWeight", &weight, "genWeight/F");
    tree.Branch("HLT_A", &fired, "HLT_A/O");
    muons.book(tree, "Muon");
    electrons.book(tree, "Electron");
    TRandom3 random(1);
    for (long long i = 0; i < n; ++i) {
        weight = random.Uniform() < 0.1 ? -1 : 1;
        fired = random.Uniform() < 0.3;
        muons.fill(random, 1.5, 0.10565f);
        electrons.fill(random, 1.2, 0.00051f);
        tree.Fill();
    }
    tree.Write();
}

void write_wide(const char* path, int setting, long long n) {
    TFile file(path, "RECREATE", "", setting);
    TTree tree("Events", "Events");
    static UInt_t counts[40];
    static Float_t values[40][4];
    static Bool_t fired[700];
    UInt_t run = 1;
    ULong64_t event = 0;
    tree.Branch("run", &run, "run/i");
    tree.Branch("event", &event, "event/l");
    for (int i = 0; i < 700; ++i) tree.Branch(Form("HLT_path%d", i), &fired[i], Form("HLT_path%d/O", i));
    for (int i = 0; i < 40; ++i) {
        tree.Branch(Form("nC%d", i), &counts[i], Form("nC%d/i", i));
        for (int j = 0; j < 19; ++j) tree.Branch(Form("C%d_f%d", i, j), values[i], Form("C%d_f%d[nC%d]/F", i, j, i));
    }
    TRandom3 random(1);
    for (; event < static_cast<ULong64_t>(n); ++event) {
        for (int i = 0; i < 700; ++i) fired[i] = (7 * i + event) % 97 == 0;
        for (int i = 0; i < 40; ++i) {
            counts[i] = random.Integer(4);
            for (UInt_t j = 0; j < counts[i]; ++j) values[i][j] = ten_bits(random.Exp(20));
        }
        tree.Fill();
    }
    tree.Write();
}
"""


def main() -> None:
    """Write one file a codec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    import ROOT

    ROOT.gInterpreter.Declare(_WRITE)
    for codec, setting in SETTINGS.items():
        path = arguments.folder / f"events-{codec}.root"
        ROOT.write_events(str(path), setting, arguments.events)
        print(path, path.stat().st_size)
    wide = arguments.folder / "wide-zlib.root"
    ROOT.write_wide(str(wide), SETTINGS["zlib"], arguments.events // 5)
    print(wide, wide.stat().st_size)


if __name__ == "__main__":
    main()
