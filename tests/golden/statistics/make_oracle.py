#!/usr/bin/env python3
"""Writes the tables beside this script, against which tests/statistics_oracle_test.cpp checks
results/statistics: from SciPy 1.10 (Debian: python3-scipy) where it is exact, and from the
definitions, by counting all outcomes in whole numbers, where it is not: with ties.

Usage: make_oracle.py
"""

import itertools
import json
import math
import pathlib
import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
from scipy import special, stats

random = np.random.default_rng(20240229)
here = pathlib.Path(__file__).parent


def write(name, cases):
    lines = ",\n".join(json.dumps(case) for case in cases)
    (here / f"{name}.json").write_text(f"[\n{lines}\n]\n")


def normal(n, shift=0.0):
    return random.normal(shift, 1, n)


def in_steps(n, shift=0.0, step=0.5):
    """Values with ties, all of them exact in binary."""
    return np.round(random.normal(shift, 1, n) / step) * step


def tails(counts, seen):
    """From how often each value of a statistic comes about."""
    total = sum(counts.values())
    less = Fraction(sum(c for value, c in counts.items() if value <= seen), total)
    greater = Fraction(sum(c for value, c in counts.items() if value >= seen), total)
    return {
        "p_greater": float(greater),
        "p_less": float(less),
        "p_two_sided": float(min(Fraction(1), 2 * min(less, greater))),
    }


# Wilcoxon's signed-rank test.


def doubled_ranks(values):
    return [round(2 * rank) for rank in stats.rankdata(values)]


def all_signs(ranks):
    return Counter(
        sum(rank for rank, sign in zip(ranks, signs) if sign)
        for signs in itertools.product((False, True), repeat=len(ranks))
    )


def sign_by_sign(ranks):
    counts = Counter({0: 1})
    for rank in ranks:
        counts += Counter({value + rank: count for value, count in counts.items()})
    return counts


def signed_rank_case(differences, location, how):
    d = np.asarray(differences) - location
    d = d[d != 0]
    ranks = doubled_ranks(abs(d))
    seen = sum(rank for rank, value in zip(ranks, d) if value > 0)
    case = {
        "how": how,
        "differences": list(differences),
        "location": location,
        "n": len(d),
        "w_plus": seen / 2,
    }
    if how == "all signs":
        return case | tails(all_signs(ranks), seen)
    if how == "sign by sign":
        return case | tails(sign_by_sign(ranks), seen)
    method = {"scipy exact": "exact", "scipy approx": "approx"}[how]
    for alternative in ("greater", "less", "two-sided"):
        result = stats.wilcoxon(d, alternative=alternative, method=method, correction=True)
        case["p_" + alternative.replace("-", "_")] = float(result.pvalue)
    return case


def signed_rank():
    cases = []
    for n in (1, 2, 3, 5, 8, 12, 15, 20, 25, 30):
        for shift, location in ((0, 0.0), (0.5, 0.02), (-0.7, -0.1), (3, 0.0)):
            cases.append(signed_rank_case(normal(n, shift), location, "scipy exact"))
    cases.append(signed_rank_case([0.0, 0.0, *normal(9, 0.4), 0.0], 0.0, "scipy exact"))
    for n in (1, 2, 4, 7, 10, 12):
        for step, location in ((0.5, 0.0), (0.5, 0.5), (1.0, -1.0), (0.25, 0.125)):
            cases.append(signed_rank_case(in_steps(n, 0.3, step), location, "all signs"))
    cases.append(signed_rank_case([0.25] * 9, 0.0, "all signs"))
    for n in (20, 30, 60):
        for step, location in ((0.5, 0.0), (0.25, 0.5)):
            cases.append(signed_rank_case(in_steps(n, 0.4, step), location, "sign by sign"))
    for n in (62, 80, 120):
        cases.append(signed_rank_case(normal(n, 0.2), 0.01, "scipy approx"))
        cases.append(signed_rank_case(in_steps(n, -0.1), 0.125, "scipy approx"))
    write("signed_rank", cases)


