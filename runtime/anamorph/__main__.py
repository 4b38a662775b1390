"""`python -m anamorph` is `anamorph`."""

import sys

from anamorph.cli import main

sys.exit(main())
