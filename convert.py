"""`sqzkit convert` from a checkout: `python convert.py --help`."""

from sqzkit.programs import convert

if __name__ == "__main__":
    convert.cli.run(convert.PROGRAM)