# Mann and Whitney's test.


def all_choices(ranks, size):
    return Counter(sum(chosen) for chosen in itertools.combinations(ranks, size))


def rank_by_rank(ranks, size):
    counts = [Counter() for _ in range(size + 1)]
    counts[0][0] = 1
    for rank in ranks:
        for chosen in range(size, 0, -1):
            for value, count in counts[chosen - 1].items():
                counts[chosen][value + rank] += count
    return counts[size]


def mann_whitney_case(first, second, how):
    ranks = doubled_ranks([*first, *second])
    m = len(first)
    seen = sum(ranks[:m])
    case = {
        "how": how,
        "first": list(first),
        "second": list(second),
        "u": seen / 2 - m * (m + 1) / 2,
    }
    if how == "all choices":
        return case | tails(all_choices(ranks, m), seen)
    if how == "rank by rank":
        return case | tails(rank_by_rank(ranks, m), seen)
    method = {"scipy exact": "exact", "scipy asymptotic": "asymptotic"}[how]
    for alternative in ("greater", "less", "two-sided"):
        result = stats.mannwhitneyu(first, second, alternative=alternative, method=method)
        case["p_" + alternative.replace("-", "_")] = float(result.pvalue)
    return case


def mann_whitney():
    cases = []
    for m, n in ((1, 1), (1, 4), (2, 3), (5, 5), (8, 12), (12, 8), (12, 12), (20, 20), (30, 7)):
        for shift in (0, 0.8, -2):
            cases.append(mann_whitney_case(normal(m, shift), normal(n), "scipy exact"))
    cases.append(mann_whitney_case(normal(30, 0.5), normal(30), "scipy exact"))
    for m, n in ((1, 3), (3, 3), (4, 8), (6, 6), (8, 4), (7, 7)):
        for shift, step in ((0, 1.0), (0.7, 0.5), (-1, 0.25)):
            case = mann_whitney_case(in_steps(m, shift, step), in_steps(n, 0, step), "all choices")
            cases.append(case)
    cases.append(mann_whitney_case([1.0] * 4, [1.0] * 5, "all choices"))
    for m, n in ((20, 20), (30, 30), (25, 12)):
        for step in (1.0, 0.25):
            case = mann_whitney_case(in_steps(m, 0.4, step), in_steps(n, 0, step), "rank by rank")
            cases.append(case)
    for m, n in ((61, 60), (40, 100)):
        cases.append(mann_whitney_case(normal(m, 0.2), normal(n), "scipy asymptotic"))
        cases.append(mann_whitney_case(in_steps(m, 0.2), in_steps(n), "scipy asymptotic"))
    write("mann_whitney", cases)


# Hodges and Lehmann's estimates: all averages or differences by brute force, and the interval by
# asking SciPy's test about a location in each of the gaps between them.


def inverted(candidates, p_two_sided, confidence):
    candidates = np.sort(candidates)
    inside = (candidates[:-1] + candidates[1:]) / 2
    at = np.concatenate([[candidates[0] - 1], inside, [candidates[-1] + 1]])
    p = [p_two_sided(location) for location in at]
    kept = [i for i in range(1, len(inside) + 1) if p[i] > 1 - confidence]
    # The gap i lies between the candidates i - 1 and i.
    first, last = (kept[0], kept[-1]) if kept else (1, len(inside))
    first, last = max(first, 1), min(last, len(inside))
    return {
        "estimate": float(np.median(candidates)),
        "lower": float(candidates[first - 1]),
        "upper": float(candidates[last]),
        "coverage": 1 - p[first - 1],
    }


