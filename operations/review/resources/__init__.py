"""What happens to a stack's resources, to what guards them, and to the stack itself."""
