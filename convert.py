"""Run `sqzkit convert` from a checkout: `python convert.py --help`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("sqzkit.programs.convert", run_name="__main__")
