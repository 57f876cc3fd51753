"""All ways into the service, as a table. Whoever writes a handler adds its row."""

from __future__ import annotations

from daemon.web import (
    callbacks,
    deliveries,
    delivery_manual,
    download,
    events,
    fonts,
    generate,
    health,
    jobs,
    library,
    manual,
    metrics,
    preview,
    schedule_manual,
    schedules,
    service_manual,
    status,
    summary,
)
from daemon.web.access import LINK, METRICS, PUBLIC, READ, SUBMIT
from daemon.web.account_doors import ACCOUNT_DOORS
from daemon.web.admin_doors import ADMIN_DOORS
from daemon.web.docs import with_documentation
from daemon.web.door import Door

DOORS = with_documentation(
    Door("GET", "/", health.index, PUBLIC, service_manual.INDEX),
    Door("GET", "/health", health.health, PUBLIC, service_manual.HEALTH),
    Door("POST", "/v1/generate", generate.generate, SUBMIT, manual.GENERATE),
    Door("POST", "/v1/preview", preview.preview, SUBMIT, manual.PREVIEW),
    Door("GET", "/v1/status/{job_id}", status.status, READ, manual.STATUS),
    Door("GET", "/v1/download/{name}", download.download, LINK, manual.DOWNLOAD),
    Door("GET", "/v1/jobs", jobs.jobs, READ, manual.JOBS),
    Door("POST", "/v1/jobs/{job_id}/cancel", jobs.cancel, SUBMIT, manual.CANCEL),
    Door("POST", "/v1/jobs/{job_id}/retry", jobs.retry, SUBMIT, manual.RETRY),
    Door("GET", "/v1/jobs/{job_id}/events", events.events, READ, manual.EVENTS),
    Door("GET", "/v1/jobs/{job_id}/callbacks", callbacks.callbacks, READ, manual.CALLBACKS),
    Door("POST", "/v1/jobs/{job_id}/callbacks/redeliver", callbacks.redeliver, SUBMIT, manual.REDELIVER),
    Door("GET", "/v1/deliveries", deliveries.deliveries, READ, delivery_manual.LIST),
    Door("GET", "/v1/deliveries/{delivery_id}", deliveries.delivery, READ, delivery_manual.GET),
    Door("POST", "/v1/deliveries/{delivery_id}/resolve", deliveries.resolve, SUBMIT, delivery_manual.RESOLVE),
    Door("GET", "/v1/styles", library.styles, READ, manual.STYLES),
    Door("GET", "/v1/audio", library.audio, READ, manual.AUDIO),
    Door("GET", "/v1/fonts", fonts.fonts, READ, manual.FONTS),
    Door("GET", "/v1/schedules", schedules.schedules, READ, schedule_manual.LIST),
    Door("POST", "/v1/schedules", schedules.create_schedule, SUBMIT, schedule_manual.CREATE),
    Door("GET", "/v1/schedules/{schedule_id}", schedules.schedule, READ, schedule_manual.GET),
    Door("PUT", "/v1/schedules/{schedule_id}", schedules.replace_schedule, SUBMIT, schedule_manual.REPLACE),
    Door("POST", "/v1/schedules/{schedule_id}/run", schedules.run_schedule, SUBMIT, schedule_manual.RUN),
    Door("DELETE", "/v1/schedules/{schedule_id}", schedules.remove_schedule, SUBMIT, schedule_manual.REMOVE),
    Door("GET", "/v1/summary", summary.summary, READ, service_manual.SUMMARY),
    Door("GET", "/metrics", metrics.metrics, METRICS, service_manual.METRICS),
    *ADMIN_DOORS,
    *ACCOUNT_DOORS,
)
