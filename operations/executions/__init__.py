"""What is asked of a deployed stage: start a model again, see what ran, read why it failed."""
