"""Random numbers that are a hash of their inputs: the same for the same event, on every target.

They are those of correctionlib's ``hashprng`` nodes: XXH64 (Y. Collet, xxHash fast digest algorithm, seed 0) over the
inputs' 64-bit patterns seeds one generator PCG-XSH-RR 64/32 (M. E. O'Neill, HMC-CS-2014-0905). All of it is arithmetic
modulo 2⁶⁴, here on int64, which wraps on every target.
"""

from __future__ import annotations

import numpy as np

from gpuhiggs.kernels.exact import bits
from gpuhiggs.kernels.language import scalar
from gpuhiggs.kernels.real import log, sqrt

FLAT, STDNORMAL, NORMAL = range(3)
"""Distributions: uniform in [0, 1); the polar method of libstdc++; the polar method on 32 bits."""

# The primes of XXH64 modulo 2⁶⁴, as int64.
PRIME_1 = -7046029288634856825
PRIME_2 = -4417276706812531889
PRIME_3 = 1609587929392839161
PRIME_4 = -8796714831421723037
PRIME_5 = 2870177450012600261
START_1 = 6983438078262162902
"""PRIME_1 + PRIME_2."""

MULTIPLIER = 6364136223846793005
INCREMENT = 1442695040888963407

TWO_32 = 4294967296.0
MASK_32 = 4294967295
BELOW_ONE = 0.9999999999999999


@scalar
def shift_right(x, n):
    """Return the bits of x shifted right, with zeros coming in."""
    return (x >> n) & ((1 << (64 - n)) - 1)


@scalar
def rotate_left(x, n):
    """Return the 64 bits of x rotated left by 0 < n < 64."""
    return (x << n) | shift_right(x, 64 - n)


@scalar
def mix(accumulator, word):
    """Return XXH64's round."""
    return rotate_left(accumulator + word * PRIME_2, 31) * PRIME_1


@scalar
def merge(digest, accumulator):
    """Return XXH64's merge of one of four accumulators."""
    return (digest ^ mix(0, accumulator)) * PRIME_1 + PRIME_4


@scalar
def word(tables, variables, entry):
    """Return the bits of an input; *entry* is twice its operand, plus one for an integer."""
    operand = entry >> 1
    value = variables[operand] if operand >= 0 else tables.values[~operand]
    if entry & 1:
        return np.int64(value) if abs(value) < 9.0e18 else np.int64(0)
    return bits(value)


@scalar
def hashed(tables, first, n, variables):
    """Return XXH64 of *n* inputs, whose entries begin at *first* in the nodes."""
    nodes = tables.nodes
    i = 0
    digest = np.int64(PRIME_5)
    if n >= 4:
        a, b, c, d = np.int64(START_1), np.int64(PRIME_2), np.int64(0), np.int64(-PRIME_1)
        while i + 4 <= n:
            a = mix(a, word(tables, variables, nodes[first + i]))
            b = mix(b, word(tables, variables, nodes[first + i + 1]))
            c = mix(c, word(tables, variables, nodes[first + i + 2]))
            d = mix(d, word(tables, variables, nodes[first + i + 3]))
            i += 4
        digest = rotate_left(a, 1) + rotate_left(b, 7) + rotate_left(c, 12) + rotate_left(d, 18)
        digest = merge(merge(merge(merge(digest, a), b), c), d)
    digest = digest + 8 * n
    while i < n:
        digest = rotate_left(digest ^ mix(0, word(tables, variables, nodes[first + i])), 27) * PRIME_1 + PRIME_4
        i += 1
    digest = (digest ^ shift_right(digest, 33)) * PRIME_2
    digest = (digest ^ shift_right(digest, 29)) * PRIME_3
    return digest ^ shift_right(digest, 32)


@scalar
def advance(state):
    """Return the generator's next state."""
    return state * MULTIPLIER + INCREMENT


@scalar
def output(state):
    """Return the 32 bits that a state gives, as an integral float64."""
    mixed = shift_right(shift_right(state, 18) ^ state, 27) & MASK_32
    turn = shift_right(state, 59)
    return float(((mixed >> turn) | (mixed << ((32 - turn) & 31))) & MASK_32)


@scalar
def flat(state):
    """Return a uniform number in [0, 1) from two outputs, as ``std::generate_canonical`` makes it."""
    value = (output(state) + output(advance(state)) * TWO_32) / (TWO_32 * TWO_32)
    return BELOW_ONE if value >= 1.0 else value


@scalar
def random(tables, distribution, first, n, variables):
    """Return the random number of a distribution that belongs to *n* inputs."""
    state = advance(hashed(tables, first, n, variables) + INCREMENT)
    if distribution == FLAT:
        return flat(state)
    u, v, s = 0.0, 0.0, 0.0
    while s >= 1.0 or s == 0.0:
        if distribution == STDNORMAL:
            u = 2.0 * flat(state) - 1.0
            state = advance(advance(state))
            v = 2.0 * flat(state) - 1.0
            state = advance(advance(state))
        else:
            u = output(state) / (0.5 * TWO_32) - 1.0
            state = advance(state)
            v = output(state) / (0.5 * TWO_32) - 1.0
            state = advance(state)
        s = u * u + v * v
        if distribution == STDNORMAL and s == 1.0:  # libstdc++ keeps it, and its logarithm is 0
            break
    return (v if distribution == STDNORMAL else u) * sqrt(-2.0 * log(s) / s)
