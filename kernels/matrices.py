"""Symmetric matrices of one fit: Cholesky factor and inverse, in place."""

from __future__ import annotations

from .language import scalar
from .real import sqrt


@scalar
def factorise(matrix, n):
    """Cholesky factor of a symmetric matrix, in place in its lower half; whether it is positive definite."""
    for j in range(n):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] * matrix[j, k]
        if not pivot > 1e-14 * (matrix[j, j] if matrix[j, j] > 0.0 else 1.0):
            return False
        pivot = sqrt(pivot)
        matrix[j, j] = pivot
        for i in range(j + 1, n):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = value / pivot
    return True


@scalar
def invert(matrix, n):
    """Turn a Cholesky factor in the lower half into the symmetric inverse."""
    for j in range(n):  # L⁻¹, in place
        matrix[j, j] = 1.0 / matrix[j, j]
        for i in range(j + 1, n):
            value = 0.0
            for k in range(j, i):
                value -= matrix[i, k] * matrix[k, j]
            matrix[i, j] = value / matrix[i, i]
    for i in range(n):  # L⁻ᵀ L⁻¹: row i needs only rows at or below it
        for j in range(i + 1):
            value = 0.0
            for k in range(i, n):
                value += matrix[k, i] * matrix[k, j]
            matrix[i, j] = value
    for i in range(n):
        for j in range(i):
            matrix[j, i] = matrix[i, j]
