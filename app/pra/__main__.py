"""``python -m pra``: hand over to the command line."""

import sys

from pra.commands.cli import main

sys.exit(main(sys.argv[1:]))
