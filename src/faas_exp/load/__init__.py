"""Load: exactly N requests by U users on one URL, a row for each, and a verdict on the generator itself.

Importing this is cheap; Locust and gevent are loaded in the load processes only.
"""

from faas_exp.load.calibrate import calibrate
from faas_exp.load.calibration import Calibration, read_calibration
from faas_exp.load.fleet import Fleet, GeneratorLost
from faas_exp.load.run import run_load
from faas_exp.load.spec import LoadSpec
from faas_exp.load.stats import GeneratorFacts, LoadStats

__all__ = [
    "Calibration",
    "Fleet",
    "GeneratorFacts",
    "GeneratorLost",
    "LoadSpec",
    "LoadStats",
    "calibrate",
    "read_calibration",
    "run_load",
]
