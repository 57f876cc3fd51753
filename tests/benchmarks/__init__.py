"""The benchmark behind `./vix bench`: what films and requests cost, against stated targets. Never part of the tests."""
