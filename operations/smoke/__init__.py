"""The smoke test of a deployed stage: small models go in, and what comes of each is looked at."""
