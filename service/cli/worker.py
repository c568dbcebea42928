"""Worker: one of the processes of `almanac serve --workers N`; `python -m service.cli.worker OPTIONS`, see `workers`."""

import math
import shutil
import sys

from service.cli.starting import leave_out_unused, prepare_process
from service.processes.link import ProcessLink, ProcessOptions
from service.settings import Settings


def share(settings: Settings, workers: int) -> Settings:
    """Return the settings of one of several processes: its share of what may wait."""
    return settings.model_copy(
        update={
            "workers": workers,
            "max_queue": math.ceil(settings.max_queue / workers),
            "max_ledger": math.ceil(settings.max_ledger / workers),
        }
    )


def main() -> None:
    """Serve until SIGTERM, or until the parent process has ended."""
    options = ProcessOptions.from_json(sys.argv[1])
    link = ProcessLink.over_standard_streams(options)
    leave_out_unused()
    prepare_process()
    from service.app import create_app
    from service.cli.server import serve_app
    from service.logs import configure_logging
    from service.monitoring.shared_metrics import share_values

    settings = share(Settings.from_environment(), options.workers)
    configure_logging(settings.api_keys)
    share_values(link.folder, options.place)
    app = create_app(settings, host=options.host, link=link)
    try:
        serve_app(app, settings, link.listener)
    finally:
        if link.is_orphaned:
            shutil.rmtree(link.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
