"""The service that hears of a push and asks for a deploy: small, alone, and of no use for anything else."""
