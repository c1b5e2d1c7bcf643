"""What follows the packaging step in the same pipeline."""
