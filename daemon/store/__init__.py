"""Every query of the service, one file a table group. The only place that speaks SQL."""

from __future__ import annotations
