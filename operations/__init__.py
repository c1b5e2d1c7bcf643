"""What people do with the product, as one program: ``python -m operations --help``."""
