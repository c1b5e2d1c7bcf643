"""What talks to the SageMaker SDK: an upgrade of it touches this room."""
