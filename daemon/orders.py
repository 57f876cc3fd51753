"""From a checked request to the job that it asks for. Knows neither who hands it in nor where jobs are kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from daemon.jobs import CallbackTo, NewJob
from daemon.kinds import KINDS
from daemon.publishing import Publishing
from fonts_cache import FontCache

MAX_SEEDS = 2**32
CALLBACK_FIELDS = ("callback_url", "webhook_url", "callback_headers")
"""They may hold secrets and are kept for the courier alone."""


def new_job(
    kind: str,
    data: Mapping[str, Any],
    spec: Any,
    *,
    key_id: str,
    base_url: str,
    fonts: FontCache,
    publishing: Publishing,
) -> NewJob:
    """Make the job of a request: `data` is its JSON, `spec` what the kind has read from it.

    Raises:
        SpecError: it cannot be published where it says.
    """
    return NewJob(
        kind=kind,
        spec={name: value for name, value in data.items() if name not in CALLBACK_FIELDS},
        seed=draw_seed(spec),
        key_id=key_id,
        film_s=spec.video.duration,
        pixels=spec.output.width * spec.output.height,
        fps=spec.output.fps,
        quality=spec.output.quality,
        smooth=spec.video.smooth,
        client_data=spec.client_data,
        priority=spec.priority,
        callback=CallbackTo(spec.callback_url, spec.callback_headers) if spec.callback_url else None,
        base_url=base_url,
        warnings=KINDS[kind].warnings(spec, fonts),
        deliveries=publishing.deliveries(spec.publish, data, key_id),
    )


def draw_seed(spec: Any) -> int:
    """The seed that a request names, or a new one."""
    return secrets.randbelow(MAX_SEEDS) if spec.seed is None else int(spec.seed)
