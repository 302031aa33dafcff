"""`python -m bionet` is the command `bionet`."""

import sys

from bionet.cli import main

if __name__ == "__main__":
    sys.exit(main())
