"""The statistics: samples of runs, tests, effect sizes, intervals, and the answer over all cases."""
