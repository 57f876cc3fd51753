"""The HTTP side: requests in, answers out. Knows the store, the kinds' specs and an injected bell; never renders."""
