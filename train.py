"""`sqzkit train` from a checkout: `python train.py --help`."""

from sqzkit.programs import train

if __name__ == "__main__":
    train.cli.run(train.PROGRAM)
