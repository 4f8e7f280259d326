"""Scalar functions of one event, compiled for CPU and GPU from one body."""
