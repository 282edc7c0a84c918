"""`python -m modeling_nerret.cli`: the command `nerret`."""

import sys

from . import main

sys.exit(main())
