#!/usr/bin/env python3
"""Reference rows of package stats, computed with mpmath at 60 digits.

    python3 testdata/generate.py > testdata/reference.tsv

Needs mpmath only. Each row: kind, arguments (as exact doubles, repr), value
with 25 digits. Kinds: sf x P[Z>=x]; quantile p z; lower/upper k n alpha bound
(Clopper-Pearson); tail k n p ln P[Bin(n,p)>=k]; cdf k n p ln P[Bin(n,p)<=k].
"""
from mpmath import mp, mpf, erfc, sqrt, log, exp, loggamma, nstr, findroot, erfinv, pi, expm1, log1p
import math

mp.dps = 60


def tail(k, n, p):
    """P[Bin(n,p) >= k], terms summed from k upward, p an mpf."""
    if k <= 0:
        return mpf(1)
    q = 1 - p
    t = exp(loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1) + k * log(p) + (n - k) * log(q))
    s, i, r = mpf(0), k, p / q
    mode = (n + 1) * p
    while i <= n:
        s += t
        if i > mode and t < s * mpf(10) ** -45:
            break
        t *= (n - i) * r / (i + 1)
        i += 1
    return s


def lower(k, n, alpha):
    if k == 0:
        return mpf(0)
    if k == n:
        return exp(log(alpha) / n)
    a, b = mpf(0), mpf(1)
    p = mpf(k) / n
    # bisection to a few digits in logit, then Newton on ln tail
    lo, hi = log(p / (1 - p)) - 40 / sqrt(mpf(min(k, n - k))) - 30, log(p / (1 - p)) + 1 + 20 / sqrt(mpf(min(k, n - k)))
    mp.dps = 20
    for _ in range(24):
        m = (lo + hi) / 2
        if tail(k, n, 1 / (1 + exp(-m))) < alpha:
            lo = m
        else:
            hi = m
    mp.dps = 60
    t = lo
    for _ in range(8):
        p = 1 / (1 + exp(-t))
        T = tail(k, n, p)
        pm = exp(loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))
        d = (log(alpha) - log(T)) * T / (k * (1 - p) * pm)
        t += d
        if abs(d) < mpf(10) ** -40:
            break
    return 1 / (1 + exp(-t))


def quantile(p):
    z0 = mpf(-math.sqrt(max(0, -2 * math.log(min(p, 1 - p)))) if p != 0.5 else 0)
    q = mpf(p) if p < 0.5 else 1 - mpf(p)
    f = lambda z: log(erfc(-z / sqrt(mpf(2))) / 2) - log(q)
    z = findroot(f, (z0, z0 * mpf("0.9") + mpf("1e-3")), tol=mpf(10) ** -90, maxsteps=200, verify=False)
    return z if p < 0.5 else -z


def row(kind, *args):
    *a, v = args
    print(kind, *[repr(x) for x in a], nstr(v, 25), sep="\t")


for x in [-37.5, -20.0, -8.3, -5.5, -3.0, -1.0, -0.4, -1e-3, 0.0, 1e-9, 0.1, 0.5, 0.6745, 1.0, 1.96, 2.5, 3.0, 3.5,
          3.911, 4.4, 5.0, 6.0, 7.0, 8.0, 9.0, 10.5, 13.7, 17.3, 21.9, 26.3, 30.1, 33.3, 36.1, 37.0]:
    row("sf", x, erfc(mpf(x) / sqrt(mpf(2))) / 2)
ps = [1e-300, 1e-250, 1e-200, 1e-137, 1e-99, 1e-50, 1e-30, 3e-20, 1e-16, 1e-12, 1e-11, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4,
      0.001, 0.01, 0.024, 0.025, 0.03, 0.0749, 0.0751, 0.1, 0.25, 0.4, 0.49, 0.4999999, 0.50000001, 0.5001, 0.51, 0.6,
      0.75, 0.9, 0.9249, 0.9251, 0.95, 0.97, 0.99, 0.999, 0.9999, 0.9999930922685795, 0.999999, 1 - 1e-9, 1 - 1e-12, 1 - 2**-53]
for p in ps:
    row("quantile", p, quantile(p))
cp = [(1, 3), (2, 3), (7, 10), (51, 100), (99, 100), (3, 977), (500, 1000), (990, 1000), (5, 10000), (5032, 10000),
      (9000, 10000), (9993, 10000), (9999, 10000), (1, 100000), (50100, 100000), (99000, 100000), (99999, 100000),
      (500001, 1000000), (999000, 1000000), (999999, 1000000), (1000000, 1000000)]
for k, n in cp:
    for alpha in [0.3, 0.01, 0.001, 1e-9, 1e-40] if n < 1000000 else [0.001, 1e-9]:
        row("lower", k, n, alpha, lower(k, n, mpf(alpha)))
        if k < n:
            row("upper", k, n, alpha, 1 - lower(n - k, n, mpf(alpha)))
for k, n, p in [(1, 1, 0.3), (3, 10, 0.1), (10, 10, 0.01), (60, 100, 0.5), (40, 100, 0.5), (700, 1000, 0.5), (5100, 10000, 0.5),
                (10, 10000, 1e-5), (9990, 10000, 0.99), (100000, 100000, 0.999), (99500, 100000, 0.999), (60000, 100000, 0.5),
                (501500, 1000000, 0.5), (1000, 1000000, 0.0009), (999999, 1000000, 0.999)]:
    row("tail", k, n, p, log(tail(k, n, mpf(p))))
for k, n, p in [(0, 1, 0.3), (1, 10, 0.4), (0, 10, 0.99), (40, 100, 0.5), (60, 100, 0.5), (9800, 10000, 0.99), (9700, 10000, 0.99),
                (5, 10000, 0.002), (0, 100000, 1e-4), (99000, 100000, 0.9932), (40000, 100000, 0.5), (996800, 1000000, 0.997)]:
    row("cdf", k, n, p, log(tail(n - k, n, 1 - mpf(p))))
