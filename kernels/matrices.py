"""Symmetric matrices of one fit, stored row after row: factor, solution and inverse, in place.

A = UᵀU with U in the upper half. Inner loops go along rows and pass over zeros: where the parameters that few others
have to do with come first, they are a diagonal block with a border, and eliminating them costs no more than the border.
"""

from __future__ import annotations

from .language import part, scalar
from .real import sqrt

SINGULAR = 1e-11
"""A pivot so much smaller than its diagonal element is rounding: there is no inverse."""


@scalar
def factorise(matrix, diagonal, n):
    """Turn the upper half of a matrix into U; whether it is positive definite. Its diagonal is kept."""
    for j in range(n):
        diagonal[j] = matrix[j * n + j]
    for j in range(n):
        upper = part(matrix, j * n)
        pivot = upper[j]
        if not pivot > SINGULAR * (diagonal[j] if diagonal[j] > 0.0 else 1.0):
            return False
        pivot = sqrt(pivot)
        upper[j] = pivot
        for k in range(j + 1, n):
            upper[k] = upper[k] / pivot
        for i in range(j + 1, n):
            share = upper[i]
            if share != 0.0:
                lower = part(matrix, i * n)
                for k in range(i, n):
                    lower[k] = lower[k] - share * upper[k]
    return True


@scalar
def solve(factor, x, n):
    """Turn x into A⁻¹x."""
    for j in range(n):
        upper = part(factor, j * n)
        value = x[j] / upper[j]
        x[j] = value
        for k in range(j + 1, n):
            x[k] = x[k] - value * upper[k]
    for j in range(n - 1, -1, -1):
        upper = part(factor, j * n)
        x[j] = (x[j] - dot(part(upper, j + 1), part(x, j + 1), n - j - 1)) / upper[j]


@scalar
def dot(x, y, n):
    """Return Σ x y, added up in four sums so that they can be found at once."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(0, n - 3, 4):
        a += x[k] * y[k]
        b += x[k + 1] * y[k + 1]
        c += x[k + 2] * y[k + 2]
        d += x[k + 3] * y[k + 3]
    for k in range(n - n % 4, n):
        a += x[k] * y[k]
    return (a + b) + (c + d)


@scalar
def invert(matrix, row, n):
    """Turn U in the upper half into the symmetric inverse of A; *row* is memory for n numbers."""
    for i in range(n - 1, -1, -1):  # U⁻¹, from below
        upper = part(matrix, i * n)
        for k in range(i, n):
            row[k] = 0.0
        for j in range(i + 1, n):
            share = upper[j]
            if share != 0.0:
                lower = part(matrix, j * n)
                for k in range(j, n):
                    row[k] = row[k] - share * lower[k]
        pivot = upper[i]
        upper[i] = 1.0 / pivot
        for k in range(i + 1, n):
            upper[k] = row[k] / pivot
    for i in range(n):  # U⁻¹ U⁻ᵀ: row i needs only rows at or below it
        for j in range(i, n):
            matrix[i * n + j] = dot(part(matrix, i * n + j), part(matrix, j * n + j), n - j)
    for i in range(n):
        for j in range(i):
            matrix[i * n + j] = matrix[j * n + i]
