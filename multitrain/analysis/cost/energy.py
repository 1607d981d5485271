"""Energy of computing, by the formula of Green Algorithms.

L. Lannelongue, J. Grealey, M. Inouye: Green Algorithms: Quantifying the Carbon Footprint of Computation, Advanced
Science 8 (2021) 2100707, https://doi.org/10.1002/advs.202100707. The constants are those of its calculator.
"""

from dataclasses import dataclass

__all__ = ["ASSUMED", "WORLD", "Power"]

WORLD = 475.0  # grams of CO2 equivalent a kWh, the calculator's average of the world


@dataclass(frozen=True)
class Power:
    """What a busy core draws."""

    core: float = 12.0  # watts of a core at full use: the calculator's for a processor of any kind
    memory: float = 0.3725  # watts a GB, used or not
    gigabytes: float = 4.0  # of memory for each core: an assumption of ours
    overhead: float = 1.67  # power usage effectiveness: the calculator's where nothing is known of the building

    def kwh(self, core_hours: float) -> float:
        """Energy in kWh: hours x (core + memory) x overhead."""
        return core_hours * (self.core + self.memory * self.gigabytes) * self.overhead / 1000


ASSUMED = Power()
