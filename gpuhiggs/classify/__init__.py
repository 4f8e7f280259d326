"""Classifiers: trained on simulation or brought from another library, evaluated inside the kernels."""

from gpuhiggs.classify.model import Classifier, read, write
from gpuhiggs.classify.predict import predict
from gpuhiggs.classify.tables import tables

__all__ = ["Classifier", "predict", "read", "tables", "write"]
