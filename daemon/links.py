"""The absolute URLs of a job, below one base. Knows the paths of the service and nothing of a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.signing import LinkSigner


@dataclass(frozen=True, slots=True)
class Signing:
    """What links that need no key are signed with, and when they end."""

    signer: LinkSigner
    until: datetime


@dataclass(frozen=True, slots=True)
class Links:
    """URLs below one base such as `https://films.example.org`. Without `signing` there are no signed ones."""

    base: str
    signing: Signing | None = None

    def status(self, job_id: str) -> str:
        return f"{self.base}/v1/status/{job_id}"

    def film(self, job_id: str) -> str:
        return f"{self.base}/v1/download/{job_id}.mp4"

    def thumbnail(self, job_id: str) -> str:
        return f"{self.base}/v1/download/{job_id}.jpg"

    def signed(self, link: str) -> str | None:
        """A link to a file of ours, so that it opens without a key until its time is over."""
        if self.signing is None:
            return None
        until_s = int(self.signing.until.timestamp())
        return f"{link}?{self.signing.signer.query(link.rpartition('/')[2], until_s)}"