def hodges_lehmann():
    cases = []
    for n in (2, 3, 5, 6, 7, 10, 15, 20, 30):
        for confidence in (0.95, 0.8):
            x = normal(n, 0.3)
            averages = [(x[i] + x[j]) / 2 for i in range(n) for j in range(i, n)]
            test = lambda location: float(stats.wilcoxon(x - location, method="exact").pvalue)
            case = {"values": list(x), "confidence": confidence}
            cases.append(case | inverted(averages, test, confidence))
    write("hodges_lehmann", cases)
    cases = []
    for m, n in ((2, 2), (3, 4), (5, 5), (8, 6), (12, 12), (20, 15)):
        for confidence in (0.95, 0.8):
            base, head = normal(m), normal(n, 0.5)
            differences = np.subtract.outer(head, base).ravel()
            test = lambda location: float(
                stats.mannwhitneyu(head - location, base, method="exact").pvalue
            )
            case = {"base": list(base), "head": list(head), "confidence": confidence}
            cases.append(case | inverted(differences, test, confidence))
    write("hodges_lehmann_shift", cases)


# Kolmogorov and Smirnov's test.


def distance(first, second):
    m, n = len(first), len(second)
    apart = (
        abs(sum(x <= at for x in first) * n - sum(x <= at for x in second) * m)
        for at in {*first, *second}
    )
    return Fraction(int(max(apart)), m * n)


def kolmogorov_smirnov():
    cases = []
    for m, n in ((1, 1), (2, 3), (5, 5), (8, 12), (20, 20), (30, 17)):
        for shift in (0, 1, -3):
            first, second = normal(m, shift), normal(n)
            result = stats.ks_2samp(first, second, method="exact")
            case = {"how": "scipy exact", "first": list(first), "second": list(second)}
            cases.append(case | {"d": float(result.statistic), "p": float(result.pvalue)})
    for m, n in ((1, 4), (3, 3), (4, 6), (6, 6)):
        for shift, step in ((0, 1.0), (1, 0.5), (-2, 1.0)):
            first, second = list(in_steps(m, shift, step)), list(in_steps(n, 0, step))
            pooled, seen = [*first, *second], distance(first, second)
            far = total = 0
            for chosen in itertools.combinations(range(m + n), m):
                others = [pooled[i] for i in range(m + n) if i not in chosen]
                far += distance([pooled[i] for i in chosen], others) >= seen
                total += 1
            case = {"how": "all choices", "first": first, "second": second}
            cases.append(case | {"d": float(seen), "p": far / total})
    write("kolmogorov_smirnov", cases)
    # Samples too large for a table: 0, 1, ... and the same moved up.
    cases = []
    for count, moved in ((2500, 0), (2500, 10), (2500, 20), (3000, 100), (4000, 300)):
        d = moved / count
        p = float(special.kolmogorov(math.sqrt(count / 2) * d))
        cases.append({"count": count, "moved": moved, "d": d, "p": p})
    write("kolmogorov_smirnov_large", cases)


# Many tests at once, from the definitions.


def multiple_testing():
    def adjusted(p, of_rank, among):
        """For each p, `among` the terms of the ranks on one side of it."""
        order = sorted(range(len(p)), key=lambda i: p[i])
        terms = [of_rank(Fraction(p[i]), rank + 1) for rank, i in enumerate(order)]
        place = {i: rank for rank, i in enumerate(order)}
        return [float(min(Fraction(1), among(terms, place[i]))) for i in range(len(p))]

    lists = [[], [0.03], [0.0, 1.0], [0.01, 0.04, 0.03, 0.005], [0.2] * 5]
    lists += [list(random.uniform(0, 1, n) ** 3) for n in (7, 20, 100)]
    lists += [list(np.round(random.uniform(0, 1, 30) ** 2, 2)), [1e-18, 1e-5, 0.04, 0.9, 1.0]]
    cases = []
    for p in lists:
        m = len(p)
        harmonic = sum(Fraction(1, i) for i in range(1, m + 1))
        from_below = lambda terms, rank: max(terms[: rank + 1])
        from_above = lambda terms, rank: min(terms[rank:])
        case = {"p": p}
        case["holm"] = adjusted(p, lambda x, rank: x * (m - rank + 1), from_below)
        case["benjamini_hochberg"] = adjusted(p, lambda x, rank: x * m / rank, from_above)
        case["benjamini_yekutieli"] = adjusted(
            p, lambda x, rank: x * m * harmonic / rank, from_above
        )
        cases.append(case)
    write("multiple_testing", cases)


