"""Started by drivers/study, which has checked the command line and has built the drivers."""

import signal
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from studies import main  # noqa: E402

signal.signal(signal.SIGINT, signal.SIG_DFL)  # as long as there is nothing to end well
sys.exit(main.main(sys.argv[1:]))
