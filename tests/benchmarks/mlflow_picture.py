"""Picture of a comparison in MLflow's UI for the documents.

`python -m tests.benchmarks.mlflow_picture ADDRESS` writes docs/mlflow.png; `almanac ui` prints the address.
"""

import sys

from tests.benchmarks.page_pictures import keep
from tests.system.browser import Visit, chromium


def main(address: str) -> None:
    """Take the picture of the runs table, without MLflow's assistant and its note on saved views."""
    with chromium() as browser:
        page = Visit(browser, address, ready="[role=row]:has-text('seasonal_naive')").page
        page.set_viewport_size({"width": 1440, "height": 620})
        for close in page.get_by_role("button", name="Close").all():
            close.click()
        page.wait_for_timeout(2_000)
        keep(page.screenshot(), "mlflow.png")


if __name__ == "__main__":
    main(sys.argv[1])
