"""The embedded engine as a process: it serves the base model to all the others until TERM."""

import logging
import signal
import sys
import threading
from types import FrameType

from tasks.machine.lifeline import end_with_parent
from tasks.models.embedded.runtime import EmbeddedRuntime
from tasks.models.embedded.server import address_file, announce, serve
from thirdshift.errors import ThirdShiftError
from thirdshift.settings import settings

LOOK = 1.0  # seconds between looks at which model is chosen

log = logging.getLogger(__name__)


def main() -> None:
    """Serve the base model on `ports.engine`; exit 1 with the reason where that cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    end_with_parent()
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        _serve_until(stop)
    except ThirdShiftError as error:
        sys.exit(str(error))


def _serve_until(stop: threading.Event) -> None:
    """Serve what is chosen until TERM; another choice is served in its place."""
    while not stop.is_set():
        models = EmbeddedRuntime()
        name = models.base
        server, address = serve(name, models.file(name), settings().ports.engine)
        announce(address)
        log.info("Serving %s at %s.", address.model, address.url)
        while models.base == name and not stop.wait(LOOK):
            pass
        address_file().unlink(missing_ok=True)
        del server  # ends llama.cpp's threads
    log.info("Ended.")


if __name__ == "__main__":
    main()
