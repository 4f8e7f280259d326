// The eight ADL queries in compiled RDataFrame: bench/adl.py builds and runs this. Arithmetic in double, as ROOT's own
// vectors have it. Arguments: FILE THREADS REPEAT QUERY…; one JSON line a query and repeat.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "Math/Vector4D.h"
#include "ROOT/RDataFrame.hxx"
#include "TH1D.h"
#include "TROOT.h"

using ROOT::RDataFrame;
using ROOT::VecOps::RVec;
using P4 = ROOT::Math::PtEtaPhiMVector;
using XYZE = ROOT::Math::PxPyPzEVector;
using Floats = RVec<float>;
using Ints = RVec<int>;
using Result = ROOT::RDF::RResultPtr<TH1D>;

double delta_phi(double a, double b) {
    const double d = a - b;
    return d > M_PI ? d - 2 * M_PI : d <= -M_PI ? d + 2 * M_PI : d;
}

struct Trijet {
    double pt = 0, b_tag = 0;
};

Trijet best_trijet(const Floats& pt, const Floats& eta, const Floats& phi, const Floats& mass, const Floats& b) {
    std::vector<XYZE> p;
    p.reserve(pt.size());
    for (std::size_t i = 0; i < pt.size(); ++i) p.emplace_back(P4(pt[i], eta[i], phi[i], mass[i]));
    double nearest = -1;
    Trijet best;
    for (std::size_t i = 0; i < p.size(); ++i)
        for (std::size_t j = i + 1; j < p.size(); ++j) {
            const XYZE pair = p[i] + p[j];
            for (std::size_t k = j + 1; k < p.size(); ++k) {
                const XYZE sum = pair + p[k];
                const double distance = std::abs(sum.M() - 172.5);
                if (nearest < 0 || distance < nearest) {
                    nearest = distance;
                    best = {sum.Pt(), std::max({b[i], b[j], b[k]})};
                }
            }
        }
    return best;
}

bool is_clean(float eta, float phi, const Floats& l_pt, const Floats& l_eta, const Floats& l_phi) {
    for (std::size_t i = 0; i < l_pt.size(); ++i) {
        if (l_pt[i] <= 10) continue;
        const double d_eta = double(eta) - l_eta[i], d_phi = delta_phi(phi, l_phi[i]);
        if (d_eta * d_eta + d_phi * d_phi < 0.4 * 0.4) return false;
    }
    return true;
}

struct Pair {
    double distance = -1;
    int i = -1, j = -1;
};

Pair best_pair(const Floats& pt, const Floats& eta, const Floats& phi, const Floats& mass, const Ints& charge) {
    Pair best;
    for (std::size_t i = 0; i < pt.size(); ++i)
        for (std::size_t j = i + 1; j < pt.size(); ++j) {
            if (charge[i] == charge[j]) continue;
            const auto sum = P4(pt[i], eta[i], phi[i], mass[i]) + P4(pt[j], eta[j], phi[j], mass[j]);
            const double distance = std::abs(sum.M() - 91.2);
            if (best.distance < 0 || distance < best.distance) best = {distance, int(i), int(j)};
        }
    return best;
}

float transverse_mass(const Floats& e_pt, const Floats& e_phi, const Pair& e, const Floats& m_pt, const Floats& m_phi,
                      const Pair& m, float met, float met_phi) {
    const bool electrons = m.distance < 0 || (e.distance >= 0 && e.distance <= m.distance);
    double pt = -1, phi = 0;
    for (int i = 0; i < int(e_pt.size()); ++i)
        if (!(electrons && (i == e.i || i == e.j)) && e_pt[i] > pt) pt = e_pt[i], phi = e_phi[i];
    for (int i = 0; i < int(m_pt.size()); ++i)
        if (!(!electrons && (i == m.i || i == m.j)) && m_pt[i] > pt) pt = m_pt[i], phi = m_phi[i];
    return std::sqrt(std::max(0.0, 2 * pt * met * (1 - std::cos(delta_phi(phi, met_phi)))));
}

const ROOT::RDF::TH1DModel MET{"met", "", 100, 0, 2000}, JET{"jet_pt", "", 100, 15, 60};

