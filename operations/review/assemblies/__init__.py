"""The two sides of a review: an assembly from a folder, a revision of git, or what is deployed."""
