"""What a stage's stack and pipeline are called where cdk.json doesn't say."""


def stack_name(stage: str) -> str:
    """Name of the stack in CloudFormation."""
    return f"ModelPackaging-{stage}"


def pipeline_name(stage: str) -> str:
    """Name of the pipeline."""
    return f"model-packaging-{stage}"