std::map<int, std::function<std::vector<Result>(RDataFrame&)>> queries{
    {1, [](RDataFrame& d) { return std::vector<Result>{d.Histo1D<float>(MET, "MET_pt")}; }},
    {2, [](RDataFrame& d) { return std::vector<Result>{d.Histo1D<Floats>(JET, "Jet_pt")}; }},
    {3,
     [](RDataFrame& d) {
         return std::vector<Result>{
             d.Define("central", [](const Floats& pt, const Floats& eta) { return Floats(pt[abs(eta) < 1.f]); },
                      {"Jet_pt", "Jet_eta"})
                 .Histo1D<Floats>(JET, "central")};
     }},
    {4,
     [](RDataFrame& d) {
         return std::vector<Result>{
             d.Filter([](const Floats& pt) { return Sum(pt > 40.f) >= 2; }, {"Jet_pt"}).Histo1D<float>(MET, "MET_pt")};
     }},
    {5,
     [](RDataFrame& d) {
         auto has_pair = [](const Floats& pt, const Floats& eta, const Floats& phi, const Floats& mass, const Ints& q) {
             for (std::size_t i = 0; i < pt.size(); ++i)
                 for (std::size_t j = i + 1; j < pt.size(); ++j) {
                     if (q[i] == q[j]) continue;
                     const double m = (P4(pt[i], eta[i], phi[i], mass[i]) + P4(pt[j], eta[j], phi[j], mass[j])).M();
                     if (m > 60 && m < 120) return true;
                 }
             return false;
         };
         return std::vector<Result>{
             d.Filter([](unsigned int n) { return n >= 2; }, {"nMuon"})
                 .Filter(has_pair, {"Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"})
                 .Histo1D<float>(MET, "MET_pt")};
     }},
    {6,
     [](RDataFrame& d) {
         auto node = d.Filter([](unsigned int n) { return n >= 3; }, {"nJet"})
                         .Define("trijet", best_trijet, {"Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_btag"})
                         .Define("trijet_pt", [](const Trijet& t) { return t.pt; }, {"trijet"})
                         .Define("b_tag", [](const Trijet& t) { return t.b_tag; }, {"trijet"});
         return std::vector<Result>{node.Histo1D<double>({"trijet_pt", "", 100, 15, 40}, "trijet_pt"),
                                    node.Histo1D<double>({"b_tag", "", 100, 0, 1}, "b_tag")};
     }},
    {7,
     [](RDataFrame& d) {
         auto ht = [](const Floats& pt, const Floats& eta, const Floats& phi, const Floats& e_pt, const Floats& e_eta,
                      const Floats& e_phi, const Floats& m_pt, const Floats& m_eta, const Floats& m_phi) {
             double sum = 0;
             for (std::size_t i = 0; i < pt.size(); ++i)
                 if (pt[i] > 30 && is_clean(eta[i], phi[i], e_pt, e_eta, e_phi) &&
                     is_clean(eta[i], phi[i], m_pt, m_eta, m_phi))
                     sum += pt[i];
             return sum;
         };
         return std::vector<Result>{d.Define("ht", ht,
                                             {"Jet_pt", "Jet_eta", "Jet_phi", "Electron_pt", "Electron_eta",
                                              "Electron_phi", "Muon_pt", "Muon_eta", "Muon_phi"})
                                        .Histo1D<double>({"ht", "", 100, 15, 200}, "ht")};
     }},
    {8,
     [](RDataFrame& d) {
         return std::vector<Result>{
             d.Filter([](unsigned int e, unsigned int m) { return e + m >= 3; }, {"nElectron", "nMuon"})
                 .Define("e", best_pair, {"Electron_pt", "Electron_eta", "Electron_phi", "Electron_mass", "Electron_charge"})
                 .Define("m", best_pair, {"Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"})
                 .Filter([](const Pair& e, const Pair& m) { return e.distance >= 0 || m.distance >= 0; }, {"e", "m"})
                 .Define("transverse_mass", transverse_mass,
                         {"Electron_pt", "Electron_phi", "e", "Muon_pt", "Muon_phi", "m", "MET_pt", "MET_phi"})
                 .Histo1D<float>({"transverse_mass", "", 100, 15, 250}, "transverse_mass")};
     }},
};

int main(int argc, char** argv) {
    const int threads = std::atoi(argv[2]), repeat = std::atoi(argv[3]);
    if (threads > 1) ROOT::EnableImplicitMT(threads);
    for (int argument = 4; argument < argc; ++argument) {
        const int query = std::atoi(argv[argument]);
        for (int turn = 0; turn < repeat; ++turn) {
            const auto began = std::chrono::steady_clock::now();
            const auto cpu_began = std::clock();
            RDataFrame frame("Events", argv[1]);
            auto results = queries.at(query)(frame);
            for (auto& result : results) result.GetValue();
            const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
            const double cpu = double(std::clock() - cpu_began) / CLOCKS_PER_SEC;
            std::printf("{\"query\": %d, \"wall\": %.6f, \"cpu\": %.6f, \"histograms\": {", query, seconds.count(), cpu);
            for (std::size_t i = 0; i < results.size(); ++i) {
                std::printf("%s\"%s\": [", i ? ", " : "", results[i]->GetName());
                for (int bin = 0; bin <= results[i]->GetNbinsX() + 1; ++bin)
                    std::printf("%s%.0f", bin ? "," : "", results[i]->GetBinContent(bin));
                std::printf("]");
            }
            std::printf("}}\n");
            std::fflush(stdout);
        }
    }
}
