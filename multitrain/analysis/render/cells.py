"""Numbers as text: percent, differences, intervals, p values; "-" for a missing one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = [
    "NONE",
    "Estimated",
    "chance",
    "count",
    "difference",
    "is_there",
    "p_value",
    "percent",
    "share",
    "signed",
    "unique",
]

NONE = "-"
Number = float | None  # None or NaN: not there


def is_there(value: Number) -> bool:
    return value is not None and value == value


def _form(write: Callable[[float], str]) -> Callable[[Number], str]:
    return lambda value: write(value) if value is not None and is_there(value) else NONE


percent = _form("{:.1f}".format)
signed = _form("{:+z.1f}".format)  # a difference in points; never -0.0
chance = _form("{:.0%}".format)
count = _form("{:,.0f}".format)
p_value = _form(lambda value: "<0.001" if value < 0.001 else f"{value:.3f}")


def share(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.1f}"


def unique(values: Iterable[object], between: str = " / ") -> str:
    """The texts of values, each once, in their order."""
    return between.join(dict.fromkeys(map(str, values)))


def difference(value: Number, low: Number, high: Number, none: str = "[-]", around: str = "[{}]") -> str:
    """A difference in points and its interval; `none` in the interval's place where there is none."""
    if not is_there(value):
        return NONE
    interval = around.format(f"{signed(low)}, {signed(high)}") if is_there(low) else none
    return f"{signed(value)} {interval}".rstrip()


@dataclass(frozen=True)
class Estimated:
    """An accuracy in percent with its interval, and its standard deviation over seeds if there are several."""

    value: float
    low: float
    high: float
    std: float | None = None

    def __str__(self) -> str:
        return f"{self.with_std} [{percent(self.low)}, {percent(self.high)}]"

    @property
    def with_std(self) -> str:
        return percent(self.value) if self.std is None else f"{percent(self.value)} ± {percent(self.std)}"
