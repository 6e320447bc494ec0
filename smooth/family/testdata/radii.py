#!/usr/bin/env python3
"""Writes radii.jsonl: certified radii at unit scale with 30 digits of precision.

Usage: python3 radii.py > radii.jsonl   (needs mpmath; half an hour)

An implementation apart from the package's own: incomplete functions are those of
mpmath, integrals its adaptive quadrature over probabilities or radii (the package
integrates over logarithms by a fixed rule), roots by bisection. Radii are rounded
to 25 digits; p_lower is the exact value of the float64 printed. Level-set rows are
computed with 20 digits.
"""
import json
import sys

from mpmath import (acos, asin, beta, betainc, binomial, exp, expm1, gamma, gammainc, hyp2f1, log, log1p, loggamma, mp,
                    mpf, nstr, pi, polylog, quad, sqrt, erfinv, atanh, inf, power)

mp.dps = 30
TOP = 1 - 2.0**-53
PS = [0.9987, 0.5 + 2.0**-53 * 2, TOP, 0.55, 1 - 1e-9, 0.50003]

def add(family, norm, dim, p_lower, radius, method="", **params):
    print(json.dumps(dict(family=family, norm=norm, dim=dim, p_lower=p_lower, params=params, method=method, radius=nstr(radius, 25))), flush=True)


def bisect(f, lo, hi):
    """Root of the increasing f on [lo, hi]."""
    for _ in range(105):
        m = (lo + hi) / 2
        if f(m) < 0:
            lo = m
        else:
            hi = m
    return (lo + hi) / 2


def gamma_upper(a, x):
    return gammainc(a, x, inf, regularized=True)


def gamma_lower(a, x):
    """Series of positive terms: mpmath's own loses digits for large a."""
    term = 1 / mpf(a)
    total, n = term, 0
    while True:
        n += 1
        term *= x / (a + n)
        total += term
        if term < total * mpf(10) ** -34:
            return total * exp(a * log(x) - x - loggamma(a))


def gamma_quantile(a, w, q):
    """x with lower tail w, upper tail q = 1 - w."""
    a = mpf(a)
    f = lambda s: gamma_lower(a, exp(s)) - w if w < q else q - (1 - gamma_lower(a, exp(s)))
    lo, hi = log(a) - 1, log(a) + 1
    while f(lo) > 0:
        lo -= 2 * (log(a + 2) + 1)
    while f(hi) < 0:
        hi += 1
    return exp(bisect(f, lo, hi))


def beta_lower(a, b, x, y=None):
    """Regularised incomplete beta, from a series of positive terms."""
    y = 1 - x if y is None else y
    if x > mpf(a + 1) / (a + b + 2):
        return 1 - beta_lower(b, a, y, x)
    term = mpf(1)
    total, n = term, 0
    while True:
        term *= x * (a + b + n) / (a + 1 + n)
        n += 1
        total += term
        if term < total * mpf(10) ** -34:
            break
    return exp(a * log(x) + b * log(y) + loggamma(a + b) - loggamma(a + 1) - loggamma(b)) * total


def beta_quantile(a, b, w, q, both=False):
    """x with lower tail w and upper tail q."""
    logistic = lambda s: 1 / (1 + exp(-s))
    f = lambda s: beta_lower(a, b, logistic(s), logistic(-s)) - w if w < q else q - beta_lower(b, a, logistic(-s), logistic(s))
    lo = hi = log(mpf(a) / b)
    step = sqrt(mpf(1) / a + mpf(1) / b)
    while f(lo) > 0:
        lo -= step
        step *= 2
    step = sqrt(mpf(1) / a + mpf(1) / b)
    while f(hi) < 0:
        hi += step
        step *= 2
    s = bisect(f, lo, hi)
    return (logistic(s), logistic(-s)) if both else logistic(s)


def exp_integral(d, k, w, q):
    """(1/k) int_0^g t^(d/k-1) e^-t / Gamma((d+k-1)/k, t) dt."""
    k = mpf(k)
    if k == 1:
        return -log(q)
    s, u = d / k, (d + k - 1) / k
    g = gamma_quantile(s, w, q)
    upper = lambda t: gammainc(u, t, inf) if t > u else gamma(u) * (1 - gamma_lower(u, t))
    f = lambda t: exp((s - 1) * log(t) - t) / upper(t)
    sd = sqrt(s)
    pts = sorted({x for x in [s - 12 * sd, s - 6 * sd, s - 3 * sd, s - sd, s, s + sd, s + 3 * sd, s + 6 * sd, s + 12 * sd] if 0 < x < g} | {mpf(0), g})
    if g < s:
        pts = sorted(set(pts) | {g * x for x in (mpf("0.9"), mpf("0.99"), mpf("0.5"))})
    return quad(f, pts) / k


