"""The settings of one packaging step, in groups; ``PackageStepConfig`` is their one face."""
