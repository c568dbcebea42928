"""Canary check: whether a challenger's requests fail more often, or take longer, than the champion's; updated with each request."""

import math
from dataclasses import dataclass

FEWEST = 100
"""Requests of each before anything is decided."""
SIGNIFICANT = 4.0
"""Standard errors: with a look after each request a difference by chance is still rarely as large as this."""
MOST_RATIO = 1.25
"""A challenger whose requests take up to so many times as long is not slower in this sense."""


@dataclass(slots=True)
class Outcomes:
    """The outcomes of requests.

    Attributes:
        count: Requests that were answered.
        failures: Requests that were not.
        mean: Mean of log seconds of those answered.
        squares: Sum of squared deviations from it, by Welford's method.
    """

    count: int = 0
    failures: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, seconds: float) -> None:
        """Count an answered request; Welford (1962), Note on a method for calculating corrected sums of squares."""
        self.count += 1
        deviation = math.log(max(seconds, 1e-9)) - self.mean
        self.mean += deviation / self.count
        self.squares += deviation * (math.log(max(seconds, 1e-9)) - self.mean)

    @property
    def total(self) -> int:
        """Return how many requests there were."""
        return self.count + self.failures

    @property
    def variance_of_mean(self) -> float:
        """Return the squared standard error of the mean of log seconds."""
        return self.squares / (self.count - 1) / self.count


def find_fault(challenger: Outcomes, champion: Outcomes) -> str:
    """Return why a challenger is significantly worse than the champion, "" if it is not.

    Failures are compared by a test of two proportions, times by Welch's test of their logarithms, both one-sided.
    """
    if min(challenger.total, champion.total) < FEWEST:
        return ""
    share = (challenger.failures + champion.failures) / (challenger.total + champion.total)
    error = math.sqrt(share * (1 - share) * (1 / challenger.total + 1 / champion.total))
    more = challenger.failures / challenger.total - champion.failures / champion.total
    if more > SIGNIFICANT * error:
        return f"{challenger.failures} of {challenger.total} requests failed, {champion.failures} of {champion.total} of the champion"
    if min(challenger.count, champion.count) < FEWEST:
        return ""
    longer = challenger.mean - champion.mean
    error = math.sqrt(challenger.variance_of_mean + champion.variance_of_mean)
    if longer > math.log(MOST_RATIO) and longer > SIGNIFICANT * error:
        return f"requests take {math.exp(longer):.2f} times as long"
    return ""
