"""Reporting: the files of a run's folder, its figures and tables."""
