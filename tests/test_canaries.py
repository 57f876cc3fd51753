"""What looks for secrets finds them."""

from __future__ import annotations

import logging

import pytest

from tests.canaries import Listener, found_in
from tests.fakes.facebook import APP_SECRET

_TOKEN = "EAA" + "x" * 20


@pytest.mark.parametrize("text", [f"token {_TOKEN}", f"?client_secret={APP_SECRET}&x", f"\x00{_TOKEN}".encode()])
def test_a_secret_is_found(text: str | bytes) -> None:
    assert found_in(text)


def test_ciphertext_is_searched_for_what_is_known() -> None:
    assert found_in(f"gAAAAAB{_TOKEN}", ["EAAother"]) == ""
    assert found_in(f"gAAAAAB{_TOKEN}", [_TOKEN]) == _TOKEN


def test_it_is_heard_wherever_it_stands_in_a_record() -> None:
    listener = Listener()
    logger = logging.Logger("alone")
    logger.addHandler(listener)
    logger.info("nothing")
    logger.info("in %s", _TOKEN)
    logger.info("beside", extra={"reason": APP_SECRET})
    try:
        raise ValueError(_TOKEN)
    except ValueError as exc:
        logger.error("above", exc_info=exc)
    assert len(listener.leaks) == 3
