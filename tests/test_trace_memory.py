"""What a trace costs in memory does not grow with the number of workers or ranks, the lead's included.

At full size: up to 64,000 workers below, 64 ranks by hand (drivers/record.h says why it holds).
"""

import subprocess
import sys

import pytest

import kit
import peak

MIB = 1 << 20
WRITER = kit.BUILD / "tests" / "write_trace"


@pytest.mark.skipif(not WRITER.exists(), reason=f"no {WRITER}: build with tests")
def test_the_writer_keeps_no_worker(tmp_path):
    """A hundred times the workers of a chunk: 13 MiB of counts more in the file, none in memory."""
    few, many = (peak.of([WRITER, tmp_path / f"{workers}.h5", "--workers", workers, "--bins", 500,
                          "--reps", 1, "--calm"]) for workers in (64, 6400))
    assert few.code == many.code == 0
    assert many.rss - few.rss < 4 * MIB


def test_the_lead_keeps_no_rank(tmp_path):
    """From 64 workers on, a row of chunks, more ranks leave the lead as it is: their 5 MiB in each
    repetition pass through it. The others grow by what MPI keeps of its ranks, and so may it; of
    those that it got messages from MPI keeps more, less than 1 MiB at 16."""
    grown = []
    for ranks in (8, 16):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        done = subprocess.run(
            [*kit.MPIRUN, "-n", str(ranks), "--bind-to", "none", sys.executable, "-S",
             str(kit.SOURCE / "tests" / "peak.py"), str(folder), kit.program("hybrid"), "binning",
             "--threads", "8", "--bins", "10000", "--width", "1us", "--repeats", "3", "--warmup",
             "1ms", "--allow-invalid", "--quiet", "-o", str(folder / "run.h5")],
            capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        lead, *others = (int((folder / str(rank)).read_text()) for rank in range(ranks))
        grown.append(lead - sorted(others)[len(others) // 2])
    assert grown[1] - grown[0] < 3 * MIB
