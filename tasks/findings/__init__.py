"""Findings: what data say, computed. pandas in, `Finding` records out (thirdshift.findings).

Callable on its own: the mathematics runs without store, models or Prefect, and fetches nothing.
"""

from tasks.findings.anomalies import find_anomalies as find_anomalies
from tasks.findings.correlation import find_correlations as find_correlations
from tasks.findings.level_shifts import find_shifts as find_shifts
from tasks.findings.movers import find_movers as find_movers
from tasks.findings.quality import find_quality as find_quality
from tasks.findings.seasonality import find_seasonality as find_seasonality
from tasks.findings.trend import find_trend as find_trend
