"""Lets tests import the analysis and each other's helpers, and use the development cluster and a browser."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "analysis")]

pytest_plugins = ["cluster", "browser"]
