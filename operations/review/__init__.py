"""What a change does, in words: two assemblies compared as the people who approve it read them."""
