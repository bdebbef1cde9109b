"""``python -m pra``: hand over to the command line."""

import gc
import sys

from pra.commands.cli import main

# A verb ends soon and leaves hardly a cycle: looking for them, while modules load, among
# thousands of records and once more at the end, would cost more than they hold.
gc.disable()
code = main(sys.argv[1:])
gc.freeze()
sys.exit(code)