# What can be detected.


def minimum_detectable_effect():
    cases = []
    for n, alpha, power in ((8, 0.05, 0.8), (12, 0.02, 0.9), (30, 0.01, 0.9), (40, 1e-4, 0.99)):
        x = normal(n, 5) * 0.02
        sigma = float(stats.median_abs_deviation(x, scale="normal"))
        effects = lambda pairs: (
            (stats.t.isf(alpha, pairs - 1) + stats.t.ppf(power, pairs - 1))
            * sigma
            / math.sqrt(3 / math.pi * pairs)
        )
        effect = float(effects(n))
        looked_for = 0.0123
        possible = range(max(2, math.ceil(-math.log2(alpha))), 10**6)
        pairs = next(pairs for pairs in possible if effects(pairs) <= looked_for)
        cases.append({"values": list(x), "alpha": alpha, "power": power, "sigma": sigma})
        cases[-1] |= {"effect": effect, "looked_for": looked_for, "pairs": pairs}
    write("minimum_detectable_effect", cases)


# The bootstrap, with a Mersenne Twister of 64 bits after T. Nishimura, "Tables of 64-bit Mersenne
# twisters", 2000: resampling that takes the same numbers finds the same interval.


def mt19937_64(seed):
    mask = (1 << 64) - 1
    state = [seed]
    for i in range(1, 312):
        state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & mask)
    while True:
        for i in range(312):
            x = (state[i] & 0xFFFFFFFF80000000) | (state[(i + 1) % 312] & 0x7FFFFFFF)
            state[i] = state[(i + 156) % 312] ^ (x >> 1) ^ (0xB5026F5AA96619E9 if x & 1 else 0)
        for x in state:
            x ^= (x >> 29) & 0x5555555555555555
            x ^= (x << 17) & 0x71D67FFFEDA60000
            x ^= (x << 37) & 0xFFF7EEE000000000
            yield x ^ (x >> 43)


def bootstrap():
    cases = []
    for seed, m, n, resamples, confidence in ((1, 10, 10, 10000, 0.95), (7, 5, 8, 2000, 0.8)):
        base, head = np.exp(normal(m) * 0.1), np.exp(normal(n, 1) * 0.1)
        bits = mt19937_64(seed)
        draw = lambda x: np.median([x[(next(bits) >> 32) * len(x) >> 32] for _ in x])
        sides = np.sort(base), np.sort(head)
        medians = [[draw(side) for side in sides] for _ in range(resamples)]
        ratios = np.sort([of_head / of_base for of_base, of_head in medians])
        beyond = math.floor((1 - confidence) / 2 * resamples)
        case = {"seed": seed, "resamples": resamples, "confidence": confidence}
        case |= {"base": list(base), "head": list(head)}
        cases.append(case | {"lower": ratios[beyond], "upper": ratios[-1 - beyond]})
    write("bootstrap", cases)


# One row.


def paired_test():
    cases = []
    for n, shift, floor in ((6, 0, 0.0), (12, 3, 0.02), (20, 0.1, 0.03), (30, 0.5, 0.005)):
        d = normal(n, shift) * 0.02
        p = lambda location, side: float(
            stats.wilcoxon(d - location, alternative=side, method="exact").pvalue
        )
        averages = [(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)]
        cases.append(
            {
                "differences": list(d),
                "floor": floor,
                "effect": float(np.median(averages)),
                "p_regression": p(floor, "greater"),
                "p_improvement": p(-floor, "less"),
                "p_unchanged": max(p(floor, "less"), p(-floor, "greater")),
            }
        )
    write("paired_test", cases)


warnings.simplefilter("error")
signed_rank()
mann_whitney()
hodges_lehmann()
kolmogorov_smirnov()
multiple_testing()
minimum_detectable_effect()
bootstrap()
paired_test()
