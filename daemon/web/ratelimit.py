"""The headers that tell a caller its limits and what is left of them (draft-ietf-httpapi-ratelimit-headers-10).

What is left is worked out of the key's row, without asking for anything else.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from daemon.store.keys import Key

MINUTE_S = 60
DAY_S = 86_400


def rate_headers(key: Key, now: datetime) -> dict[str, str]:
    """`RateLimit-Policy` with the limits that the key has, and `RateLimit` with what is left of those that count
    requests; neither where there is no limit."""
    limits = key.limits
    policies = {
        f'"minute";q={limits.per_minute};w={MINUTE_S}': limits.per_minute,
        f'"day";q={limits.per_day};w={DAY_S}': limits.per_day,
        f'"waiting";q={limits.waiting};qu="concurrent-requests"': limits.waiting,
    }
    left = [state for state in (_minute(key, now), _day(key, now)) if state]
    headers = {
        "RateLimit-Policy": ", ".join(policy for policy, limit in policies.items() if limit),
        "RateLimit": ", ".join(left),
    }
    return {name: value for name, value in headers.items() if value}


def _minute(key: Key, now: datetime) -> str:
    """GCRA: the bucket holds as many requests as a minute allows, and is full again when `tat_at` has come."""
    if not (limit := key.limits.per_minute):
        return ""
    ahead_s = max(0.0, (key.tat_at - now).total_seconds()) if key.tat_at else 0.0
    ahead_s = min(ahead_s, float(MINUTE_S))  # further ahead only after the clock was put back
    # A millionth of a request is rounding.
    left = math.floor((MINUTE_S - ahead_s) * limit / MINUTE_S + 1e-6)
    return f'"minute";r={left};t={math.ceil(ahead_s)}'


def _day(key: Key, now: datetime) -> str:
    if not (limit := key.limits.per_day):
        return ""
    now = now.astimezone(UTC)
    today = int(now.timestamp() // DAY_S)
    # A day that is still to come was counted before the clock was put back; it is not forgotten.
    used = key.day_count if key.day >= today else 0
    return f'"day";r={max(0, limit - used)};t={DAY_S - int(now.timestamp()) % DAY_S}'
