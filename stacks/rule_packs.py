"""cdk-nag's rule packs, which check every synth."""

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks


def add_rule_packs(app: App) -> None:
    """Let AwsSolutions, NIST 800-53 R5, HIPAA Security and PCI DSS 3.2.1 check an app.

    A finding that nobody has acknowledged fails the synth. All of them, and the acknowledged ones
    with their reasons, are in ``validation-report.json`` of the assembly.
    """
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app),
        NIST80053R5Checks(app),
        HIPAASecurityChecks(app),
        PCIDSS321Checks(app),
    )
