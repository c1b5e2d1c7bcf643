"""The embedded local AWS: enough of it, on loopback, to deploy the stack and run the pipeline."""
