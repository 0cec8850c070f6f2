"""One row of the table: a ratio, or a figure beside its goal."""

import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    group: str
    name: str
    against: str                  # what the ratio is to
    ratios: list = dataclasses.field(default_factory=list)      # one a pair
    cpu_ratios: list = dataclasses.field(default_factory=list)  # of the server's CPU time a request
    value: float = None           # a figure of this machine, with its unit
    unit: str = ""
    goal: str = ""                # in words
    note: str = ""

    def spread(self):
        """The middle half of the pairs."""
        if len(self.ratios) < 2:
            return self.ratios[0], self.ratios[0]
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    def to_json(self):
        entry = {"group": self.group, "name": self.name, "against": self.against}
        if self.ratios:
            low, high = self.spread()
            entry.update(ratio=round(statistics.median(self.ratios), 4), low=round(low, 4),
                         high=round(high, 4), pairs=len(self.ratios))
        if self.cpu_ratios:
            entry["cpu_ratio"] = round(statistics.median(self.cpu_ratios), 4)
        if self.value is not None:
            entry.update(value=round(self.value, 3), unit=self.unit)
        for key in ("goal", "note"):
            if getattr(self, key):
                entry[key] = getattr(self, key)
        return entry


class Options:
    """How long and how often. Quick: only that everything runs."""

    def __init__(self, quick):
        self.quick = quick
        self.seconds = 1
        self.pairs = 1 if quick else 9        # of rows that must be exact
        self.peer_pairs = 1 if quick else 3   # of peers, which are far off
        self.providers = 5 if quick else 200
        self.files = 50 if quick else 10000
