"""How what is finished gets to those who wait for it."""
