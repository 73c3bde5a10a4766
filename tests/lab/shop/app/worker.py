"""Notes in the ledger when it runs, ten times a second, so that two at once would show."""

import os
import signal
import sys
import time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    with open("/ledger/beats", "a") as ledger:
        ledger.write(f"{time.time():.1f} {os.uname().nodename}\n")
    time.sleep(0.1)
