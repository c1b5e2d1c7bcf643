"""What a template says, in words, and where two of them differ."""
