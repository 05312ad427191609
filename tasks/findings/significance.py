"""False discovery rate: how sure a finding is when many were looked for in one report."""

from collections.abc import Sequence

import numpy as np

from thirdshift.findings import Finding


def corrected_findings(findings: Sequence[Finding], rate: float = 0.05) -> list[Finding]:
    """Return the findings that hold at a false discovery rate, each with its q value.

    Benjamini and Hochberg (1995), over all the findings given: give those of one report.
    Findings without a p value are facts, not tests, and stay as they are.
    """
    tested = [finding for finding in findings if finding.p_value is not None]
    corrections = q_values([finding.p_value or 0.0 for finding in tested])
    by_finding = dict(zip(map(id, tested), corrections, strict=True))
    marked = [
        finding.model_copy(update={"q_value": by_finding[id(finding)]})
        if id(finding) in by_finding
        else finding
        for finding in findings
    ]
    return [finding for finding in marked if finding.q_value is None or finding.q_value <= rate]


def q_values(p_values: Sequence[float]) -> list[float]:
    """Return the Benjamini-Hochberg q value of each p value, in their order.

    0.01 0.04 0.03   p values
    0.03 0.04 0.04   each times 3 (their number) by its rank, and never above the next one's
    """
    if not p_values:
        return []
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    q = np.empty_like(p)
    q[order] = np.minimum(least, 1.0)
    return [float(value) for value in q]
