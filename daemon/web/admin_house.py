"""What an operator asks about the whole house: jobs of all keys, settings, the audit log; and to remove what is old."""

from __future__ import annotations

from starlette.responses import Response

from daemon.store.audit import AuditEntry
from daemon.web import jobs, parameters
from daemon.web.admin_bodies import read_model
from daemon.web.admin_models import Prune
from daemon.web.answers import Answer, listing
from daemon.web.call import Call

MOST = 500
USUAL = 100


async def admin_jobs(call: Call) -> Response:
    """Answer with a page of the jobs of all keys, the newest first."""
    page = await jobs.page_of(call, None)
    items = [{**jobs.listed(call, job), "key_id": job.key_id} for job in page.jobs]
    return listing(items, jobs.following(call, page.next))


async def admin_settings(call: Call) -> Response:
    """Answer with every setting, of secrets only whether they are set."""
    return Answer(dict(call.services.settings))


async def admin_prune(call: Call) -> Response:
    """Remove what has been kept long enough, or say what that would be."""
    asked = await read_model(call.request, Prune)
    return Answer({"dry_run": asked.dry_run, **await call.blocking(call.services.prune, asked.dry_run)})


async def admin_audit(call: Call) -> Response:
    """Answer with a page of admin calls, the newest first."""
    asked = parameters.read(call, {"limit": parameters.whole(1, MOST), "cursor": jobs.before})
    limit = asked.get("limit", USUAL)
    found = await call.blocking(call.services.audit.page, limit, asked.get("cursor"))
    following = None
    if len(found) == limit:
        cursor = jobs.cursor(found[-1].seq)
        following = f"{call.links.base}/admin/audit?limit={limit}&cursor={cursor}"
    return listing([_plain(entry) for entry in found], following)


def _plain(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.seq,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "address": entry.address,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
    }
