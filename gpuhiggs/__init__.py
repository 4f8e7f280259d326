"""gpuhiggs: LHC event files in, Higgs couplings out, with the same bits on every device."""
