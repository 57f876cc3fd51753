"""Accounts: on whose pages films are published, and how long that will still go well."""