def pow_integral(d, m, q, w):
    """(1/m) int_y^1 f(v)/I_v(d, m+1) dv, I_y(d, m) = q."""
    y = beta_quantile(d, m, q, w)
    norm = loggamma(d + m) - loggamma(d) - loggamma(m)
    f = lambda v: exp(norm + (d - 1) * log(v) + (m - 1) * log(1 - v)) / (1 - beta_lower(m + 1, d, 1 - v) if v > mpf(d) / (d + m) else beta_lower(d, m + 1, v))
    mean = mpf(d) / (d + m)
    sd = sqrt(mean * (1 - mean) / (d + m + 1))
    pts = sorted({x for x in [mean + c * sd for c in (-9, -6, -3, -1, 0, 1, 3, 6, 9, 15)] if y < x < 1} | {y, mpf(1)})
    return quad(f, pts) / m


def laplace_inf(d, p):
    q = 1 - p
    i = (d + 1) // 2
    b = binomial(d, i) / mpf(2) ** d
    tail_hi = mpf(1) / 2  # upper end of the current piece, in p
    total = mpf(0)
    width = b / 2 if 2 * i == d else b
    while True:
        v, phi_hi = 2 * i - d, i * b
        low = max(q, tail_hi - width)
        if v == 0:
            total += (tail_hi - low) / phi_hi
        else:
            total += log(phi_hi / (phi_hi - v * (tail_hi - low))) / v
        if low == q:
            return total
        tail_hi -= width
        b = b * (d - i) / (i + 1)
        i += 1
        width = b


def illinois(f, start, step):
    """Root of the increasing f near start, to 1e-16."""
    a, fa = start, f(start)
    b, fb = a, fa
    while (fa < 0) == (fb < 0):
        a, fa = b, fb
        b = a + step if fa < 0 else a - step
        fb = f(b)
        step *= 2
    for _ in range(60):
        c = b - fb * (b - a) / (fb - fa)
        fc = f(c)
        if fc == 0 or abs(b - a) < mpf(10) ** -16 or abs(c - b) < mpf(10) ** -17:
            return c
        if (fc < 0) == (fb < 0):
            fa /= 2
        else:
            a, fa = b, fb
        b, fb = c, fc
    return b


def level_set(d, psi_gap, log_density, lo, hi, target_h, guess):
    """Radius by the level-set method, integrating over s = ln t."""
    mp.dps = 20
    b = mpf(d - 1) / 2

    def cap(z):  # P[c < z] - 1/2
        if z >= 1:
            return mpf(1) / 2
        if z <= -1:
            return -mpf(1) / 2
        if d == 3:
            return z / 2
        if d == 2:
            return asin(z) / pi
        x = z * z
        return (1 if z > 0 else -1) * (beta_lower(mpf("0.5"), b, x) if x < mpf("0.5") else 1 - beta_lower(b, mpf("0.5"), 1 - x)) / 2

    def h(tau, e):
        def z(s):
            r, gap = psi_gap(s, tau)
            return (e * e - gap) / (2 * r * e)

        # The cap has a kink where |z| = 1; the quadrature gets these points as ends.
        grid = [lo + (hi - lo) * i / 300 for i in range(301)]
        values = [z(s) for s in grid]
        ends = {lo + (hi - lo) * i / 6 for i in range(7)}
        for level in (-1, 1):
            for a, b, za, zb in zip(grid, grid[1:], values, values[1:]):
                if (za < level) != (zb < level):
                    sign = 1 if zb > za else -1
                    ends.add(illinois(lambda s: (z(s) - level) * sign, (a + b) / 2, (b - a) / 4))
        return quad(lambda s: exp(log_density(s)) * cap(z(s)), sorted(ends))

    def excess(u):
        e = exp(u)
        s = illinois(lambda s: -h(exp(s), e), 2 * u, mpf("0.3"))
        return h(-exp(s), e) - target_h

    e = exp(illinois(excess, log(guess), mpf("0.05")))
    mp.dps = 30
    return e


