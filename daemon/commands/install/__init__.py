"""`vix install`: makes a fresh Debian or Ubuntu server one that runs Vix and deploys every push. Facts about it go
into a pure plan of steps, and only `machine` does any."""
