"""What Python runs when it is given this folder, or a zip of it (PEP 441)."""

import sys

from mims_package import main

sys.exit(main())
