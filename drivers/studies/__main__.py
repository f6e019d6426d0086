"""Started by drivers/study, which has checked the command line and has built the drivers."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from studies import main  # noqa: E402

sys.exit(main.main(sys.argv[1:]))
