"""The kinds of steps that executions run, one a module."""