def main():
    for p in PS:
        P = mpf(p)
        w, q, h = 2 * P - 1, 2 * (1 - P), P - mpf(1) / 2
        add("gaussian", "l2", 5, p, sqrt(2) * (bisect(lambda x: mp.erf(x) - w, mpf(0), mpf(7)) if w < 0.9 else bisect(lambda x: q - mp.erfc(x), mpf(0), mpf(7))))
        add("laplace", "l1", 5, p, -log(q))
        for d in (1, 2, 3, 20, 785, 150528):
            add("laplace", "linf", d, p, laplace_inf(d, P))
            add("uniform", "linf", d, p, -2 * expm1(log(1 - h) / d))
        add("uniform", "l1", 7, p, 2 * h)
        for a in (0.5, 1, 2, 2.5, 40):
            A = mpf(a)
            c = A / (A + 1)
            add("pareto", "l1", 3, p, w / A * hyp2f1(1, c, c + 1, w ** (1 + 1 / A)), a=a)
        for d in (1, 2, 10, 3072, 150528):
            add("ball", "l2", d, p, 2 * sqrt(beta_quantile(mpf("0.5"), mpf(d + 1) / 2, h, 1 - h)))
        for d in (2, 3, 100):
            x, y = beta_quantile(mpf("0.5"), mpf(d - 1) / 2, w, q, both=True)
            c = sqrt(x)
            add("exp2", "l2", d, p, (d - 1) * (atanh(c) if x < 0.5 else log((1 + c) / sqrt(y))), "differential", k=1, j=0)
        add("exp2", "l2", 4, p, (bisect(lambda x: mp.erf(x) - w, mpf(0), mpf(7)) if w < 0.9 else bisect(lambda x: q - mp.erfc(x), mpf(0), mpf(7))), k=2, j=0)
        for pp in (1, 1.5, 2, 7):
            add("expp", "l1", 4, p, gamma_quantile(1 / mpf(pp), w, q) ** (1 / mpf(pp)), p=pp)
        c = gamma_quantile(2, q, w)
        add("expp", "l1", 4, p, 2 * (-c * log(-expm1(-c)) + polylog(2, exp(-c))), p=0.5)
        for k in (0.5, 1, 1.5, 3):
            K = mpf(k)
            for d in (1, 2, 9, 60):
                if d == 60 and p != 0.9987:
                    continue
                slope = 2 * d / K * exp(loggamma(d / K) - loggamma((d + K - 1) / K))
                th = 1 - mpf(1) / (2 * d)
                if k < 1 or P <= th:
                    add("expinf", "l1", d, p, h * slope, k=k, j=0)
                else:
                    t = 2 * d * (1 - P)
                    add("expinf", "l1", d, p, (th - mpf(1) / 2) * slope + exp_integral(d, k, 1 - t, t), k=k, j=0)
                if k >= 1:
                    add("expinf", "linf", d, p, exp_integral(d, k, w, q), k=k, j=0)
                    add("exp1", "l1", d, p, exp_integral(d, k, w, q), k=k)
        for d, a in ((1, 1.5), (1, 4), (3, 3.5), (20, 44), (60, 124)):
            if d == 60 and p != 0.9987 or P < mpf("0.51"):  # the quadrature misses a thin end
                continue
            m = mpf(a) - d
            th = 1 - mpf(1) / (2 * d)
            if P <= th:
                add("powinf", "l1", d, p, 2 * d / m * h, a=a)
            else:
                t = 2 * d * (1 - P)
                add("powinf", "l1", d, p, (th - mpf(1) / 2) * 2 * d / m + pow_integral(d, m, t, 1 - t), a=a)
            add("powinf", "linf", d, p, pow_integral(d, m, q, w), a=a)
        print(p, file=sys.stderr)
    # Level sets; the density is that of s = ln t, t = r^k.
    for d, k, j in ((3, 2, 1), (2, 3, 0)):
        for p in (0.75, 0.9987):
            K, J = mpf(k), mpf(j)
            shape = (d - J) / K

            def gap(s, tau, K=K, J=J):
                t, r = exp(s), exp(s / K)
                if J == 0:
                    u = 1 + tau / t
                    return r, r * r * (u ** (2 / K) - 1) if u > 0 else -r * r
                v = tau / (K * t + J)  # on the right of the root, so that Newton's steps fall
                if tau > 0:
                    v = min(v, log1p(tau / t) / K)
                while True:
                    step = (t * expm1(K * v) + J * v - tau) / (K * t * exp(K * v) + J)
                    v -= step
                    if abs(step) <= abs(v) * mpf(10) ** -18:
                        break
                return r, r * r * expm1(2 * v)

            dens = lambda s, a=shape: a * s - exp(s) - loggamma(a)
            lo, hi = log(shape) - 50 / shape - 12 / sqrt(shape), log(shape + 12 * sqrt(shape) + 50)
            sd = sqrt(gamma((d - J + 2) / K) / gamma(shape) / d)
            guess = sd * sqrt(2) * erfinv(2 * mpf(p) - 1)
            add("exp2", "l2", d, p, level_set(d, gap, dens, lo, hi, mpf(p) - mpf(1) / 2, guess), "level-set", k=k, j=j)
            print("exp2", d, k, j, p, file=sys.stderr)
    for d, k, a in ((3, 2, 4), (2, 1, 12.5)):
        for p in (0.75, 0.9987):
            K, A = mpf(k), mpf(a)
            b, m = d / K, A - d / K

            def gap(s, tau, K=K, A=A):
                t, r = exp(s), exp(s / K)
                u = (1 + t) * exp(tau / A) - 1
                return r, r * r * ((u / t) ** (2 / K) - 1) if u > 0 else -r * r

            dens = lambda s, b=b, m=m: b * s - (b + m) * log1p(exp(s)) + loggamma(b + m) - loggamma(b) - loggamma(m)
            lo, hi = log(b / m) - 60 / min(b, m) - 5, log(b / m) + 60 / m + 5
            guess = sqrt(b / m) ** (2 / K) / sqrt(mpf(d)) * sqrt(2) * erfinv(2 * mpf(p) - 1)
            add("pow2", "l2", d, p, level_set(d, gap, dens, lo, hi, mpf(p) - mpf(1) / 2, guess), "level-set", k=k, a=a)
            print("pow2", d, k, a, p, file=sys.stderr)


main()
