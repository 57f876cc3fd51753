"""Deliveries: how a finished film gets to where it was asked to be published, once."""
