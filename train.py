"""Run `sqzkit train` from a checkout: `python train.py --help`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("sqzkit.programs.train", run_name="__main__")
