"""What tells people how a packaging pipeline is doing."""
